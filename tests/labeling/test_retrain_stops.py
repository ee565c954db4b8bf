"""A run is stopped by whoever may, by a crash, by kill -9: its trainer goes too, and its row tells."""

from __future__ import annotations

import os
import shutil
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings as site
from django.utils import timezone
from pytest_django import Settings

from classifier.models import ModelVersion, User
from labeling import trainer_process
from labeling.models import DatasetVersion, TrainingRun
from labeling.retraining import retrain
from labeling.training_runs import cancel, end_lost_runs
from tests.factories import make_active_model
from tests.labeling.training import (
    alive,
    fake_trainer,
    leave_candidate,
    make_dataset,
    make_run,
    trainer_pids,
    wait_for,
)

pytestmark = pytest.mark.django_db
State, Outcome = TrainingRun.State, TrainingRun.Outcome


@pytest.fixture
def candidate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Of a trainer that hangs, deaf to SIGTERM, with a child of its own."""
    left = leave_candidate(tmp_path / "candidate")
    monkeypatch.setattr(trainer_process, "TRAINER", fake_trainer(left, "stubborn"))
    make_dataset()
    make_active_model()
    return left


@pytest.fixture
def listening() -> Iterator[None]:
    """A shell that starts the tests in the background has them ignore Ctrl-C."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def when_told(what: Callable[[], Any], candidate: Path) -> Callable[[Any], None]:
    """Does it once, as soon as the trainer hangs."""
    left = [what]

    def tell(event: Any) -> None:
        if left and event.get("stage") == "fit" and event["done"] == 3:
            wait_for(lambda: trainer_pids(candidate))
            left.pop()()

    return tell


def assert_gone(candidate: Path) -> None:
    pids = trainer_pids(candidate)
    assert len(pids) == 2
    wait_for(lambda: not any(map(alive, pids)), seconds=5)


def assert_stopped(run: TrainingRun, candidate: Path, outcome: str) -> None:
    assert run.outcome == outcome, run.message
    assert_gone(candidate)
    assert ModelVersion.objects.get().active
    assert not list(Path(site.FILE_UPLOAD_TEMP_DIR).glob(f"training-{run.pk}"))


def test_a_word_on_the_row_cancels_it(candidate: Path, root: User) -> None:
    run = make_run()
    run = retrain(run, tell=when_told(lambda: cancel(run, by=root), candidate))
    assert_stopped(run, candidate, Outcome.CANCELLED)
    assert (run.state, run.message) == (State.CANCELLED, "root cancelled it.")
    assert not cancel(run, by=root), "it has ended"


def test_ctrl_c_cancels_it(candidate: Path, listening: None) -> None:
    def ctrl_c() -> None:
        threading.Timer(0.2, os.kill, [os.getpid(), signal.SIGINT]).start()

    run = retrain(make_run(), tell=when_told(ctrl_c, candidate))
    assert_stopped(run, candidate, Outcome.CANCELLED)


def test_a_worker_that_is_told_to_stop_for_good_fails_it(candidate: Path) -> None:
    def stop() -> None:
        sys.exit(1)

    run = make_run()
    with pytest.raises(SystemExit):
        retrain(run, tell=when_told(stop, candidate))
    run.refresh_from_db()
    assert_stopped(run, candidate, Outcome.FAILED)


def test_a_face_that_is_taken_back_stops_the_training_on_it(candidate: Path) -> None:
    def take_back() -> None:
        DatasetVersion.objects.update(erased_at=timezone.now(), file="")

    run = retrain(make_run(), tell=when_told(take_back, candidate))
    assert_stopped(run, candidate, Outcome.FAILED)
    assert "took back a face" in run.message


def test_a_waiting_run_is_cancelled_at_once_and_never_done(candidate: Path, root: User) -> None:
    run = make_run()
    assert cancel(run, by=root)
    run = retrain(run)
    assert (run.outcome, run.message) == (Outcome.CANCELLED, "root cancelled it before it began.")
    assert trainer_pids(candidate) == []


def test_a_run_that_another_process_does_is_left_alone(candidate: Path) -> None:
    run = make_run()
    TrainingRun.objects.filter(pk=run.pk).update(state=State.RUNNING)
    assert retrain(run).state == State.RUNNING


def test_silence_means_lost_where_nothing_else_tells_and_waiting_is_no_silence(candidate: Path) -> None:
    run = make_run()
    # As one that waits for a worker, which has not begun it.
    TrainingRun.objects.update(pid=None, progress_at=timezone.now() - TrainingRun.LOST_AFTER * 2)
    assert end_lost_runs() == 0
    TrainingRun.objects.filter(pk=run.pk).update(state=State.RUNNING)
    assert end_lost_runs() == 1
    run.refresh_from_db()
    assert (run.state, run.unfinished) == (State.FAILED, False)


def test_a_command_that_died_before_it_began_blocks_nobody_for_long(candidate: Path) -> None:
    run = make_run()
    assert end_lost_runs() == 0
    TrainingRun.objects.filter(pk=run.pk).update(progress_at=timezone.now() - timedelta(hours=1))
    assert make_run().pk != run.pk


def test_copies_of_a_dataset_that_a_killed_process_left_are_deleted_and_no_other_files(
    candidate: Path,
) -> None:
    temporary = Path(site.FILE_UPLOAD_TEMP_DIR)
    waiting = make_run()
    left, unfinished = temporary / f"training-{waiting.pk + 1}", temporary / f"training-{waiting.pk}"
    for folder in (left, unfinished):
        folder.mkdir()
        (folder / "lock").touch()
    with (temporary / "upload").open("wb"):
        end_lost_runs()
    assert [path.exists() for path in (left, unfinished, temporary / "upload")] == [False, True, True]
    shutil.rmtree(unfinished)
    (temporary / "upload").unlink()


def test_a_disk_without_room_for_a_folder_fails_the_run(
    candidate: Path, settings: Settings, tmp_path: Path
) -> None:
    file = tmp_path / "file"
    file.touch()
    settings.FILE_UPLOAD_TEMP_DIR = file
    run = retrain(make_run())
    assert (run.state, run.outcome) == (State.FAILED, Outcome.FAILED)
    assert "could not be read or written" in run.message
