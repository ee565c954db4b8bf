"""What the training commands share: FER2013's faces, split and aligned, and the arguments that name them."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import NamedTuple

import numpy as np

from .dataset import FaceSet, hold_out, read_fer2013, without_duplicates_of
from .realign import realigned


class Splits(NamedTuple):
    """Aligned as faces of photographs are. None of `held` and `test` is, even nearly, among the others.

    cut: the faces of `training` as the file has them.
    """

    cut: FaceSet
    training: FaceSet
    held: FaceSet
    test: FaceSet


def read_splits(
    data: Path, *, votes: Path | None = None, held_out: float, at_most: int | None = None
) -> Splits:
    """Read the file, and hold a share (0 to 1) of its training faces out. Two minutes for all of FER2013.

    at_most: of the training faces only the first so many. Raises ValueError where one of them has no face,
    and as `read_fer2013` does.
    """
    splits = read_fer2013(data, votes=votes)
    if missing := {"Training", "PublicTest"} - splits.keys():
        raise ValueError(f"{data} has no rows with Usage {' or '.join(sorted(missing))}; training needs both")
    training, test = splits["Training"], splits["PublicTest"]
    first = training.take(np.arange(len(training))[:at_most])
    cut, held = hold_out(without_duplicates_of(first, test), share=held_out)
    held = without_duplicates_of(held, cut)
    if not len(cut) or not len(held):
        raise ValueError(f"{data} has too few different faces to learn from and to hold some out")
    return Splits(cut, realigned(cut), realigned(held), realigned(test))


def at_least_one(text: str) -> int:
    """For an argument that counts. Raises ArgumentTypeError."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 1 on")
    return int(text)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", type=Path, required=True, help="fer2013.csv, plain or .xz")
    parser.add_argument("--output", type=Path, required=True, help="folder of the result")
    parser.add_argument("--quick", action="store_true", help="a small one: three minutes, to try it")
    parser.add_argument("--seed", type=int, default=0)
