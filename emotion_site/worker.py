"""`python -m emotion_site.worker`: run the task worker, and start it again whenever it ends.

Django's task worker ends when its database is away for a moment, and honcho would then stop the whole site.
"""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from asyncio.subprocess import Process
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

COMMAND = (sys.executable, str(Path(__file__).resolve().parent.parent / "manage.py"), "run_worker")
FIRST_PAUSE_S, LONGEST_PAUSE_S = 1.0, 30.0
# honcho kills what is still there 5 s after Ctrl-C.
PATIENCE_S = 4.0


async def keep_running(command: Sequence[str] = COMMAND) -> None:
    """Returns once SIGTERM or SIGINT has come and the worker has ended."""
    asked = asyncio.Event()
    for signum in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(signum, asked.set)
    stopped = asyncio.create_task(asked.wait())
    pause = FIRST_PAUSE_S
    while not stopped.done():
        started = time.monotonic()
        # In this process's group: what stops the group stops the worker even where this process was killed.
        worker = await asyncio.create_subprocess_exec(*command)
        ended = asyncio.create_task(worker.wait())
        await asyncio.wait({ended, stopped}, return_when=asyncio.FIRST_COMPLETED)
        if stopped.done():
            await end(worker)
            return
        if time.monotonic() - started > LONGEST_PAUSE_S:
            pause = FIRST_PAUSE_S
        print(f"The task worker ended ({worker.returncode}) and starts again in {pause:.0f} s.", flush=True)
        await asyncio.wait({stopped}, timeout=pause)
        pause = min(2 * pause, LONGEST_PAUSE_S)


async def end(worker: Process) -> None:
    """honcho and terminals signal a whole group: the worker knows, and a second signal would fail its task.

    After PATIENCE_S that is better than a task that is killed, which would count as running for ever.
    """
    try:
        await asyncio.wait_for(worker.wait(), PATIENCE_S)
    except TimeoutError:
        with suppress(ProcessLookupError):
            worker.terminate()
        await worker.wait()


if __name__ == "__main__":
    asyncio.run(keep_running())
