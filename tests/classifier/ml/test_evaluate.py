from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score
from sklearn.metrics import confusion_matrix as sklearn_confusion_matrix

from classifier.ml import artifact as artifacts
from classifier.ml.evaluate import (
    balanced_accuracy,
    bootstrap_interval,
    confusion_matrix,
    expected_calibration_error,
    main,
    measure,
)
from tests.artifacts import tiny_artifact


def test_the_matrix_and_balanced_accuracy_agree_with_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    labels, predicted = rng.integers(0, 5, 300), rng.integers(0, 5, 300)
    matrix = confusion_matrix(labels, predicted, 5)
    np.testing.assert_array_equal(matrix, sklearn_confusion_matrix(labels, predicted))
    assert balanced_accuracy(matrix) == pytest.approx(balanced_accuracy_score(labels, predicted))


def test_calibration_error_is_nothing_when_confidence_is_true_and_the_gap_when_not() -> None:
    labels = np.array([0] * 80 + [1] * 20)
    honest = np.tile(np.array([0.8, 0.2], np.float32), (100, 1))
    boastful = np.tile(np.array([0.98, 0.02], np.float32), (100, 1))
    assert expected_calibration_error(honest, labels) == pytest.approx(0, abs=1e-6)
    assert expected_calibration_error(boastful, labels) == pytest.approx(0.18, abs=1e-6)


def test_the_interval_holds_the_mean_and_narrows_with_more_faces() -> None:
    few, many = np.arange(50) % 4 > 0, np.arange(5000) % 4 > 0
    low, high = bootstrap_interval(few)
    assert low < few.mean() < high
    assert high - low > 3 * np.subtract(*bootstrap_interval(many)[::-1])


def test_a_class_that_never_occurs_has_no_recall() -> None:
    probabilities = np.array([[0.9, 0.05, 0.05], [0.2, 0.7, 0.1]], np.float32)
    figures = measure(probabilities, np.array([0, 1]), ("a", "b", "c"))
    assert figures["accuracy"] == 1
    assert figures["recall"] == {"a": 1.0, "b": 1.0, "c": None}
    assert json.loads(json.dumps(figures)) == figures


def test_the_command_scores_an_artifact(
    fer_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = artifacts.write(tmp_path, "tiny", *tiny_artifact(favourite="fear"))
    assert main(["--artifact", str(path), "--data", str(fer_file), "--json"]) == 0
    figures = json.loads(capsys.readouterr().out)
    assert figures["faces"] == 84
    assert figures["accuracy"] == pytest.approx(1 / 7, abs=1e-4)
    assert figures["recall"]["fear"] == 1


@pytest.mark.parametrize(
    "options",
    [["--data", "/nowhere.csv"], ["--usage", "PrivateTest"], ["--artifact", "/nowhere.onnx"]],
)
def test_bad_input_is_a_sentence_and_status_2(
    options: list[str], fer_file: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = artifacts.write(tmp_path, "tiny", *tiny_artifact())
    with pytest.raises(SystemExit) as stopped:
        main(["--artifact", str(path), "--data", str(fer_file), *options])
    assert stopped.value.code == 2
    assert "nowhere" in (err := capsys.readouterr().err) or "PrivateTest" in err
