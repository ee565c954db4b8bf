"""What is bundled holds what the project asks of it: by its own card, which is checked against the data."""

from __future__ import annotations

import lzma
from itertools import islice
from pathlib import Path

import pytest

from classifier.ml import artifact as artifacts
from classifier.ml.evaluate import evaluate
from classifier.ml.runtime import Classifier
from classifier.registry import BUNDLED

MEGABYTE = 1_000_000
CHECKED = 600


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


@pytest.fixture(scope="module")
def test_rows(shared_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The first CHECKED rows of the public test."""
    with lzma.open(shared_data / "fer2013" / "fer2013.csv.xz", "rt") as lines:
        header = next(lines)
        rows = list(islice((line for line in lines if line.rstrip().endswith("PublicTest")), CHECKED))
    path = tmp_path_factory.mktemp("fer2013") / "test.csv"
    path.write_text("".join([header, *rows]))
    return path


@pytest.mark.parametrize("name", ["expressions-cnn", "expressions-svm"])
def test_the_card_of_a_bundled_model_tells_what_it_does(name: str, test_rows: Path) -> None:
    artifact, card = artifacts.read(BUNDLED / f"{name}.onnx")
    low, high = evaluate(artifact, card, data=test_rows)["accuracy_95"]
    assert low <= card["metrics"]["FER2013 PublicTest"]["accuracy"] <= high
