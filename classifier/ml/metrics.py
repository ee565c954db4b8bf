"""Figures of (N, K) probabilities against (N,) labels, with bootstrap intervals."""

from __future__ import annotations

from collections.abc import Iterator
from math import sqrt
from typing import Any

import numpy as np
from numpy.typing import NDArray

BINS = 15
ROUNDS = 1000
# Of a normal distribution: 95 % lie within so many standard deviations.
Z = 1.96

Figures = dict[str, NDArray[np.float64]]


def measure(
    probabilities: NDArray[np.float32],
    labels: NDArray[np.int64],
    names: tuple[str, ...],
    *,
    threshold: float = 0.0,
) -> dict[str, Any]:
    """All figures of one scoring, as plain JSON; `…_95` is a figure's 95 % percentile bootstrap interval.

    A class's recall is None where it never occurs, its precision where it is never told; macro-F1 is over the
    classes that occur or are told. Shares are 0 to 1. `answered` is the share told with at least `threshold`.
    Raises ValueError when there are no faces, or an answer is no number.
    """
    if not len(labels):
        raise ValueError("There are no faces to measure by.")
    if not np.isfinite(probabilities).all():
        raise ValueError("An answer is not a number (NaN) or infinite.")
    faces = _Faces(probabilities, labels, threshold)
    plain = faces.figures(np.ones((1, len(labels)), np.float32))
    drawn = [faces.figures(weights) for weights in _resamplings(len(labels))]
    told: dict[str, Any] = {"faces": len(labels)}
    for figure, value in plain.items():
        rounds = np.concatenate([part[figure] for part in drawn])
        told |= _told(figure, value[0], rounds, names)
    predicted = probabilities.argmax(axis=1)
    return told | {
        "threshold": threshold,
        "confusion_matrix": confusion_matrix(labels, predicted, len(names)).tolist(),
        "reliability": reliability(probabilities, labels),
    }


class _Faces:
    """What each face adds to each figure: (N, ·) float32, so that a resampling is one matrix product."""

    def __init__(
        self, probabilities: NDArray[np.float32], labels: NDArray[np.int64], threshold: float
    ) -> None:
        self.classes = probabilities.shape[1]
        predicted, confidence = probabilities.argmax(axis=1), probabilities.max(axis=1)
        right = predicted == labels
        likelihood = np.maximum(probabilities[np.arange(len(labels)), labels], 1e-12)
        answered = confidence >= threshold
        self.true = _one_hot(labels, self.classes)
        self.told = _one_hot(predicted, self.classes)
        self.hits = self.true * right[:, None]
        self.gaps = _one_hot(_bin(confidence), BINS) * (confidence - right)[:, None]
        self.sums = np.stack([-np.log(likelihood), answered, answered & right], axis=1).astype(np.float32)

    def figures(self, weights: NDArray[np.float32]) -> Figures:
        """(R, N) how often each face counts, to R values of each figure; (R, K) of those told for each class.

        One formula for the figure and for its interval; scikit-learn has the former alone.
        """
        faces = weights.sum(axis=1)
        hits, true, told = ((weights @ of).astype(np.float64) for of in (self.hits, self.true, self.told))
        losses, answered, right = (weights @ self.sums).astype(np.float64).T
        with np.errstate(invalid="ignore", divide="ignore"):
            recall = hits / true
            f1 = 2 * hits / (true + told)
            return {
                "accuracy": hits.sum(axis=1) / faces,
                "balanced_accuracy": np.nanmean(recall, axis=1),
                "macro_f1": np.nanmean(f1, axis=1),
                "log_loss": losses / faces,
                "expected_calibration_error": np.abs(weights @ self.gaps).sum(axis=1) / faces,
                "answered": answered / faces,
                "answered_accuracy": right / answered,
                "precision": hits / told,
                "recall": recall,
            }


def _resamplings(faces: int, *, seed: int = 0) -> Iterator[NDArray[np.float32]]:
    """ROUNDS rows of (N,) counts, a hundred at a time: as many faces, drawn anew with replacement.

    Efron & Tibshirani, "An Introduction to the Bootstrap", 1993.
    """
    rng = np.random.default_rng(seed)
    for _ in range(ROUNDS // 100):
        drawn = rng.integers(0, faces, (100, faces))
        yield np.stack([np.bincount(row, minlength=faces) for row in drawn]).astype(np.float32)


def _told(figure: str, value: Any, rounds: NDArray[np.float64], names: tuple[str, ...]) -> dict[str, Any]:
    if rounds.ndim == 1:
        return {figure: _rounded(value), f"{figure}_95": _interval(rounds)}
    return {
        figure: {name: _rounded(share) for name, share in zip(names, value, strict=True)},
        f"{figure}_95": {name: _interval(row) for name, row in zip(names, rounds.T, strict=True)},
    }


def _interval(rounds: NDArray[np.float64]) -> list[float] | None:
    known = rounds[np.isfinite(rounds)]
    return [round(float(edge), 4) for edge in np.percentile(known, [2.5, 97.5])] if len(known) else None


def _rounded(value: float) -> float | None:
    return round(float(value), 4) if np.isfinite(value) else None


def _one_hot(places: NDArray[np.int64], count: int) -> NDArray[np.float32]:
    return np.eye(count, dtype=np.float32)[places]


def _bin(confidence: NDArray[np.float32]) -> NDArray[np.int64]:
    return np.minimum((confidence * BINS).astype(np.int64), BINS - 1)


def confusion_matrix(
    labels: NDArray[np.int64], predicted: NDArray[np.int64], classes: int
) -> NDArray[np.int64]:
    """(K, K) counts: rows are the true classes, columns the predicted ones."""
    return np.bincount(labels * classes + predicted, minlength=classes**2).reshape(classes, classes)


def wilson_interval(part: int, whole: int) -> tuple[float, float]:
    """The 95 % interval of the share `part` of `whole`: E. B. Wilson's score, JASA 1927."""
    share = part / whole
    middle = (part + Z**2 / 2) / (whole + Z**2)
    reach = Z * sqrt(share * (1 - share) * whole + Z**2 / 4) / (whole + Z**2)
    return max(0.0, middle - reach), min(1.0, middle + reach)


def calibration_error(confidence: NDArray[np.floating], right: NDArray[np.bool_]) -> NDArray[np.float64]:
    """(R,) expected calibration errors, as `measure` tells them, of (R, N) outcomes of (N,) confidences."""
    bins = len(right) * BINS
    places = _bin(confidence) + np.arange(0, bins, BINS)[:, None]
    gaps = np.bincount(places.ravel(), weights=(confidence - right).ravel(), minlength=bins)
    return np.abs(gaps.reshape(-1, BINS)).sum(axis=1) / len(confidence)


def reliability(probabilities: NDArray[np.float32], labels: NDArray[np.int64]) -> list[dict[str, Any]]:
    """BINS bins of equal width of confidence: how many faces, how sure on the average, how often right.

    After Guo et al., "On Calibration of Modern Neural Networks", ICML 2017.
    """
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    place = _bin(confidence)
    return [
        {
            "from": round(b / BINS, 4),
            "to": round((b + 1) / BINS, 4),
            "faces": int((place == b).sum()),
            "confidence": _rounded(confidence[place == b].mean()) if (place == b).any() else None,
            "accuracy": _rounded(right[place == b].mean()) if (place == b).any() else None,
        }
        for b in range(BINS)
    ]
