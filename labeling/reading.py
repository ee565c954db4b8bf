"""The formats that labelled crops come in, as one stream: each row is a crop, or says why it is none.

A damaged row costs itself and no other. What makes a whole file unreadable is a FormatError.
"""

from __future__ import annotations

import csv
import gzip
import lzma
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from django.conf import settings
from numpy.typing import NDArray
from PIL import Image, ImageOps

from classifier.ml.dataset import EXPRESSIONS, FER_PLUS_COLUMNS, FER_PLUS_OTHERS, PICTURES
from classifier.vision.align import CROP_SIDE, align_face
from classifier.vision.detect import Detector, make_detector
from classifier.vision.image import ImageDecodeError, decode_photograph

from .models import Example, Split

SIDE = 48
USAGES = {"Training": Split.TRAIN, "PublicTest": Split.TEST, "PrivateTest": Split.TEST}
# FER+'s word for "not a face".
NO_FACE = "NF"
NAMED_AS_PICTURES = PICTURES | {".heic", ".heif", ".avif", ".gif", ".tif", ".tiff"}
PACKED: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".xz": lzma.open}

Labels = Mapping[str, int]
"""Ids of a label set's labels, by slug and by name in small letters."""


class FormatError(ValueError):
    """A file that can't be imported at all. `str(error)` is a sentence for whoever sent it."""


@dataclass(frozen=True)
class Crop:
    """`pixels`: uint8 (H, W) gray or (H, W, 3) RGB. `split`, `group`: official ones, where there are any."""

    where: str
    label_id: int
    pixels: NDArray[np.uint8]
    source: Example.Source
    split: Split | None = None
    group: str = ""
    votes: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Refused:
    """A row that can't be read."""

    where: str
    why: str


@dataclass(frozen=True)
class SetAside:
    """A row that can be read, and is not wanted."""

    where: str
    why: str


Row = Crop | Refused | SetAside


@dataclass(frozen=True)
class Dataset:
    """A file or a folder, and its rows, to be read once."""

    format: str
    rows: Iterator[Row]


def open_dataset(
    path: Path, labels: Labels, *, format_name: str = "auto", votes: Path | None = None, detect: bool = False
) -> Dataset:
    """Raises FormatError where the file is of no format; its rows do, where it is not what it seemed."""
    name = _recognise(path) if format_name == "auto" else format_name
    if votes and name != "fer2013":
        raise FormatError("FER+ votes go with a file in FER2013's format alone.")
    if detect and name != "folders":
        raise FormatError("Faces are looked for in a folder of photographs alone.")
    return Dataset(name, _OPENERS[name](path, labels, votes, detect))


def _recognise(path: Path) -> str:
    if path.is_dir():
        return "folders"
    if not path.exists():
        raise FormatError(f"There is no file {path}.")
    if path.suffix == ".parquet":
        return "parquet"
    columns = {column.strip() for _number, fields in islice(_lines(path), 1) for column in fields}
    for name, wanted in (("fer2013", {"emotion", "pixels"}), ("csv", {"label", "pixels"})):
        if wanted <= columns:
            return name
    raise FormatError(
        f"{path.name} is of no known format. Known are a CSV with the columns emotion, pixels and Usage "
        "(FER2013), one with label and pixels, a Parquet file of this site, and a folder of pictures for "
        "each label."
    )


# --- CSV ---


