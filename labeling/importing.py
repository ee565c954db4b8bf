"""Labelled crops from files become examples: first a plan, which changes nothing, then the rows, in batches.

What was stopped half-way can be run again: whatever is in is a duplicate by then.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import transaction

from classifier.label_sets import LabelSetError, create_label_set
from classifier.models import Label, LabelSet, User
from classifier.vision.image import encode_png
from classifier.vision.similar import NEARLY_SAME, hash_distance

from .aside import Aside, Spool, forget_added, forget_old, room_in, settled_in
from .cleaning import Cleaning
from .curation import agreement_of
from .folders import names_of_labels
from .import_plan import Found, Plan, Progress, make_plan
from .import_report import LEAK, Fate, Report
from .label_set_deletion import delete_label_set
from .models import Example, ExampleQuerySet
from .neighbours import Fingerprint, Gray, decode, same_picture
from .reading import format_of, open_dataset
from .rows import Crop, Dataset, FormatError, Labels, Refused, Repeated, Skipped, Unclear
from .splits import Place

ROWS_AT_ONCE = 500


class ImportRefusedError(ValueError):
    """Nothing is imported. `str(error)` says why; `report` is what was found so far."""

    def __init__(self, sentence: str, report: Report) -> None:
        super().__init__(sentence)
        self.report = report


@dataclass(frozen=True)
class NewLabelSet:
    """A label set that is made of the names of an import's folders, unless the import is refused or fails."""

    slug: str
    name: str = ""
    names_people: bool = False
    purpose: str = ""
    consent_basis: str = ""

    def __str__(self) -> str:
        return self.name or self.slug

    def create(self, labels: Sequence[str]) -> LabelSet:
        """Raises LabelSetError."""
        return create_label_set(
            self.slug,
            labels,
            name=self.name,
            names_people=self.names_people,
            purpose=self.purpose,
            consent_basis=self.consent_basis,
        )

    def foresee(self, labels: Sequence[str]) -> list[Label]:
        """The labels that it would have. Raises LabelSetError."""
        with transaction.atomic():
            created = list(self.create(labels).labels.all())
            transaction.set_rollback(True)
        return created

    def give_up(self, made: LabelSet) -> None:
        """After an import that failed half-way. It stays where somebody has begun to work with it."""
        with suppress(LabelSetError):
            delete_label_set(made)


def _untold(stage: str, done: int, total: int | None) -> None:
    pass


def import_dataset(
    path: Path,
    label_set: LabelSet | NewLabelSet,
    *,
    format_name: str = "auto",
    votes: Path | None = None,
    detect: bool = False,
    cleaning: Cleaning | None = None,
    dry_run: bool = False,
    by: User | None = None,
    progress: Progress = _untold,
) -> Report:
    """Add a file's or folder's crops to the curated dataset. A dry run only tells what would be added.

    `detect`: the pictures are photographs; those that `cleaning` finds no usable face in, or several, are set
    aside for a person to look at.

    Raises FormatError for a file that is of no known format, ImportRefusedError when too many of its rows
    can't be read, LabelSetError for a new label set that can't be. All have changed nothing.
    """
    forget_old()
    target = _target(path, label_set, format_name)
    file = open_dataset(
        path,
        Labels((label.slug, label.name) for label in target.labels),
        format_name=format_name,
        votes=votes,
        cleaning=(cleaning or Cleaning()) if detect else None,
    )
    report = Report(file.format, dry_run, new_labels=[] if target.there else target.labels)
    with _spool() as crops, _spool() as copies:
        rows = _Rows(crops)
        aside = None if dry_run else Aside(copies, room_in(target.there))
        _survey(file, rows, aside, settled_in(target.there), report, progress)
        if not (target.there or rows.found):
            raise ImportRefusedError("No picture can be used, so no label set is made of them.", report)
        plan = make_plan(rows.found, target.there, progress, rows.gray)
        report.duplicates += plan.duplicates
        report.set_aside += plan.set_aside
        if dry_run:
            report.added = plan.counts()
            return report
        with target.opened() as into:
            _add_all(plan, rows, into, source=f"{path.name}, ", by=by, report=report, progress=progress)
            if aside:
                aside.keep(into, source=f"{path.name}, ")
    return report


def add_crops(crops: Iterable[Crop], label_set: LabelSet, *, by: User | None) -> Report:
    """As an import adds its rows: what leaks is set aside, duplicates are passed over."""
    report = Report("folders", dry_run=False)
    with _spool() as spool:
        rows = _Rows(spool)
        for crop in crops:
            rows.append(crop)
        plan = make_plan(rows.found, label_set, _untold, rows.gray)
        report.duplicates, report.set_aside = plan.duplicates, plan.set_aside
        _add_all(plan, rows, label_set, source="", by=by, report=report, progress=_untold)
    return report


