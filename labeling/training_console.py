"""How the retrain command shows that it is getting on: a bar on a terminal, plain lines elsewhere."""

from __future__ import annotations

import math
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import IO

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from .training_notes import STAGES, Event, Tell

SECONDS_BETWEEN_LINES = 2.0


@contextmanager
def training_bar(stream: IO[str] | None = None) -> Iterator[Tell]:
    """A function to tell the trainer's events to. All goes to stderr: stdout is for results."""
    console = Console(file=stream or sys.stderr)
    if not console.is_terminal:
        yield _Lines(console.file).tell
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[unit]}{task.fields[score]}"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as bar:
        yield _Bars(bar).tell


class _Bars:
    def __init__(self, bar: Progress) -> None:
        self.bar = bar
        self.tasks: dict[str, TaskID] = {}

    def tell(self, event: Event) -> None:
        if line := event.get("log"):
            self.bar.console.print(escape(str(line)), highlight=False)
        if (stage := event.get("stage")) is None:
            return
        title, unit = STAGES.get(stage, (str(stage), ""))
        done, total = event.get("done") or 0, event.get("total") or None
        if stage not in self.tasks:
            self._finish_others()
            self.tasks[stage] = self.bar.add_task(escape(title), total=total, unit=unit, score="")
        told = {"score": f", {_score(event)}"} if _score(event) else {}
        self.bar.update(self.tasks[stage], completed=done, total=total, **told)  # type: ignore[arg-type]

    def _finish_others(self) -> None:
        """A stage that counts nothing has ended when the next begins."""
        for task in self.bar.tasks:
            if not task.finished:
                self.bar.update(task.id, total=task.total or 1, completed=task.total or 1)


class _Lines:
    """A line for each new stage and its end; in between not too many."""

    def __init__(self, stream: IO[str]) -> None:
        self.stream, self.stage, self.said, self.written = stream, "", "", -math.inf

    def tell(self, event: Event) -> None:
        if line := event.get("log"):
            print(line, file=self.stream, flush=True)
        stage = event.get("stage")
        if stage is None:
            return
        ended = _counts(event) and event.get("done") == event["total"]
        if stage == self.stage and not ended and time.monotonic() - self.written < SECONDS_BETWEEN_LINES:
            return
        self.stage, self.written = stage, time.monotonic()
        if (sentence := _sentence(event)) != self.said:
            self.said = sentence
            print(sentence, file=self.stream, flush=True)


def _sentence(event: Event) -> str:
    title, unit = STAGES.get(event["stage"], (str(event["stage"]), ""))
    parts = [title]
    if _counts(event):
        parts.append(f"{event.get('done') or 0} of {event['total']} {unit}".strip())
    if _score(event):
        parts.append(_score(event))
    return ": ".join(parts[:2]) + "".join(f", {part}" for part in parts[2:])


def _counts(event: Event) -> bool:
    """Whether it says more than that the stage has begun, or has ended."""
    return (event.get("total") or 0) > 1


def _score(event: Event) -> str:
    score = event.get("score")
    return f"score {score:.3f}" if isinstance(score, int | float) else ""
