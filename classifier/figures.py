"""What the card of the model that answers now says of it, for people who want to know how good it is.

A card may come from anywhere: only what `classifier.ml.artifact.check_card` demands is sure to be there.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from classifier.card_values import count, interval, mapping, share, text
from classifier.cards import Bar
from classifier.label_sets import say_unknown, unknown_labels
from classifier.models import Label, ModelVersion


@dataclass(frozen=True)
class Scoring:
    """How the model did on the faces of one data set; `low` and `high` are its 95 % interval.

    `recalls`: of the faces that people called so, the share that the model called so, too.
    """

    name: str
    faces: int | None
    accuracy: float
    low: float | None
    high: float | None
    recalls: tuple[Bar, ...]


@dataclass(frozen=True)
class Figures:
    """`learned_from` is empty, and `scorings` too, where the card does not tell."""

    version: ModelVersion
    threshold: float
    learned_from: str
    votes: str
    faces: int | None
    scorings: tuple[Scoring, ...]

    @property
    def unknown(self) -> str:
        """A sentence about labels that came after the model; empty where there are none."""
        return say_unknown(unknown_labels(self.version))

    @property
    def id(self) -> str:
        """Where on the page they are."""
        label_set = self.version.label_set
        return "model" if label_set.is_default else f"model-{label_set.slug}"


def figures_of_active(label_set_slug: str) -> Figures | None:
    """None where no model is active."""
    active = ModelVersion.objects.filter(label_set__slug=label_set_slug, active=True)
    version = active.prefetch_related("label_set__labels").first()
    return figures_of(version) if version else None


def figures_of(version: ModelVersion) -> Figures:
    dataset = mapping(version.card.get("dataset"))
    labels = list(version.label_set.labels.all())
    return Figures(
        version=version,
        threshold=version.card["threshold"],
        learned_from=text(dataset.get("name")),
        votes=text(dataset.get("votes")),
        faces=count(dataset.get("faces")),
        scorings=tuple(scorings_of(version, labels)),
    )


def scorings_of(version: ModelVersion, labels: Iterable[Label] = ()) -> Iterable[Scoring]:
    """`labels`: those that the recalls are wanted of. Makes no query."""
    for name, said in mapping(version.card.get("metrics")).items():
        measured = mapping(said)
        accuracy = share(measured.get("accuracy"))
        if accuracy is None:
            continue
        low, high = interval(measured.get("accuracy_95"))
        recall = mapping(measured.get("recall"))
        shares = [(label, share(recall.get(label.slug))) for label in labels]
        recalls = tuple(Bar(label, found) for label, found in shares if found is not None)
        yield Scoring(name, count(measured.get("faces")), accuracy, low, high, recalls)
