"""Labelled face crops as arrays, and the readers that make them."""

from __future__ import annotations

import csv
import hashlib
import lzma
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

EXPRESSIONS = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
"""FER2013's classes, in its order, 0 to 6."""

# The FER+ columns that have a place among the seven classes, in the order of EXPRESSIONS.
FER_PLUS_COLUMNS = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")
FER_PLUS_OTHERS = ("contempt", "unknown", "NF")

PICTURES = {".png", ".jpg", ".jpeg", ".webp", ".bmp"}

# Chosen by looking at pairs of FER2013's public test and training images: of 12 each between 0.92 and 0.94
# and above, all are one photograph cropped, lit or stamped otherwise; below 0.90 half are two people. What
# passes the first figure alone is looked at closely, for that costs 50 µs a pair.
ALIKE_AT_A_GLANCE = 0.88
ALIKE = 0.92
GLANCE = 16

LARGEST_SIDE = 192
"""Larger pictures of faces are shrunk to it when they are read: nothing looks at them more closely."""


@dataclass(frozen=True)
class FaceSet:
    """N labelled crops.

    images: (N, S, S) uint8, gray. labels: (N,) int64. votes: (N, K) float32, how many annotators chose
    each class (all zero where nobody did). names: the K classes in order. majority: (N,) int64, the class
    that FER+'s annotators agree on, -1 where they don't; None where there are no votes. stored: (N,) the
    crops before they became `images`, uint8 (H, W) or (H, W, 3) RGB; None where nobody needs them.
    """

    images: NDArray[np.uint8]
    labels: NDArray[np.int64]
    votes: NDArray[np.float32]
    names: tuple[str, ...]
    majority: NDArray[np.int64] | None = None
    stored: NDArray[np.object_] | None = None

    @property
    def crops(self) -> NDArray[Any]:
        """What a classifier is given."""
        return self.images if self.stored is None else self.stored

    def __len__(self) -> int:
        return len(self.labels)

    def take(self, chosen: NDArray[np.bool_] | NDArray[np.int64]) -> FaceSet:
        majority = None if self.majority is None else self.majority[chosen]
        stored = None if self.stored is None else self.stored[chosen]
        return FaceSet(
            self.images[chosen], self.labels[chosen], self.votes[chosen], self.names, majority, stored
        )

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
    """Read FER2013's `emotion,pixels,Usage` file (plain or .xz), by Usage: all under "" where it has none.

    `votes` is FER+'s `fer2013new.csv`, its rows in the same order; where it has rows of other Usages too,
    those are passed over. Sources: Goodfellow et al., "Challenges in Representation Learning", 2013; Barsoum
    et al., "Training Deep Networks for Facial Expression Recognition with Crowd-Sourced Label Distribution",
    ICMI 2016. Raises ValueError when a row is not of that form, OSError.
    """
    images, labels, usages = [], [], []
    for number, row in enumerate(_rows(path), start=2):
        try:
            pixels = np.array(row["pixels"].split(), dtype=np.uint8)
            images.append(pixels.reshape(48, 48))
            labels.append(range(len(EXPRESSIONS)).index(int(row["emotion"])))
            usages.append(row.get("Usage", "").strip())
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise ValueError(f"{path}, line {number} is not a row of FER2013: {error}") from error
    if not images:
        raise ValueError(f"{path} has no rows")
    counts = _read_votes(votes, usages, path) if votes else np.zeros((len(labels), 10), np.float32)
    everything = FaceSet(
        np.stack(images),
        np.array(labels, np.int64),
        counts[:, : len(EXPRESSIONS)],
        EXPRESSIONS,
        fer_plus_majority(counts) if votes else None,
    )
    usage = np.array(usages)
    return {name: everything.take(usage == name) for name in dict.fromkeys(usages)}


def fer_plus_majority(counts: NDArray[np.float32]) -> NDArray[np.int64]:
    """(N, 10) votes, FER_PLUS_COLUMNS then FER_PLUS_OTHERS, to (N,) classes; -1 where there is none.

    As "majority" in Barsoum et al. 2016 and the authors' published reader: a label with a single vote is an
    outlier and is dropped; the winner needs more than half of the votes that remain, those for contempt,
    unknown and "not a face" among them. Theirs has contempt for an eighth class; here it is no class.
    """
    kept = np.where(counts > 1, counts, 0)
    winner = kept.argmax(axis=1)
    agreed = (kept.max(axis=1) > kept.sum(axis=1) / 2) & (winner < len(EXPRESSIONS))
    return np.where(agreed, winner, -1).astype(np.int64)


