"""What a file of labelled faces is made of, whatever its format: rows, each a crop or why it is none."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from classifier.label_sets import slugged

from .cleaning import Judged
from .models import Example, Split


class FormatError(ValueError):
    """A file that can't be imported at all. `str(error)` is a sentence for whoever sent it."""


class Labels:
    """The labels of a set, found by slug or name, in whatever case or normal form that is written."""

    def __init__(self, names: Iterable[tuple[str, str]]) -> None:
        """`names`: slug and name of each."""
        self.slugs: dict[str, str] = {}
        for slug, name in names:
            self.slugs |= {slugged(one): slug for one in (slug, name)}

    def find(self, name: str) -> str | None:
        return self.slugs.get(slugged(name))


@dataclass(frozen=True)
class Crop:
    """`label`: its slug. `pixels`: uint8 (H, W) gray or (H, W, 3) RGB. `split`, `group`: official ones, where
    there are any. `digest`: SHA-256 of the photograph that it was found in.
    """

    where: str
    label: str
    pixels: NDArray[np.uint8]
    source: Example.Source
    split: Split | None = None
    group: str = ""
    votes: Mapping[str, int] = field(default_factory=dict)
    digest: str = ""


@dataclass(frozen=True)
class Unclear:
    """A photograph without exactly one usable face, for a person to look at. `copy`: a small JPEG."""

    where: str
    label: str
    digest: str
    judged: Judged
    copy: bytes


@dataclass(frozen=True)
class Refused:
    """A row that can't be read."""

    where: str
    why: str
    label: str = ""


@dataclass(frozen=True)
class SetAside:
    """A row that can be read, and is not wanted."""

    where: str
    why: str
    label: str = ""


@dataclass(frozen=True)
class Repeated:
    """A file that is, to the byte, one before it."""

    where: str
    why: str
    label: str


@dataclass(frozen=True)
class Skipped:
    """What lies beside the rows and is none."""

    where: str
    why: str
    label: str = ""


Row = Crop | Unclear | Refused | SetAside | Repeated | Skipped


@dataclass(frozen=True)
class Dataset:
    """A file or a folder, and its rows, to be read once. `total`: how many, where that is known.

    `most_damaged`: the share of rows that can't be read above which nothing of it is believed.
    """

    format: str
    rows: Iterator[Row]
    most_damaged: float
    total: int | None = None