@dataclass(frozen=True)
class _Target:
    """The label set that is added to: `there` already, or `new`. `labels` are not saved of a new one."""

    labels: list[Label]
    there: LabelSet | None = None
    new: NewLabelSet | None = None

    @contextmanager
    def opened(self) -> Iterator[LabelSet]:
        """A new one is made, and given up where what is done with it fails. Raises LabelSetError."""
        if self.there:
            yield self.there
            return
        assert self.new
        made = self.new.create([label.name for label in self.labels])
        try:
            yield made
        except BaseException:
            self.new.give_up(made)
            raise


def _target(path: Path, label_set: LabelSet | NewLabelSet, format_name: str) -> _Target:
    if isinstance(label_set, LabelSet):
        return _Target(list(label_set.labels.all()), there=label_set)
    if (format_of(path) if format_name == "auto" else format_name) != "folders":
        raise FormatError("A label set is made of folders' names alone: a folder of pictures for each label.")
    return _Target(label_set.foresee(names_of_labels(path)), new=label_set)


@contextmanager
def _spool() -> Iterator[Spool]:
    with tempfile.TemporaryFile(dir=settings.FILE_UPLOAD_TEMP_DIR) as file:
        yield Spool(file)


class _Rows:
    """The rows that can be read, in order. Their pixels wait in a file, as PNG."""

    def __init__(self, crops: Spool) -> None:
        self.found: list[Found] = []
        self._crops = crops

    def append(self, crop: Crop) -> None:
        self.found.append(Found.of(crop))
        self._crops.append(encode_png(crop.pixels))

    def crop(self, number: int) -> bytes:
        return self._crops.read(number)

    def gray(self, number: int) -> Gray:
        return Fingerprint.of(decode(self.crop(number))).gray


def _survey(
    file: Dataset,
    rows: _Rows,
    aside: Aside | None,
    settled: Mapping[tuple[str, str], str],
    report: Report,
    progress: Progress,
) -> None:
    """Read everything. `settled`: by label and digest, what a person made of a photograph."""
    for number, row in enumerate(file.rows, start=1):
        progress("Reading", number, file.total)
        report.rows += not isinstance(row, Skipped)
        if isinstance(row, Crop | Unclear) and (said := settled.get((row.label, row.digest))):
            report.duplicates.append(Fate(row.where, f"was set aside before, and {said}", row.label))
        elif isinstance(row, Crop):
            rows.append(row)
        elif isinstance(row, Unclear):
            reason = row.judged.reason
            assert reason
            report.set_aside.append(Fate(row.where, str(reason.label), row.label, reason.value))
            report.not_kept += bool(aside and not aside.add(row))
        else:
            fates = {Refused: report.refused, Repeated: report.duplicates, Skipped: report.skipped}
            fates.get(type(row), report.set_aside).append(Fate(row.where, row.why, row.label))
    if not report.rows:
        raise FormatError("There is nothing in it to import.")
    if len(report.refused) > file.most_damaged * report.rows:
        first = report.refused[0]
        raise ImportRefusedError(
            f"{len(report.refused)} of {report.rows} rows can't be read, which is more than "
            f"{file.most_damaged:.0%}: nothing was imported. The first is {first.where}: {first.why}.",
            report,
        )


def _add_all(
    plan: Plan,
    rows: _Rows,
    label_set: LabelSet,
    *,
    source: str,
    by: User | None,
    report: Report,
    progress: Progress,
) -> None:
    """`source`: what comes before the place of a row in the origin of its example."""
    labels = {label.slug: label for label in label_set.labels.all()}
    _join_groups(label_set, plan.joined)
    adding = sorted(plan.places)
    for start in range(0, len(adding), ROWS_AT_ONCE):
        batch = adding[start : start + ROWS_AT_ONCE]
        examples = [
            Example(
                **_fields_of(plan.rows[row], plan.places[row], labels[plan.rows[row].label]),
                label_set=label_set,
                crop=rows.crop(row),
                origin=f"{source}{plan.rows[row].where}"[:300],
                added_by=by,
            )
            for row in batch
        ]
        _add(examples, label_set, plan.newest, report)
        forget_added(label_set, {plan.rows[row].photograph for row in batch} - {""})
        progress("Adding", start + len(batch), len(adding))


def _join_groups(label_set: LabelSet, joined: Mapping[str, str]) -> None:
    """Groups of examples that a new one belongs to at once become one."""
    for group, into in joined.items():
        Example.objects.filter(label_set=label_set, group=group).update(group=into)


def _fields_of(found: Found, at: Place, label: Label) -> dict[str, Any]:
    return {
        "label": label,
        "source": found.source,
        "digest": found.digest,
        "perceptual_hash": found.hash,
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
            report.duplicates.append(Fate(example.origin, "was added meanwhile", example.label.slug))
        elif example.digest in leaks:
            report.set_aside.append(Fate(example.origin, leaks[example.digest], example.label.slug, LEAK))
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
