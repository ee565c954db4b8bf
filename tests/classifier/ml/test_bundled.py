"""What is bundled holds what the project asks of it, by its own card."""

from __future__ import annotations

import pytest

from classifier.ml import artifact as artifacts
from classifier.ml.runtime import Classifier
from classifier.registry import BUNDLED

MEGABYTE = 1_000_000


@pytest.mark.parametrize(
    ("name", "megabytes", "accuracy"), [("expressions-cnn", 5, 0.68), ("expressions-svm", 10, 0.62)]
)
def test_a_bundled_model_is_small_accurate_and_calibrated(
    name: str, megabytes: float, accuracy: float
) -> None:
    artifact, card = artifacts.read(BUNDLED / f"{name}.onnx")
    Classifier.load(artifact, card)
    figures = card["metrics"]["FER2013 PublicTest"]
    assert len(artifact) <= megabytes * MEGABYTE
    assert figures["faces"] == 3579
    assert figures["accuracy"] >= accuracy
    assert figures["expected_calibration_error"] <= 0.03
