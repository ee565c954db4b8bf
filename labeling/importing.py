"""Labelled crops from files become examples: first a plan, which changes nothing, then the rows, in batches.

What was stopped half-way can be run again: whatever is in is a duplicate by then.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import numpy as np
from django.conf import settings
from django.db import transaction
from numpy.typing import NDArray

from classifier.models import Label, LabelSet, User
from classifier.vision.image import encode_png
from classifier.vision.similar import NEARLY_SAME, hash_distance

from .curation import agreement_of
from .import_plan import Fate, Found, Progress, make_plan
from .models import Example, ExampleQuerySet
from .neighbours import Fingerprint, decode, same_picture
from .reading import Crop, FormatError, Refused, Row, open_dataset
from .splits import Place

MOST_DAMAGED = 0.01
ROWS_AT_ONCE = 500


class ImportRefusedError(ValueError):
    """Nothing is imported. `str(error)` says why; `report` is what was found so far."""

    def __init__(self, sentence: str, report: Report) -> None:
        super().__init__(sentence)
        self.report = report


@dataclass
class Report:
    """What an import did, or would do: `added` counts by (label, split)."""

    format: str
    dry_run: bool
    rows: int = 0
    added: Counter[tuple[str, str]] = field(default_factory=Counter)
    duplicates: list[Fate] = field(default_factory=list)
    refused: list[Fate] = field(default_factory=list)
    set_aside: list[Fate] = field(default_factory=list)

    def as_json(self, *, at_most: int | None = None) -> dict[str, Any]:
        """Counts, and the reasons for each: `at_most` so many of a kind."""
        kinds = {"duplicates": self.duplicates, "refused": self.refused, "set_aside": self.set_aside}
        reasons = {
            kind: [{"where": fate.where, "why": fate.why} for fate in fates[:at_most]]
            for kind, fates in kinds.items()
        }
        added = [
            {"label": label, "split": split, "count": count}
            for (label, split), count in sorted(self.added.items())
        ]
        return {
            "format": self.format,
            "dry_run": self.dry_run,
            "rows": self.rows,
            "added": self.added.total(),
            **{kind: len(fates) for kind, fates in kinds.items()},
            "reasons": {"added": added, **reasons},
        }


def import_dataset(
    path: Path,
    label_set: LabelSet,
    *,
    format_name: str = "auto",
    votes: Path | None = None,
    detect: bool = False,
    dry_run: bool = False,
    by: User | None = None,
    progress: Progress = lambda stage, done, total: None,
) -> Report:
    """Add a file's or folder's crops to the curated dataset. A dry run only tells what would be added.

    Raises FormatError for a file that is of no known format, ImportRefusedError when more than MOST_DAMAGED
    of its rows can't be read. Both have changed nothing.
    """
    labels = {label.pk: label for label in label_set.labels.all()}
    names = {name.lower(): label.pk for label in labels.values() for name in (label.slug, label.name)}
    file = open_dataset(path, names, format_name=format_name, votes=votes, detect=detect)
    report = Report(file.format, dry_run)
    with tempfile.TemporaryFile(dir=settings.FILE_UPLOAD_TEMP_DIR) as waiting:
        crops = _Crops(waiting)
        plan = make_plan(_survey(file.rows, crops, report, progress), label_set, progress)
        report.duplicates += plan.duplicates
        report.set_aside += plan.set_aside
        if dry_run:
            report.added = plan.counts(labels)
            return report
        _join_groups(label_set, plan.joined)
        adding = sorted(plan.places)
        for start in range(0, len(adding), ROWS_AT_ONCE):
            batch = adding[start : start + ROWS_AT_ONCE]
            _add(
                [
                    Example(
                        **_fields_of(plan.rows[row], plan.places[row], labels[plan.rows[row].label_id]),
                        label_set=label_set,
                        crop=crops.read(row),
                        origin=f"{path.name}, {plan.rows[row].where}"[:300],
                        added_by=by,
                    )
                    for row in batch
                ],
                label_set,
                plan.newest,
                report,
            )
            progress("Adding", start + len(batch), len(adding))
    return report


class _Crops:
    """Crops that wait, as PNG, in a file: those of a large folder would fill the memory."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._ends = [0]

    def append(self, pixels: NDArray[np.uint8]) -> None:
        self._ends.append(self._ends[-1] + self._file.write(encode_png(pixels)))

    def read(self, number: int) -> bytes:
        self._file.seek(self._ends[number])
        return self._file.read(self._ends[number + 1] - self._ends[number])


