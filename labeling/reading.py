"""The formats that labelled crops come in, as one stream: each row is a crop, or says why it is none.

A damaged row costs itself and no other. What makes a whole file unreadable is a FormatError.
"""

from __future__ import annotations

import csv
import gzip
import lzma
import zlib
from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classifier.ml.dataset import EXPRESSIONS, FER_PLUS_COLUMNS, FER_PLUS_OTHERS

from .cleaning import Cleaning
from .folders import MOST_DAMAGED, read_folders
from .models import Example, Split
from .rows import Crop, Dataset, FormatError, Labels, Refused, Row, SetAside

SIDE = 48
USAGES = {"Training": Split.TRAIN, "PublicTest": Split.TEST, "PrivateTest": Split.TEST}
# FER+'s word for "not a face".
NO_FACE = "NF"
PACKED: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".xz": lzma.open}


def open_dataset(
    path: Path,
    labels: Labels,
    *,
    format_name: str = "auto",
    votes: Path | None = None,
    cleaning: Cleaning | None = None,
) -> Dataset:
    """`cleaning`: the pictures of a folder are photographs, and this is asked of the faces in them.

    Raises FormatError where the file is of no format; its rows do, where it is not what it seemed.
    """
    name = format_of(path) if format_name == "auto" else format_name
    if votes and name != "fer2013":
        raise FormatError("FER+ votes go with a file in FER2013's format alone.")
    if name == "folders":
        return read_folders(path, labels, cleaning=cleaning)
    if cleaning:
        raise FormatError("Faces are looked for in a folder of photographs alone.")
    return Dataset(name, _OPENERS[name](path, labels, votes), MOST_DAMAGED)


def format_of(path: Path) -> str:
    """Raises FormatError."""
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


def _fer2013(path: Path, labels: Labels, votes: Path | None) -> Iterator[Row]:
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
    label = labels.find(name)
    if label is None:
        return SetAside(where, f"{name} is no label of this label set")
    if votes.get(NO_FACE, 0) * 2 > sum(votes.values()):
        return SetAside(where, "most of FER+'s annotators saw no face")
    try:
        pixels = _gray(row["pixels"])
    except ValueError as error:
        return Refused(where, f"the pixels can't be read: {error}")
    return Crop(where, label, pixels, Example.Source.FER2013, USAGES.get(usage), votes=votes)


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


def _csv(path: Path, labels: Labels, votes: Path | None) -> Iterator[Row]:
    for where, row in _table(path, "label", "pixels"):
        yield _csv_row(where, row, labels)


def _csv_row(where: str, row: dict[str, str], labels: Labels) -> Row:
    if not row:
        return Refused(where, "the number of columns is wrong")
    label = labels.find(row["label"])
    if label is None:
        return Refused(where, f"“{row['label'][:40]}” is no label of this label set")
    try:
        return Crop(where, label, _gray(row["pixels"]), Example.Source.TABLE)
    except ValueError as error:
        return Refused(where, f"the pixels can't be read: {error}")


# --- a frozen or exported file of this site ---


def _parquet(path: Path, labels: Labels, votes: Path | None) -> Iterator[Row]:
    from .parquet import read_examples

    names, examples = read_examples(path)
    for number, example in enumerate(examples, start=1):
        yield _parquet_row(f"row {number}", example, names, labels)


def _parquet_row(where: str, example: Mapping[str, Any], names: list[str], labels: Labels) -> Row:
    label = labels.find(str(example["label"]))
    if label is None:
        return Refused(where, f"“{example['label']}” is no label of this label set")
    shape = (example["height"], example["width"], example["channels"])
    pixels = np.frombuffer(example["pixels"], np.uint8).reshape(shape[:2] if shape[2] == 1 else shape)
    votes = dict(zip(names, example["votes"], strict=True)) | {"other": example["other_votes"]}
    cast = {name: count for name, count in votes.items() if count}
    source, split = Example.Source(example["source"]), Split(example["split"])
    return Crop(where, label, pixels, source, split, example["group"], cast)


_OPENERS: dict[str, Callable[[Path, Labels, Path | None], Iterator[Row]]] = {
    "fer2013": _fer2013,
    "csv": _csv,
    "parquet": _parquet,
}
FORMATS = ("auto", "folders", *_OPENERS)
