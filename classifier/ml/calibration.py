"""Honest percentages: scores become probabilities, and a confidence is found under which to say "unsure"."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize, minimize_scalar
from scipy.special import log_softmax


def fit_temperature(logits: NDArray[Any], labels: NDArray[np.int64]) -> float:
    """The T for which softmax(logits / T) has the least log-loss; logits: (N, K), labels: (N,).

    Guo et al., "On Calibration of Modern Neural Networks", ICML 2017.
    """

    def loss(log_t: float) -> float:
        scores = log_softmax(logits / np.exp(log_t), axis=1)
        return float(-scores[np.arange(len(labels)), labels].mean())

    return float(np.exp(minimize_scalar(loss, bounds=(-5, 5), method="bounded").x))


def fit_vector(
    logits: NDArray[Any], labels: NDArray[np.int64]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """(K,) T and b for which softmax(logits / T + b) has the least log-loss: vector scaling, Guo et al.

    A normal distribution is assumed of each b, and of each T's distance from the common temperature in
    powers of e, so that a class with few faces, or none, hardly leaves it.
    """
    classes = logits.shape[1]
    common = np.log(fit_temperature(logits, labels))

    def loss(found: NDArray[np.float64]) -> float:
        colder, bias = found[:classes], found[classes:]
        scores = log_softmax(logits * np.exp(colder - common) + bias, axis=1)
        assumed = 0.5 * float(found @ found) / len(labels)
        return float(-scores[np.arange(len(labels)), labels].mean()) + assumed

    found = minimize(loss, np.zeros(2 * classes), method="L-BFGS-B").x
    return np.exp(common - found[:classes]).astype(np.float32), found[classes:].astype(np.float32)


def choose_threshold(
    probabilities: NDArray[np.float32], labels: NDArray[np.int64], *, accuracy: float = 0.8
) -> float:
    """The lowest confidence such that the answers from it up are right at least `accuracy` of the time.

    By a standard error more than that: what just reaches it on these faces would often not do so on others.
    """
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    for threshold in np.round(np.arange(0, 1, 0.01), 2):
        answered = confidence >= threshold
        count = max(answered.sum(), 1)
        if right[answered].sum() / count >= min(1.0, accuracy + np.sqrt(accuracy * (1 - accuracy) / count)):
            return float(threshold)
    return 1.0
