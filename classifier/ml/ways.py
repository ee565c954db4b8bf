"""The ways to train on a dataset: each chooses by cross-validation, then trains what it has chosen."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import artifact as artifacts
from .dataset import FaceSet
from .fine_tuning import choose_worth, fine_tune, worth_told
from .frozen import FOLDS
from .preprocessing import Preprocessing
from .progress import Tell
from .search import FAMILIES, ClusterError, search, some

MANY, SMALL_CODEBOOK = 5000, 48
# Faces by which it is chosen how much the earlier ones count, at most.
CHOSEN_BY = 4000


class RefusedError(Exception):
    """Nothing can be trained on this; `reason` is one of empty, one_class, too_few, no_test, unknown."""

    def __init__(self, reason: str, sentence: str) -> None:
        super().__init__(sentence)
        self.reason = reason


@dataclass(frozen=True)
class Request:
    """What is asked: see `manage.py retrain`. examples, active: paths; labels: the set's, in order.

    estimator: one of FAMILIES, "cnn" or "auto". start: "active" teaches the last layer of the active CNN.
    purpose: what for, where the labels are people. learned: the dataset that the active version learned from.
    """

    examples: str
    label_set: str
    labels: list[str]
    estimator: str
    start: str = "scratch"
    active: str | None = None
    epochs: int | None = None
    grid: str = "small"
    seed: int = 0
    dask: str | None = None
    purpose: str = ""
    learned: str | None = None


@dataclass(frozen=True)
class Material:
    """known: all that is not for testing. Of few examples (see `frozen.FEW`) it is for all, but for a CNN.

    choosing: for cross-validation, the training split. learning: what is learned from in the end, training
    and validation split less what is held for calibration, a share (0 to 1) of both.
    """

    few: bool
    known: FaceSet
    known_groups: NDArray[np.str_]
    known_digests: NDArray[np.str_]
    choosing: FaceSet
    choosing_groups: NDArray[np.str_]
    learning: FaceSet
    held: FaceSet

    @property
    def held_share(self) -> float:
        return round(len(self.held) / len(self.known), 4)


@dataclass(frozen=True)
class LeftOut:
    """What was answered in cross-validation for faces that had been left out: (N, K) float32."""

    faces: FaceSet
    digests: NDArray[np.str_]
    answers: NDArray[np.float32]


@dataclass(frozen=True)
class Trained:
    artifact: bytes
    card: dict[str, Any]
    parameters: dict[str, Any]
    cross_validation: list[dict[str, Any]]
    left_out: LeftOut | None = None


def train(request: Request, material: Material, *, folder: Path, tell: Tell) -> Trained:
    """The family that was asked for; of "auto", the one that is best by cross-validation."""
    network = _network(request, material, folder)
    if network and request.estimator == "cnn":
        return network.train(material, tell=tell)
    families = tuple(FAMILIES) if request.estimator == "auto" else (request.estimator,)
    others = _ChosenFeatures(request) if material.few else _DenseWords(request, material)
    try:
        table = others.search(families, material, tell=tell)
    except ClusterError as error:
        raise RefusedError("unknown", str(error)) from error
    if network:
        row = network.cross_validate(material, tell=tell)
        table = sorted([*table, row], key=lambda each: -each["accuracy"])
        if table[0]["estimator"] == "cnn":
            return replace(network.train(material, tell=tell), cross_validation=table)
    return replace(others.train(material, tell=tell), cross_validation=table)


def _network(request: Request, material: Material, folder: Path) -> _FineTuned | _FromScratch | None:
    if request.estimator not in {"cnn", "auto"}:
        return None
    if request.start == "active":
        return _FineTuned(request)
    # From few examples a network that begins with nothing learns nothing.
    return None if material.few and request.estimator == "auto" else _FromScratch(request, material, folder)


class _ChosenFeatures:
    """Few examples: the features are chosen with the classifier."""

    def __init__(self, request: Request) -> None:
        self.request = request

    def search(self, families: tuple[str, ...], material: Material, *, tell: Tell) -> list[dict[str, Any]]:
        from . import small_sets

        self.found = small_sets.search(
            material.known,
            material.known_groups,
            families=families,
            grid=self.request.grid,
            seed=self.request.seed,
            dask=self.request.dask,
            tell=tell,
        )
        return self.found.table

    def train(self, material: Material, *, tell: Tell) -> Trained:
        from . import small_sets

        tell(stage="fit", done=0, total=1)
        pipeline = small_sets.fit(self.found, material.known)
        tell(stage="fit", done=1, total=1)
        tell(stage="calibrate", done=0, total=1)
        searched = material.known.take(self.found.chosen)
        artifact, card = small_sets.build_artifact(
            pipeline, self.found, searched, label_set=self.request.label_set
        )
        cell = self.found.cell
        return Trained(
            artifact,
            card,
            {"features": cell.features, "searched": len(searched), "seed": self.request.seed}
            | cell.parameters,
            self.found.table,
            LeftOut(searched, material.known_digests[self.found.chosen], self.found.answers),
        )


class _DenseWords:
    """Many examples: the classifier is chosen for an embedding that is learned from them."""

    def __init__(self, request: Request, material: Material) -> None:
        from . import svm

        self.request = request
        recipe = svm.Recipe(grid=request.grid, folds=FOLDS, seed=request.seed)
        # A few thousand faces fill no large codebook.
        words = SMALL_CODEBOOK if len(material.learning) < MANY else recipe.words
        self.recipe = replace(recipe, words=words, held_out=material.held_share)

    def search(self, families: tuple[str, ...], material: Material, *, tell: Tell) -> list[dict[str, Any]]:
        from .embedding import FaceEmbedding

        self.pipeline, self.table = search(
            material.choosing,
            material.choosing_groups,
            embedding=FaceEmbedding(words=self.recipe.words, seed=self.recipe.seed),
            families=families,
            grid=self.request.grid,
            folds=FOLDS,
            at_most=self.recipe.searched,
            seed=self.request.seed,
            dask=self.request.dask,
            tell=tell,
        )
        return self.table

    def train(self, material: Material, *, tell: Tell) -> Trained:
        from . import svm

        svm.fit(self.pipeline, material.learning, recipe=self.recipe, tell=tell)
        tell(stage="calibrate", done=0, total=1)
        artifact, card = svm.build_artifact(self.pipeline, material.held, label_set=self.request.label_set)
        return Trained(artifact, card, asdict(self.recipe) | self.table[0]["parameters"], self.table)


class _FineTuned:
    """The active CNN with its last layer taught anew.

    Where the active version has learned from these faces before, as where they were imported from what it was
    made of, cross-validation takes it for better than it is. What is promoted is for the gate to say.
    """

    def __init__(self, request: Request) -> None:
        if request.active is None:
            raise RefusedError("unknown", "There is no active CNN to go on from.")
        self.request = request
        self.artifact, self.card = artifacts.read(Path(request.active))
        self._chosen: tuple[float, list[dict[str, Any]]] | None = None

    def cross_validate(self, material: Material, *, tell: Tell) -> dict[str, Any]:
        worth, table = self._choose(material, tell)
        return next(row for row in table if row["parameters"]["worth"] == worth_told(worth))

    def train(self, material: Material, *, tell: Tell) -> Trained:
        worth, table = self._choose(material, tell)
        tell(stage="calibrate", done=0, total=1)
        artifact, card = fine_tune(
            self.artifact, self.card, material.learning, held=material.held, worth=worth
        )
        parameters = {"start": "active", "worth": worth_told(worth), "from": self.card["sha256"]}
        return Trained(artifact, card, parameters, table)

    def _choose(self, material: Material, tell: Tell) -> tuple[float, list[dict[str, Any]]]:
        if self._chosen is None:
            places = some(material.choosing.labels, at_most=CHOSEN_BY, seed=self.request.seed)
            groups = material.choosing_groups[places]
            self._chosen = choose_worth(
                self.artifact, self.card, material.choosing.take(places), groups=groups, tell=tell
            )
        return self._chosen


class _FromScratch:
    """A CNN that begins with random weights."""

    def __init__(self, request: Request, material: Material, folder: Path) -> None:
        from .train import Recipe

        self.request, self.folder = request, folder
        recipe = Recipe(seed=request.seed, cut_share=0, held_out=material.held_share)
        self.recipe = replace(recipe, epochs=request.epochs or recipe.epochs)
        self.preprocessing = Preprocessing()

    def cross_validate(self, material: Material, *, tell: Tell) -> dict[str, Any]:
        """As many networks as there are folds, each trained as the one that may follow."""
        from sklearn.model_selection import StratifiedGroupKFold

        faces, groups = material.choosing, material.choosing_groups
        folds = StratifiedGroupKFold(FOLDS, shuffle=True, random_state=self.request.seed)
        right = []
        for fold, (learn, left) in enumerate(folds.split(faces.labels, faces.labels, groups)):
            network = self._network(faces.take(learn), faces.take(left), self.folder / f"fold-{fold}", tell)
            told = network.predict(self.preprocessing(faces.images[left]), verbose=0).argmax(axis=1)
            right.append((told == faces.labels[left]).mean())
        return {
            "estimator": "cnn",
            "parameters": {"start": "scratch", "epochs": self.recipe.epochs},
            "accuracy": round(float(np.mean(right)), 4),
            "deviation": round(float(np.std(right)), 4),
        }

    def train(self, material: Material, *, tell: Tell) -> Trained:
        from .train import build_artifact

        network = self._network(material.learning, material.held, self.folder / "network", tell)
        tell(stage="calibrate", done=0, total=1)
        artifact, card = build_artifact(
            network,
            material.learning,
            material.held,
            label_set=self.request.label_set,
            recipe=self.recipe,
            preprocessing=self.preprocessing,
        )
        return Trained(artifact, card, {"start": "scratch"} | asdict(self.recipe), [])

    def _network(self, learning: FaceSet, held: FaceSet, folder: Path, tell: Tell) -> Any:
        from .train import fit_network

        folder.mkdir()
        return fit_network(
            learning,
            held,
            recipe=self.recipe,
            preprocessing=self.preprocessing,
            folder=folder,
            tell=tell,
        )