def _survey(rows: Iterator[Row], crops: _Crops, report: Report, progress: Progress) -> list[Found]:
    """The rows that can be read; `crops` has their pixels, in the same order."""
    found = []
    for row in rows:
        report.rows += 1
        if isinstance(row, Crop):
            found.append(Found.of(row))
            crops.append(row.pixels)
        else:
            fates = report.refused if isinstance(row, Refused) else report.set_aside
            fates.append(Fate(row.where, row.why))
        progress("Reading", report.rows, None)
    if not report.rows:
        raise FormatError("There is nothing in it to import.")
    if len(report.refused) > MOST_DAMAGED * report.rows:
        first = report.refused[0]
        raise ImportRefusedError(
            f"{len(report.refused)} of {report.rows} rows can't be read, which is more than "
            f"{MOST_DAMAGED:.0%}: nothing was imported. The first is {first.where}: {first.why}.",
            report,
        )
    return found


def _join_groups(label_set: LabelSet, joined: Mapping[str, str]) -> None:
    """Groups of examples that a new one belongs to at once become one."""
    for group, into in joined.items():
        Example.objects.filter(label_set=label_set, group=group).update(group=into)


def _fields_of(found: Found, at: Place, label: Label) -> dict[str, Any]:
    return {
        "label": label,
        "source": found.source,
        "digest": found.fingerprint.digest,
        "perceptual_hash": found.fingerprint.hash,
        "votes": dict(found.votes),
        "agreement": agreement_of(found.votes, label),
        "group": at.group,
        "split": at.split,
    }


@transaction.atomic
def _add(examples: list[Example], label_set: LabelSet, newest: int, report: Report) -> None:
    """`newest`: the last example that the plan knew. Faces that labelers settled since then come first."""
    # Whoever holds this row is the only one who adds: see curation.settle_example.
    LabelSet.objects.select_for_update(no_key=True).get(pk=label_set.pk)
    known = Example.objects.filter(label_set=label_set)
    digests = [example.digest for example in examples]
    there = set(known.filter(digest__in=digests).values_list("digest", flat=True))
    leaks = _leaks(examples, known.filter(pk__gt=newest, face__isnull=False))
    new = []
    for example in examples:
        if example.digest in there:
            report.duplicates.append(Fate(example.origin, "was added meanwhile"))
        elif example.digest in leaks:
            report.set_aside.append(Fate(example.origin, leaks[example.digest]))
        else:
            new.append(example)
    report.added += Counter((example.label.slug, str(example.split)) for example in new)
    Example.objects.bulk_create(new)


def _leaks(examples: list[Example], settled: ExampleQuerySet) -> dict[str, str]:
    """By digest, why those of `examples` leak that are nearly one of `settled`, and in another split."""
    leaks = {}
    for other in settled:
        why = f"nearly the same as example {other.pk}, which is in {other.split}"
        fingerprint = Fingerprint.of(decode(bytes(other.crop)))
        hashes = (fingerprint.hash, fingerprint.mirrored_hash)
        for example in examples:
            near = min(hash_distance(example.perceptual_hash, hashed) for hashed in hashes) <= NEARLY_SAME
            if near and example.split != other.split:
                gray = Fingerprint.of(decode(bytes(example.crop))).gray
                if same_picture(gray, fingerprint.gray):
                    leaks[example.digest] = why
    return leaks
