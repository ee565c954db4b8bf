from __future__ import annotations

import json
import time

import numpy as np
import pytest
from sklearn import metrics as sklearn_metrics

from classifier.ml.metrics import calibration_error, measure, reliability

NAMES = ("a", "b", "c", "d", "e")


def scored(faces: int, *, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities that lean to the right answer, and the right answers."""
    rng = np.random.default_rng(seed)
    labels = rng.choice(5, faces, p=[0.4, 0.3, 0.15, 0.1, 0.05])
    logits = rng.normal(size=(faces, 5)) + 1.2 * np.eye(5)[labels]
    odds = np.exp(logits)
    return (odds / odds.sum(axis=1, keepdims=True)).astype(np.float32), labels


def test_the_figures_are_those_of_scikit_learn() -> None:
    answers, labels = scored(400)
    told, predicted = measure(answers, labels, NAMES), answers.argmax(axis=1)
    precision, recall, _, _ = sklearn_metrics.precision_recall_fscore_support(labels, predicted)
    expected = {
        "accuracy": sklearn_metrics.accuracy_score(labels, predicted),
        "balanced_accuracy": sklearn_metrics.balanced_accuracy_score(labels, predicted),
        "macro_f1": sklearn_metrics.f1_score(labels, predicted, average="macro"),
        "log_loss": sklearn_metrics.log_loss(labels, answers),
    }
    assert {name: told[name] for name in expected} == pytest.approx(expected, abs=1e-4)
    assert list(told["precision"].values()) == pytest.approx(precision.tolist(), abs=1e-4)
    assert list(told["recall"].values()) == pytest.approx(recall.tolist(), abs=1e-4)
    assert told["confusion_matrix"] == sklearn_metrics.confusion_matrix(labels, predicted).tolist()


def one_by_one(labels: np.ndarray, answers: np.ndarray) -> list[float]:
    predicted = answers.argmax(axis=1)
    return [
        sklearn_metrics.accuracy_score(labels, predicted),
        sklearn_metrics.balanced_accuracy_score(labels, predicted),
        sklearn_metrics.f1_score(labels, predicted, average="macro"),
        sklearn_metrics.log_loss(labels, answers, labels=range(5)),
        sklearn_metrics.recall_score(labels, predicted, labels=[0], average="macro"),
    ]


def test_intervals_are_those_of_resampling_the_faces_one_round_at_a_time() -> None:
    answers, labels = scored(300)
    rng = np.random.default_rng(1)
    rounds = [one_by_one(labels[drawn], answers[drawn]) for drawn in rng.integers(0, 300, (200, 300))]
    told = measure(answers, labels, NAMES)
    figures = ("accuracy", "balanced_accuracy", "macro_f1", "log_loss")
    intervals = [*(told[f"{figure}_95"] for figure in figures), told["recall_95"]["a"]]
    for interval, expected in zip(intervals, np.percentile(rounds, [2.5, 97.5], axis=0).T, strict=True):
        np.testing.assert_allclose(interval, expected, atol=0.2 * np.ptp(expected))


def test_the_same_answers_get_the_same_intervals() -> None:
    assert measure(*scored(100), NAMES) == measure(*scored(100), NAMES)


def test_calibration_error_is_nothing_when_confidence_is_true_and_the_gap_when_not() -> None:
    labels = np.array([0] * 80 + [1] * 20)
    honest = np.tile(np.array([0.8, 0.2], np.float32), (100, 1))
    boastful = np.tile(np.array([0.98, 0.02], np.float32), (100, 1))
    assert measure(honest, labels, ("a", "b"))["expected_calibration_error"] == pytest.approx(0, abs=1e-4)
    told = measure(boastful, labels, ("a", "b"))
    assert told["expected_calibration_error"] == pytest.approx(0.18, abs=1e-4)
    low, high = told["expected_calibration_error_95"]
    assert 0.08 < low < 0.18 < high < 0.28


def test_gaps_of_one_bin_cancel_and_those_of_two_add_up() -> None:
    sure, unsure = [0.95, 0.05], [0.55, 0.45]
    answers = np.array([sure] * 10 + [unsure] * 10, np.float32)
    labels = np.array([0] * 8 + [1] * 2 + [0] * 8 + [1] * 2)  # 15 points too sure, 25 too humble
    told = measure(answers, labels, ("a", "b"))
    assert told["expected_calibration_error"] == pytest.approx((0.15 + 0.25) / 2, abs=1e-4)


def test_the_bins_hold_every_face_once_and_full_confidence_in_the_last() -> None:
    answers = np.array([[1, 0], [0.95, 0.05], [0.5, 0.5], [0, 1]], np.float32)
    bins = reliability(answers, np.array([0, 0, 1, 0]))
    assert sum(one["faces"] for one in bins) == 4
    assert bins[-1] == {"from": 0.9333, "to": 1.0, "faces": 3, "confidence": 0.9833, "accuracy": 0.6667}
    assert bins[0] == {"from": 0.0, "to": 0.0667, "faces": 0, "confidence": None, "accuracy": None}


def test_what_is_answered_is_what_reaches_the_threshold() -> None:
    answers = np.array([[0.9, 0.1], [0.8, 0.2], [0.5, 0.5], [0.6, 0.4]], np.float32)
    told = measure(answers, np.array([0, 1, 1, 1]), ("a", "b"), threshold=0.75)
    assert (told["answered"], told["answered_accuracy"], told["accuracy"]) == (0.5, 0.5, 0.25)
    nobody = measure(answers, np.array([0, 1, 1, 1]), ("a", "b"), threshold=0.99)
    assert (nobody["answered"], nobody["answered_accuracy"]) == (0, None)


def test_a_class_that_never_occurs_has_no_recall_and_one_never_told_no_precision() -> None:
    answers = np.array([[0.9, 0.05, 0.05], [0.2, 0.7, 0.1]], np.float32)
    told = measure(answers, np.array([0, 1]), ("a", "b", "c"))
    assert told["accuracy"] == told["balanced_accuracy"] == told["macro_f1"] == 1
    assert told["recall"] == told["precision"] == {"a": 1.0, "b": 1.0, "c": None}
    assert told["recall_95"]["c"] is told["precision_95"]["c"] is None
    assert json.loads(json.dumps(told, allow_nan=False)) == told


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_answers_that_are_no_numbers_are_not_measured(bad: float) -> None:
    answers, labels = scored(10)
    answers[3, 1] = bad
    with pytest.raises(ValueError, match="not a number"):
        measure(answers, labels, NAMES)


def test_nothing_is_not_measured() -> None:
    with pytest.raises(ValueError, match="no faces"):
        measure(np.zeros((0, 5), np.float32), np.zeros(0, np.int64), NAMES)


def test_intervals_of_a_whole_test_set_cost_little() -> None:
    """Processor time, which others on the machine can't take."""
    began = time.process_time()
    measure(*scored(3579), NAMES)
    assert time.process_time() - began < 3


def test_the_calibration_error_of_many_outcomes_is_that_of_each() -> None:
    answers, labels = scored(300)
    told = measure(answers, labels, NAMES)["expected_calibration_error"]
    right = answers.argmax(axis=1) == labels
    several = calibration_error(answers.max(axis=1), np.stack([right, ~right, np.ones_like(right)]))
    assert several[0] == pytest.approx(told, abs=1e-4)
    assert several[2] == pytest.approx((1 - answers.max(axis=1)).mean(), abs=1e-6)
