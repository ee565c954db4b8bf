"""Labelled face crops as arrays, and the readers that make them."""

from __future__ import annotations

import csv
import hashlib
import lzma
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

EXPRESSIONS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
"""FER2013's classes, in its order, 0 to 6."""

# The FER+ columns that have a place among the seven classes, in the order of EXPRESSIONS.
FER_PLUS_COLUMNS = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")


@dataclass(frozen=True)
class FaceSet:
    """N labelled crops.

    images: (N, S, S) uint8, gray. labels: (N,) int64. votes: (N, K) float32, how many annotators chose
    each class (all zero where nobody did). names: the K classes in order.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    votes: NDArray[np.float32]
    names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, chosen: NDArray[np.bool_] | NDArray[np.int64]) -> FaceSet:
        return FaceSet(self.images[chosen], self.labels[chosen], self.votes[chosen], self.names)

    def digests(self) -> list[str]:
        """SHA-256 of each image or of its mirror image, whichever bytes sort first: equal for duplicates."""
        return [
            hashlib.sha256(min(image.tobytes(), image[:, ::-1].tobytes())).hexdigest()
            for image in self.images
        ]

    def digest(self) -> str:
        """SHA-256 over the images, labels and votes: names this very set in a model card."""
        whole = hashlib.sha256()
        for part in (self.images, self.labels, self.votes):
            whole.update(np.ascontiguousarray(part).tobytes())
        return whole.hexdigest()


def read_fer2013(path: Path, *, votes: Path | None = None) -> dict[str, FaceSet]:
    """Read FER2013's `emotion,pixels,Usage` file (plain or .xz), by Usage.

    `votes` is FER+'s `fer2013new.csv`, its rows in the same order. Sources: Goodfellow et al., "Challenges in
    Representation Learning", 2013; Barsoum et al., "Training Deep Networks for Facial Expression Recognition
    with Crowd-Sourced Label Distribution", ICMI 2016. Raises ValueError when a row is not of that form.
    """
    images, labels, usages = [], [], []
    with _open_text(path) as lines:
        for number, row in enumerate(csv.DictReader(lines), start=2):
            try:
                pixels = np.array(row["pixels"].split(), dtype=np.uint8)
                images.append(pixels.reshape(48, 48))
                labels.append(int(row["emotion"]))
                usages.append(row["Usage"].strip())
            except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
                raise ValueError(f"{path}, line {number} is not a row of FER2013: {error}") from error
    counted = _read_votes(votes) if votes else np.zeros((len(labels), len(EXPRESSIONS)), np.float32)
    if len(counted) != len(labels):
        raise ValueError(f"{votes} has {len(counted)} rows, {path} has {len(labels)}")
    everything = FaceSet(np.stack(images), np.array(labels, np.int64), counted, EXPRESSIONS)
    usage = np.array(usages)
    return {name: everything.take(usage == name) for name in dict.fromkeys(usages)}


def without_duplicates_of(faces: FaceSet, others: FaceSet) -> FaceSet:
    """`faces` less those that are, exactly or mirrored, also in `others`."""
    known = set(others.digests())
    return faces.take(np.array([digest not in known for digest in faces.digests()]))


def hold_out(faces: FaceSet, *, share: float) -> tuple[FaceSet, FaceSet]:
    """Part off about `share` (0 to 1) of the faces by a hash of the image: duplicates stay together."""
    held = np.array([int(digest[:8], 16) / 0xFFFFFFFF < share for digest in faces.digests()])
    return faces.take(~held), faces.take(held)


def _open_text(path: Path) -> IO[str]:
    if path.suffix == ".xz":
        return lzma.open(path, "rt", newline="")
    return path.open(newline="")


def _read_votes(path: Path) -> NDArray[np.float32]:
    with _open_text(path) as lines:
        return np.array(
            [[float(row[column]) for column in FER_PLUS_COLUMNS] for row in csv.DictReader(lines)], np.float32
        )
