"""What a run's row tells while it runs: how far it is, its curves, the end of its log."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

from django.db import close_old_connections
from django.db.models import Q
from django.utils import timezone

from .models import TrainingRun
from .training_runs import DATABASE_GONE

Event = Mapping[str, Any]
Tell = Callable[[Event], None]

STAGES: dict[str, tuple[str, str]] = {
    "freeze": ("Freezing the dataset", "examples"),
    "read": ("Reading the examples", ""),
    "search": ("Searching the grid", "cells"),
    "fit": ("Fitting", "epochs"),
    "calibrate": ("Calibrating", ""),
    "evaluate": ("Scoring the test split", ""),
    "judge": ("Comparing with the active version", ""),
}
"""What a stage is called, and what is counted in it."""
SECONDS_BETWEEN_WRITES = 1.0
SECONDS_WITHOUT_DATABASE = 60.0
"""So long a training goes on while nothing can be written, as when the database is started again."""
LINES_KEPT = 200
LONGEST_LINE = 500
MOST_POINTS = 2000
"""Of the curves: a run of more epochs than that is drawn without its beginning."""


class StoppedError(Exception):
    """Somebody cancelled the run, or its row says that it has ended."""


class TakenBackMeanwhileError(RuntimeError):
    """A user took back a face that the run is learning from."""


def silent(event: Event) -> None:
    """Progress that nobody watches."""


class Notes:
    """Hears what is told and writes it into the row, at most once a second.

    Writing is also when it is noticed that the run is to stop: hear() and write() raise StoppedError and
    TakenBackMeanwhileError; and OperationalError or InterfaceError when the database was away for too long.
    """

    def __init__(self, run: TrainingRun, tell: Tell = silent) -> None:
        self.run, self.tell = run, tell
        self.lines: deque[str] = deque(maxlen=LINES_KEPT)
        self.curves: deque[dict[str, float | None]] = deque(maxlen=MOST_POINTS)
        self.changed: dict[str, Any] = {}
        self.stage = ""
        self.written = -math.inf
        self.away_since: float | None = None

    def hear(self, event: Event) -> None:
        """An event of the trainer's kind; an empty one is a moment in which nothing happened."""
        self._note_stage(event)
        if (score := _number(event.get("score"))) is not None:
            self.changed["score"] = score
        if isinstance(line := event.get("log"), str) and line.strip():
            self._log(line.strip())
        if isinstance(curve := event.get("curve"), dict):
            self.curves.append({str(name): _number(value) for name, value in curve.items()})
            self.changed["curves"] = list(self.curves)
        if event:
            self.tell(event)
        if time.monotonic() - self.written >= SECONDS_BETWEEN_WRITES:
            self.write()

    def _note_stage(self, event: Event) -> None:
        if (stage := event.get("stage")) is None:
            return
        stage = str(stage)[:100]
        if stage != self.stage:
            self.stage = stage
            self.changed["stage_at"] = timezone.now()
        self.changed |= {
            "stage": stage,
            "done": _count(event.get("done")),
            "total": _count(event.get("total")),
        }

    def progress(self, stage: str, done: int, total: int | None) -> None:
        """What freezing tells."""
        self.hear({"stage": "freeze", "done": done, "total": total or 0})

    def write(self) -> None:
        self.written = time.monotonic()
        try:
            self._write()
        except DATABASE_GONE as error:
            self._bear(error)
        else:
            self._note_return()

    def insist(self) -> None:
        """write(), and come back when it is written."""
        self.write()
        while self.away_since is not None:
            time.sleep(SECONDS_BETWEEN_WRITES)
            self.write()

    def _write(self) -> None:
        mine = TrainingRun.objects.filter(
            Q(dataset__erased_at__isnull=True),
            pk=self.run.pk,
            state=TrainingRun.State.RUNNING,
            cancel_asked=False,
        )
        if not mine.update(progress_at=timezone.now(), **self.changed):
            self._stop()
        self.changed = {}

    def _bear(self, error: Exception) -> None:
        close_old_connections()
        if self.away_since is None:
            self.away_since = self.written
            self._say(
                "The database does not answer. The training goes on, and is stopped where there is no answer "
                f"in {SECONDS_WITHOUT_DATABASE:.0f} s."
            )
        elif self.written - self.away_since > SECONDS_WITHOUT_DATABASE:
            raise error

    def _note_return(self) -> None:
        if self.away_since is not None:
            self.away_since = None
            self._say("The database answers again.")

    def _say(self, line: str) -> None:
        self._log(line)
        self.tell({"log": line})

    def _log(self, line: str) -> None:
        self.lines.append(f"{timezone.localtime():%H:%M:%S} {line[:LONGEST_LINE]}")
        self.changed["log"] = "\n".join(self.lines)

    def _stop(self) -> None:
        row = TrainingRun.objects.filter(pk=self.run.pk).values_list("state", "cancel_asked").first()
        state, cancel_asked = row or (TrainingRun.State.FAILED, False)
        if state == TrainingRun.State.RUNNING and not cancel_asked:
            raise TakenBackMeanwhileError(
                "A user took back a face of the dataset that it was learning from. Train again, without it."
            )
        raise StoppedError


def _number(value: Any) -> float | None:
    known = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if known else None


def _count(value: Any) -> int:
    number = _number(value)
    return min(max(0, int(number)), 2**31 - 1) if number is not None else 0
