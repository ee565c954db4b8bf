"""What glibc is told about memory, and when it has to give it back."""

from __future__ import annotations

import ctypes

# It reads this as a process starts. Left alone it keeps the large buffers of decoded photographs, for each
# thread anew: a web worker grew to 770 MB that otherwise takes 400. Buffers of less than 4 MB it does keep:
# to get those of a small photograph from the system, page by page, would take a good part of the whole time.
MALLOC = {
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_THRESHOLD_": "4000000",
    "MALLOC_TRIM_THRESHOLD_": "16000000",
}

_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)


def give_back() -> None:
    """What is free in the heap, to the system. Without glibc nothing happens."""
    if _trim:
        _trim(0)
