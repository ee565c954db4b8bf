"""How long work says that it is getting on."""

from __future__ import annotations

from typing import Any, Protocol


class Tell(Protocol):
    """stage: what is being done. done, total: how far. score: the best accuracy so far, 0 to 1. curve: the
    figures of an epoch. log: a line for people. Each call has some of these.
    """

    def __call__(self, **said: Any) -> None: ...


def silent(**said: Any) -> None:
    """Tells nobody."""


def printed(**said: Any) -> None:
    """For a command: its lines, and the figures of each epoch."""
    if "log" in said:
        print(said["log"], flush=True)
    if "curve" in said:
        print(" ".join(f"{name} {value:.4g}" for name, value in said["curve"].items()), flush=True)
