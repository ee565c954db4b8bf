"""A few dozen pictures of each label: what a classifier is to see of them is chosen, too.

Every kind of features with every classifier is measured by cross-validation, with each face and its mirror
image to learn from. The answers for faces that were left out calibrate the best, and say how good it is: to
hold faces back for that would cost more than it tells.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

import numpy as np
from joblib import Parallel, delayed
from numpy.typing import NDArray
from scipy.special import log_softmax, softmax
from sklearn.base import ClassifierMixin, clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import ParameterGrid, StratifiedGroupKFold
from sklearn.pipeline import Pipeline
from threadpoolctl import threadpool_limits

from . import artifact as artifacts
from .calibration import choose_threshold, fit_temperature
from .crop_embedding import (
    PARTS,
    CropEmbedding,
    Rows,
    describe,
    part_of,
    principal,
    project,
    side_by_side,
)
from .dataset import FaceSet
from .model_card import serving_card
from .pipeline_graph import export_onnx, scores_of
from .progress import Tell, silent
from .search import Row, computing, in_words, some
from .support_vectors import SupportVectorMachine

FOLDS = 5
SEARCHED = 1000
"""Faces that the choice is made by, at most: beyond that it takes minutes, and comes out the same."""
COMPONENTS = 150

FEATURES: dict[str, tuple[str, ...]] = {
    "pixels and wavelets": ("colors", "haar"),
    "HOG": ("hog",),
    "network embedding": ("embedding",),
    "network maps": ("maps", "deep maps"),
    "maps and colours": ("maps", "deep maps", "colors"),
    "everything": PARTS,
}
"""What is tried. On the few people who are often in the photographs at hand, the maps with colours are right
where pixels and wavelets fail half the time; on expressions, so is the embedding."""

FAMILIES: dict[str, ClassifierMixin] = {
    "svm": SupportVectorMachine(),
    "logistic": LogisticRegression(max_iter=300),
    "forest": RandomForestClassifier(n_estimators=100, random_state=0, n_jobs=-1),
}
GRIDS: dict[str, dict[str, dict[str, list[Any]]]] = {
    "small": {
        "svm": {"C": [1.0, 10.0], "gamma": [None, 0.5]},
        "logistic": {"C": [30.0]},
        "forest": {"min_samples_leaf": [1]},
    },
    "full": {
        "svm": {"C": [0.3, 1.0, 3.0, 10.0, 30.0], "gamma": [None, 0.25, 0.5, 1.0]},
        "logistic": {"C": [3.0, 10.0, 30.0, 100.0]},
        "forest": {"min_samples_leaf": [1, 3], "max_features": ["sqrt", 0.3]},
    },
}
LINES = 5
# Of a class that a fold had nothing to learn of.
NEVER = -20.0
Fold = tuple[NDArray[np.int64], NDArray[np.int64]]
"""The places of the faces to learn from, and of those that are left out."""
Scored = tuple[int, NDArray[np.int64], NDArray[np.int64], Rows]
"""A cell's number, the places of the faces that were left out, the classes that it knows, its scores."""


@dataclass(frozen=True)
class Cell:
    features: str
    family: str
    parameters: dict[str, Any]

    @property
    def classifier(self) -> ClassifierMixin:
        return clone(FAMILIES[self.family]).set_params(**self.parameters)


@dataclass(frozen=True)
class Found:
    """The best cell, and the temperature of its scores.

    table: as of `search.search`, with `features` in a row. chosen: the places of the faces searched. answers:
    (N, K) probabilities for them, each by a classifier that had not seen it: of the cell, and at the
    temperature, that are best on the other folds. The best cell's own would be too good, since it was chosen
    by these faces: Varma and Simon, "Bias in Error Estimation When Using Cross-Validation for Model
    Selection", BMC Bioinformatics 7, 2006.
    """

    cell: Cell
    table: list[Row]
    chosen: NDArray[np.int64]
    answers: NDArray[np.float32]
    temperature: float


def search(
    faces: FaceSet,
    groups: NDArray[np.str_],
    *,
    families: Sequence[str],
    grid: str = "small",
    seed: int = 0,
    dask: str | None = None,
    tell: Tell = silent,
) -> Found:
    """The most accurate by cross-validation, and of those the one with the least log-loss.

    groups: (N,), faces of one group are never on two sides. dask: the address of a cluster to compute on;
    there each fold is one piece of work.
    """
    chosen = some(faces.labels, at_most=SEARCHED, seed=seed)
    few, own = faces.take(chosen), groups[chosen]
    cells = list(_cells(families, grid))
    rows, mirrored = both_sides(few)
    folds = _folds(few.labels, own, seed=seed)
    scores = np.full((len(cells), len(few), len(few.names)), NEVER, np.float32)
    tell(stage="search", done=0, total=len(folds) * len(cells))
    done = 0
    for number, left, classes, told in _scores(cells, rows, mirrored, few.labels, folds, dask=dask):
        scores[number][np.ix_(left, classes)] = told
        done += 1
        tell(stage="search", done=done, total=len(folds) * len(cells))
    unseen = [left for _learn, left in folds]
    best, temperature = _choose(scores, few.labels, unseen)
    answers = np.zeros(scores.shape[1:], np.float32)
    for number, left in enumerate(unseen):
        cell, heat = _choose(scores, few.labels, unseen[:number] + unseen[number + 1 :])
        answers[left] = softmax(scores[cell, left] / heat, axis=1)
    rows_told = [_row(cell, answer, few.labels, unseen) for cell, answer in zip(cells, scores, strict=True)]
    table = [rows_told.pop(best), *sorted(rows_told, key=lambda row: -row["accuracy"])]
    for row in table[:LINES]:
        tell(log=in_words(row))
    tell(stage="search", done=done, total=done, score=table[0]["accuracy"])
    return Found(cells[best], table, chosen, answers, temperature)


