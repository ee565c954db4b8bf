"""`python -m classifier.ml.trainer FOLDER`: train on a frozen dataset, and measure what came of it.

A process of its own, so that whoever started it can end it at any moment, and gets all of its memory back.
`FOLDER/request.json` says what is asked, in the words of `Request`. It tells how it gets on as lines of JSON
on its standard output (see `progress.Tell`), and leaves in FOLDER

    candidate.onnx, candidate.json   the artifact and its model card
    result.json                      how it was chosen, how long it took, milliseconds for each face
    test.npz                         labels, candidate and champion: (N,) int64 and (N, K) float32; where the
                                     features were chosen, left_labels and left_out, too: what was answered in
                                     cross-validation for faces that had been left out, and left_champion: by
                                     the champion, NaN for faces that it may have learned from

It ends with 3 where there is nothing that it could train on, and says why in its last line. When its standard
input is closed, because whoever started it is gone, it ends too.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import artifact as artifacts
from .dataset import FaceSet
from .evaluate import latency
from .fine_tuning import choose_worth, fine_tune
from .frozen import Frozen, digests_in, read_frozen
from .metrics import measure
from .model_card import figures_of, provenance
from .preprocessing import Preprocessing
from .progress import Tell
from .runtime import Classifier
from .search import FAMILIES, search, some

REFUSED = 3
FOLDS = 3
# For calibration alone: a share of the groups, larger where there are few faces.
HELD_OUT, MOST_HELD_OUT, ENOUGH_HELD_OUT = 0.06, 0.2, 200
MANY, SMALL_CODEBOOK = 5000, 48
MISTAKES_TOLD = 60


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
    """choosing: for cross-validation. learning: what is learned from in the end. held: for calibration.

    known: all that is not for testing. Of few examples (see `frozen.FEW`) it is for all three, but for a CNN.
    """

    few: bool
    known: FaceSet
    known_groups: NDArray[np.str_]
    known_digests: NDArray[np.str_]
    choosing: FaceSet
    choosing_groups: NDArray[np.str_]
    learning: FaceSet
    held: FaceSet


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


def run(folder: Path, *, tell: Tell) -> None:
    """Everything from the request to the files in `folder`. Raises RefusedError, OSError, ValueError."""
    began = time.monotonic()
    request = Request(**json.loads((folder / "request.json").read_text("utf-8")))
    tell(stage="read", done=0, total=1)
    everything = read_frozen(Path(request.examples), names=tuple(request.labels))
    frozen = everything.without_leaks()
    lost = len(everything.faces) - len(frozen.faces)
    test, _groups = frozen.only("test")
    material = _material(frozen, request)
    line = f"{len(material.known if frozen.few else material.learning)} faces to learn from"
    if lost:
        line += f"; {lost} show a test image, and are left out"
    tell(stage="read", done=1, total=1, log=line)
    trained = _train(request, material, folder=folder, tell=tell)
    tell(stage="evaluate", done=0, total=1)
    card = trained.card | provenance(_dataset(frozen, request) | {"left_out": lost}, purpose=request.purpose)
    card["metrics"] = {artifacts.TESTED_ON: figures_of(trained.artifact, card, test)}
    if trained.left_out:
        card["metrics"][artifacts.LEFT_OUT] = _figures(trained.left_out, card)
    card["training"] = trained.parameters | {"cross_validation": trained.cross_validation}
    artifacts.write(folder, "candidate", trained.artifact, card)
    told, took = _compare(folder, request, test)
    mistakes = list_mistakes(told["candidate"], test, frozen.digests_of("test"), where="test")
    if left := trained.left_out:
        told |= {"left_labels": left.faces.labels, "left_out": left.answers}
        if request.active:
            told["left_champion"] = _champion_on(left, request)
        mistakes += list_mistakes(left.answers, left.faces, left.digests, where="left_out")
    np.savez(folder / "test.npz", **told)  # type: ignore[arg-type]
    result = {
        "estimator": card["estimator"],
        "parameters": trained.parameters,
        "cross_validation": trained.cross_validation,
        "environment": card["environment"],
        "latency_ms": took,
        "seconds": round(time.monotonic() - began, 1),
        "mistakes": mistakes,
    }
    (folder / "result.json").write_text(json.dumps(result, indent=1), "utf-8")
    tell(stage="evaluate", done=1, total=1)


def _figures(left: LeftOut, card: dict[str, Any]) -> dict[str, Any]:
    return measure(left.answers, left.faces.labels, left.faces.names, threshold=card["threshold"])


def _material(frozen: Frozen, request: Request) -> Material:
    """Raises RefusedError where there is too little of it."""
    choosing, choosing_groups = frozen.only("train")
    everything, groups = frozen.only("train", "validation")
    _check(choosing, request)
    if frozen.few:
        _check_groups(everything, groups)
    if not np.any(frozen.splits == "test"):
        raise RefusedError("no_test", "The dataset has no test split, so nothing could be measured.")
    share = min(MOST_HELD_OUT, max(HELD_OUT, ENOUGH_HELD_OUT / len(everything)))
    held = np.isin(groups, _some_groups(everything.labels, groups, share=share, seed=request.seed))
    return Material(
        few=frozen.few,
        known=everything,
        known_groups=groups,
        known_digests=frozen.digests_of("train", "validation"),
        choosing=choosing,
        choosing_groups=choosing_groups,
        learning=everything.take(~held),
        held=everything.take(held),
    )


def _check(faces: FaceSet, request: Request) -> None:
    if not len(faces):
        raise RefusedError("empty", "The dataset has no training examples.")
    counts = np.bincount(faces.labels, minlength=len(faces.names))
    if (counts > 0).sum() < 2:
        raise RefusedError("one_class", "All training examples show one label; two are needed.")
    few = [f"{name} has {count}" for name, count in zip(faces.names, counts, strict=True) if count < FOLDS]
    if few and request.start != "active":
        raise RefusedError("too_few", f"Too few to learn from: {', '.join(few)}; {FOLDS} of each are needed.")
    if request.estimator not in {*FAMILIES, "cnn", "auto"}:
        raise RefusedError("unknown", f"There is no estimator {request.estimator!r}.")


def _check_groups(faces: FaceSet, groups: NDArray[np.str_]) -> None:
    """Of each label something must be left to learn from, when some is left out."""
    for place in np.unique(faces.labels):
        if len(np.unique(groups[faces.labels == place])) < 2:
            alike = f"All examples of {faces.names[place]} are nearly one picture; it needs others."
            raise RefusedError("too_few", alike)


def _some_groups(
    labels: NDArray[np.int64], groups: NDArray[np.str_], *, share: float, seed: int
) -> NDArray[np.str_]:
    """About `share` of the groups, of each label as many as of any other."""
    _, first = np.unique(groups, return_index=True)
    chosen = some(labels[first], at_most=max(2, round(share * len(first))), seed=seed)
    return groups[first][chosen]


def _train(request: Request, material: Material, *, folder: Path, tell: Tell) -> Trained:
    """The family that was asked for; of "auto", the one that is best by cross-validation."""
    network = _network(request, material, folder)
    if network and request.estimator == "cnn":
        return network.train(material, tell=tell)
    families = tuple(FAMILIES) if request.estimator == "auto" else (request.estimator,)
    others = _ChosenFeatures(request) if material.few else _DenseWords(request, material)
    table = others.search(families, material, tell=tell)
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
    return None if material.few and request.estimator == "auto" else _FromScratch(request, folder)


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
        small = len(material.learning) < MANY
        self.recipe = replace(recipe, words=SMALL_CODEBOOK) if small else recipe

    def search(self, families: tuple[str, ...], material: Material, *, tell: Tell) -> list[dict[str, Any]]:
        from .embedding import FaceEmbedding

        self.pipeline, self.table = search(
            material.choosing,
            embedding=FaceEmbedding(words=self.recipe.words, seed=self.recipe.seed),
            families=families,
            grid=self.request.grid,
            folds=FOLDS,
            at_most=self.recipe.searched,
            groups=material.choosing_groups,
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
    """The active CNN with its last layer taught anew."""

    def __init__(self, request: Request) -> None:
        if request.active is None:
            raise RefusedError("unknown", "There is no active CNN to go on from.")
        self.request = request
        self.artifact, self.card = artifacts.read(Path(request.active))

    def cross_validate(self, material: Material, *, tell: Tell) -> dict[str, Any]:
        places = some(material.choosing.labels, at_most=4000, seed=self.request.seed)
        worth, table = choose_worth(
            self.artifact,
            self.card,
            material.choosing.take(places),
            groups=material.choosing_groups[places],
            tell=tell,
        )
        wanted = None if np.isinf(worth) else worth
        return next(row for row in table if row["parameters"]["worth"] == wanted)

    def train(self, material: Material, *, tell: Tell) -> Trained:
        worth, table = choose_worth(
            self.artifact, self.card, material.choosing, groups=material.choosing_groups, tell=tell
        )
        tell(stage="calibrate", done=0, total=1)
        artifact, card = fine_tune(
            self.artifact, self.card, material.learning, held=material.held, worth=worth
        )
        parameters = {
            "start": "active",
            "worth": None if np.isinf(worth) else worth,
            "from": self.card["sha256"],
        }
        return Trained(artifact, card, parameters, table)


class _FromScratch:
    """A CNN that begins with random weights."""

    def __init__(self, request: Request, folder: Path) -> None:
        from .train import Recipe

        self.request, self.folder = request, folder
        recipe = Recipe(seed=request.seed)
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


def _dataset(frozen: Frozen, request: Request) -> dict[str, Any]:
    counts = {
        split: {
            name: int(((frozen.faces.labels == place) & (frozen.splits == split)).sum())
            for place, name in enumerate(frozen.faces.names)
        }
        for split in np.unique(frozen.splits).tolist()
    }
    name = f"curated dataset of {request.label_set}"
    return {"name": name, "sha256": frozen.sha256, "faces": len(frozen.faces), "counts": counts}


def _compare(
    folder: Path, request: Request, test: FaceSet
) -> tuple[dict[str, NDArray[Any]], dict[str, float | None]]:
    """What candidate and champion answer for the same faces; and how long each takes for one."""
    told: dict[str, NDArray[Any]] = {"labels": test.labels}
    took: dict[str, float | None] = {"champion": None}
    paths = {"candidate": folder / "candidate.onnx"}
    if request.active:
        paths["champion"] = Path(request.active)
    for name, path in paths.items():
        classifier = Classifier.load(*artifacts.read(path))
        told[name] = classifier.predict(test.crops)
        took[name] = round(latency(classifier, 1)["with_preprocessing_ms"], 3)
    return told, took


def _champion_on(left: LeftOut, request: Request) -> NDArray[np.float32]:
    """(N, K) answers of the active version for faces that are new since it learned, NaN for all others."""
    assert request.active is not None
    classifier = Classifier.load(*artifacts.read(Path(request.active)))
    answers = np.full((len(left.faces), len(classifier.labels)), np.nan, np.float32)
    if request.learned:
        new = ~np.isin(left.digests, digests_in(Path(request.learned)))
        answers[new] = classifier.predict(left.faces.take(new).crops)
    return answers


def list_mistakes(
    answers: NDArray[np.float32], faces: FaceSet, digests: NDArray[np.str_], *, where: str
) -> list[dict[str, Any]]:
    """The faces that are told for another label, the surest first; MISTAKES_TOLD at most."""
    told, confidence = answers.argmax(axis=1), answers.max(axis=1)
    wrong = np.flatnonzero(told != faces.labels)
    return [
        {
            "where": where,
            "digest": str(digests[place]),
            "true": faces.names[faces.labels[place]],
            "told": faces.names[told[place]],
            "confidence": round(float(confidence[place]), 3),
        }
        for place in wrong[np.argsort(-confidence[wrong])][:MISTAKES_TOLD]
    ]


def _print(**said: Any) -> None:
    print(json.dumps(said), flush=True)


def _end_with_parent() -> None:
    # Not through sys.stdin: the interpreter could not end while this thread holds its lock.
    while os.read(0, 1024):
        pass
    if os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)  # with what scikit-learn has started
    os._exit(1)


def main() -> int:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        run(Path(sys.argv[1]), tell=_print)
    except RefusedError as refused:
        _print(refused=str(refused), reason=refused.reason)
        return REFUSED
    return 0


if __name__ == "__main__":
    sys.exit(main())
