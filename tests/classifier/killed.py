"""Registers and promotes again and again, each time in a process that is killed one line of code later.

    python -m tests.classifier.killed FOLDER

A process of its own: it forks, and its children die by SIGKILL. FOLDER has `one.onnx` and `other.onnx` with
their cards; the settings are those of the environment. Prints how many lines each was killed at.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import django

django.setup()

from django.core.files.storage import default_storage, filesystem  # noqa: E402
from django.core.management import call_command  # noqa: E402
from django.db import connections  # noqa: E402

from classifier import artifact_files, registry, serving  # noqa: E402
from classifier.ml import artifact as artifacts  # noqa: E402
from classifier.models import Activation, LabelSet, ModelVersion  # noqa: E402

WATCHED = {module.__file__ for module in (artifact_files, registry, filesystem)}
KILLED = -signal.SIGKILL


class KillAt:
    """A trace function that kills this process as it is about to run the given line of those watched."""

    def __init__(self, line: int) -> None:
        self.left = line

    def __call__(self, frame: FrameType, event: str, argument: Any) -> Any:
        if frame.f_code.co_filename not in WATCHED:
            return None
        if event == "line":
            self.left -= 1
            if self.left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
        return self


def in_a_child(act: Callable[[], object], *, killed_at: int | None = None) -> int:
    """0, KILLED, or something else: it failed."""
    connections.close_all()
    child = os.fork()
    if child == 0:
        status = 1
        try:
            if killed_at:
                sys.settrace(KillAt(killed_at))
            act()
            status = 0
        finally:
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def check_all() -> ModelVersion:
    """One version is active, as the history says, and every version has its file. Returns the active one."""
    [active] = ModelVersion.objects.filter(active=True)
    last = registry.current(LabelSet.objects.get(slug="expressions"))
    assert last is not None
    assert last.version == active
    for version in ModelVersion.objects.all():
        assert artifacts.sha256(serving.read_artifact(version)) == version.digest, version
    return active


def kill_registrations(path: Path) -> int:
    def act() -> object:
        return registry.register(*artifacts.read(path))

    digest = artifacts.sha256(path.read_bytes())
    line = 0
    while True:
        line += 1
        status = in_a_child(act, killed_at=line)
        assert status in (0, KILLED), f"line {line}: {status}"
        check_all()
        assert in_a_child(act) == 0, f"after line {line} it could not be registered any more"
        check_all()
        found = ModelVersion.objects.get(digest=digest)
        if status == 0:
            return line - 1
        default_storage.delete(str(found.artifact.name))
        found.delete()


def kill_promotions() -> int:
    line = 0
    while True:
        line += 1
        before = check_all()
        other = ModelVersion.objects.get(active=False)
        status = in_a_child(lambda other=other: registry.promote(other), killed_at=line)  # type: ignore[misc]
        assert status in (0, KILLED), f"line {line}: {status}"
        after = check_all()
        assert after in (before, other)
        assert in_a_child(lambda: serving.active_model("expressions")) == 0
        if status == 0:
            assert after == other
            return line - 1


def main(folder: Path) -> None:
    call_command("migrate", verbosity=0)
    first = in_a_child(lambda: registry.promote(registry.register(*artifacts.read(folder / "one.onnx"))))
    assert first == 0
    told = {"registered": kill_registrations(folder / "other.onnx"), "promoted": kill_promotions()}
    print(json.dumps(told | {"activations": Activation.objects.count()}))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
