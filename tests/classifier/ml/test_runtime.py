from __future__ import annotations

from typing import Any

import numpy as np
import onnx
import pytest

from classifier.ml.artifact import ArtifactError, sha256
from classifier.ml.runtime import BATCH, Classifier
from tests.artifacts import artifact_answering, tiny_artifact


def crops(count: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (count, 112, 112, 3), dtype=np.uint8)


@pytest.mark.parametrize("count", [0, 1, BATCH, BATCH * 2 + 1])
def test_every_crop_gets_its_row_of_probabilities(count: int) -> None:
    classifier = Classifier.load(*tiny_artifact(favourite="sad", confidence=0.7))
    answer = classifier.predict(crops(count))
    assert answer.shape == (count, 7)
    np.testing.assert_allclose(answer.sum(axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(answer[:, 4], 0.7, atol=1e-5)


def test_one_altered_byte_is_refused() -> None:
    artifact, card = tiny_artifact()
    altered = bytearray(artifact)
    altered[len(altered) // 2] ^= 1
    with pytest.raises(ArtifactError, match="SHA-256 differs"):
        Classifier.load(bytes(altered), card)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"labels": ["happy", "sad"]}, r"answers \(4, 7\), not \(4, 2\)"),
        ({"labels": ["happy"] * 7}, "each once"),
        ({"format": 99}, "format 99"),
        ({"threshold": float("nan")}, "threshold"),
        ({"threshold": 2}, "threshold"),
        ({"preprocessing": {"color": "rgb"}}, "preprocessing"),
    ],
)
def test_a_card_that_does_not_fit_is_refused_saying_why(change: dict[str, Any], why: str) -> None:
    artifact, card = tiny_artifact()
    with pytest.raises(ArtifactError, match=why):
        Classifier.load(artifact, card | change)


def test_an_incomplete_card_is_refused_naming_what_it_lacks() -> None:
    artifact, card = tiny_artifact()
    del card["threshold"]
    with pytest.raises(ArtifactError, match="lacks threshold"):
        Classifier.load(artifact, card)


def test_labels_in_another_order_than_the_artifacts_own_are_refused() -> None:
    artifact, card = tiny_artifact(labels=("happy", "sad"))
    with pytest.raises(ArtifactError, match=r"labels are happy, sad; its model card says sad, happy.*order"):
        Classifier.load(artifact, card | {"labels": ["sad", "happy"]})


def test_an_artifact_that_does_not_name_its_labels_is_refused() -> None:
    artifact, card = tiny_artifact()
    model = onnx.load_from_string(artifact)
    del model.metadata_props[:]
    nameless = model.SerializeToString()
    with pytest.raises(ArtifactError, match="does not say which labels"):
        Classifier.load(nameless, card | {"sha256": sha256(nameless)})


def test_answers_that_are_no_numbers_are_refused() -> None:
    with pytest.raises(ArtifactError, match="not probabilities"):
        Classifier.load(*artifact_answering(np.full(7, np.nan)))


def test_bytes_that_are_no_network_are_refused() -> None:
    _, card = tiny_artifact()
    with pytest.raises(ArtifactError, match="can't be loaded"):
        Classifier.load(b"not onnx", card | {"sha256": sha256(b"not onnx")})
