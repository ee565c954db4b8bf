"""What becomes of each row of an import: added to which group and split, a duplicate, or set aside."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from classifier.models import LabelSet

from .import_report import LEAK, Fate
from .models import Example, Split
from .neighbours import Fingerprint, Gray, decode, near_pairs, same_picture
from .rows import Crop
from .splits import Place, place

# Whoever is measured by comes first: what is nearly a test example must not be learned from.
PRECEDENCE = {Split.TEST: 0, Split.VALIDATION: 1, Split.TRAIN: 2, None: 3}
CROPS_AT_ONCE = 500
HASHES_AT_ONCE = 1000
PAIRS_AT_ONCE = 100_000
MOST_EQUAL = 5
# A row that is nearly the same as so many of one split belongs with them, and needs no more.
MOST_NEAR = 20
GRAYS_HELD = 2000

Progress = Callable[[str, int, int | None], None]
"""Told what is being done, how many rows it has been done with, and of how many, where that is known."""

GrayOf = Callable[[int], Gray]
"""By a row's number its (48, 48) gray values: those of a large folder would fill the memory."""


@dataclass(frozen=True, slots=True)
class Found:
    """A row that can be read. Its pixels are kept by whoever found it. `photograph`: digest of its file."""

    where: str
    label: str
    digest: str
    hash: int
    mirrored_hash: int
    source: Example.Source
    split: Split | None
    group: str
    votes: Mapping[str, int]
    photograph: str

    @classmethod
    def of(cls, crop: Crop) -> Found:
        fingerprint = Fingerprint.of(crop.pixels)
        return cls(
            where=crop.where,
            label=crop.label,
            digest=fingerprint.digest,
            hash=fingerprint.hash,
            mirrored_hash=fingerprint.mirrored_hash,
            source=crop.source,
            split=crop.split,
            group=crop.group,
            votes=crop.votes,
            photograph=crop.digest,
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

    def counts(self) -> Counter[tuple[str, str]]:
        """How many rows it adds, by label and split."""
        return Counter((self.rows[row].label, str(at.split)) for row, at in self.places.items())

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
    def of(cls, label_set: LabelSet | None) -> _Known:
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


def make_plan(rows: list[Found], label_set: LabelSet | None, progress: Progress, gray_of: GrayOf) -> Plan:
    """Decide on each row, those of official test splits first. `label_set`: None for one that is not yet."""
    known = _Known.of(label_set)
    plan = Plan(rows, known.newest)
    fresh = _without_duplicates(plan, known)
    progress("Comparing", 0, None)
    gray_of = lru_cache(GRAYS_HELD)(gray_of)
    among = _near_rows(rows, fresh, gray_of)
    there = _near_examples(rows, fresh, known, gray_of)
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
        where, digest = plan.rows[row].where, plan.rows[row].digest
        if digest in known.withdrawn:
            reason = known.withdrawn[digest]
            why = f"is in the dataset, withdrawn: {reason}" if reason else "is in the dataset"
        elif digest in first:
            why = f"the same picture as {first[digest]}"
        else:
            first[digest] = where
            fresh.append(row)
            continue
        plan.duplicates.append(Fate(where, why, plan.rows[row].label))
    return fresh


def _decide(plan: Plan, row: int, beside: list[_Beside], groups: _Groups) -> None:
    found = plan.rows[row]
    sides = {(groups.name(other.place.group), other.place.split) for other in beside}
    if found.split and found.group:
        sides.add((groups.name(found.group), groups.known.get(found.group, found.split)))
    decided = place(found.digest, sides, official=found.split)
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
    plan.set_aside.append(Fate(found.where, reason, found.label, LEAK))


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


def _near_rows(rows: list[Found], fresh: list[int], gray_of: GrayOf) -> dict[int, list[int]]:
    """For each row those before it that are nearly the same, found as they will be once they are examples."""
    found = [rows[row] for row in fresh]
    near: dict[int, list[int]] = defaultdict(list)
    of_split: Counter[tuple[int, Split | None]] = Counter()
    for mine, other in _close(found, np.array([one.hash for one in found], np.int64)):
        if other >= mine or of_split[mine, found[other].split] >= MOST_NEAR:
            continue
        if same_picture(gray_of(fresh[mine]), gray_of(fresh[other])):
            near[fresh[mine]].append(fresh[other])
            of_split[mine, found[other].split] += 1
    return near


def _near_examples(
    rows: list[Found], fresh: list[int], known: _Known, gray_of: GrayOf
) -> dict[int, list[int]]:
    by_example: dict[int, list[int]] = defaultdict(list)
    for mine, other in _close([rows[row] for row in fresh], known.hashes):
        by_example[other].append(mine)
    near: dict[int, list[int]] = defaultdict(list)
    for other, crop in _crops(known, list(by_example)):
        gray = Fingerprint.of(decode(crop)).gray
        for mine in by_example[other]:
            if same_picture(gray_of(fresh[mine]), gray):
                near[fresh[mine]].append(other)
    return near


def _close(found: list[Found], hashes: NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """(place among `found`, place among `hashes`) of those that are near, mirrored or not.

    Of equal hashes only the first few are looked at: in a folder where everything is nearly the same each
    would otherwise be compared with each.
    """
    looked_at = _first_of_equal(hashes)
    others = hashes[looked_at]
    for start in range(0, len(found) if len(others) else 0, HASHES_AT_ONCE):
        some = found[start : start + HASHES_AT_ONCE]
        plain = np.array([one.hash for one in some], np.int64)
        mirrored = np.array([one.mirrored_hash for one in some], np.int64)
        pairs = np.concatenate([near_pairs(plain, others), near_pairs(mirrored, others)])
        pairs = np.unique(pairs, axis=0)
        places = np.stack([pairs[:, 0] + start, looked_at[pairs[:, 1]]], axis=1)
        for first in range(0, len(places), PAIRS_AT_ONCE):
            yield from places[first : first + PAIRS_AT_ONCE].tolist()


def _first_of_equal(hashes: NDArray[np.int64]) -> NDArray[np.int64]:
    """The places of the first MOST_EQUAL of each value, in order."""
    order = np.argsort(hashes, kind="stable")
    _values, starts, counts = np.unique(hashes[order], return_index=True, return_counts=True)
    rank = np.arange(len(hashes)) - np.repeat(starts, counts)
    return np.sort(order[rank < MOST_EQUAL])


def _crops(known: _Known, places: list[int]) -> Iterator[tuple[int, bytes]]:
    for start in range(0, len(places), CROPS_AT_ONCE):
        ids = {known.ids[place_]: place_ for place_ in places[start : start + CROPS_AT_ONCE]}
        for pk, crop in Example.objects.filter(pk__in=ids).values_list("pk", "crop"):
            yield ids[pk], bytes(crop)
