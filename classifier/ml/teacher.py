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
class Taught:
    """answers: (N, K) of a teacher for the faces. sha256: which it was."""

    answers: NDArray[np.float32]
    sha256: str


def taught_by(path: Path, faces: FaceSet) -> Taught:
    """By the artifact at `path`, its card beside it. Raises OSError; ValueError where it has other labels."""
    artifact, card = artifacts.read(path)
    teacher = Classifier.load(artifact, card)
    if teacher.labels != faces.names:
        raise ValueError(f"{path} tells {', '.join(teacher.labels)}; the faces are {', '.join(faces.names)}")
    return Taught(teacher.predict(faces.images), card["sha256"])
