"""A frozen dataset, as the site writes it (Parquet), becomes arrays."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from .dataset import FaceSet, leaks, one_by_one
from .preprocessing import Preprocessing
from .realign import aligned_crops

GRAY = Preprocessing(side=48)
FEW = 2000
"""A dataset of at most so many examples is read with its crops as they are stored, 75 MB of them, and the
features are chosen for it. With more, those are the dense words of `FaceEmbedding`."""
FOLDS = 3
"""Of the cross-validation where there are more. Each needs an example of each label."""
# Sources of examples whose faces this site has cut out itself.
CUT_HERE = ("review", "photographs")


def needs_all(estimator: str, start: str) -> bool:
    """Whether it needs examples of each label: what goes on from the active network knows them already."""
    return (estimator, start) != ("cnn", "active")


@dataclass(frozen=True)
class Frozen:
    """All examples of one dataset version, whatever they are for.

    splits, groups, digests: (N,), "train", "validation" or "test" of each, which it belongs with, and what it
    is known by. aligned: (N,) which are cut out as photographs' faces are. sha256: of the file.
    """

    faces: FaceSet
    splits: NDArray[np.str_]
    groups: NDArray[np.str_]
    digests: NDArray[np.str_]
    aligned: NDArray[np.bool_]
    sha256: str

    @property
    def few(self) -> bool:
        return self.faces.stored is not None

    def only(self, *splits: str) -> tuple[FaceSet, NDArray[np.str_]]:
        """The faces of these splits, and their groups."""
        chosen = np.isin(self.splits, splits)
        return self.faces.take(chosen), self.groups[chosen]

    def digests_of(self, *splits: str) -> NDArray[np.str_]:
        return self.digests[np.isin(self.splits, splits)]

    def without_leaks(self) -> Frozen:
        """Less what is not for testing and shows a test image."""
        kept = ~leaks(self.faces, self.splits)
        return replace(
            self,
            faces=self.faces.take(kept),
            splits=self.splits[kept],
            groups=self.groups[kept],
            digests=self.digests[kept],
            aligned=self.aligned[kept],
        )

    def realigned(self) -> Frozen:
        """With those aligned that another detector has cut out."""
        others = np.flatnonzero(~self.aligned)
        if not len(others):
            return self
        images, stored = self.faces.images.copy(), self.faces.stored
        # One after the other: all of a large dataset would hold a gigabyte.
        crops = aligned_crops(self.faces.crops[others])
        if stored is None:
            images[others] = GRAY.gray(crops)
        else:
            stored = stored.copy()
            stored[others] = one_by_one(list(crops))
            images[others] = GRAY.gray(stored[others])
        faces = replace(self.faces, images=images, stored=stored)
        return replace(self, faces=faces, aligned=np.ones_like(self.aligned))


def read_frozen(path: Path, *, names: tuple[str, ...]) -> Frozen:
    """names: the label set's labels, in order. Raises ValueError for other labels or another kind of file."""
    import pyarrow as pa
    from pyarrow import parquet

    try:
        table = parquet.read_table(path, columns=["label", "split", "group", "digest", "source", "votes"])
        counted = json.loads((table.schema.metadata or {}).get(b"labels", b"[]"))
        pixels = parquet.ParquetFile(path)
        few = table.num_rows <= FEW
        crops = [
            _crop(row) if few else GRAY.gray([_crop(row)])[0]
            for batch in pixels.iter_batches(1000, columns=["height", "width", "channels", "pixels"])
            for row in batch.to_pylist()
        ]
    except pa.ArrowException as error:
        raise ValueError(f"{path.name} is no frozen dataset: {error}") from error
    columns = ("label", "split", "group", "digest", "source")
    labels, splits, groups, digests, sources = (np.array(table[name].to_pylist()) for name in columns)
    if unknown := sorted(set(labels) - set(names)):
        raise ValueError(f"{path.name} has examples of {', '.join(unknown)}; the labels are {names}")
    votes = np.zeros((len(labels), len(names)), np.float32)
    if len(counted):
        places = [counted.index(name) if name in counted else -1 for name in names]
        told = np.array([[*row, 0] for row in table["votes"].to_pylist()], np.float32)
        votes = told.reshape(len(labels), -1)[:, places]
    images = GRAY.gray(crops) if crops else np.zeros((0, GRAY.side, GRAY.side), np.uint8)
    faces = FaceSet(
        images,
        np.array([names.index(label) for label in labels], np.int64),
        votes,
        names,
        stored=one_by_one(crops) if few else None,
    )
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return Frozen(faces, splits, groups, digests, np.isin(sources, CUT_HERE), digest)


def digests_in(path: Path) -> list[str]:
    """What the examples of a frozen dataset are known by."""
    from pyarrow import parquet

    found: list[str] = parquet.read_table(path, columns=["digest"])["digest"].to_pylist()
    return found


def _crop(row: dict[str, object]) -> NDArray[np.uint8]:
    height, width, channels, pixels = (row[name] for name in ("height", "width", "channels", "pixels"))
    shape = (height, width) if channels == 1 else (height, width, channels)
    return np.frombuffer(pixels, np.uint8).reshape(shape)  # type: ignore[call-overload]
