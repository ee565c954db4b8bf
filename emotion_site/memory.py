"""What glibc is told about memory. It reads this as a process starts."""

from __future__ import annotations

# Left alone it keeps the large buffers of decoded photographs, for each thread anew: a web worker grew to
# 770 MB that otherwise takes 400.
MALLOC = {"MALLOC_ARENA_MAX": "1", "MALLOC_MMAP_THRESHOLD_": "1000000"}
