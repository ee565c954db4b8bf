"""Real processes: a worker that is killed in the middle of a training, and the command under real signals."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.labeling.processes import MANAGE, PREPARE, ROOT, environment, managing, run_script
from tests.labeling.training import alive, fake_trainer, leave_candidate, trainer_pids, wait_for

ASK = """
import django
django.setup()
from tests.labeling.training import make_run
make_run(in_worker=True)
"""
Manage = Callable[..., subprocess.Popen[str]]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The data folder of a site that has a dataset and an active model."""
    data = tmp_path_factory.mktemp("site") / "data"
    data.mkdir()
    run_script(PREPARE, environment(data))
    return data


@pytest.fixture
def data(prepared: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(prepared, tmp_path / "data"))


@pytest.fixture
def candidate(tmp_path: Path) -> Path:
    return leave_candidate(tmp_path / "candidate")


@pytest.fixture
def manage(data: Path, candidate: Path) -> Iterator[Manage]:
    """Starts a management command, with a trainer that does as it is told."""
    started = []

    def start(how: str, *arguments: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            managing(MANAGE, fake_trainer(candidate, how), *arguments),
            cwd=ROOT,
            env=environment(data),
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.communicate()
    for pid in filter(alive, trainer_pids(candidate)):
        os.kill(pid, signal.SIGKILL)


def runs(data: Path) -> list[tuple[str, str, str]]:
    """State, outcome and message of each, the oldest first."""
    with closing(sqlite3.connect(f"file:{data}/db.sqlite3?mode=ro", uri=True)) as database:
        return database.execute(
            "SELECT state, outcome, message FROM labeling_trainingrun ORDER BY id"
        ).fetchall()


def active_versions(data: Path) -> list[int]:
    with closing(sqlite3.connect(f"file:{data}/db.sqlite3?mode=ro", uri=True)) as database:
        return [row[0] for row in database.execute("SELECT number FROM classifier_modelversion WHERE active")]


def test_a_worker_that_is_killed_leaves_a_failed_run_and_no_process_and_the_next_starts_anew(
    data: Path, candidate: Path, manage: Manage
) -> None:
    run_script(ASK, environment(data))
    worker = manage("hangs", "run_worker", "--no-startup-delay")
    pids = wait_for(lambda: trainer_pids(candidate), seconds=60)
    assert all(map(alive, pids))
    worker.kill()
    worker.wait()
    wait_for(lambda: not any(map(alive, pids)))
    assert [row[0] for row in runs(data)] == ["running"], "nobody could say otherwise"
    manage("", "run_worker", "--no-startup-delay", "--interval", "0.2")
    state, outcome, message = wait_for(
        lambda: [row for row in runs(data) if row[0] != "running"], seconds=60
    )[0]
    assert (state, outcome) == ("failed", "failed")
    assert "it was killed" in message
    assert active_versions(data) == [1]
    assert not list((data / "tmp").glob("training-*"))
    run_script(ASK, environment(data))
    wait_for(lambda: [row for row in runs(data) if row[1] == "promoted"], seconds=60)
    assert active_versions(data) == [2]


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_the_command_ends_within_5_s_of_a_signal_with_its_trainer(
    signum: signal.Signals, data: Path, candidate: Path, manage: Manage
) -> None:
    command = manage("stubborn", "retrain", "--estimator", "svm", "--json")
    pids = wait_for(lambda: trainer_pids(candidate), seconds=60)
    command.send_signal(signum)
    told, _lines = command.communicate(timeout=5)
    assert command.returncode == 130
    assert json.loads(told)["outcome"] == "cancelled"
    wait_for(lambda: not any(map(alive, pids)), seconds=5)
    assert [row[:2] for row in runs(data)] == [("cancelled", "cancelled")]
    assert active_versions(data) == [1]