def _lines(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Each line by its number and its fields. A line alone is parsed: a stray quote swallows no other."""
    opened = PACKED.get(path.suffix, open)(path, "rt", newline="", encoding="utf-8-sig", errors="replace")
    try:
        with opened as lines:
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    yield number, _fields(line)
    except (OSError, EOFError, lzma.LZMAError, zlib.error) as error:
        raise FormatError(f"{path.name} can't be read to its end: {error}") from error


def _fields(line: str) -> list[str]:
    try:
        return next(csv.reader([line]))
    except csv.Error:
        return []


def _table(path: Path, *wanted: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Every line after the first as its place and its fields by column; {} where their number is wrong."""
    lines = _lines(path)
    columns = [column.strip() for column in next(lines, (0, []))[1]]
    if missing := set(wanted) - set(columns):
        raise FormatError(f"{path.name} has no column {' and no column '.join(sorted(missing))}.")
    for number, fields in lines:
        complete = len(fields) == len(columns)
        yield f"line {number}", dict(zip(columns, fields, strict=True)) if complete else {}


def _gray(text: str) -> NDArray[np.uint8]:
    """48 × 48 gray values, written row by row. Raises ValueError."""
    values = np.fromstring(text, np.int64, sep=" ")
    if len(values) != SIDE * SIDE:
        raise ValueError(f"{len(values)} gray values, not {SIDE * SIDE}")
    if values.min() < 0 or values.max() > 255:
        raise ValueError("a gray value is not from 0 to 255")
    return values.astype(np.uint8).reshape(SIDE, SIDE)


def _fer2013(path: Path, labels: Labels, votes: Path | None, detect: bool) -> Iterator[Row]:
    counts = _aligned_votes(votes, path) if votes else None
    for place, (where, row) in enumerate(_table(path, "emotion", "pixels")):
        yield _fer2013_row(where, row, labels, counts[place] if counts else {})


def _fer2013_row(where: str, row: dict[str, str], labels: Labels, votes: Mapping[str, int]) -> Row:
    if not row:
        return Refused(where, "the number of columns is wrong")
    try:
        name = EXPRESSIONS[range(len(EXPRESSIONS)).index(int(row["emotion"]))]
    except ValueError:
        return Refused(where, f"“{row['emotion'][:20]}” is no emotion from 0 to 6")
    usage = row.get("Usage", "").strip()
    if usage and usage not in USAGES:
        return Refused(where, f"“{usage[:20]}” is no Usage; known are {', '.join(USAGES)}")
    if name not in labels:
        return SetAside(where, f"{name} is no label of this label set")
    if votes.get(NO_FACE, 0) * 2 > sum(votes.values()):
        return SetAside(where, "most of FER+'s annotators saw no face")
    try:
        pixels = _gray(row["pixels"])
    except ValueError as error:
        return Refused(where, f"the pixels can't be read: {error}")
    return Crop(where, labels[name], pixels, Example.Source.FER2013, USAGES.get(usage), votes=votes)


def _aligned_votes(path: Path, faces: Path) -> list[dict[str, int]]:
    """FER+'s votes for each row of `faces`. Votes for rows of a Usage that `faces` lacks are passed over."""
    names = dict(zip(FER_PLUS_COLUMNS, EXPRESSIONS, strict=True)) | {name: name for name in FER_PLUS_OTHERS}
    usages = [row.get("Usage", "").strip() for _where, row in _table(faces, "emotion", "pixels")]
    rows = list(_table(path, *names))
    if len(rows) > len(usages):
        rows = [(where, row) for where, row in rows if row.get("Usage", "").strip() in set(usages)]
    if len(rows) != len(usages):
        raise FormatError(f"{path.name} has votes for {len(rows)} rows, {faces.name} has {len(usages)}.")
    return [_votes_of(row, names, f"{path.name}, {where}") for where, row in rows]


def _votes_of(row: dict[str, str], names: dict[str, str], where: str) -> dict[str, int]:
    try:
        counts = {name: int(row[column]) for column, name in names.items()}
    except (KeyError, ValueError) as error:
        raise FormatError(f"{where}, is no row of FER+ votes.") from error
    return {name: count for name, count in counts.items() if count > 0}


def _csv(path: Path, labels: Labels, votes: Path | None, detect: bool) -> Iterator[Row]:
    for where, row in _table(path, "label", "pixels"):
        yield _csv_row(where, row, labels)


def _csv_row(where: str, row: dict[str, str], labels: Labels) -> Row:
    if not row:
        return Refused(where, "the number of columns is wrong")
    label_id = labels.get(row["label"].strip().lower())
    if label_id is None:
        return Refused(where, f"“{row['label'][:40]}” is no label of this label set")
    try:
        return Crop(where, label_id, _gray(row["pixels"]), Example.Source.TABLE)
    except ValueError as error:
        return Refused(where, f"the pixels can't be read: {error}")


# --- a folder for each label ---


def _folders(path: Path, labels: Labels, votes: Path | None, detect: bool) -> Iterator[Row]:
    if not path.is_dir():
        raise FormatError(f"{path} is no folder.")
    folders = sorted(f for f in path.iterdir() if f.is_dir() and not f.name.startswith("."))
    unknown = [folder.name for folder in folders if folder.name.lower() not in labels]
    if unknown or not folders:
        found = f"folders for {', '.join(unknown)}" if unknown else "no folders"
        raise FormatError(f"{path} has {found}; each label has one: {', '.join(sorted(labels))}.")
    read = _face_in if detect else _picture
    source = Example.Source.PHOTOGRAPHS if detect else Example.Source.FOLDER
    for folder in folders:
        for file in sorted(f for f in folder.iterdir() if not f.name.startswith(".")):
            yield _folder_row(file, labels[folder.name.lower()], read, source)


def _folder_row(
    file: Path, label_id: int, read: Callable[[Path], NDArray[np.uint8] | None], source: Example.Source
) -> Row:
    where = f"{file.parent.name}/{file.name}"
    if file.suffix.lower() not in NAMED_AS_PICTURES:
        return SetAside(where, "its name is not that of a picture")
    try:
        pixels = read(file)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        return Refused(where, str(error) if isinstance(error, ImageDecodeError) else "no picture can be read")
    if pixels is None:
        return SetAside(where, "no face was found")
    return Crop(where, label_id, pixels, source)


def _picture(file: Path) -> NDArray[np.uint8]:
    """A crop as it is: the square in its middle, of at most 112 pixels."""
    with Image.open(file) as opened:
        picture = ImageOps.exif_transpose(opened)
        picture = picture if picture.mode == "L" else picture.convert("RGB")
    side = min(*picture.size, CROP_SIDE)
    if picture.size != (side, side):
        picture = ImageOps.fit(picture, (side, side), Image.Resampling.BOX)
    return np.asarray(picture, np.uint8)


def _face_in(file: Path) -> NDArray[np.uint8] | None:
    """The largest face of a photograph, aligned as those of uploads are. Raises ImageDecodeError, OSError."""
    photograph = decode_photograph(
        file.read_bytes(),
        max_pixels=settings.MAX_MEGAPIXELS * 1_000_000,
        long_side=settings.STORED_LONG_SIDE,
    )
    found = _detector(settings.FACE_DETECTOR).detect(photograph.pixels)
    return align_face(photograph.pixels, found[0]) if found else None


@lru_cache
def _detector(name: str) -> Detector:
    return make_detector(name)


# --- a frozen or exported file of this site ---


def _parquet(path: Path, labels: Labels, votes: Path | None, detect: bool) -> Iterator[Row]:
    from .parquet import read_examples

    names, examples = read_examples(path)
    for number, example in enumerate(examples, start=1):
        yield _parquet_row(f"row {number}", example, names, labels)


def _parquet_row(where: str, example: Mapping[str, Any], names: list[str], labels: Labels) -> Row:
    label_id = labels.get(str(example["label"]).lower())
    if label_id is None:
        return Refused(where, f"“{example['label']}” is no label of this label set")
    shape = (example["height"], example["width"], example["channels"])
    pixels = np.frombuffer(example["pixels"], np.uint8).reshape(shape[:2] if shape[2] == 1 else shape)
    votes = dict(zip(names, example["votes"], strict=True)) | {"other": example["other_votes"]}
    cast = {name: count for name, count in votes.items() if count}
    source, split = Example.Source(example["source"]), Split(example["split"])
    return Crop(where, label_id, pixels, source, split, example["group"], cast)


_OPENERS: dict[str, Callable[[Path, Labels, Path | None, bool], Iterator[Row]]] = {
    "fer2013": _fer2013,
    "csv": _csv,
    "folders": _folders,
    "parquet": _parquet,
}
FORMATS = ("auto", *_OPENERS)