def _choose(
    scores: NDArray[np.float32], labels: NDArray[np.int64], unseen: Sequence[NDArray[np.int64]]
) -> tuple[int, float]:
    """The cell that is best on these folds, and the temperature of its scores.

    scores: (cells, N, K). unseen: the places of each fold's faces.
    """
    right = scores.argmax(axis=2) == labels
    accuracy = np.mean([right[:, left].mean(axis=1) for left in unseen], axis=0).round(4)
    places = np.concatenate(unseen)
    best = []
    for cell in np.flatnonzero(accuracy == accuracy.max()).tolist():
        temperature = fit_temperature(scores[cell, places], labels[places])
        told = log_softmax(scores[cell, places] / temperature, axis=1)
        best.append((-float(told[np.arange(len(places)), labels[places]].mean()), cell, temperature))
    return min(best)[1:]


def both_sides(faces: FaceSet) -> tuple[Rows, Rows]:
    """What `describe` gives of the faces, and of their mirror images."""
    crops = list(faces.crops)
    return describe(crops), describe([np.ascontiguousarray(crop[:, ::-1]) for crop in crops])


def fit(found: Found, faces: FaceSet) -> Pipeline:
    """The best cell, learned from all the faces and their mirror images."""
    pipeline = Pipeline(
        [
            ("embedding", CropEmbedding(FEATURES[found.cell.features], COMPONENTS)),
            ("classifier", found.cell.classifier),
        ]
    )
    with threadpool_limits(1):
        fitted: Pipeline = pipeline.fit(np.concatenate(both_sides(faces)), np.tile(faces.labels, 2))
    return fitted


def build_artifact(
    pipeline: Pipeline, found: Found, faces: FaceSet, *, label_set: str
) -> tuple[bytes, dict[str, Any]]:
    """faces: those that were searched, as `found.chosen` names them.

    The calibration and the threshold are by the answers of the search.
    """
    graph = export_onnx(pipeline, temperature=found.temperature)
    artifact = artifacts.with_labels(graph, faces.names)
    preprocessing = pipeline["embedding"].preprocessing
    card = serving_card(
        artifact,
        label_set=label_set,
        labels=faces.names,
        estimator=found.cell.family,
        preprocessing=preprocessing,
    )
    card["threshold"] = choose_threshold(found.answers, faces.labels)
    card["calibration"] |= {
        "temperature": round(found.temperature, 4),
        "faces": len(faces),
        "by": "cross-validation",
    }
    card["input"] = {"shape": [None, preprocessing.width], "dtype": "float32"}
    return artifact, card


def _cells(families: Sequence[str], grid: str) -> Iterator[Cell]:
    for features in FEATURES:
        for family in families:
            for parameters in ParameterGrid(GRIDS[grid][family]):
                yield Cell(features, family, parameters)


def _folds(labels: NDArray[np.int64], groups: NDArray[np.str_], *, seed: int) -> list[Fold]:
    """FOLDS, or as many as the rarest label has groups: each is left out once."""
    rarest = min(len(np.unique(groups[labels == label])) for label in np.unique(labels))
    count = max(2, min(FOLDS, rarest))
    splitter = StratifiedGroupKFold(count, shuffle=True, random_state=seed)
    return list(splitter.split(labels, labels, groups))


def _scores(
    cells: Sequence[Cell],
    rows: Rows,
    mirrored: Rows,
    labels: NDArray[np.int64],
    folds: Sequence[Fold],
    *,
    dask: str | None,
) -> Iterator[Scored]:
    if dask is None:
        for fold in folds:
            yield from _fold(cells, rows, mirrored, labels, fold)
        return
    with computing(dask):
        found = Parallel()(delayed(_whole_fold)(cells, rows, mirrored, labels, fold) for fold in folds)
    yield from chain.from_iterable(found)


def _whole_fold(
    cells: Sequence[Cell], rows: Rows, mirrored: Rows, labels: NDArray[np.int64], fold: Fold
) -> list[Scored]:
    return list(_fold(cells, rows, mirrored, labels, fold))


def _fold(
    cells: Sequence[Cell], rows: Rows, mirrored: Rows, labels: NDArray[np.int64], fold: Fold
) -> Iterator[Scored]:
    learn, left = fold
    known = np.concatenate([rows[learn], mirrored[learn]])
    y = np.tile(labels[learn], 2)
    # Of matrices as small as these each thread waits for the others most of the time.
    with threadpool_limits(1):
        projected = {part: _projected(part_of(known, part), part_of(rows[left], part)) for part in PARTS}
        for features, parts in FEATURES.items():
            X, unseen = (side_by_side([projected[part][side] for part in parts]) for side in (0, 1))
            for number, cell in enumerate(cells):
                if cell.features == features:
                    classifier = cell.classifier.fit(X, y)
                    yield number, left, classifier.classes_, scores_of(classifier, unseen)


def _projected(known: Rows, unseen: Rows) -> tuple[Rows, Rows]:
    projection = principal(known, COMPONENTS)
    return project(known, projection), project(unseen, projection)


def _row(
    cell: Cell,
    answer: Rows,
    labels: NDArray[np.int64],
    unseen: Sequence[NDArray[np.int64]],
) -> Row:
    right = answer.argmax(axis=1) == labels
    shares = [right[left].mean() for left in unseen]
    return {
        "features": cell.features,
        "estimator": cell.family,
        "parameters": cell.parameters,
        "accuracy": round(float(np.mean(shares)), 4),
        "deviation": round(float(np.std(shares)), 4),
    }
