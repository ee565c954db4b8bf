"""What the page of a training run shows. Makes no query beyond the run's own row and its relations."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy
from django.utils.translation import ngettext

from classifier.trials import Trials, trials_of

from .models import TrainingRun
from .training_notes import STAGES

State = TrainingRun.State
WIDTH, HEIGHT = 600, 160
SHADES = 10
FIGURES = (
    ("accuracy", lazy("Accuracy")),
    ("balanced_accuracy", lazy("Balanced accuracy")),
    ("macro_f1", lazy("Macro F1")),
    ("log_loss", lazy("Log loss")),
    ("expected_calibration_error", lazy("Calibration error")),
    ("answered", lazy("Answered, not unsure")),
)
RULES = {
    "examples": lazy("Enough test faces"),
    "better": lazy("Better than what is active"),
    "recall": lazy("No label is read worse"),
    "calibration": lazy("Calibrated"),
    "latency": lazy("Quick"),
}


@dataclass(frozen=True)
class Line:
    """`points` are those of an SVG polyline within WIDTH × HEIGHT."""

    name: str
    place: int
    points: str
    last: float


@dataclass(frozen=True)
class Chart:
    name: str
    lines: tuple[Line, ...]
    low: float
    high: float
    first: int
    last: int


@dataclass(frozen=True)
class Compared:
    name: str
    candidate: float | None
    champion: float | None


@dataclass(frozen=True)
class Cell:
    """`shade`: 0 to SHADES, by the share of the row's faces."""

    count: int
    share: float
    shade: int


@dataclass(frozen=True)
class ConfusionRow:
    name: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class RunCard:
    run: TrainingRun

    @property
    def state(self) -> TrainingRun.State:
        """One whose process died has failed, whatever its row still says."""
        return State.FAILED if self.run.lost else State(self.run.state)

    @property
    def unfinished(self) -> bool:
        return self.run.unfinished

    @property
    def verdict(self) -> str:
        return self.run.get_outcome_display() if self.run.outcome else str(self.state.label)

    @property
    def stage(self) -> str:
        return STAGES.get(self.run.stage, (self.run.stage, ""))[0]

    @property
    def unit(self) -> str:
        return STAGES.get(self.run.stage, ("", ""))[1]

    @property
    def left(self) -> str:
        """How long the stage will take still, if it goes on as it went; empty while that can't be told."""
        run = self.run
        if not run.stage_at or not run.done or run.done >= run.total:
            return ""
        took = timezone.now() - run.stage_at
        return in_words(took / run.done * (run.total - run.done))

    @property
    def took(self) -> str:
        if not self.run.started_at:
            return ""
        return in_words((self.run.ended_at or timezone.now()) - self.run.started_at)

    @property
    def charts(self) -> list[Chart]:
        return draw_curves(self.run.curves)

    @property
    def rules(self) -> list[dict[str, Any]]:
        rules: list[dict[str, Any]] = self.run.gate.get("rules", [])
        return [rule | {"title": RULES.get(rule["name"], rule["name"])} for rule in rules]

    @property
    def compared(self) -> list[Compared]:
        """The candidate's figures beside the champion's, on the same faces."""
        candidate, champion = (self.run.metrics.get(name, {}) for name in ("candidate", "champion"))
        return [
            Compared(str(name), candidate.get(key), champion.get(key)) for key, name in FIGURES if candidate
        ]

    @property
    def recalls(self) -> list[Compared]:
        told = (self.run.metrics.get(name, {}) for name in ("candidate", "champion"))
        this, other = (figures.get("recall", {}) for figures in told)
        names = self.run.measured_labels
        return [Compared(name, this[name], other.get(name)) for name in names if name in this]

    @property
    def confusion(self) -> list[ConfusionRow]:
        """Of cross-validation, where there is one: it has more faces than the test split of a small set."""
        figures = self.run.metrics.get("left_out") or self.run.metrics.get("candidate", {})
        rows = zip(self.run.measured_labels, figures.get("confusion_matrix", []), strict=False)
        return [ConfusionRow(name, _cells(counts)) for name, counts in rows]

    @property
    def asked(self) -> list[tuple[str, str]]:
        """How it was asked for, as far as it was not the usual."""
        told = self.run.parameters
        words = [
            (
                _("Start"),
                _("from the active network") if told.get("start") == "active" else _("from scratch"),
            ),
            (_("Grid"), told.get("grid")),
            (_("Epochs"), told.get("epochs")),
            (_("Seed"), told.get("seed")),
            (_("Dask"), told.get("dask")),
            (_("Forced"), told.get("reason")),
            (_("Promotion"), _("not asked for") if told.get("no_promote") else ""),
        ]
        return [(name, str(word)) for name, word in words if word not in {None, ""}]

    @property
    def chosen(self) -> str:
        return words_of(self.run.parameters.get("chosen", {}))

    @property
    def trials(self) -> Trials | None:
        return trials_of(self.run.cross_validation)

    @property
    def cross_validation(self) -> list[dict[str, Any]]:
        return [row | {"words": words_of(row.get("parameters", {}))} for row in self.run.cross_validation]