def read_folder(path: Path, *, names: tuple[str, ...], side: int) -> FaceSet:
    """Read a folder per class, `path/happy/*.png`; `images` are gray squares of `side` pixels, `stored` RGB.

    A picture that is no square gives the square in its middle, and one that is larger than LARGEST_SIDE is
    shrunk to that. Not every class must have a folder. Raises ValueError for a folder that is not among
    `names`, an unreadable picture or no pictures at all; OSError.
    """
    folders = sorted(f for f in path.iterdir() if f.is_dir() and not f.name.startswith("."))
    unknown = [folder.name for folder in folders if folder.name not in names]
    if unknown:
        raise ValueError(f"{path} has folders for {', '.join(unknown)}; the labels are {', '.join(names)}")
    files = [f for folder in folders for f in sorted(folder.iterdir()) if f.suffix.lower() in PICTURES]
    if not files:
        raise ValueError(f"{path} has no pictures; it needs a folder for each label: {', '.join(names)}")
    squares = [_read_square(file) for file in files]
    images = np.stack([_resized(cv2.cvtColor(square, cv2.COLOR_RGB2GRAY), side) for square in squares])
    labels = np.array([names.index(file.parent.name) for file in files], np.int64)
    votes = np.zeros((len(files), len(names)), np.float32)
    return FaceSet(images, labels, votes, names, stored=one_by_one(squares))


def join(parts: Iterable[FaceSet]) -> FaceSet:
    """One set of several, at least one, that have the same classes and size, in order; without `stored`."""
    parts = list(parts)
    majorities = [part.majority for part in parts if part.majority is not None]
    return FaceSet(
        np.concatenate([part.images for part in parts]),
        np.concatenate([part.labels for part in parts]),
        np.concatenate([part.votes for part in parts]),
        parts[0].names,
        np.concatenate(majorities) if len(majorities) == len(parts) else None,
    )


def duplicates_of(faces: FaceSet, others: FaceSet) -> NDArray[np.bool_]:
    """(N,) which of `faces` are, byte for byte or mirrored, in `others`."""
    known = set(others.digests())
    return np.array([digest in known for digest in faces.digests()], np.bool_)


def near_duplicates_of(faces: FaceSet, others: FaceSet) -> NDArray[np.bool_]:
    """(N,) which of `faces` show, perhaps mirrored, shifted or lit otherwise, a photograph in `others`.

    Thumbnails that correlate by ALIKE_AT_A_GLANCE are compared whole: `faces`' image less a rim of a twelfth
    is slid over the other's; from a correlation of ALIKE up they are one photograph. 3,579 against 28,561
    faces take 25 s of two cores and 300 MB.
    """
    found = np.zeros(len(faces), np.bool_)
    known = _thumbnails(others.images)
    for images in (faces.images, faces.images[:, :, ::-1]):
        thumbnails = _thumbnails(images)
        for start in range(0, len(images), 512):
            alike = thumbnails[start : start + 512] @ known.T >= ALIKE_AT_A_GLANCE
            for row, other in np.argwhere(alike):
                if not found[start + row]:
                    found[start + row] = correlation(images[start + row], others.images[other]) >= ALIKE
    return found


def without_duplicates_of(faces: FaceSet, others: FaceSet) -> FaceSet:
    """`faces` less those that are, exactly, mirrored or nearly, also in `others`."""
    return faces.take(~shown_in(faces, others))


def shown_in(faces: FaceSet, others: FaceSet) -> NDArray[np.bool_]:
    """(N,) which of `faces` are, exactly, mirrored or nearly, among `others`."""
    return duplicates_of(faces, others) | near_duplicates_of(faces, others)


def leaks(faces: FaceSet, splits: NDArray[np.str_]) -> NDArray[np.bool_]:
    """(N,) which faces outside the "test" split show, exactly, mirrored or nearly, one that is in it.

    The last lock before training. Whoever puts a dataset together compares hashes, as there is no time for
    more; of the pairs that are found here, these propose 86 in 100.
    """
    tested = splits == "test"
    found = np.zeros(len(faces), np.bool_)
    found[~tested] = shown_in(faces.take(~tested), faces.take(tested))
    return found


