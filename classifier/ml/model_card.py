"""What an artifact's model card says, the same for every family."""

from __future__ import annotations

import platform
from collections.abc import Sequence
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from typing import Any

from . import artifact as artifacts
from .calibration import choose_threshold
from .dataset import FaceSet
from .metrics import measure
from .preprocessing import Preprocessing
from .runtime import Classifier

INTENDED_USE = (
    "Reads the expression on a face in a photograph; not what a person feels. Not for use on people at work "
    "or in education (EU AI Act, Article 5(1)(f)). The labels are {labels}; "
    "the recall of each label is under metrics."
)
CROWD = "a crowd's opinion of web pictures"
NAMING = (
    "Tells some people apart by their faces, which is biometric identification, for this purpose alone: "
    "“{purpose}” Whoever is none of them is told for one of them."
)
# Keras trains by one of the last three.
LIBRARIES = ("keras", "numpy", "onnxruntime", "scikit-learn", "tensorflow", "jax", "torch")


def calibrated_card(
    artifact: bytes,
    *,
    label_set: str,
    estimator: str,
    preprocessing: Preprocessing,
    held: FaceSet,
    calibration: dict[str, Any],
) -> dict[str, Any]:
    """All that serving needs. The threshold is read off the artifact itself, on the faces of `held`.

    calibration: what was fitted on `held`, and its method where that is no temperature.
    """
    card = serving_card(
        artifact, label_set=label_set, labels=held.names, estimator=estimator, preprocessing=preprocessing
    )
    card["calibration"] |= calibration | {"faces": len(held)}
    card["threshold"] = choose_threshold(Classifier.load(artifact, card).predict(held.crops), held.labels)
    return card


def serving_card(
    artifact: bytes, *, label_set: str, labels: Sequence[str], estimator: str, preprocessing: Preprocessing
) -> dict[str, Any]:
    """What can be said before it is calibrated: the threshold is 0."""
    return {
        "format": artifacts.CARD_FORMAT,
        "sha256": artifacts.sha256(artifact),
        "label_set": label_set,
        "labels": list(labels),
        "estimator": estimator,
        "preprocessing": preprocessing.to_card(),
        "threshold": 0.0,
        "calibration": {"method": "temperature"},
    }


def provenance(dataset: dict[str, Any], *, labels: str, purpose: str = "") -> dict[str, Any]:
    """What it learned from, and with what software.

    labels: whose opinion they are. purpose: what for, where it tells people apart.
    """
    return {
        "intended_use": (NAMING if purpose else INTENDED_USE).format(purpose=purpose.strip(), labels=labels),
        "dataset": dataset,
        "environment": {"python": platform.python_version()} | _versions(),
    }


def _versions() -> dict[str, str]:
    found = {}
    for name in LIBRARIES:
        with suppress(PackageNotFoundError):
            found[name] = version(name)
    return found


def of_fer2013(training: FaceSet, *, voted: bool) -> dict[str, Any]:
    """FER2013, as the bundled models know it, for `provenance`."""
    return {
        "name": "FER2013 Training, without near-duplicates of PublicTest",
        "votes": "FER+" if voted else None,
        "faces": len(training),
        "sha256": training.digest(),
        "licence": "research use; the pictures are not distributed with the weights",
    }


def figures_of(artifact: bytes, card: dict[str, Any], test: FaceSet) -> dict[str, Any]:
    """How good it is on faces that it has not seen."""
    answers = Classifier.load(artifact, card).predict(test.crops)
    return measure(answers, test.labels, test.names, threshold=card["threshold"])
