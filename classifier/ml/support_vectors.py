"""A support vector machine for few examples, in a form that becomes a graph."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.svm import SVC

from .kernel_machine import median_squared_distance, squared_distances


class SupportVectorMachine(ClassifierMixin, BaseEstimator):
    """Each class is told from all others by a machine of its own (C. Cortes and V. Vapnik, 1995).

    gamma: of the kernel exp(-gamma · d² / m), with m the median squared distance between two faces that it
    learns from; None for the linear kernel. C: what an example on the wrong side costs.
    """

    def __init__(self, C: float = 3.0, gamma: float | None = None) -> None:
        self.C = C
        self.gamma = gamma

    def fit(self, X: NDArray[np.float32], y: NDArray[Any]) -> SupportVectorMachine:
        self.classes_ = np.unique(y)
        self.gamma_ = None if self.gamma is None else self.gamma / max(median_squared_distance(X), 1e-12)
        kernel = self._kernel(X, X).astype(np.float64)
        columns = [self._column(kernel, y == known) for known in self.classes_[-1 if self._two else 0 :]]
        if self._two:  # one machine tells them apart: what is not the second is the first
            (coefficients, intercept) = columns[0]
            columns = [(-coefficients, -intercept), *columns]
        coefficients = np.stack([column for column, _intercept in columns], axis=1)
        kept = np.any(coefficients != 0, axis=1)
        self.centres_, self.coef_ = X[kept], coefficients[kept].astype(np.float32)
        self.intercept_ = np.array([intercept for _column, intercept in columns], np.float32)
        if self.gamma_ is None:
            self.weights_ = self.centres_.T @ self.coef_
        return self

    @property
    def _two(self) -> bool:
        return len(self.classes_) == 2

    def _column(
        self, kernel: NDArray[np.float64], own: NDArray[np.bool_]
    ) -> tuple[NDArray[np.float64], float]:
        """How much each face counts for the class, and the intercept."""
        machine = SVC(C=self.C, kernel="precomputed").fit(kernel, own)
        column = np.zeros(len(kernel))
        column[machine.support_] = machine.dual_coef_[0]
        return column, float(machine.intercept_[0])

    def _kernel(self, X: NDArray[np.float32], others: NDArray[np.float32]) -> NDArray[np.float32]:
        if self.gamma_ is None:
            return X @ others.T
        return np.exp(-self.gamma_ * squared_distances(X, others))

    def decision_function(self, X: NDArray[np.float32]) -> NDArray[np.float32]:
        """(N, K) float32 margins; the largest is the answer."""
        told: NDArray[np.float32] = self._kernel(X, self.centres_) @ self.coef_ + self.intercept_
        return told

    def predict(self, X: NDArray[np.float32]) -> NDArray[Any]:
        answers: NDArray[Any] = self.classes_[self.decision_function(X).argmax(axis=1)]
        return answers
