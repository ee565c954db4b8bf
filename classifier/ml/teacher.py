"""A trained artifact teaches another: what it answers for the faces stands beside their labels.

Labels of faces are a matter of opinion, and its answers lean less on a single one. Hinton et al., "Distilling
the Knowledge in a Neural Network", 2015; Furlanello et al., "Born-Again Neural Networks", ICML 2018.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from . import artifact as artifacts
from .dataset import FaceSet
from .runtime import Classifier

# Of what is learned from, where there is a teacher; the rest is the labels'.
TAUGHT_SHARE = 0.5


@dataclass(frozen=True)
class Teacher:
    """artifact: its bytes. sha256: their name."""

    classifier: Classifier
    artifact: bytes
    sha256: str

    def answer(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(N, K) float32 for (N, S, S) uint8 gray faces; rows sum to 1."""
        return self.classifier.predict(images)


def read_teacher(path: Path, faces: FaceSet) -> Teacher:
    """The artifact at `path`, its card beside it. Raises OSError; ValueError where it has other labels."""
    artifact, card = artifacts.read(path)
    classifier = Classifier.load(artifact, card)
    if classifier.labels != faces.names:
        raise ValueError(
            f"{path} tells {', '.join(classifier.labels)}; the faces are {', '.join(faces.names)}"
        )
    return Teacher(classifier, artifact, card["sha256"])
