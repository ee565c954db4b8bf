"""Which labels look wrong: confident learning over predictions of models that never saw the example.

Northcutt et al., "Confident Learning: Estimating Uncertainty in Dataset Labels", JAIR 2021, by cleanlab.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from django.db import transaction
from numpy.typing import NDArray

from classifier.models import LabelSet

from .exporting import silent
from .import_plan import Progress
from .models import Example, ExampleQuerySet
from .neighbours import SIDE, Fingerprint, decode

FOLDS = 5
COMPONENTS = 100
ROWS_AT_ONCE = 500


class TooFewError(ValueError):
    """The dataset is too small to say which of its labels look wrong."""


@dataclass(frozen=True)
class _Labelled:
    """ids: (N,). features: (N, F) float32. labels: (N,) from 0 to K - 1. groups: (N,)."""

    ids: NDArray[np.int64]
    features: NDArray[np.float32]
    labels: NDArray[np.int64]
    groups: NDArray[np.str_]


def mark_doubtful(label_set: LabelSet, progress: Progress = silent) -> int:
    """Give each example whose label looks wrong its suspicion, take it from all others; returns how many.

    Labels with fewer than FOLDS groups are not judged. Raises TooFewError where fewer than two are left.
    """
    judged = _collect(label_set, progress)
    progress("Judging", 0, None)
    suspicions = _suspicions(judged)
    doubtful = {int(pk): float(much) for pk, much in zip(judged.ids, suspicions, strict=True) if much >= 0}
    _keep(label_set, doubtful)
    return len(doubtful)


def _collect(label_set: LabelSet, progress: Progress) -> _Labelled:
    ids, labels, groups, features = [], [], [], []
    kept = Example.objects.kept().filter(label_set=label_set)
    total = kept.count()
    for example in _batches(kept):
        ids.append(example.pk)
        labels.append(example.label_id)
        groups.append(example.group)
        features.append(np.ravel(_HOG.compute(Fingerprint.of(decode(bytes(example.crop))).gray)))
        progress("Reading", len(ids), total)
    told = _Labelled(np.array(ids), np.array(features, np.float32), np.array(labels), np.array(groups))
    return _only_common_labels(told, label_set)


def _batches(kept: ExampleQuerySet) -> Iterator[Example]:
    last = 0
    while batch := list(
        kept.filter(pk__gt=last).order_by("pk").only("crop", "label_id", "group")[:ROWS_AT_ONCE]
    ):
        yield from batch
        last = batch[-1].pk


def _only_common_labels(told: _Labelled, label_set: LabelSet) -> _Labelled:
    groups_of = {label: len(np.unique(told.groups[told.labels == label])) for label in np.unique(told.labels)}
    common = [label for label, groups in groups_of.items() if groups >= FOLDS]
    if len(common) < 2:
        raise TooFewError(
            f"Before wrong labels can be told, at least two labels of {label_set.slug} need {FOLDS} "
            "different examples each."
        )
    chosen = np.isin(told.labels, common)
    places = np.searchsorted(common, told.labels[chosen])
    return _Labelled(told.ids[chosen], told.features[chosen], places, told.groups[chosen])


def _suspicions(judged: _Labelled) -> NDArray[np.float64]:
    """(N,) from 0 to 1 where the label looks wrong, -1 elsewhere."""
    from cleanlab.filter import find_label_issues
    from cleanlab.rank import get_label_quality_scores

    probabilities = _out_of_sample(judged)
    issues = find_label_issues(judged.labels, probabilities, filter_by="both", n_jobs=1)
    quality = get_label_quality_scores(judged.labels, probabilities)
    return np.where(issues, 1 - quality, -1.0)


def _out_of_sample(judged: _Labelled) -> NDArray[np.float64]:
    """(N, K): each row by a model that saw neither the example nor anything of its group."""
    from sklearn.decomposition import PCA
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedGroupKFold, cross_val_predict
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    components = min(COMPONENTS, judged.features.shape[1], len(judged.ids) // 2)
    model = make_pipeline(PCA(components, random_state=0), StandardScaler(), LogisticRegression(max_iter=200))
    folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=0)
    told: NDArray[np.float64] = cross_val_predict(
        model, judged.features, judged.labels, groups=judged.groups, cv=folds, method="predict_proba"
    )
    return told


@transaction.atomic
def _keep(label_set: LabelSet, doubtful: dict[int, float]) -> None:
    Example.objects.filter(label_set=label_set, suspicion__isnull=False).update(suspicion=None)
    examples = [Example(pk=pk, suspicion=much) for pk, much in doubtful.items()]
    Example.objects.bulk_update(examples, ["suspicion"], batch_size=ROWS_AT_ONCE)


_HOG = cv2.HOGDescriptor((SIDE, SIDE), (16, 16), (8, 8), (8, 8), 9)