def words_of(parameters: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in parameters.items() if value is not None)


def in_words(span: timedelta) -> str:
    minutes = math.ceil(span.total_seconds() / 60)
    if minutes <= 1:
        return _("less than a minute")
    if minutes < 100:
        return ngettext("%d minute", "%d minutes", minutes) % minutes
    return ngettext("%d hour", "%d hours", round(minutes / 60)) % round(minutes / 60)


def _cells(counts: Sequence[int]) -> tuple[Cell, ...]:
    whole = sum(counts) or 1
    return tuple(Cell(count, count / whole, round(SHADES * count / whole)) for count in counts)


# --- curves ---------------------------------------------------------------------------------------------


def draw_curves(points: Sequence[dict[str, float | None]]) -> list[Chart]:
    """One chart of shares, 0 to 1, and one of losses, of what the epochs told."""
    names = dict.fromkeys(name for point in points for name in point if name != "epoch")
    losses = [name for name in names if "loss" in name]
    shares = [name for name in names if "loss" not in name and _within_one(points, name)]
    charts = (_draw(_("Accuracy"), points, shares), _draw(_("Loss"), points, losses))
    return [chart for chart in charts if chart]


def _within_one(points: Iterable[dict[str, float | None]], name: str) -> bool:
    """A learning rate is no share, small as it is."""
    return "rate" not in name and all(0 <= value <= 1 for value in _values(points, name))


def _values(points: Iterable[dict[str, float | None]], name: str) -> list[float]:
    return [value for point in points if (value := point.get(name)) is not None]


def _draw(title: str, points: Sequence[dict[str, float | None]], names: Sequence[str]) -> Chart | None:
    everything = [value for name in names for value in _values(points, name)]
    if len(points) < 2 or not everything:
        return None
    low, high = min(everything), max(everything)
    epochs = [int(point.get("epoch") or place) for place, point in enumerate(points, start=1)]
    lines = tuple(_line(place, name, points, epochs, low, high) for place, name in enumerate(names))
    return Chart(title, lines, low, high, epochs[0], epochs[-1])


def _line(
    place: int,
    name: str,
    points: Sequence[dict[str, float | None]],
    epochs: Sequence[int],
    low: float,
    high: float,
) -> Line:
    across, up = max(epochs[-1] - epochs[0], 1), (high - low) or 1.0
    told = [
        (epoch, value)
        for epoch, point in zip(epochs, points, strict=True)
        if (value := point.get(name)) is not None
    ]
    places = [
        f"{WIDTH * (epoch - epochs[0]) / across:.1f},{HEIGHT * (1 - (value - low) / up):.1f}"
        for epoch, value in told
    ]
    title = name.replace("val_", _("validation") + " ").replace("_", " ")
    return Line(title, place, " ".join(places), told[-1][1])
