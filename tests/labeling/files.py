"""Files of labelled faces in the formats that an import reads."""

from __future__ import annotations

import gzip
import lzma
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from tests.crops import gray_crop

FER_PLUS = "Usage,Image name,neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF"
# FER+'s columns in the order of FER2013's labels.
COLUMNS = ("anger", "disgust", "fear", "happiness", "sadness", "surprise", "neutral")


def written(pixels: np.ndarray) -> str:
    return " ".join(map(str, pixels.ravel()))


def fer_rows(numbers: Iterable[int], *, usage: str = "Training") -> list[str]:
    """One row for each number, all different, the labels in turn."""
    return [f"{number % 7},{written(gray_crop(number))},{usage}" for number in numbers]


def fer_file(path: Path, rows: Iterable[str]) -> Path:
    """FER2013's format, packed as the file's name says."""
    content = ("\n".join(["emotion,pixels,Usage", *rows]) + "\n").encode()
    packed = {".gz": gzip.compress(content), ".xz": lzma.compress(content)}
    path.write_bytes(packed.get(path.suffix, content))
    return path


def votes_file(path: Path, rows: Iterable[tuple[str, dict[str, int]]]) -> Path:
    """FER+'s file: for each row its Usage and its votes, by the file's own columns."""
    lines = [FER_PLUS]
    columns = FER_PLUS.split(",")[2:]
    for usage, votes in rows:
        lines.append(",".join([usage, "fer.png", *(str(votes.get(column, 0)) for column in columns)]))
    path.write_text("\n".join(lines) + "\n")
    return path


def agreed(number: int) -> dict[str, int]:
    """Nine votes for the label that `fer_rows` gives a number, one for contempt."""
    return {COLUMNS[number % 7]: 9, "contempt": 1}
