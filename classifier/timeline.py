"""The small chart above a history: which expressions, when. Bounded by the newest uploads, not by all."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, timedelta

from django.utils import timezone
from django.utils.formats import date_format

from classifier.models import Label, Prediction, UploadQuerySet

NEWEST = 1_000
# Fewer columns than this would be drawn as slabs: the chart then begins earlier.
LEAST_COLUMNS = 10
GAP = 0.22


@dataclass(frozen=True)
class Slice:
    """One label's share of a column; `y` and `height` in percent of the chart, for SVG attributes."""

    label: Label
    count: int
    y: str
    height: str


@dataclass(frozen=True)
class Column:
    """One day, week, month or year; `x`, `width` and `end` in percent of the chart.

    `row` has a count per label in the order of the timeline's `totals`.
    """

    title: str
    total: int
    x: str
    width: str
    end: str
    slices: tuple[Slice, ...]
    row: tuple[int, ...]


@dataclass(frozen=True)
class Timeline:
    """`totals` is the legend, most frequent first. `unit` is "day", "week", "month" or "year"."""

    unit: str
    columns: tuple[Column, ...]
    totals: tuple[tuple[Label, int], ...]
    photographs: int


def draw_timeline(found: UploadQuerySet, label_set_slug: str) -> Timeline | None:
    """How many of the newest 1,000 of `found` show each expression; None where none does. Three queries.

    A photograph counts once for each expression that a face in it shows, so that one crowd does not
    outweigh a year of portraits.
    """
    moments = dict(found.newest_first().values_list("id", "created_at")[:NEWEST])
    rows = (
        Prediction.objects.filter(face__upload__in=list(moments), shown=True, unsure=False)
        .order_by()
        .values_list("face__upload_id", "label_id")
        .distinct()
    )
    labels = {label.id: label for label in Label.objects.filter(label_set__slug=label_set_slug)}
    read = [(timezone.localtime(moments[u]).date(), labels[k]) for u, k in rows if k in labels]
    return _timeline(read, len(moments)) if read else None


def _timeline(read: list[tuple[date, Label]], photographs: int) -> Timeline:
    days = [day for day, _ in read]
    unit, start_of = _unit(min(days), max(days))
    counts: dict[date, Counter[Label]] = defaultdict(Counter)
    totals: Counter[Label] = Counter()
    for day, label in read:
        counts[start_of(day)][label] += 1
        totals[label] += 1
    starts = _starts(start_of(min(days)), start_of(max(days)), start_of)
    order = tuple(totals.most_common())
    columns = tuple(_columns(starts, counts, unit, [label for label, _ in order]))
    return Timeline(unit, columns, order, photographs)


def _unit(first: date, last: date) -> tuple[str, Callable[[date], date]]:
    """The finest unit that needs about two dozen columns at most."""
    span = (last - first).days
    if span <= 21:
        return "day", lambda day: day
    if span <= 7 * 22:
        return "week", lambda day: day - timedelta(days=day.weekday())
    if span <= 365 * 2:
        return "month", lambda day: day.replace(day=1)
    return "year", lambda day: day.replace(month=1, day=1)


def _starts(first: date, last: date, start_of: Callable[[date], date]) -> list[date]:
    """Every unit from `first` or earlier to `last`: a quiet week is an empty column, not a missing one."""
    starts = [last]
    while starts[-1] > first or len(starts) < LEAST_COLUMNS:
        starts.append(start_of(starts[-1] - timedelta(days=1)))
    return starts[::-1]


def _columns(
    starts: list[date], counts: dict[date, Counter[Label]], unit: str, order: list[Label]
) -> Iterable[Column]:
    highest = max(sum(counter.values()) for counter in counts.values())
    step = 100 / len(starts)
    for place, start in enumerate(starts):
        yield Column(
            title=_title(start, unit),
            total=sum(counts[start].values()),
            x=f"{place * step + step * GAP / 2:.3f}%",
            width=f"{step * (1 - GAP):.3f}%",
            end=f"{(place + 1 - GAP / 2) * step:.3f}%",
            slices=tuple(_slices(counts[start], highest)),
            row=tuple(counts[start][label] for label in order),
        )


def _slices(counter: Counter[Label], highest: int) -> Iterable[Slice]:
    """Stacked from the bottom in the label set's order, so that a label keeps its place."""
    top = 100.0
    for label in sorted(counter, key=lambda label: label.position):
        height = 100 * counter[label] / highest
        top -= height
        yield Slice(label, counter[label], f"{max(top, 0):.3f}%", f"{height:.3f}%")


def _title(start: date, unit: str) -> str:
    return date_format(start, {"day": "j M", "week": "j M", "month": "M Y", "year": "Y"}[unit])
