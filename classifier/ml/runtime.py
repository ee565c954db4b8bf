"""Serving: a model card and its ONNX artifact become probabilities. Needs `onnxruntime`, never TensorFlow."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from .artifact import ArtifactError, check_card, check_labels
from .preprocessing import CROP_SIDE, Preprocessing

# A hundred faces in one piece would hold hundreds of MB, and be no quicker for it; hand-crafted features take
# 0.4 MB for each.
BATCH = 8


class Classifier:
    """One loaded artifact; safe to share between threads.

    labels: the K class slugs in the order of the output. threshold: the confidence, 0 to 1, under which an
    answer counts as unsure.
    """

    def __init__(
        self,
        session: onnxruntime.InferenceSession,
        *,
        labels: tuple[str, ...],
        preprocessing: Preprocessing,
        threshold: float,
    ) -> None:
        self.session = session
        self.labels = labels
        self.preprocessing = preprocessing
        self.threshold = threshold

    @classmethod
    def load(cls, artifact: bytes, card: dict[str, Any]) -> Classifier:
        """Raises ArtifactError when the bytes are not what the card says, or don't answer as it says."""
        check_card(artifact, card)
        options = onnxruntime.SessionOptions()
        # Web workers are many; one photograph's faces are few. Spinning threads would only fight each other.
        options.intra_op_num_threads = 1
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        try:
            preprocessing = Preprocessing.from_card(card["preprocessing"])
            session = onnxruntime.InferenceSession(artifact, options, providers=["CPUExecutionProvider"])
        except Exception as error:  # onnxruntime raises a family of its own, straight under Exception
            raise ArtifactError(f"The artifact can't be loaded: {error}") from error
        loaded = cls(
            session,
            labels=tuple(card["labels"]),
            preprocessing=preprocessing,
            threshold=float(card["threshold"]),
        )
        loaded._self_test()
        check_labels(session.get_modelmeta().custom_metadata_map, card)
        return loaded

    def predict(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """N uint8 crops, RGB or gray squares of any size, to (N, K) float32 probabilities; rows sum to 1.

        What the site itself gives it is (N, 112, 112, 3), RGB.
        """
        if not len(crops):
            return np.zeros((0, len(self.labels)), np.float32)
        name = self.session.get_inputs()[0].name
        parts = [
            self.session.run(None, {name: self.preprocessing(crops[start : start + BATCH])})[0]
            for start in range(0, len(crops), BATCH)
        ]
        probabilities: NDArray[np.float32] = np.concatenate(parts).astype(np.float32, copy=False)
        return probabilities

    def _self_test(self) -> None:
        crops = np.random.default_rng(0).integers(0, 256, (4, CROP_SIDE, CROP_SIDE, 3), dtype=np.uint8)
        crops[2], crops[3] = 0, 255  # nothing to see, which is where divisions fail
        try:
            answer = self.predict(crops)
        except Exception as error:  # as above
            raise ArtifactError(f"The artifact fails on a trial crop: {error}") from error
        wanted = (len(crops), len(self.labels))
        if answer.shape != wanted:
            raise ArtifactError(f"The artifact answers {answer.shape}, not {wanted}.")
        if (
            not np.isfinite(answer).all()
            or answer.min() < 0
            or not np.allclose(answer.sum(axis=1), 1, atol=1e-3)
        ):
            raise ArtifactError("The artifact's answers are not probabilities.")
