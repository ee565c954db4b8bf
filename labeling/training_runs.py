"""The life of a run's row: asked for once for each label set, begun by one process, ended once."""

from __future__ import annotations

import fcntl
import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from django.conf import settings
from django.db import IntegrityError, InterfaceError, OperationalError, transaction
from django.utils import timezone

from classifier.models import LabelSet, ModelVersion, User

from .models import TrainingRun
from .training_plan import Plan, RunRefusedError

State, Outcome = TrainingRun.State, TrainingRun.Outcome
DATABASE_GONE = (OperationalError, InterfaceError)
LOCK = "lock"
ENDS = {Outcome.CANCELLED: State.CANCELLED, Outcome.FAILED: State.FAILED}
KILLED = (
    "The process that ran it ended without a word: it was killed, its machine stopped, or its database was "
    "away. Start it again."
)


def one_line(error: Exception) -> str:
    """What a database's driver tells in many lines, as part of a sentence."""
    return "; ".join(filter(None, (line.strip() for line in str(error).splitlines())))


def request_run(plan: Plan, *, by: User | None, in_worker: bool) -> TrainingRun:
    """A waiting run, for the worker or for whoever calls `retrain` with it next.

    Raises RunRefusedError, which names the label set's other run, while that is not done.
    """
    end_lost_runs()
    asked = plan.asked
    try:
        with transaction.atomic():
            run = TrainingRun.objects.create(
                label_set=asked.label_set,
                estimator=asked.estimator,
                parameters=plan.parameters,
                champion=plan.champion,
                started_by=by,
                pid=None if in_worker else os.getpid(),
            )
            if in_worker:
                _enqueue(run)
    except IntegrityError as error:
        raise RunRefusedError(_name_other(asked.label_set)) from error
    return run


def check_free(label_set: LabelSet) -> None:
    """Raises RunRefusedError, as `request_run` would."""
    if not all(is_lost(run) for run in TrainingRun.objects.unfinished().filter(label_set=label_set)):
        raise RunRefusedError(_name_other(label_set))


def _enqueue(run: TrainingRun) -> None:
    from .tasks import train

    train.enqueue(run.pk)


def _name_other(label_set: LabelSet) -> str:
    other = TrainingRun.objects.unfinished().filter(label_set=label_set).select_related("started_by").first()
    if other is None:
        return f"Another run of {label_set.slug} has just ended: try again."
    by = f" by {other.started_by}" if other.started_by else ""
    doing = "waits for the worker" if other.state == State.WAITING else "is running"
    return (
        f"One run of a label set at a time: training {other} ({other.estimator}), started{by} on "
        f"{timezone.localtime(other.created_at):%Y-%m-%d at %H:%M}, {doing}. Wait for it, or cancel it."
    )


def begin(run: TrainingRun) -> bool:
    """Whether it is this process's to do."""
    now = timezone.now()
    waiting = TrainingRun.objects.filter(pk=run.pk, state=State.WAITING)
    mine = {"host": socket.gethostname(), "pid": os.getpid(), "started_at": now, "progress_at": now}
    return bool(waiting.update(state=State.RUNNING, **mine))


def end(
    run: TrainingRun,
    outcome: TrainingRun.Outcome,
    message: str,
    *,
    was: TrainingRun.State = State.RUNNING,
    **fields: Any,
) -> bool:
    """Whether it was so until now."""
    now = timezone.now()
    ended = {"state": ENDS.get(outcome, State.DONE), "outcome": outcome, "message": message}
    found = TrainingRun.objects.filter(pk=run.pk, state=was)
    return bool(found.update(ended_at=now, progress_at=now, **ended, **fields))


def cancel(run: TrainingRun, *, by: User | None = None) -> bool:
    """End a run that waits at once; have one that runs end itself within seconds. False: it has ended.

    `by` is None where it is cancelled from the keyboard.
    """
    said = f"{by} cancelled it before it began." if by else "It was cancelled before it began."
    if end(run, Outcome.CANCELLED, said, was=State.WAITING, cancel_asked=True):
        return True
    end_lost_runs()
    said = f"{by} cancelled it." if by else ""
    running = TrainingRun.objects.filter(pk=run.pk, state=State.RUNNING)
    return bool(running.update(cancel_asked=True, message=said))


def end_lost_runs() -> int:
    """Mark those as failed whose process is gone, and delete what it left. Returns how many."""
    lost = [run for run in TrainingRun.objects.unfinished() if is_lost(run)]
    ended = sum(end(run, Outcome.FAILED, KILLED, was=State(run.state)) for run in lost)
    _sweep()
    return ended


def _sweep() -> None:
    """Copies of a dataset must not outlive their run, whose process may have been killed at its very end."""
    unfinished = {_folder(run) for run in TrainingRun.objects.unfinished()}
    for folder in set(Path(settings.FILE_UPLOAD_TEMP_DIR).glob("training-*")) - unfinished:
        if _is_free(folder):
            shutil.rmtree(folder, ignore_errors=True)


def is_lost(run: TrainingRun) -> bool:
    """Whether nobody is at an unfinished run any more."""
    if run.state == State.WAITING:
        # A command asks for a run that it then begins itself, at once; a worker may come after hours.
        return run.pid is not None and run.progress_at < timezone.now() - TrainingRun.LOST_AFTER
    return run.lost or is_abandoned(run)


def is_abandoned(run: TrainingRun) -> bool:
    """Whether the process that runs it is surely gone: the system took its lock away with it.

    A process id would not tell: in a container that starts again, the next worker has the same.
    """
    return _is_free(_folder(run))


def _is_free(folder: Path) -> bool:
    try:
        with (folder / LOCK).open("rb") as lock:
            return _locked(lock)
    except FileNotFoundError:
        return False  # on another machine, perhaps


@contextmanager
def working_folder(run: TrainingRun) -> Iterator[Path | None]:
    """A folder for the run's files, gone afterwards. None: another process has it.

    Its lock is held while the process lives, whatever ends it.
    """
    folder = _folder(run)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (folder / LOCK).open("ab") as lock:
        if not _locked(lock):
            yield None
            return
        try:
            yield folder
        except DATABASE_GONE:
            # The row still says that it runs. Without the folder nobody could tell that it does not.
            _empty(folder)
            raise
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        shutil.rmtree(folder, ignore_errors=True)


def _folder(run: TrainingRun) -> Path:
    return Path(settings.FILE_UPLOAD_TEMP_DIR) / f"training-{run.pk}"


def _locked(lock: IO[bytes]) -> bool:
    with suppress(BlockingIOError):
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    return False


def _empty(folder: Path) -> None:
    for entry in folder.iterdir():
        if entry.is_dir():
            shutil.rmtree(entry, ignore_errors=True)
        elif entry.name != LOCK:
            entry.unlink()


def versions_on_erased_data(label_set: LabelSet) -> set[int]:
    """Ids of the versions that learned from a face which its user has taken back since.

    Also of those that went on from such a version.
    """
    runs = TrainingRun.objects.filter(label_set=label_set, version__isnull=False)
    found: set[int] = set(runs.on_erased_data().values_list("version", flat=True))
    heirs = list(runs.filter(parameters__start="active").values_list("champion", "version"))
    while more := {heir for parent, heir in heirs if parent in found} - found:
        found |= more
    return found


def learned_from_erased(version: ModelVersion) -> bool:
    return version.pk in versions_on_erased_data(version.label_set)
