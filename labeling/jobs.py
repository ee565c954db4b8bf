"""Long work on the dataset, asked for in the admin and done by the worker. Shells call the same functions."""

from __future__ import annotations

import shutil
import tempfile
import time
import uuid
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from pathlib import Path, PurePosixPath
from typing import Any

from django.conf import settings
from django.core.files import File
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import UploadedFile
from django.db import transaction
from django.db.models import QuerySet
from django.db.models.fields.files import FieldFile
from django.utils import timezone

from classifier.label_sets import LabelSetError
from classifier.models import LabelSet, User

from .cleaning import Cleaning
from .doubts import TooFewError, mark_doubtful
from .exporting import WRITERS
from .freezing import NothingToFreezeError, TakenBackError, freeze_dataset
from .import_plan import Progress
from .importing import ImportRefusedError, NewLabelSet, import_dataset
from .models import DatasetJob
from .rows import FormatError
from .unpacking import unpack

Kind, State = DatasetJob.Kind, DatasetJob.State
KEPT_FOR = timedelta(days=7)
REASONS_KEPT = 200
SECONDS_BETWEEN_NOTES = 1.0
SUFFIXES = {"csv": ".csv", "folders": ".zip", "parquet": ".parquet"}
# Pictures are packed already: an archive that grows more than so many times means harm.
UNPACKED_TIMES = 4
UNFINISHED = (State.WAITING, State.RUNNING)
REFUSALS = (
    FormatError,
    ImportRefusedError,
    LabelSetError,
    NothingToFreezeError,
    TakenBackError,
    TooFewError,
)


class JobRefusedError(ValueError):
    """Another job of this kind is not done yet, or there is nothing to confirm."""


def request_job(
    kind: DatasetJob.Kind,
    label_set: LabelSet | NewLabelSet,
    *,
    by: User,
    given: UploadedFile | None = None,
    votes: UploadedFile | None = None,
    **options: Any,
) -> DatasetJob:
    """Have the worker do it. An import alone may be into a new label set, which is made once it is confirmed.

    Raises JobRefusedError while another of its kind is under way.
    """
    with transaction.atomic():
        if isinstance(label_set, NewLabelSet):
            options["create"] = asdict(label_set)
        others = _lock_others(kind, label_set, by).filter(state__in=UNFINISHED)
        if any(not other.lost for other in others):
            raise JobRefusedError(f"Another {Kind(kind).label} of {label_set} is not done yet.")
        job = DatasetJob(kind=kind, requested_by=by, options=options)
        if isinstance(label_set, LabelSet):
            job.label_set = label_set
        for field, file in ((job.given, given), (job.votes, votes)):
            if file:
                field.save(_prefix(job, field) + (file.name or ""), file, save=False)
        job.save()
        _enqueue(job)
    return job


def _lock_others(kind: DatasetJob.Kind, label_set: LabelSet | NewLabelSet, by: User) -> QuerySet[DatasetJob]:
    """The jobs of this kind and label set. A row is the lock, so that two clicks make one job."""
    jobs = DatasetJob.objects.filter(kind=kind)
    if isinstance(label_set, LabelSet):
        LabelSet.objects.select_for_update(no_key=True).get(pk=label_set.pk)
        return jobs.filter(label_set=label_set)
    User.objects.select_for_update(no_key=True).get(pk=by.pk)
    return jobs.filter(label_set=None, requested_by=by, options__create__slug=label_set.slug)


def confirm_import(job: DatasetJob) -> None:
    """Have the worker add what its dry run told. Raises JobRefusedError where there is no such plan."""
    confirmed = {
        "state": State.WAITING,
        "options": job.options | {"dry_run": False},
        "done": 0,
        "total": 0,
        "progress_at": timezone.now(),
    }
    with transaction.atomic():
        if not DatasetJob.objects.filter(pk=job.pk, state=State.PLANNED).update(**confirmed):
            raise JobRefusedError("This import has no plan that waits to be confirmed.")
        _enqueue(job)


def _enqueue(job: DatasetJob) -> None:
    from .tasks import run_dataset_job

    run_dataset_job.enqueue(str(job.pk))


def state_of(job: DatasetJob) -> DatasetJob.State:
    """Its state, for whoever waits for it: one whose worker died has failed, whatever its row still says."""
    return State.FAILED if job.lost else State(job.state)


def run_job(job_id: uuid.UUID) -> None:
    """Do a waiting job. Does nothing when another worker has it, or it is gone."""
    _forget_old_files()
    waiting = DatasetJob.objects.filter(pk=job_id, state=State.WAITING)
    if not waiting.update(state=State.RUNNING, progress_at=timezone.now()):
        return
    job = DatasetJob.objects.select_related("label_set", "requested_by").get(pk=job_id)
    try:
        ended = _DO[Kind(job.kind)](job, _progress_of(job))
    except REFUSALS as refusal:
        _end(job, State.REFUSED, report=_report_of(refusal))
    except BaseException:
        _end(job, State.FAILED)
        raise
    else:
        _end(job, **ended)


def _end(job: DatasetJob, state: DatasetJob.State, **fields: Any) -> None:
    running = DatasetJob.objects.filter(pk=job.pk, state=State.RUNNING)
    ended = running.update(state=state, progress_at=timezone.now(), **fields)
    if not ended and fields.get("file"):
        # Meanwhile a photograph in it was taken back: see curation.forget.
        default_storage.delete(fields["file"])
    if state != State.PLANNED:
        _delete(job.given.name, job.votes.name)
        DatasetJob.objects.filter(pk=job.pk).update(given="", votes="")


