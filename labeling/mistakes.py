"""Which pictures a run's candidate took for something else: those of its dataset that are still there.

A run keeps only what a picture is known by, never the picture: what its user has taken back is not shown.
"""

from __future__ import annotations

from dataclasses import dataclass

from classifier.access import within_reach
from classifier.card_values import share, text
from classifier.models import User

from .models import Example, TrainingRun


@dataclass(frozen=True)
class Mistake:
    """`true`, `told`: names of labels. `left_out`: in cross-validation, not on the test split."""

    example: Example
    true: str
    told: str
    confidence: float
    left_out: bool


def mistakes_of(run: TrainingRun, *, seen_by: User) -> list[Mistake]:
    """The surest first, those on the test split before the others. Two queries."""
    told = run.metrics.get("mistakes", [])
    if not told:
        return []
    names = dict(run.label_set.labels.values_list("slug", "name"))
    digests = {text(one.get("digest")) for one in told}
    kept = Example.objects.kept().filter(label_set=run.label_set, digest__in=digests)
    there = within_reach(seen_by, kept)
    examples = {example.digest: example for example in there.only("digest", "label_set")}
    return [
        Mistake(
            examples[one["digest"]],
            names.get(one["true"], one["true"]),
            names.get(one["told"], one["told"]),
            share(one.get("confidence")) or 0.0,
            one.get("where") == "left_out",
        )
        for one in told
        if one.get("digest") in examples
    ]
