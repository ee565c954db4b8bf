"""What a training run is asked to do, and whether it can be begun at all. Nothing here changes anything."""

from __future__ import annotations

import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from django.db.models import Count

from classifier.label_sets import unknown_labels
from classifier.ml.artifact import ArtifactError
from classifier.ml.frozen import FEW, FOLDS, needs_all
from classifier.ml.runtime import Classifier
from classifier.models import LabelSet, ModelVersion
from classifier.serving import read_artifact

from .models import Example, Split, TrainingRun

Estimator = TrainingRun.Estimator
Counts = Mapping[str, Mapping[str, int]]

NETWORKS = (Estimator.CNN, Estimator.AUTO)
"""What a CNN may come of."""
STARTS = ("scratch", "active")
GRIDS = ("small", "full")
DASK_ANSWERS_IN_S = 3.0
ENOUGH_FOR_SCRATCH = 5000
"""With fewer training examples a network goes on from the active one unless told otherwise.

On FER2013 (28,709 faces) a network from scratch learns to read faces; a sixth of that taught it less than the
bundled one knows already.
"""
MOST_EPOCHS = 1000


class RunRefusedError(ValueError):
    """The run can't be begun; `str(error)` is a sentence that says why."""


class NothingToTrainError(RunRefusedError):
    """The examples don't make a dataset that a model can learn from and be measured by."""


@dataclass(frozen=True, kw_only=True)
class Asked:
    """A run as somebody asks for it. `start` is empty where the size of the dataset is to decide."""

    label_set: LabelSet
    estimator: str
    start: str = ""
    epochs: int | None = None
    grid: str = "small"
    seed: int = 0
    dask: str = ""
    no_promote: bool = False
    force: bool = False
    reason: str = ""


@dataclass(frozen=True)
class Plan:
    """What would be done. `counts`: the examples of each label in each split."""

    asked: Asked
    start: str
    counts: Counts
    champion: ModelVersion | None

    @property
    def parameters(self) -> dict[str, Any]:
        asked = self.asked
        return {
            "start": self.start,
            "epochs": asked.epochs,
            "grid": asked.grid,
            "seed": asked.seed,
            "dask": asked.dask,
            "no_promote": asked.no_promote,
            "force": asked.force,
            "reason": asked.reason,
        }

    @property
    def chooses_features(self) -> bool:
        """Whether there are so few examples that these are chosen, too."""
        few = sum(sum(labels.values()) for labels in self.counts.values()) <= FEW
        return few and self.asked.estimator != Estimator.CNN

    def size_of(self, split: str) -> int:
        return sum(self.counts.get(split, {}).values())


def plan_run(asked: Asked) -> Plan:
    """Raises RunRefusedError, and NothingToTrainError of its kinds."""
    _check_words(asked)
    champion = ModelVersion.objects.filter(label_set=asked.label_set, active=True).first()
    counts = count_examples(asked.label_set)
    start = _start(asked, counts, champion)
    labels = list(asked.label_set.labels.values_list("slug", flat=True))
    check_counts(counts, labels, asked.label_set.slug, needs_all=needs_all(asked.estimator, start))
    if champion:
        _check_champion(champion)
    return Plan(asked, start, counts, champion)


def count_examples(label_set: LabelSet) -> Counts:
    kept = Example.objects.kept().filter(label_set=label_set).order_by()
    counted: dict[str, dict[str, int]] = {}
    for split, label, number in kept.values_list("split", "label__slug").annotate(Count("pk")):
        counted.setdefault(split, {})[label] = number
    return counted


def check_counts(counts: Counts, labels: Sequence[str], name: str, *, needs_all: bool) -> None:
    """Raises NothingToTrainError."""
    train, test = (counts.get(split, {}) for split in (Split.TRAIN, Split.TEST))
    if not any(sum(split.values()) for split in counts.values()):
        raise NothingToTrainError(f"The dataset of {name} has no examples yet.")
    if len(train) < 2:
        found = f"show one label, {next(iter(train))}" if train else "are none"
        raise NothingToTrainError(
            f"The training examples of {name} {found}: there is nothing to tell apart. At least two labels "
            "need some."
        )
    few = [label for label in labels if train.get(label, 0) < FOLDS]
    if few and needs_all:
        raise NothingToTrainError(_say_few(few, counts))
    if not test:
        raise NothingToTrainError(
            f"The dataset of {name} has no test split: no example is in it, so nothing could be measured."
        )