def _report_of(refusal: Exception) -> dict[str, Any]:
    found = refusal.report.as_json(at_most=REASONS_KEPT) if isinstance(refusal, ImportRefusedError) else {}
    return found | {"sentence": str(refusal)}


@dataclass(frozen=True)
class _MadeByJob(NewLabelSet):
    """Whose row tells of it as soon as it is there, and not of one that is given up."""

    job: DatasetJob | None = None

    @transaction.atomic
    def create(self, labels: Sequence[str]) -> LabelSet:
        made = super().create(labels)
        self._tell(made)
        return made

    def give_up(self, made: LabelSet) -> None:
        # A label set takes its jobs along, and keeps what a job works on.
        self._tell(None)
        super().give_up(made)

    def _tell(self, made: LabelSet | None) -> None:
        assert self.job
        DatasetJob.objects.filter(pk=self.job.pk).update(label_set=made)


def _import(job: DatasetJob, progress: Progress) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(dir=settings.FILE_UPLOAD_TEMP_DIR) as folder:
        votes = _fetch(job, job.votes, Path(folder)) if job.votes else None
        options = {name: value for name, value in job.options.items() if name != "create"}
        report = import_dataset(
            _unpacked(_fetch(job, job.given, Path(folder))),
            job.label_set or _MadeByJob(**job.new_label_set, job=job),
            votes=votes,
            cleaning=Cleaning(**options.pop("cleaning", {})),
            by=job.requested_by,
            progress=progress,
            **options,
        )
    state = State.PLANNED if report.dry_run and (report.added or report.to_look_at) else State.DONE
    return {"state": state, "report": report.as_json(at_most=REASONS_KEPT)}


def _export(job: DatasetJob, progress: Progress) -> dict[str, Any]:
    assert job.label_set
    name = job.options["format_name"]
    with tempfile.TemporaryFile(dir=settings.FILE_UPLOAD_TEMP_DIR) as file:
        examples = WRITERS[name](file, job.label_set, progress)
        file.seek(0)
        saved = default_storage.save(f"datasets/exports/{job.pk.hex}{SUFFIXES[name]}", File(file))
    return {"state": State.DONE, "file": saved, "report": {"examples": examples}}


def _freeze(job: DatasetJob, progress: Progress) -> dict[str, Any]:
    assert job.label_set
    version = freeze_dataset(job.label_set, by=job.requested_by, progress=progress)
    return {"state": State.DONE, "report": {"digest": version.digest, "examples": version.examples}}


def _doubts(job: DatasetJob, progress: Progress) -> dict[str, Any]:
    assert job.label_set
    return {"state": State.DONE, "report": {"doubtful": mark_doubtful(job.label_set, progress)}}


_DO: dict[DatasetJob.Kind, Callable[[DatasetJob, Progress], dict[str, Any]]] = {
    Kind.IMPORT: _import,
    Kind.EXPORT: _export,
    Kind.FREEZE: _freeze,
    Kind.DOUBTS: _doubts,
}


def _progress_of(job: DatasetJob) -> Progress:
    noted = 0.0

    def note(stage: str, done: int, total: int | None) -> None:
        nonlocal noted
        if time.monotonic() - noted < SECONDS_BETWEEN_NOTES:
            return
        noted = time.monotonic()
        said = {"stage": stage, "done": done, "total": total or 0, "progress_at": timezone.now()}
        DatasetJob.objects.filter(pk=job.pk).update(**said)

    return note


def _prefix(job: DatasetJob, field: FieldFile) -> str:
    """What keeps the files of two jobs apart; the rest of a name is as it was sent."""
    return f"{job.pk.hex}-{field.field.name}-"


def _fetch(job: DatasetJob, field: FieldFile, folder: Path) -> Path:
    """A copy on this machine: the storage may be elsewhere."""
    path = folder / PurePosixPath(str(field.name)).name.removeprefix(_prefix(job, field))
    with field.open("rb") as source, path.open("wb") as target:
        shutil.copyfileobj(source, target)
    return path


def _unpacked(path: Path) -> Path:
    """A ZIP archive's pictures as a folder for each label; anything else as it is. Raises FormatError."""
    if path.suffix.lower() != ".zip":
        return path
    target = path.with_suffix("")
    target.mkdir()
    try:
        with zipfile.ZipFile(path) as archive:
            most = UNPACKED_TIMES * settings.MAX_IMPORT_BYTES
            if sum(entry.file_size for entry in archive.infolist()) > most:
                raise FormatError(f"The archive would unpack to more than {most // 1_000_000} MB.")
            unpack(archive, target)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, OSError) as error:
        raise FormatError(f"The archive can't be unpacked: {error}") from error
    return target


def _forget_old_files() -> None:
    """Files of exports, and of imports that nobody confirmed, go after KEPT_FOR."""
    old = DatasetJob.objects.filter(created_at__lt=timezone.now() - KEPT_FOR)
    for job in old.exclude(file="", given=""):
        _delete(job.file.name, job.given.name, job.votes.name)
    old.update(file="", given="", votes="")
    old.filter(state=State.PLANNED).update(state=State.REFUSED, stage="Nobody confirmed it in time.")


def _delete(*names: str | None) -> None:
    for name in filter(None, names):
        default_storage.delete(name)
