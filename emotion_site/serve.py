"""`python -m emotion_site.serve [Procfile]`: start every process of the Procfile, and stop them together."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from types import FrameType
from typing import TextIO, cast

from honcho import command

from emotion_site import settings
from emotion_site.memory import MALLOC

# What honcho exits with after Ctrl-C and after SIGTERM: being asked to stop is no failure.
STOPPED = (130, 143)


class Output:
    """Standard output for honcho. When nobody reads it any more, the processes are stopped.

    A terminal that was closed makes every write fail, and honcho would die of the first one and leave its
    processes behind.
    """

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self.encoding = stream.encoding
        self.lost = False

    def isatty(self) -> bool:
        return self.stream.isatty()

    def write(self, text: str) -> None:
        if self.lost:
            return
        try:
            self.stream.write(text)
            self.stream.flush()
        except OSError:
            self.lost = True
            stop(signal.SIGHUP, None)

    def flush(self) -> None:
        """Every write is flushed."""


def stop(signum: int, frame: FrameType | None) -> None:
    os.kill(os.getpid(), signal.SIGTERM)


def main(procfile: str = "Procfile") -> None:
    signal.signal(signal.SIGHUP, stop)
    sys.stdout = cast("TextIO", Output(sys.stdout))
    os.environ["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}"
    os.environ["PORT"] = str(settings.PORT)
    os.environ["PYTHONUNBUFFERED"] = "1"
    for name, value in MALLOC.items():
        os.environ.setdefault(name, value)
    # The settings read .env themselves. honcho's reading would let it win over the process environment.
    start = ["--env", os.devnull, "--app-root", str(settings.BASE_DIR), "--procfile", procfile, "start"]
    try:
        command.main(start)
    except SystemExit as end:
        sys.exit(0 if end.code in STOPPED else end.code)


if __name__ == "__main__":
    main(*sys.argv[1:])
