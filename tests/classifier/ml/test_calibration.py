from __future__ import annotations

import numpy as np
import pytest

from classifier.ml import calibration


def test_temperature_cools_a_boastful_network() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(4000, 5)).astype(np.float32)
    odds = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = np.array([rng.choice(5, p=p / p.sum()) for p in odds.astype(np.float64)])
    assert calibration.fit_temperature(logits * 3, labels) == pytest.approx(3, rel=0.1)


def test_vector_scaling_undoes_what_each_class_was_scaled_and_shifted_by() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(20_000, 3)).astype(np.float32)
    odds = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = (odds.cumsum(axis=1) < rng.random((len(odds), 1))).sum(axis=1)
    scales, shifts = np.array([1, 2, 4]), np.array([0, 0.5, -0.5])
    temperatures, biases = calibration.fit_vector((logits + shifts) * scales, labels)
    np.testing.assert_allclose(temperatures, scales, rtol=0.1)
    np.testing.assert_allclose(biases - biases[0], -(shifts - shifts[0]), atol=0.1)


def test_a_class_without_faces_keeps_the_temperature_of_the_others() -> None:
    labels = np.arange(40) % 2
    logits = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32)
    logits[np.arange(40), labels] += 1
    logits[:, 2] = -9
    temperatures, biases = calibration.fit_vector(logits * 3, labels)
    common = calibration.fit_temperature(logits * 3, labels)
    assert temperatures[2] == pytest.approx(common, rel=0.05)
    assert biases[2] == pytest.approx(0, abs=0.02)


def test_the_threshold_is_the_lowest_that_is_right_often_enough() -> None:
    confidence = np.linspace(0.5, 0.99, 50, dtype=np.float32)
    labels = (confidence < 0.7).astype(np.int64)  # wrong below 0.7, right from there on
    threshold = calibration.choose_threshold(np.stack([confidence, 1 - confidence], axis=1), labels)
    answered = confidence >= threshold
    assert 0.5 < threshold < 0.7
    assert (labels[answered] == 0).mean() >= 0.8
