"""The database goes away while `manage.py retrain` trains: for a moment, or until after its end.

Real processes and a database of their own. SQLite is away while somebody else keeps it from being written.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.labeling.processes import (
    MANAGE,
    PREPARE,
    ROOT,
    Database,
    environment,
    managing,
    own_database,
    run_script,
)
from tests.labeling.training import alive, fake_trainer, leave_candidate, trainer_pids, wait_for

# A run writes into its row once a second.
AWAY, IMPATIENT = 3.0, 2.0
QUICK = (
    """
import django
django.setup()
from django.conf import settings
from labeling import training_notes
training_notes.SECONDS_WITHOUT_DATABASE = %s
if "timeout" in settings.DATABASES["default"]["OPTIONS"]:
    settings.DATABASES["default"]["OPTIONS"]["timeout"] = 0.2
"""
    + MANAGE
)
ASK = """
import django
django.setup()
from tests.labeling.training import make_run
make_run(in_worker=True)
"""
RETRAIN = ("retrain", "--estimator", "svm", "--json")


class Site:
    def __init__(self, folder: Path, database: Database) -> None:
        self.folder, self.database = folder, database
        self.data = folder / "data"
        self.environment = environment(self.data, **database.environment)
        self.candidate = leave_candidate(folder / "candidate")
        self.processes: list[subprocess.Popen[bytes]] = []

    def start(self, how: str, *arguments: str, patience: float = 60) -> subprocess.Popen[bytes]:
        script = QUICK % patience
        with (self.folder / "out").open("wb") as out, (self.folder / "err").open("wb") as err:
            command = managing(script, fake_trainer(self.candidate, how), *arguments)
            self.processes.append(
                subprocess.Popen(command, cwd=ROOT, env=self.environment, stdout=out, stderr=err)
            )
        return self.processes[-1]

    @property
    def out(self) -> str:
        return (self.folder / "out").read_text("utf-8")

    @property
    def err(self) -> str:
        return (self.folder / "err").read_text("utf-8")

    def runs(self) -> list[tuple[str, ...]]:
        """State, outcome, message and log of each, the oldest first."""
        return self.database.rows("SELECT state, outcome, message, log FROM labeling_trainingrun ORDER BY id")

    def versions(self) -> list[tuple[int, bool]]:
        """Their numbers, and which are active."""
        rows = self.database.rows("SELECT number, active FROM classifier_modelversion ORDER BY number")
        return [(number, bool(active)) for number, active in rows]

    def files(self) -> set[str]:
        """Artifacts, whole or not, and what a run leaves of its own."""
        found = (path for name in ("media/artifacts", "tmp") for path in (self.data / name).rglob("*"))
        return {path.name for path in found if path.is_file()}

    def end(self) -> None:
        for process in self.processes:
            process.kill()
            process.wait()
        for pid in filter(alive, trainer_pids(self.candidate)):
            os.kill(pid, signal.SIGKILL)


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Database]]:
    """A data folder and a database, with a dataset and an active model."""
    data = tmp_path_factory.mktemp("site") / "data"
    data.mkdir()
    with own_database(data) as database:
        run_script(PREPARE, environment(data, **database.environment))
        yield data, database


@pytest.fixture
def site(prepared: tuple[Path, Database], tmp_path: Path) -> Iterator[Site]:
    data, like = prepared
    shutil.copytree(data, tmp_path / "data")
    with own_database(tmp_path / "data", like=like) as database:
        site = Site(tmp_path, database)
        yield site
        site.end()


def is_training(site: Site) -> bool:
    return bool(site.runs()) and "asked for svm" in site.runs()[0][3]


@pytest.mark.parametrize("by", ["the command", "a worker"])
def test_a_training_outlives_a_database_that_is_away_for_a_moment(by: str, site: Site) -> None:
    if by == "a worker":
        run_script(ASK, site.environment)
        process = site.start("waits", "run_worker", "--no-startup-delay")
    else:
        process = site.start("waits", *RETRAIN)
    wait_for(lambda: is_training(site), seconds=60)
    with site.database.away():
        time.sleep(AWAY)
    wait_for(lambda: "The database answers again." in site.runs()[0][3])
    (site.folder / "go").touch()
    wait_for(lambda: site.runs()[0][0] == "done", seconds=60)
    assert site.versions() == [(1, False), (2, True)]
    if by == "the command":
        assert process.wait(20) == 0, site.err
        assert json.loads(site.out)["outcome"] == "promoted"
        assert "The database does not answer." in site.err


def test_one_whose_database_stays_away_says_so_and_changes_nothing(site: Site) -> None:
    before = site.files()
    process = site.start("hangs", *RETRAIN, patience=IMPATIENT)
    pids = wait_for(lambda: trainer_pids(site.candidate), seconds=60)
    wait_for(lambda: is_training(site))
    with site.database.away():
        assert process.wait(IMPATIENT + 20) == 1, site.err
        wait_for(lambda: not any(map(alive, pids)))
    said = json.loads(site.out)
    assert (said["outcome"], said["version"], said["run"]) == ("failed", None, 1)
    assert "The database is gone, and the training was stopped. Run 1 is marked as failed" in said["message"]
    last = site.err.splitlines()[-1]
    assert last == f"CommandError: {said['message']}"
    assert "Traceback" not in site.err
    assert site.versions() == [(1, True)]
    assert site.files() - before == {"lock"}
    assert site.start("", *RETRAIN).wait(60) == 0, site.err
    lost, anew = site.runs()
    assert lost[:2] == ("failed", "failed")
    assert "its database was away" in lost[2]
    assert anew[:2] == ("done", "promoted")
    assert "lock" not in site.files()


def test_without_a_database_nothing_is_begun(site: Site) -> None:
    with site.database.away():
        assert site.start("hangs", *RETRAIN).wait(60) == 1
    assert "The database does not answer, so nothing was begun" in json.loads(site.out)["message"]
    assert "Traceback" not in site.err
    assert site.runs() == []