def _say_few(few: Sequence[str], counts: Counts) -> str:
    """Which labels have too few training examples, and what can be done about it."""
    told = []
    for label in few:
        train = counts.get(Split.TRAIN, {}).get(label, 0)
        others = sum(split.get(label, 0) for split in counts.values()) - train
        kept = f" ({others} more for validation and test)" if others else ""
        told.append(f"{label} has {train}{kept}")
    return (
        f"Too few training examples: {', '.join(told)}. Each label needs at least {FOLDS}, one for each fold "
        "of the cross-validation: import or review more of these, or remove a label that nothing is about "
        "from the label set."
    )


def _check_words(asked: Asked) -> None:
    for what, word, known in (
        ("estimator", asked.estimator, Estimator.values),
        ("start", asked.start, ("", *STARTS)),
        ("grid", asked.grid, GRIDS),
    ):
        if word not in known:
            raise RunRefusedError(
                f"There is no {what} {word!r}. There are: {', '.join(filter(None, known))}."
            )
    if asked.epochs is not None and not 1 <= asked.epochs <= MOST_EPOCHS:
        raise RunRefusedError(f"Epochs are 1 to {MOST_EPOCHS}; {asked.epochs} is none of these.")
    if asked.epochs is not None and asked.estimator not in (Estimator.CNN, Estimator.AUTO):
        raise RunRefusedError("Epochs (--epochs) are of a CNN; other estimators have none.")
    if not 0 <= asked.seed < 2**32:
        raise RunRefusedError(f"A seed is a whole number from 0 to {2**32 - 1}; {asked.seed} is none.")
    if asked.dask:
        _check_dask(asked)
    if asked.force and not asked.reason.strip():
        raise RunRefusedError("To promote whatever the gate says (--force), say why: --reason “…”.")
    if asked.reason and not asked.force:
        raise RunRefusedError("A reason (--reason) is kept for what is forced: it needs --force beside it.")
    if asked.force and asked.no_promote:
        raise RunRefusedError("--force promotes and --no-promote does not: choose one.")


def _check_dask(asked: Asked) -> None:
    if not asked.dask.startswith(("tcp://", "tls://")):
        raise RunRefusedError(f"A Dask address begins with tcp:// or tls://; {asked.dask!r} does not.")
    if asked.estimator == Estimator.CNN:
        raise RunRefusedError(
            "A Dask cluster searches the grid of the other estimators (--dask): a CNN has none."
        )
    try:
        place = urlsplit(asked.dask)
        socket.create_connection((place.hostname, place.port or 0), DASK_ANSWERS_IN_S).close()
    except (OSError, ValueError) as error:
        raise RunRefusedError(f"No Dask scheduler answers at {asked.dask}: {error}.") from error


def _check_champion(champion: ModelVersion) -> None:
    """A candidate that could be compared with nothing would pass too easily."""
    try:
        Classifier.load(read_artifact(champion), champion.card)
    except ArtifactError as error:
        raise RunRefusedError(
            f"The active version, {champion}, can't be loaded to compare with: {error} Promote another first."
        ) from error


def _start(asked: Asked, counts: Counts, champion: ModelVersion | None) -> str:
    if asked.start == "active":
        if asked.estimator not in NETWORKS:
            raise RunRefusedError(
                f"Only a CNN can go on from the active one (--from-active): not {asked.estimator}."
            )
        check_goes_on(champion)
    if asked.start:
        return asked.start
    has_network = champion is not None and _goes_on(champion)
    small = sum(counts.get(Split.TRAIN, {}).values()) < ENOUGH_FOR_SCRATCH
    return "active" if asked.estimator in NETWORKS and has_network and small else "scratch"


def check_goes_on(champion: ModelVersion | None) -> None:
    """Raises RunRefusedError unless a network can go on from this one (--from-active)."""
    if champion is None or champion.estimator != Estimator.CNN:
        active = f"the active version is {champion}" if champion else "no version is active"
        raise RunRefusedError(f"There is no active CNN to go on from (--from-active): {active}.")
    if not _goes_on(champion):
        names = ", ".join(f"“{label}”" for label in unknown_labels(champion))
        raise RunRefusedError(
            f"{champion} does not know {names}: its last layer has no place for what came later. Train from "
            "scratch (--from-scratch)."
        )


def _goes_on(champion: ModelVersion) -> bool:
    return champion.estimator == Estimator.CNN and not unknown_labels(champion)
