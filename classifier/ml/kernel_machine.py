"""A support vector machine that stays small however many faces it learns from."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve
from scipy.linalg.blas import dsyrk
from sklearn.base import BaseEstimator, ClassifierMixin

ROWS_AT_ONCE = 1024
# The metric is learned from so many examples at most, and with so many centres.
METRIC_EXAMPLES, METRIC_CENTRES = 20_000, 6000
# Of the mean squared gradient: all of it fits the examples too closely, none of it is the plain distance.
METRIC_POWER = 0.125
# How far from 0 an estimated share is as good as none. In cross-validation on held out faces of FER2013, half
# of it, and twice, give a larger log-loss, and scores as they are a still larger one.
SOFTNESS = 0.1
LEAST = 1e-6


class KernelMachine(ClassifierMixin, BaseEstimator):
    """A least-squares support vector machine of fixed size, with a Gaussian kernel.

    Suykens et al., "Least Squares Support Vector Machines", 2002, chapter 6; the same as the Nystroem kernel
    ridge regression of Rudi et al., "Less is More", NIPS 2015. Each class is told from the others by a sum of
    bumps around `centres` faces, drawn at random from those that it learns from.

    Distances are taken in a metric that is itself learned (Radhakrishnan et al., "Mechanism for Feature
    Learning in Neural Networks and Backpropagation-free Machine Learning Models", Science 2024): along what
    changes the answers of a first, smaller machine they count for more.

    gamma: of the kernel exp(-gamma · d² / m), with m the median squared distance between two centres.
    alpha: how much large weights cost, beside the squared errors of all faces.
    """

    def __init__(self, gamma: float = 1.5, alpha: float = 0.1, centres: int = 12_500, seed: int = 0) -> None:
        self.gamma = gamma
        self.alpha = alpha
        self.centres = centres
        self.seed = seed

    def fit(self, X: NDArray[np.float32], y: NDArray[Any]) -> KernelMachine:
        """y: (N,) classes, or (N, K) shares of each class 0 to K - 1."""
        rng = np.random.default_rng(self.seed)
        self.classes_ = np.unique(y) if y.ndim == 1 else np.arange(y.shape[1])
        shares = (y[:, None] == self.classes_).astype(np.float64) if y.ndim == 1 else y.astype(np.float64)
        self.intercept_ = shares.mean(axis=0)
        self.metric_ = np.eye(X.shape[1], dtype=np.float32)
        order = rng.permutation(len(X))
        some = order[:METRIC_EXAMPLES]
        self._solve(X[some], shares[some], X[order[: min(METRIC_CENTRES, self.centres)]])
        self.metric_ = self._learned_metric(X[order[:METRIC_CENTRES]])
        self._solve(X @ self.metric_, shares, X[np.sort(order[: self.centres])] @ self.metric_)
        return self

    def _solve(
        self, rows: NDArray[np.float32], shares: NDArray[np.float64], centres: NDArray[np.float32]
    ) -> None:
        """Find the centres' weights; rows and centres are already in the metric."""
        self.centres_ = centres
        self.gamma_ = self.gamma / median_squared_distance(centres[:2000])
        normal, right = self._penalty(), np.zeros((len(centres), shares.shape[1]))
        for start, kernel in self._kernels(rows):
            # In float32 the normal equations would be singular wherever two centres are almost one.
            part = kernel.astype(np.float64)
            normal = dsyrk(1.0, part.T, beta=1.0, c=normal, lower=1, overwrite_c=1)
            right += part.T @ (shares[start : start + len(part)] - self.intercept_)
        normal[np.diag_indices_from(normal)] += 1e-9 * np.trace(normal)
        factor = cho_factor(normal, lower=True, overwrite_a=True, check_finite=False)
        self.coef_ = cho_solve(factor, right).astype(np.float32)

    def _learned_metric(self, rows: NDArray[np.float32]) -> NDArray[np.float32]:
        """(D, D): a power of the mean product of the answers' gradients with themselves, at `rows`."""
        products = np.zeros((rows.shape[1], rows.shape[1]))
        for start, kernel in self._kernels(rows):
            part = rows[start : start + len(kernel)]
            for weights in self.coef_.T:
                pulls = kernel * weights
                gradients = part * pulls.sum(axis=1)[:, None] - pulls @ self.centres_
                products += gradients.T @ gradients
        lengths, axes = np.linalg.eigh(products)
        # A direction that changes nothing is shortened, as in the power, but not to nothing.
        stretch = np.maximum(lengths / lengths.max(), 1e-6) ** METRIC_POWER
        return np.asarray((axes * stretch) @ axes.T, np.float32)

    def _penalty(self) -> NDArray[np.float64]:
        """`alpha` times the kernel among the centres: the largest array of all, so there is one of it."""
        count = len(self.centres_)
        penalty = np.empty((count, count), order="F")
        for start, kernel in self._kernels(self.centres_):
            penalty[:, start : start + len(kernel)] = self.alpha * kernel.T
        return penalty

    def _kernels(self, X: NDArray[np.float32]) -> Iterator[tuple[int, NDArray[np.float32]]]:
        for start in range(0, len(X), ROWS_AT_ONCE):
            yield start, self._kernel(X[start : start + ROWS_AT_ONCE])

    def decision_function(self, X: NDArray[np.float32]) -> NDArray[np.float32]:
        """(N, K) float32; the largest is the answer."""
        parts = [kernel @ self.coef_ for _start, kernel in self._kernels(X @ self.metric_)]
        return np.concatenate(parts) + self.intercept_.astype(np.float32)

    def log_shares(self, X: NDArray[np.float32]) -> NDArray[np.float32]:
        """(N, K) float32: logarithms, for a softmax, of the shares that `decision_function` estimates.

        Those are of any sign, so that each is put through a softplus before.
        """
        soft = np.logaddexp(0, self.decision_function(X) / np.float32(SOFTNESS))
        return np.log(np.maximum(soft, LEAST))

    def predict(self, X: NDArray[np.float32]) -> NDArray[Any]:
        answers: NDArray[Any] = self.classes_[self.decision_function(X).argmax(axis=1)]
        return answers

    def _kernel(self, X: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.exp(-self.gamma_ * squared_distances(X, self.centres_))


def squared_distances(rows: NDArray[np.float32], others: NDArray[np.float32]) -> NDArray[np.float32]:
    lengths = (rows * rows).sum(axis=1)[:, None] + (others * others).sum(axis=1)
    return np.maximum(lengths - 2 * rows @ others.T, 0)


def median_squared_distance(rows: NDArray[np.float32]) -> float:
    found = squared_distances(rows, rows)
    return float(np.median(found[np.triu_indices(len(rows), 1)]))
