"""What glibc is told about memory, and when it has to give it back."""

from __future__ import annotations

import ctypes

# It reads these as a process starts. Left alone it keeps the large buffers of decoded photographs, for each
# thread anew: a web worker grew to 770 MB that otherwise takes 400. Buffers of less than 2.1 MB it does keep:
# to get those from the system, page by page, would take a good part of the time that a photograph takes.
# From 2.1 MB on they get huge pages, of 2,097,152 bytes, where the system gives such to who asks for them.
MALLOC = {
    "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",
    "MALLOC_ARENA_MAX": "1",
    "MALLOC_MMAP_THRESHOLD_": "2100000",
    "MALLOC_TRIM_THRESHOLD_": "8000000",
}

_trim = getattr(ctypes.CDLL(None), "malloc_trim", None)


def give_back() -> None:
    """What is free in the heap, to the system. Without glibc nothing happens."""
    if _trim:
        _trim(0)
