"""What the gate lets through of many simulated trainings, as a site's own limits stand."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from labeling.gate import Limits, Verdict, judge
from tests.answers import AS_FER2013, EXPRESSIONS, Faces, misread

RUNS = 200
EVEN = np.full(7, 1 / 7)
TWO = np.array([0.5, 0.5])
# As `Faces.answers` takes it: 66 of 100 read rightly are 1.65.
BETTER_BY_5, FAR_BETTER = 1.84, 2.3


def judged(faces: Faces, candidate: np.ndarray, champion: np.ndarray) -> Verdict:
    names = EXPRESSIONS[: len(faces.shares)]
    return judge(faces.labels, candidate, champion, names=names, latency_ms=1.0, limits=Limits())


def runs(count: int, shares: np.ndarray) -> Iterator[tuple[np.random.Generator, Faces]]:
    for seed in range(RUNS):
        rng = np.random.default_rng(seed)
        yield rng, Faces.drawn(rng, count, shares)


@pytest.mark.parametrize(("count", "shares"), [(400, EVEN), (1000, EVEN), (1000, TWO), (3500, AS_FER2013)])
def test_a_training_that_only_changes_the_seed_is_promoted_in_at_most_5_of_100_runs(
    count: int, shares: np.ndarray
) -> None:
    promoted = sum(
        judged(faces, faces.answers(rng), faces.answers(rng)).passed for rng, faces in runs(count, shares)
    )
    assert promoted <= 0.05 * RUNS, promoted


def with_a_fall(candidate: np.ndarray, champion: np.ndarray, faces: Faces, label: int) -> np.ndarray | None:
    """The candidate's answers, but its recall of `label` is at least 10 points under the champion's.

    None where the champion itself reads fewer than one in ten of them, or there are none.
    """
    ours, theirs = (
        np.flatnonzero((faces.labels == label) & (answers.argmax(axis=1) == faces.labels))
        for answers in (candidate, champion)
    )
    fall = int(np.ceil(0.1 * (faces.labels == label).sum()))
    if not fall or len(theirs) < fall:
        return None
    return misread(candidate, ours[: max(len(ours) - len(theirs) + fall, 0)])


@pytest.mark.parametrize(
    ("count", "shares"), [(120, EVEN), (400, AS_FER2013), (1000, TWO), (3500, AS_FER2013)]
)
def test_a_fall_of_10_points_in_one_labels_recall_is_always_refused(count: int, shares: np.ndarray) -> None:
    """However much better the candidate is at all the rest."""
    tried = 0
    for rng, faces in runs(count, shares):
        champion, better = faces.answers(rng), faces.answers(rng, skill=FAR_BETTER)
        for label in (0, 1, len(shares) - 1):
            fallen = with_a_fall(better, champion, faces, label)
            if fallen is not None:
                tried += 1
                assert "recall" in [rule.name for rule in judged(faces, fallen, champion).refused_by]
    assert tried > 2 * RUNS


def worse_at(label: int, *, otherwise: float) -> np.ndarray:
    """A skill for each label, by which the recall of `label` is 10 points lower than the champion's."""
    skill = np.full(7, otherwise)
    skill[label] = {0: 1.35, 3: 1.28}[label]
    return skill


@pytest.mark.parametrize("label", [0, 3])
def test_so_is_every_seed_whose_recall_is_10_points_lower_on_all_faces_that_there_are(label: int) -> None:
    for count, shares in ((1000, EVEN), (3500, AS_FER2013)):
        for rng, faces in runs(count, shares):
            worse = faces.answers(rng, skill=worse_at(label, otherwise=1.65))
            assert not judged(faces, worse, faces.answers(rng)).passed


@pytest.mark.parametrize("label", [0, 3])
def test_what_is_5_points_better_at_all_the_rest_hides_it_from_450_test_faces_in_5_of_100_runs_at_most(
    label: int,
) -> None:
    skill = worse_at(label, otherwise=BETTER_BY_5)
    promoted = sum(
        judged(faces, faces.answers(rng, skill=skill), faces.answers(rng)).passed
        for rng, faces in runs(3500, AS_FER2013)
    )
    assert promoted <= 0.05 * RUNS


def test_a_model_that_is_5_points_better_is_mostly_promoted_where_there_are_enough_faces() -> None:
    promoted = sum(
        judged(faces, faces.answers(rng, skill=BETTER_BY_5), faces.answers(rng)).passed
        for rng, faces in runs(3500, AS_FER2013)
    )
    assert promoted > 0.75 * RUNS
