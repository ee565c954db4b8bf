"""What becomes of each row of an import: added to which group and split, a duplicate, or set aside."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from classifier.models import Label, LabelSet

from .models import Example, Split
from .neighbours import Fingerprint, decode, near_pairs, same_picture
from .reading import Crop
from .splits import Place, place

# Whoever is measured by comes first: what is nearly a test example must not be learned from.
PRECEDENCE = {Split.TEST: 0, Split.VALIDATION: 1, Split.TRAIN: 2, None: 3}
CROPS_AT_ONCE = 500

Progress = Callable[[str, int, int | None], None]
"""Told what is being done, how many rows it has been done with, and of how many, where that is known."""


@dataclass(frozen=True)
class Fate:
    """Why a row is not added."""

    where: str
    why: str


@dataclass(frozen=True, slots=True)
class Found:
    """A row that can be read. Its pixels are kept by whoever found it."""

    where: str
    label_id: int
    fingerprint: Fingerprint
    source: Example.Source
    split: Split | None
    group: str
    votes: Mapping[str, int]

    @classmethod
    def of(cls, crop: Crop) -> Found:
        return cls(
            where=crop.where,
            label_id=crop.label_id,
            fingerprint=Fingerprint.of(crop.pixels),
            source=crop.source,
            split=crop.split,
            group=crop.group,
            votes=crop.votes,
        )


@dataclass
class Plan:
    """`places` by the row's number; `joined`: groups of known examples that go into another.

    `newest`: the id of the last example that it knows of.
    """

    rows: list[Found]
    newest: int
    places: dict[int, Place] = field(default_factory=dict)
    joined: dict[str, str] = field(default_factory=dict)
    duplicates: list[Fate] = field(default_factory=list)
    set_aside: list[Fate] = field(default_factory=list)

    def counts(self, labels: Mapping[int, Label]) -> Counter[tuple[str, str]]:
        """How many rows it adds, by label and split."""
        return Counter(
            (labels[self.rows[row].label_id].slug, str(at.split)) for row, at in self.places.items()
        )

    def in_order_of_precedence(self) -> list[int]:
        return sorted(range(len(self.rows)), key=lambda row: (PRECEDENCE[self.rows[row].split], row))


@dataclass
class _Known:
    """The examples that are there already, column by column."""

    newest: int
    ids: list[int]
    hashes: NDArray[np.int64]
    places: list[Place]
    withdrawn: dict[str, str]
    """By digest, of every example: why it is withdrawn, or nothing."""

    @classmethod
    def of(cls, label_set: LabelSet) -> _Known:
        columns = ("pk", "perceptual_hash", "group", "split", "digest", "withdrawn", "withdrawn_reason")
        rows = list(Example.objects.filter(label_set=label_set).values_list(*columns))
        compared = [row for row in rows if row[5] != Example.Withdrawn.LEAK]
        return cls(
            newest=max((row[0] for row in rows), default=0),
            ids=[row[0] for row in compared],
            hashes=np.array([row[1] for row in compared], np.int64),
            places=[Place(row[2], Split(row[3])) for row in compared],
            withdrawn={row[4]: row[6] for row in rows},
        )


@dataclass(frozen=True)
class _Beside:
    """Something that a row is nearly the same as: another row, or an example."""

    where: str
    place: Place


def make_plan(rows: list[Found], label_set: LabelSet, progress: Progress) -> Plan:
    """Decide on each row, those of official test splits first."""
    known = _Known.of(label_set)
    plan = Plan(rows, known.newest)
    fresh = _without_duplicates(plan, known)
    progress("Comparing", 0, None)
    among = _near_rows(rows, fresh)
    there = _near_examples(rows, fresh, known)
    groups = _Groups({at.group: at.split for at in known.places})
    for row in fresh:
        beside = [
            _Beside(rows[other].where, plan.places[other]) for other in among[row] if other in plan.places
        ]
        beside += [_Beside(f"example {known.ids[other]}", known.places[other]) for other in there[row]]
        _decide(plan, row, beside, groups)
    plan.places = {row: Place(groups.name(at.group), at.split) for row, at in plan.places.items()}
    plan.joined = {group: groups.name(group) for group in groups.known if groups.name(group) != group}
    return plan


def _without_duplicates(plan: Plan, known: _Known) -> list[int]:
    """The rows whose very picture is neither an example nor a row before them, in order of precedence."""
    fresh: list[int] = []
    first: dict[str, str] = {}
    for row in plan.in_order_of_precedence():
        where, digest = plan.rows[row].where, plan.rows[row].fingerprint.digest
        if digest in known.withdrawn:
            reason = known.withdrawn[digest]
            why = f"is in the dataset, withdrawn: {reason}" if reason else "is in the dataset"
        elif digest in first:
            why = f"the same picture as {first[digest]}"
        else:
            first[digest] = where
            fresh.append(row)
            continue
        plan.duplicates.append(Fate(where, why))
    return fresh


def _decide(plan: Plan, row: int, beside: list[_Beside], groups: _Groups) -> None:
    found = plan.rows[row]
    sides = {(groups.name(other.place.group), other.place.split) for other in beside}
    if found.split and found.group:
        sides.add((groups.name(found.group), groups.known.get(found.group, found.split)))
    decided = place(found.fingerprint.digest, sides, official=found.split)
    if not decided.leak:
        plan.places[row] = decided
        groups.join(decided.group, (group for group, _split in sides))
        return
    mine = found.split or beside[0].place.split
    others = [other for other in beside if other.place.split != mine]
    reason = (
        f"nearly the same as {others[0].where}, which is in {others[0].place.split}"
        if others
        else f"its group is in {groups.known[found.group]} here"
    )
    plan.set_aside.append(Fate(found.where, reason))


class _Groups:
    """Names of groups that became one. `known`: the splits of those that have examples already."""

    def __init__(self, known: Mapping[str, Split]) -> None:
        self.known = known
        self._into: dict[str, str] = {}

    def name(self, group: str) -> str:
        while group in self._into:
            group = self._into[group]
        return group

    def join(self, into: str, groups: Iterable[str]) -> None:
        self._into |= {group: into for group in groups if group != into}


def _near_rows(rows: list[Found], fresh: list[int]) -> dict[int, list[int]]:
    """For each row those before it that are nearly the same, found as they will be once they are examples."""
    prints = [rows[row].fingerprint for row in fresh]
    hashes = np.array([one.hash for one in prints], np.int64)
    near: dict[int, list[int]] = defaultdict(list)
    for mine, other in _close(prints, hashes):
        if other < mine and same_picture(prints[mine].gray, prints[other].gray):
            near[fresh[mine]].append(fresh[other])
    return near


def _near_examples(rows: list[Found], fresh: list[int], known: _Known) -> dict[int, list[int]]:
    prints = [rows[row].fingerprint for row in fresh]
    by_example: dict[int, list[int]] = defaultdict(list)
    for mine, other in _close(prints, known.hashes):
        by_example[other].append(mine)
    near: dict[int, list[int]] = defaultdict(list)
    for other, crop in _crops(known, list(by_example)):
        gray = Fingerprint.of(decode(crop)).gray
        for mine in by_example[other]:
            if same_picture(prints[mine].gray, gray):
                near[fresh[mine]].append(other)
    return near


def _close(prints: list[Fingerprint], hashes: NDArray[np.int64]) -> list[list[int]]:
    """[place among `prints`, place among `hashes`] of those that are near, mirrored or not."""
    if not prints or not len(hashes):
        return []
    plain = np.array([one.hash for one in prints], np.int64)
    mirrored = np.array([one.mirrored_hash for one in prints], np.int64)
    pairs = np.concatenate([near_pairs(plain, hashes), near_pairs(mirrored, hashes)])
    close: list[list[int]] = np.unique(pairs, axis=0).tolist()
    return close


def _crops(known: _Known, places: list[int]) -> Iterator[tuple[int, bytes]]:
    for start in range(0, len(places), CROPS_AT_ONCE):
        ids = {known.ids[place_]: place_ for place_ in places[start : start + CROPS_AT_ONCE]}
        for pk, crop in Example.objects.filter(pk__in=ids).values_list("pk", "crop"):
            yield ids[pk], bytes(crop)