def hold_out(faces: FaceSet, *, share: float) -> tuple[FaceSet, FaceSet]:
    """Part off about `share` (0 to 1) of the faces by a hash of the image: duplicates stay together."""
    held = np.array([int(digest[:8], 16) / 0xFFFFFFFF < share for digest in faces.digests()])
    return faces.take(~held), faces.take(held)


def targets(
    faces: FaceSet, *, votes_share: float, taught: NDArray[np.float32] | None = None, taught_share: float = 0
) -> NDArray[np.float32]:
    """(N, K) float32 rows that sum to 1: the official label, mixed with FER+'s votes where there are any.

    taught: (N, K) what a teacher answers for the faces, which then counts for `taught_share`. Hinton et al.,
    "Distilling the Knowledge in a Neural Network", 2015.
    """
    official = np.eye(len(faces.names), dtype=np.float32)[faces.labels]
    counts = faces.votes.sum(axis=1, keepdims=True)
    voted = np.divide(faces.votes, counts, out=official.copy(), where=counts > 0)
    rows = (1 - votes_share) * official + votes_share * voted
    return rows if taught is None else (1 - taught_share) * rows + taught_share * taught


def _thumbnails(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(N, 256) rows of mean 0 and length 1, so that a product is a correlation; a flat image gives zeros."""
    small = [cv2.resize(image, (GLANCE, GLANCE), interpolation=cv2.INTER_AREA) for image in images]
    rows = np.array(small, np.float32).reshape(len(images), GLANCE * GLANCE)
    rows -= rows.mean(axis=1, keepdims=True)
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-6)


def correlation(image: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    """How well (S, S) uint8 `image`, less a rim of a twelfth, is found again anywhere in `other`: -1 to 1."""
    rim = len(image) // 12
    middle = np.ascontiguousarray(image[rim:-rim, rim:-rim])
    return float(cv2.matchTemplate(other, middle, cv2.TM_CCOEFF_NORMED).max())


def _read_square(file: Path) -> NDArray[np.uint8]:
    try:
        with Image.open(file) as opened:
            upright = ImageOps.exif_transpose(opened).convert("RGB")
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(f"{file} can't be read as a picture: {error}") from error
    side = min(upright.size)
    left, top = ((length - side) // 2 for length in upright.size)
    square = np.asarray(upright.crop((left, top, left + side, top + side)), np.uint8)
    return _resized(square, min(side, LARGEST_SIDE))


def _resized(image: NDArray[Any], side: int) -> NDArray[np.uint8]:
    if len(image) == side:
        return np.asarray(image, np.uint8)
    how = cv2.INTER_AREA if len(image) > side else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(image, (side, side), interpolation=how), np.uint8)


def one_by_one(crops: Sequence[NDArray[np.uint8]]) -> NDArray[np.object_]:
    """(N,): they may be of different sizes."""
    array = np.empty(len(crops), np.object_)
    array[:] = crops
    return array


def _rows(path: Path) -> Iterable[dict[str, str]]:
    try:
        with _open_text(path) as lines:
            rows = csv.DictReader(lines)
            rows.fieldnames = [name.strip() for name in rows.fieldnames or ()]
            yield from rows
    except (csv.Error, UnicodeDecodeError, EOFError, lzma.LZMAError) as error:
        raise ValueError(f"{path} can't be read as CSV: {error}") from error


def _open_text(path: Path) -> IO[str]:
    if path.suffix == ".xz":
        return lzma.open(path, "rt", newline="", encoding="utf-8-sig")
    return path.open(newline="", encoding="utf-8-sig")


def _read_votes(path: Path, usages: list[str], faces: Path) -> NDArray[np.float32]:
    columns = (*FER_PLUS_COLUMNS, *FER_PLUS_OTHERS)
    rows = list(_rows(path))
    if len(rows) > len(usages):
        wanted = set(usages)
        rows = [row for row in rows if row.get("Usage") in wanted]
    if len(rows) != len(usages):
        raise ValueError(f"{path} has {len(rows)} rows, {faces} has {len(usages)}")
    try:
        return np.array([[float(row[column]) for column in columns] for row in rows], np.float32)
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is not a file of FER+'s votes: {error}") from error
