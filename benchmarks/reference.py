"""Asks `fer_reference.py`, which runs beside the benchmark in the Python that it is given."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any


class FerReference:
    """`python` is that of an environment with `fer`; see fer_reference.py for how to make one."""

    def __init__(self, python: Path) -> None:
        self._process = subprocess.Popen(  # noqa: S603 (the path is the caller's own)
            [python, Path(__file__).with_name("fer_reference.py")],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self._answer()

    def read(self, path: Path) -> dict[str, Any]:
        assert self._process.stdin
        self._process.stdin.write(f"{path}\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        """Skips what TensorFlow prints among the answers."""
        assert self._process.stdout
        for line in self._process.stdout:
            if line.startswith("{"):
                return json.loads(line)
        raise RuntimeError("The reference process ended; run benchmarks/fer_reference.py by hand to see why.")
