"""What an import did, or would do, for people and for programs."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any

from classifier.models import Label

from .models import SetAsidePicture

# What a row is counted under that is nearly the same as one of another split.
LEAK = "leak"


@dataclass(frozen=True, slots=True)
class Fate:
    """Why a row is not added. `label`: its slug, if any. `reason`: in one word, of those set aside."""

    where: str
    why: str
    label: str = ""
    reason: str = ""


@dataclass
class Report:
    """`added` counts by (label, split). `not_kept`: of those set aside, how many nobody can rescue.

    What was skipped is no row: it lies beside them. `new_labels`: those of a label set that is made of them.
    """

    format: str
    dry_run: bool
    rows: int = 0
    added: Counter[tuple[str, str]] = field(default_factory=Counter)
    duplicates: list[Fate] = field(default_factory=list)
    refused: list[Fate] = field(default_factory=list)
    set_aside: list[Fate] = field(default_factory=list)
    skipped: list[Fate] = field(default_factory=list)
    not_kept: int = 0
    new_labels: list[Label] = field(default_factory=list)

    def by_reason(self) -> dict[str, int]:
        """How many were set aside why, the most frequent reason first."""
        return dict(Counter(fate.reason for fate in self.set_aside if fate.reason).most_common())

    @property
    def to_look_at(self) -> int:
        """How many photographs a person can rescue, or could once it is no dry run."""
        return sum(fate.reason in SetAsidePicture.Reason for fate in self.set_aside) - self.not_kept

    def by_label(self) -> list[dict[str, Any]]:
        """For each label of a folder what became of its pictures; empty where rows are no pictures."""
        kinds = {"duplicates": self.duplicates, "refused": self.refused, "set_aside": self.set_aside}
        counted: dict[str, Counter[str]] = defaultdict(Counter)
        reasons: dict[str, Counter[str]] = defaultdict(Counter)
        for (label, _split), count in self.added.items():
            counted[label]["added"] += count
        for kind, fates in kinds.items():
            for fate in fates:
                counted[fate.label][kind] += 1
                if fate.reason:
                    reasons[fate.label][fate.reason] += 1
        counted.pop("", None)
        return [
            {
                "label": label,
                "pictures": counts.total(),
                "added": counts["added"],
                **{kind: counts[kind] for kind in kinds},
                "reasons": dict(reasons[label].most_common()),
            }
            for label, counts in sorted(counted.items())
        ]

    def as_json(self, *, at_most: int | None = None) -> dict[str, Any]:
        """Counts, and the reasons for each: `at_most` so many of a kind."""
        kinds = {
            "duplicates": self.duplicates,
            "refused": self.refused,
            "set_aside": self.set_aside,
            "skipped": self.skipped,
        }
        reasons = {
            kind: [{"where": fate.where, "why": fate.why} for fate in fates[:at_most]]
            for kind, fates in kinds.items()
        }
        added = [
            {"label": label, "split": split, "count": count}
            for (label, split), count in sorted(self.added.items())
        ]
        return {
            "format": self.format,
            "dry_run": self.dry_run,
            "rows": self.rows,
            "added": self.added.total(),
            **{kind: len(fates) for kind, fates in kinds.items()},
            "set_aside_by_reason": self.by_reason(),
            "to_look_at": self.to_look_at,
            "not_kept": self.not_kept,
            "new_labels": [{"slug": label.slug, "name": label.name} for label in self.new_labels],
            "by_label": self.by_label() if self.format == "folders" else [],
            "reasons": {"added": added, **reasons},
        }


def in_words(reason: str) -> str:
    """Why rows were set aside, for people."""
    if reason == LEAK:
        return "nearly the same as a picture of another split"
    return str(SetAsidePicture.Reason(reason).label)
