"""The curated dataset as files that other programs read. Withdrawn examples are in none of them."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from classifier.models import LabelSet

from .import_plan import Progress
from .models import Example
from .neighbours import Fingerprint, decode

EXAMPLES_AT_ONCE = 500
CSV_HEADER = "label,pixels\r\n"


def silent(stage: str, done: int, total: int | None) -> None:
    """Progress that nobody watches."""


def csv_lines(label_set: LabelSet, progress: Progress = silent) -> Iterator[str]:
    """The lines of a CSV file: the label's slug and the 2,304 gray values of the 48 × 48 crop, row by row.

    Read in batches, so that a download that takes its time holds no cursor.
    """
    yield CSV_HEADER
    for example in _examples(label_set, progress):
        gray = Fingerprint.of(decode(bytes(example.crop))).gray
        yield f"{example.label.slug},{' '.join(map(str, gray.ravel().tolist()))}\r\n"


def write_csv(target: IO[bytes], label_set: LabelSet, progress: Progress = silent) -> int:
    """Returns how many examples there are."""
    written = -1  # the header is none
    for line in csv_lines(label_set, progress):
        target.write(line.encode())
        written += 1
    return written


def write_folders(target: Path, label_set: LabelSet, progress: Progress = silent) -> int:
    """A folder of PNG files for each label, also for one without examples. Raises FileExistsError."""
    if target.exists() and any(target.iterdir()):
        raise FileExistsError(f"{target} is there already, and not empty.")
    for slug in label_set.labels.values_list("slug", flat=True):
        (target / slug).mkdir(parents=True)
    written = 0
    for name, crop in _pictures(label_set, progress):
        (target / name).write_bytes(crop)
        written += 1
    return written


def write_zip(target: IO[bytes], label_set: LabelSet, progress: Progress = silent) -> int:
    """What `write_folders` writes, as one file: for the web."""
    written = 0
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        for name, crop in _pictures(label_set, progress):
            archive.writestr(name, crop)
            written += 1
    return written


def write_files(path: Path, label_set: LabelSet, *, format_name: str, progress: Progress = silent) -> int:
    """Write one of FORMATS; returns how many examples there are. Raises OSError."""
    if format_name == "folders":
        return write_folders(path, label_set, progress)
    with path.open("wb") as file:
        return WRITERS[format_name](file, label_set, progress)


def _pictures(label_set: LabelSet, progress: Progress) -> Iterator[tuple[str, bytes]]:
    for example in _examples(label_set, progress):
        yield f"{example.label.slug}/{example.pk:08}.png", bytes(example.crop)


@dataclass(frozen=True)
class Written:
    """An example that is in a Parquet file."""

    id: int
    face_id: int | None
    label: str
    split: str


def write_parquet(target: IO[bytes], label_set: LabelSet, progress: Progress = silent) -> list[Written]:
    """Write all examples so that the bytes depend on them alone, and return them. See labeling.parquet."""
    from .parquet import write_examples

    labels = list(label_set.labels.values_list("slug", flat=True))
    written: list[Written] = []
    rows = _parquet_rows(_ids_in_order(label_set, labels), labels, written, progress)
    write_examples(target, rows, label_set=label_set.slug, labels=labels)
    return written


def _ids_in_order(label_set: LabelSet, labels: Sequence[str]) -> list[int]:
    """Sorted by what the examples are, since their ids differ from site to site."""
    columns = ("digest", "label__slug", "split", "group", "source", "votes", "pk")
    rows = Example.objects.kept().filter(label_set=label_set).values_list(*columns)
    return [row[6] for row in sorted(rows, key=lambda row: (row[:5], _counts(row[5], labels)))]


def _parquet_rows(
    ids: list[int], labels: Sequence[str], written: list[Written], progress: Progress
) -> Iterator[dict[str, Any]]:
    for start in range(0, len(ids), EXAMPLES_AT_ONCE):
        batch = ids[start : start + EXAMPLES_AT_ONCE]
        there = Example.objects.kept().select_related("label").in_bulk(batch)
        for example in (there[pk] for pk in batch if pk in there):
            written.append(Written(example.pk, example.face_id, example.label.slug, example.split))
            yield _parquet_row(example, labels)
        progress("Writing", start + len(batch), len(ids))


def _parquet_row(example: Example, labels: Sequence[str]) -> dict[str, Any]:
    pixels = decode(bytes(example.crop))
    *votes, others = _counts(example.votes, labels)
    return {
        "digest": example.digest,
        "label": example.label.slug,
        "split": example.split,
        "group": example.group,
        "source": example.source,
        "votes": votes,
        "other_votes": others,
        "height": pixels.shape[0],
        "width": pixels.shape[1],
        "channels": 1 if pixels.ndim == 2 else 3,
        "pixels": pixels.tobytes(),
    }


def _counts(votes: Mapping[str, int], labels: Sequence[str]) -> tuple[int, ...]:
    """The votes for each label, in the label set's order, then all others."""
    of_labels = [votes.get(slug, 0) for slug in labels]
    return (*of_labels, sum(votes.values()) - sum(of_labels))


def _examples(label_set: LabelSet, progress: Progress) -> Iterator[Example]:
    """Oldest first, a batch at a time: no cursor stays open in between."""
    kept = Example.objects.kept().filter(label_set=label_set).order_by("pk").select_related("label")
    total, done, last = kept.count(), 0, 0
    while batch := list(kept.filter(pk__gt=last).only("crop", "label__slug")[:EXAMPLES_AT_ONCE]):
        yield from batch
        last, done = batch[-1].pk, done + len(batch)
        progress("Writing", done, total)


WRITERS: dict[str, Callable[[IO[bytes], LabelSet, Progress], int]] = {
    "csv": write_csv,
    "folders": write_zip,
    "parquet": lambda target, label_set, progress: len(write_parquet(target, label_set, progress)),
}
"""What is one file of each format: of folders, a ZIP archive."""

FORMATS = tuple(WRITERS)
