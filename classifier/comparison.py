"""Two model cards side by side, figure by figure, for whoever decides which one is to answer.

A card may come from anywhere: what it does not tell, or tells in another form, is left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext_lazy as _

from .card_values import count, interval, mapping, share
from .models import Label, ModelVersion

SHARES = (
    ("accuracy", _("Accuracy"), True),
    ("balanced_accuracy", _("Balanced accuracy"), True),
    ("macro_f1", _("Macro F1"), True),
    ("expected_calibration_error", _("Calibration error"), False),
    ("answered", _("Answered, not unsure"), True),
    ("answered_accuracy", _("Accuracy where answered"), True),
)
"""The key in a card, what it is called, and whether more is better. All are shares, 0 to 1."""


@dataclass(frozen=True)
class Figure:
    """`low` and `high` are the 95 % interval, where the card has one."""

    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Row:
    """One figure of both. `other` is None where the other card does not have it, or there is none."""

    name: str
    label: Label | None
    this: Figure | None
    other: Figure | None
    more_is_better: bool

    @property
    def difference(self) -> float | None:
        return self.this.value - self.other.value if self.this and self.other else None

    @property
    def points(self) -> str:
        """The difference in percentage points, with its sign."""
        return "" if self.difference is None else f"{100 * self.difference:+.1f}".replace("-", "−")

    @property
    def verdict(self) -> str:
        """ "better", "worse", or "" within a tenth of a point."""
        if self.difference is None or abs(self.difference) < 0.0005:
            return ""
        return "better" if (self.difference > 0) == self.more_is_better else "worse"


@dataclass(frozen=True)
class Scoring:
    """How both did on the faces of one data set; `faces` of each, None where the card does not tell.

    `place`: which of the version's scorings it is. `has_confusion`, `has_reliability`: what can be drawn.
    """

    name: str
    place: int
    faces: int | None
    other_faces: int | None
    rows: tuple[Row, ...]
    has_confusion: bool
    has_reliability: bool


def compare(
    version: ModelVersion,
    other: ModelVersion | None,
    labels: Sequence[Label],
    *,
    measured: Mapping[str, dict[str, Any]] | None = None,
) -> list[Scoring]:
    """Every scoring in the version's card. `measured`: what is known of the other besides its card."""
    theirs = (_metrics(other) if other else {}) | dict(measured or {})
    compared, known = [], len(version.card["labels"])
    for place, (name, said) in enumerate(_metrics(version).items()):
        against = mapping(theirs.get(name))
        rows = [*_share_rows(said, against), *_recall_rows(said, against, labels)]
        compared.append(
            Scoring(
                name=name,
                place=place,
                faces=count(said.get("faces")),
                other_faces=count(against.get("faces")),
                rows=tuple(row for row in rows if row.this or row.other),
                has_confusion=confusion_of(said, known) is not None,
                has_reliability=reliability_of(said) is not None,
            )
        )
    return compared


def scoring_in(version: ModelVersion, place: int) -> dict[str, Any] | None:
    """What the card says of that data set."""
    found = list(_metrics(version).values())
    return found[place] if place < len(found) else None


def confusion_of(said: Mapping[str, Any], labels: int) -> list[list[int]] | None:
    """(K, K) counts, rows true; None where the card has none that can be drawn."""
    rows = said.get("confusion_matrix")
    if not isinstance(rows, list) or len(rows) != labels:
        return None
    return rows if all(_are_counts(row, labels) for row in rows) else None


def reliability_of(said: Mapping[str, Any]) -> tuple[list[dict[str, Any]], float] | None:
    """The bins of the diagram, and the calibration error; None where the card has none that can be drawn."""
    bins, error = said.get("reliability"), share(said.get("expected_calibration_error"))
    if not isinstance(bins, list) or error is None or not all(_is_bin(one) for one in bins):
        return None
    return bins, error


def _share_rows(said: Mapping[str, Any], against: Mapping[str, Any]) -> Iterable[Row]:
    for key, name, more_is_better in SHARES:
        yield Row(str(name), None, _figure(said, key), _figure(against, key), more_is_better)


def _recall_rows(
    said: Mapping[str, Any], against: Mapping[str, Any], labels: Sequence[Label]
) -> Iterable[Row]:
    for label in labels:
        this, other = (_figure_of(one, "recall", label.slug) for one in (said, against))
        yield Row(label.name, label, this, other, more_is_better=True)


def _figure(said: Mapping[str, Any], key: str) -> Figure | None:
    return _with_interval(said.get(key), said.get(f"{key}_95"))


def _figure_of(said: Mapping[str, Any], key: str, slug: str) -> Figure | None:
    values, intervals = mapping(said.get(key)), mapping(said.get(f"{key}_95"))
    return _with_interval(values.get(slug), intervals.get(slug))


def _with_interval(value: Any, ends: Any) -> Figure | None:
    found = share(value)
    return None if found is None else Figure(found, *interval(ends))


def _metrics(version: ModelVersion) -> dict[str, dict[str, Any]]:
    return {name: said for name, said in mapping(version.card.get("metrics")).items() if mapping(said)}


def _are_counts(row: Any, length: int) -> bool:
    return isinstance(row, list) and len(row) == length and all(count(cell) is not None for cell in row)


def _is_bin(one: Any) -> bool:
    told = mapping(one)
    ends = share(told.get("from")) is not None and share(told.get("to")) is not None
    faces = count(told.get("faces"))
    return ends and faces is not None and (not faces or share(told.get("accuracy")) is not None)
