"""A trained artifact teaches another: what it answers for the faces stands beside their labels.

Labels of faces are a matter of opinion, and its answers lean less on a single one. Hinton et al., "Distilling
the Knowledge in a Neural Network", 2015; Furlanello et al., "Born-Again Neural Networks", ICML 2018.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from . import artifact as artifacts
from .runtime import Classifier

# Of what is learned from, where there is a teacher; the rest is the labels'.
TAUGHT_SHARE = 0.5


def load_teacher(path: Path, names: Sequence[str]) -> Classifier:
    """The artifact at `path`, its card beside it. Raises OSError; ValueError where it tells other labels."""
    teacher = Classifier.load(*artifacts.read(path))
    if teacher.labels != tuple(names):
        raise ValueError(f"{path} tells {', '.join(teacher.labels)}; the faces are {', '.join(names)}")
    return teacher
