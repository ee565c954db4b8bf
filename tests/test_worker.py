"""The task worker's keeper, as honcho starts and stops it: in a process group of its own."""

from __future__ import annotations

import os
import re
import signal
import string
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import IO

import pytest

from emotion_site.worker import PATIENCE_S

ROOT = Path(__file__).resolve().parent.parent
PROCFILES = ("Procfile", "Procfile.dev")
KEEP = "import asyncio, sys; from emotion_site import worker; asyncio.run(worker.keep_running(sys.argv[1:]))"
# A worker with a task that takes a second. It says what happens to it, as django-tasks-db's does: a second
# signal cuts the task off.
WORKER = """
import os, signal, sys, time
def shutdown(signum, frame):
    if asked:
        print("cut off", flush=True)
        sys.exit(1)
    asked.append(signum)
asked = []
signal.signal(signal.SIGTERM, shutdown)
print("started", os.getpid(), flush=True)
while not asked:
    time.sleep(0.02)
time.sleep(TASK_S)
print("finished", flush=True)
"""
Keeper = Callable[[float], subprocess.Popen[str]]


def start(command: list[str], **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command,
        cwd=ROOT,
        env={"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"} | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )


def lines(process: subprocess.Popen[str]) -> IO[str]:
    assert process.stdout
    return process.stdout


def kill_group(process: subprocess.Popen[str]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    lines(process).close()


@pytest.fixture
def keep() -> Iterator[Keeper]:
    """Starts a keeper whose worker's task takes so many seconds."""
    started = []

    def keep(task_s: float) -> subprocess.Popen[str]:
        worker = WORKER.replace("TASK_S", str(task_s))
        started.append(start([sys.executable, "-c", KEEP, sys.executable, "-c", worker]))
        return started[-1]

    yield keep
    for process in started:
        kill_group(process)


def worker_pid(process: subprocess.Popen[str]) -> int:
    """Of the next worker that says that it has started."""
    for line in lines(process):
        if line.startswith("started"):
            return int(line.split()[1])
    raise AssertionError("No worker was started.")


@pytest.mark.parametrize("procfile", PROCFILES)
def test_a_database_that_fails_stops_no_worker_for_good(procfile: str, tmp_path: Path) -> None:
    """Here it fails because it has no tables."""
    found = re.search(r"^worker: (.+)$", (ROOT / procfile).read_text("utf-8"), re.MULTILINE)
    assert found
    process = start(
        ["sh", "-c", found[1]],
        DATA_DIR=str(tmp_path),
        ENV_FILE=os.devnull,
        SECRET_KEY=string.ascii_letters,
        PYTHONUNBUFFERED="1",
    )
    try:
        said = ""
        while said.count("Starting worker") < 2 and (line := lines(process).readline()):
            said += line
        assert "no such table" in said
        assert said.count("Starting worker") == 2
        os.killpg(process.pid, signal.SIGTERM)
        assert process.wait(timeout=5) == 0
    finally:
        kill_group(process)


def test_a_worker_that_was_killed_is_started_again(keep: Keeper) -> None:
    process = keep(0)
    first = worker_pid(process)
    os.kill(first, signal.SIGKILL)
    assert lines(process).readline() == "The task worker ended (-9) and starts again in 1 s.\n"
    assert worker_pid(process) != first
    assert process.poll() is None


def test_a_worker_that_keeps_ending_is_started_less_and_less_often(keep: Keeper) -> None:
    process = keep(0)
    pauses = []
    for _ in range(3):
        os.kill(worker_pid(process), signal.SIGKILL)
        pauses.append(lines(process).readline().split(" in ")[1])
    assert pauses == ["1 s.\n", "2 s.\n", "4 s.\n"]


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
def test_between_two_starts_it_stops_at_once(keep: Keeper, signum: signal.Signals) -> None:
    process = keep(0)
    for _ in range(2):
        os.kill(worker_pid(process), signal.SIGKILL)
        lines(process).readline()
    os.kill(process.pid, signum)
    assert process.wait(timeout=1) == 0


def test_a_task_may_finish_when_the_group_is_stopped(keep: Keeper) -> None:
    process = keep(1)
    worker_pid(process)
    os.killpg(process.pid, signal.SIGTERM)
    said, _ = process.communicate(timeout=5)
    assert (said, process.returncode) == ("finished\n", 0)


def test_a_task_that_takes_too_long_is_cut_off_before_honcho_kills_it(keep: Keeper) -> None:
    process = keep(60)
    worker_pid(process)
    stopped = time.monotonic()
    os.killpg(process.pid, signal.SIGTERM)
    said, _ = process.communicate(timeout=PATIENCE_S + 0.8)
    assert (said, process.returncode) == ("cut off\n", 0)
    assert time.monotonic() - stopped > PATIENCE_S - 0.5


def test_a_signal_for_the_keeper_alone_reaches_the_worker(keep: Keeper) -> None:
    process = keep(0)
    worker_pid(process)
    os.kill(process.pid, signal.SIGTERM)
    said, _ = process.communicate(timeout=PATIENCE_S + 1)
    assert (said, process.returncode) == ("finished\n", 0)


def test_a_worker_without_its_keeper_works_on_and_stops_with_the_group(keep: Keeper) -> None:
    process = keep(0)
    pid = worker_pid(process)
    process.kill()
    process.wait()
    os.kill(pid, 0)
    os.killpg(process.pid, signal.SIGTERM)
    assert process.communicate(timeout=5)[0] == "finished\n"
