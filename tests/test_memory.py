"""What glibc is told, in a process that starts with it."""

from __future__ import annotations

import os
import platform
import subprocess
import sys

import pytest

from emotion_site.memory import MALLOC

FREE_BUT_KEPT = """
from pathlib import Path
from emotion_site.memory import give_back

def resident():
    return int(Path("/proc/self/statm").read_text().split()[1]) * 4096 // 1_000_000

blocks = [bytearray(b"x" * 100_000) for _ in range(2000)]
above = bytearray(b"x" * 100_000)
del blocks
kept = resident()
give_back()
print(kept - resident())
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc keeps what is free so")
def test_what_is_free_inside_the_heap_is_given_back() -> None:
    told = subprocess.run(
        [sys.executable, "-c", FREE_BUT_KEPT],
        env=os.environ | MALLOC,
        check=True,
        capture_output=True,
        text=True,
    )
    assert int(told.stdout) > 150, "megabytes, of 200"
