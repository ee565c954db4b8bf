"""Few examples: the features are chosen, and what is served sees what was learned from."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import softmax

from classifier.ml import small_sets
from classifier.ml.artifact import ArtifactError
from classifier.ml.dataset import FaceSet
from classifier.ml.pipeline_graph import scores_of
from classifier.ml.preprocessing import Preprocessing
from classifier.ml.runtime import Classifier
from classifier.ml.small_sets import FAMILIES, FEATURES, Cell, Found

NAMES = ("ada", "björn", "carla")


def picture(seed: int, *, tint: int | None = None, bar: int | None = None) -> NDArray[np.uint8]:
    """Noise in RGB: a person has a colour and the same gray, or a bright bar at a height of their own."""
    rng = np.random.default_rng(seed)
    pixels = rng.normal(110, 25, (112, 112, 1)).repeat(3, axis=2) + rng.normal(0, 4, (112, 112, 3))
    if tint is not None:
        # As bright in gray, by the weights of ITU-R BT.601.
        pixels += [(40, -20, -2), (-40, 20, 2), (-10, -5, 52)][tint]
    if bar is not None:
        pixels[20 + 30 * bar : 32 + 30 * bar] += 90
    return pixels.clip(0, 255).astype(np.uint8)


def faces(count: int, *, names: tuple[str, ...] = NAMES, first: int = 0, **how: bool) -> FaceSet:
    """`count` of each name, told apart by those of tint and bar that are given."""
    labels = np.arange(count * len(names)) % len(names)
    crops = np.empty(len(labels), np.object_)
    crops[:] = [
        picture(first + number, **{name: int(label) for name in how}) for number, label in enumerate(labels)
    ]
    votes = np.zeros((len(labels), len(names)), np.float32)
    return FaceSet(Preprocessing().gray(crops), labels, votes, names, stored=crops)


def alone(faces: FaceSet) -> NDArray[np.str_]:
    return np.arange(len(faces)).astype(str)


def searched(learn: FaceSet, cell: Cell, *, temperature: float = 0.5) -> Found:
    answers = np.eye(len(learn.names), dtype=np.float32)[learn.labels]
    return Found(cell, [], np.arange(len(learn)), answers, temperature)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("features", FEATURES)
def test_what_is_served_answers_as_what_was_learned(features: str, family: str) -> None:
    learn, unseen = faces(8, bar=True, tint=True), faces(4, first=500, bar=True, tint=True)
    parameters = {"gamma": 0.5} if family == "svm" else {}
    found = searched(learn, Cell(features, family, parameters))
    pipeline = small_sets.fit(found, learn)
    artifact, card = small_sets.build_artifact(pipeline, found, learn, label_set="people")
    rows, _mirrored = small_sets.both_sides(unseen)
    scores = scores_of(pipeline["classifier"], pipeline["embedding"].transform(rows))
    answers = Classifier.load(artifact, card).predict(unseen.crops)
    # In 8 bits a number may fall on the other side of what some of the 100 trees ask.
    atol = 0.05 if family == "forest" else 0.03
    np.testing.assert_allclose(answers, softmax(scores / found.temperature, axis=1), atol=atol)
    assert card["estimator"] == family
    assert card["labels"] == list(NAMES)


def test_people_who_differ_in_colour_alone_are_told_by_colours() -> None:
    learn = faces(10, tint=True)
    found = small_sets.search(learn, alone(learn), families=["svm"])
    assert "colors" in FEATURES[found.cell.features]
    best = {row["features"]: row["accuracy"] for row in reversed(found.table)}
    assert best[found.cell.features] > 0.9
    assert best["HOG"] < 0.7, "which sees gray: chance is 0.33"


def test_each_face_is_answered_by_what_has_not_seen_its_group() -> None:
    """Labels at random, and each face there is four times: only who has seen its copies could tell."""
    once = faces(12, names=NAMES[:2], bar=False)
    rng = np.random.default_rng(0)
    places = np.repeat(np.arange(len(once)), 4)
    copies = once.take(places)
    shuffled = FaceSet(
        copies.images,
        np.repeat(rng.permutation(once.labels), 4),
        copies.votes,
        copies.names,
        stored=copies.stored,
    )
    found = small_sets.search(shuffled, places.astype(str), families=["svm"])
    assert (found.answers.argmax(axis=1) == shuffled.labels).mean() < 0.8
    leaking = small_sets.search(shuffled, alone(shuffled), families=["svm"])
    assert (leaking.answers.argmax(axis=1) == shuffled.labels).mean() > 0.95


def test_what_is_chosen_by_chance_is_not_taken_for_good() -> None:
    """Labels at random: the best of 30 is right more often than half the time, and what is told is not."""
    noise = faces(20, names=NAMES[:2])
    best, told = [], []
    for seed in range(3):
        labels = np.random.default_rng(seed).permutation(noise.labels)
        drawn = FaceSet(noise.images, labels, noise.votes, noise.names, stored=noise.stored)
        found = small_sets.search(drawn, alone(drawn), families=["svm", "logistic"], seed=seed)
        best.append(found.table[0]["accuracy"])
        told.append((found.answers.argmax(axis=1) == labels).mean())
    assert np.mean(best) > 0.57
    assert np.mean(told) < 0.56


def test_two_labels_and_gray_crops_of_another_size_are_enough() -> None:
    colored = faces(8, names=NAMES[:2], bar=True)
    assert colored.stored is not None
    colored.stored[:] = list(Preprocessing().gray(colored.crops))
    found = small_sets.search(colored, alone(colored), families=tuple(FAMILIES))
    assert found.table[0]["accuracy"] == 1
    assert len(found.table) == len(FEATURES) * 6
    pipeline = small_sets.fit(found, colored)
    artifact, card = small_sets.build_artifact(pipeline, found, colored, label_set="two")
    answers = Classifier.load(artifact, card).predict(faces(5, names=NAMES[:2], bar=True, first=900).crops)
    np.testing.assert_array_equal(answers.argmax(axis=1), np.arange(10) % 2)
    assert card["calibration"]["by"] == "cross-validation"


def test_a_card_whose_features_nobody_knows_is_refused() -> None:
    learn = faces(4, bar=True)
    found = searched(learn, Cell("HOG", "svm", {}))
    artifact, card = small_sets.build_artifact(small_sets.fit(found, learn), found, learn, label_set="x")
    with pytest.raises(ArtifactError, match="not known here"):
        Classifier.load(artifact, card | {"preprocessing": card["preprocessing"] | {"features": ["iris"]}})
