"""The process that trains: TensorFlow and scikit-learn live and die in it. See classifier/ml/trainer.py."""

from __future__ import annotations

import json
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

from django.conf import settings

TRAINER: tuple[str, ...] = (sys.executable, "-m", "classifier.ml.trainer")
"""Gets the folder as its last argument."""
TICK_S = 1.0
NICENESS = 10
REFUSED = 3
STDERR = "stderr.txt"
KEPT_CHARACTERS = 4000


class TrainerProcess:
    """Used with `with`, which leaves none of its group behind.

    Its stdin is held open and never written to: it ends by itself when this process is gone.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.said: queue.SimpleQueue[dict[str, Any] | None] = queue.SimpleQueue()

    def __enter__(self) -> Self:
        with (self.folder / STDERR).open("wb") as stderr:
            self.process = subprocess.Popen(  # noqa: S603 - a command of our own, without a shell
                [*TRAINER, str(self.folder)],
                cwd=settings.BASE_DIR,
                env=os.environ | {"PYTHONUNBUFFERED": "1"},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=stderr,
                # Ctrl-C on a terminal, and whatever stops the worker's group, is this process's to handle.
                start_new_session=True,
            )
        # The site goes first, where there are not enough cores for both.
        os.setpriority(os.PRIO_PGRP, self.process.pid, NICENESS)
        assert self.process.stdout
        threading.Thread(target=self._listen, args=[self.process.stdout], daemon=True).start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # At once: it writes in its folder alone, so that there is nothing to put in order.
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        assert self.process.stdin
        self.process.stdin.close()

    def _listen(self, stdout: IO[bytes]) -> None:
        with stdout:
            for line in stdout:
                self.said.put(_parse(line))
        self.said.put(None)

    def events(self) -> Iterator[dict[str, Any]]:
        """What it says, until it has ended; an empty one whenever it said nothing for a second."""
        while True:
            try:
                event = self.said.get(timeout=TICK_S)
            except queue.Empty:
                # What it has started itself may hold its stdout open beyond its end.
                if self.process.poll() is not None:
                    return
                event = {}
            if event is None:
                break
            yield event
        while self.process.poll() is None:
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(TICK_S)
            yield {}

    @property
    def exit_code(self) -> int | None:
        return self.process.returncode

    def complaints(self) -> str:
        """The end of what it wrote to stderr."""
        with (self.folder / STDERR).open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - KEPT_CHARACTERS))
            return file.read().decode("utf-8", "replace").replace("\0", "").strip()


def _parse(line: bytes) -> dict[str, Any]:
    """What is no JSON object, as a library may print it, is for people to read."""
    text = line.decode("utf-8", "replace").replace("\0", "").strip()
    try:
        # NaN and Infinity are no JSON, and no database keeps them as such.
        event = json.loads(text, parse_constant=lambda constant: None)
    except ValueError:
        return {"log": text}
    return event if isinstance(event, dict) else {"log": text}
