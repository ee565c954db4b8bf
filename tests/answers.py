"""Answers of models that do not exist, to faces that do not exist, as probabilities."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.special import softmax

EXPRESSIONS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
# How often each label occurs among the 3,589 faces of FER2013's public test.
AS_FER2013 = np.array([467, 56, 496, 895, 653, 415, 607]) / 3589


@dataclass(frozen=True)
class Faces:
    """Faces, each with what every model that looks at it finds easy or hard: `seen` is (N, K)."""

    labels: np.ndarray
    seen: np.ndarray
    shares: np.ndarray

    @classmethod
    def drawn(cls, rng: np.random.Generator, faces: int, shares: np.ndarray = AS_FER2013) -> Faces:
        labels = rng.choice(len(shares), faces, p=shares)
        return cls(labels, rng.normal(scale=0.85, size=(faces, len(shares))), shares)

    def answers(
        self, rng: np.random.Generator, *, skill: float | np.ndarray = 1.65, seeds_differ: bool = True
    ) -> np.ndarray:
        """(N, K) float32 probabilities of one seed's model, calibrated but for what sets seeds apart.

        At the default `skill` (one, or one for each label) it reads 66 of 100 rightly, and two such models
        differ on 23 of 100; each has its own leaning to every label, and is a little better or worse.
        """
        classes = len(self.shares)
        own = rng.normal(scale=0.53, size=(len(self.labels), classes))
        towards = np.broadcast_to(skill, classes)[self.labels] + seeds_differ * rng.normal(scale=0.01)
        logits = self.seen + own
        logits[np.arange(len(self.labels)), self.labels] += towards
        logits += seeds_differ * rng.normal(scale=0.05, size=classes)
        # The posterior of a normal mean: that is what makes it calibrated.
        return softmax(1.65 * logits + np.log(self.shares), axis=1).astype(np.float32)


def misread(answers: np.ndarray, faces: np.ndarray) -> np.ndarray:
    """The same answers, but at these places the best and the worst probability change places."""
    changed = answers.copy()
    best, worst = answers[faces].argmax(axis=1), answers[faces].argmin(axis=1)
    changed[faces, best], changed[faces, worst] = answers[faces, worst], answers[faces, best]
    return changed
