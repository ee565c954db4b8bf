"""What was tried before a version was made: each kind of features with each family, by cross-validation."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from .card_values import mapping, share, text


@dataclass(frozen=True)
class Trial:
    """The best that a family came to, with whichever parameters. `best`: of all that was tried."""

    accuracy: float
    best: bool


@dataclass(frozen=True)
class Trials:
    """`rows`: for each kind of features its name, and for each of `families` the trial, if there was one."""

    families: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Trial | None, ...]], ...]


def trials_of(table: Any) -> Trials | None:
    """`table`: as the trainer tells it, or a card. None where the features were not chosen."""
    found: dict[tuple[str, str], float] = {}
    for row in map(mapping, table if isinstance(table, list) else []):
        features, family, accuracy = (
            text(row.get("features")),
            text(row.get("estimator")),
            row.get("accuracy"),
        )
        if features and family and (reached := share(accuracy)) is not None:
            found[features, family] = max(reached, found.get((features, family), 0.0))
    if not found:
        return None
    families = _in_order(family for _features, family in found)
    best = max(found.values())
    kinds = sorted({features for features, _family in found}, key=lambda kind: -_most(found, kind))
    return Trials(families, tuple((kind, _row(found, kind, families, best)) for kind in kinds))


def _row(
    found: dict[tuple[str, str], float], kind: str, families: Sequence[str], best: float
) -> tuple[Trial | None, ...]:
    reached = [found.get((kind, family)) for family in families]
    return tuple(None if each is None else Trial(each, each == best) for each in reached)


def _most(found: dict[tuple[str, str], float], kind: str) -> float:
    return max(accuracy for (features, _family), accuracy in found.items() if features == kind)


def _in_order(names: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(names)))
