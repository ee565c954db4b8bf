"""`python -m classifier.ml.trainer FOLDER`: train on a frozen dataset, and measure what came of it.

A process of its own, so that whoever started it can end it at any moment, and gets all of its memory back.
`FOLDER/request.json` says what is asked, in the words of `Request`. It tells how it gets on as lines of JSON
on its standard output (see `progress.Tell`), and leaves in FOLDER

    candidate.onnx, candidate.json   the artifact and its model card
    result.json                      how it was chosen, how long it took, milliseconds for each face
    test.npz                         labels, candidate and champion: (N,) int64 and (N, K) float32

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
from .frozen import Frozen, read_frozen
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


class RefusedError(Exception):
    """Nothing can be trained on this; `reason` is one of empty, one_class, too_few, no_test, unknown."""

    def __init__(self, reason: str, sentence: str) -> None:
        super().__init__(sentence)
        self.reason = reason


@dataclass(frozen=True)
class Request:
    """What is asked: see `manage.py retrain`. examples, active: paths; labels: the set's, in order.

    estimator: one of FAMILIES, "cnn" or "auto". start: "active" teaches the last layer of the active CNN.
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


@dataclass(frozen=True)
class Material:
    """choosing: for cross-validation. learning: what is learned from in the end. held: for calibration."""

    choosing: FaceSet
    choosing_groups: NDArray[np.str_]
    learning: FaceSet
    held: FaceSet


@dataclass(frozen=True)
class Trained:
    artifact: bytes
    card: dict[str, Any]
    parameters: dict[str, Any]
    cross_validation: list[dict[str, Any]]


def run(folder: Path, *, tell: Tell) -> None:
    """Everything from the request to the files in `folder`. Raises RefusedError, OSError, ValueError."""
    began = time.monotonic()
    request = Request(**json.loads((folder / "request.json").read_text("utf-8")))
    tell(stage="read", done=0, total=1)
    everything = read_frozen(Path(request.examples), names=tuple(request.labels))
    frozen = everything.without_leaks()
    left_out = len(everything.faces) - len(frozen.faces)
    test, _groups = frozen.only("test")
    material = _material(frozen, request)
    told = f"{len(material.learning)} faces to learn from"
    if left_out:
        told += f"; {left_out} show a test image, and are left out"
    tell(stage="read", done=1, total=1, log=told)
    trained = _train(request, material, folder=folder, tell=tell)
    tell(stage="evaluate", done=0, total=1)
    card = trained.card | provenance(_dataset(frozen, request) | {"left_out": left_out})
    card["metrics"] = {artifacts.TESTED_ON: figures_of(trained.artifact, card, test)}
    card["training"] = trained.parameters | {"cross_validation": trained.cross_validation}
    artifacts.write(folder, "candidate", trained.artifact, card)
    took = _compare(folder, request, test)
    result = {
        "estimator": card["estimator"],
        "parameters": trained.parameters,
        "cross_validation": trained.cross_validation,
        "environment": card["environment"],
        "latency_ms": took,
        "seconds": round(time.monotonic() - began, 1),
    }
    (folder / "result.json").write_text(json.dumps(result, indent=1), "utf-8")
    tell(stage="evaluate", done=1, total=1)


def _material(frozen: Frozen, request: Request) -> Material:
    """Raises RefusedError where there is too little of it."""
    choosing, choosing_groups = frozen.only("train")
    everything, groups = frozen.only("train", "validation")
    _check(choosing, request)
    if not np.any(frozen.splits == "test"):
        raise RefusedError("no_test", "The dataset has no test split, so nothing could be measured.")
    share = min(MOST_HELD_OUT, max(HELD_OUT, ENOUGH_HELD_OUT / len(everything)))
    held = np.isin(groups, _some_groups(everything.labels, groups, share=share, seed=request.seed))
    return Material(choosing, choosing_groups, everything.take(~held), everything.take(held))


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


def _some_groups(
    labels: NDArray[np.int64], groups: NDArray[np.str_], *, share: float, seed: int
) -> NDArray[np.str_]:
    """About `share` of the groups, of each label as many as of any other."""
    _, first = np.unique(groups, return_index=True)
    chosen = some(labels[first], at_most=max(2, round(share * len(first))), seed=seed)
    return groups[first][chosen]


def _train(request: Request, material: Material, *, folder: Path, tell: Tell) -> Trained:
    """The family that was asked for; of "auto", the one that is best by cross-validation."""
    table: list[dict[str, Any]] = []
    network = None
    if request.estimator in {"cnn", "auto"}:
        network = _FineTuned(request) if request.start == "active" else _FromScratch(request, folder)
        if request.estimator == "cnn":
            return network.train(material, tell=tell)
    pipeline, table = _search(request, material, tell=tell)
    if network:
        row = network.cross_validate(material, tell=tell)
        table = sorted([*table, row], key=lambda each: -each["accuracy"])
        if table[0]["estimator"] == "cnn":
            return replace(network.train(material, tell=tell), cross_validation=table)
    return _fit(request, pipeline, table, material, tell=tell)


def _search(request: Request, material: Material, *, tell: Tell) -> tuple[Any, list[dict[str, Any]]]:
    from .embedding import FaceEmbedding

    recipe = _recipe(request, material)
    return search(
        material.choosing,
        embedding=FaceEmbedding(words=recipe.words, seed=recipe.seed),
        families=tuple(FAMILIES) if request.estimator == "auto" else (request.estimator,),
        grid=request.grid,
        folds=FOLDS,
        at_most=recipe.searched,
        groups=material.choosing_groups,
        seed=request.seed,
        dask=request.dask,
        tell=tell,
    )


def _recipe(request: Request, material: Material) -> Any:
    """A few hundred faces fill no large codebook."""
    from . import svm

    recipe = svm.Recipe(grid=request.grid, folds=FOLDS, seed=request.seed)
    return recipe if len(material.learning) >= MANY else replace(recipe, words=SMALL_CODEBOOK)


def _fit(
    request: Request, pipeline: Any, table: list[dict[str, Any]], material: Material, *, tell: Tell
) -> Trained:
    from . import svm

    recipe = _recipe(request, material)
    svm.fit(pipeline, material.learning, recipe=recipe, tell=tell)
    tell(stage="calibrate", done=0, total=1)
    artifact, card = svm.build_artifact(pipeline, material.held, label_set=request.label_set)
    return Trained(artifact, card, asdict(recipe) | table[0]["parameters"], table)


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


def _compare(folder: Path, request: Request, test: FaceSet) -> dict[str, float | None]:
    """Candidate and champion answer for the same faces; returns how long each takes for one."""
    told: dict[str, NDArray[Any]] = {"labels": test.labels}
    took: dict[str, float | None] = {"champion": None}
    paths = {"candidate": folder / "candidate.onnx"}
    if request.active:
        paths["champion"] = Path(request.active)
    for name, path in paths.items():
        classifier = Classifier.load(*artifacts.read(path))
        told[name] = classifier.predict(test.images)
        took[name] = round(latency(classifier, 1)["with_preprocessing_ms"], 3)
    np.savez(folder / "test.npz", **told)  # type: ignore[arg-type]
    return took


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
