"""Which classifier, with which parameters, learns best from given faces: a grid, and cross-validation."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import joblib
import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin, clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, ParameterGrid, StratifiedGroupKFold
from sklearn.pipeline import Pipeline

from .dataset import FaceSet
from .embedding import FaceEmbedding
from .kernel_machine import KernelMachine
from .progress import Tell, silent

# A family's classifier, and for each size of the grid what is tried of it.
FAMILIES: dict[str, ClassifierMixin] = {
    "svm": KernelMachine(),
    "logistic": LogisticRegression(max_iter=300),
    "forest": RandomForestClassifier(n_estimators=300, random_state=0, n_jobs=-1),
}
GRIDS: dict[str, dict[str, dict[str, list[Any]]]] = {
    "small": {
        "svm": {"gamma": [1.0, 2.0], "alpha": [0.05, 0.2]},
        "logistic": {"C": [1.0, 10.0]},
        "forest": {"min_samples_leaf": [1]},
    },
    "full": {
        "svm": {"gamma": [0.5, 1.0, 2.0, 4.0], "alpha": [0.02, 0.05, 0.1, 0.2, 0.5]},
        "logistic": {"C": [0.1, 1.0, 10.0, 100.0]},
        "forest": {"min_samples_leaf": [1, 3], "max_features": ["sqrt", 0.3]},
    },
}

CLUSTER_ANSWERS_IN_S = 10

Row = dict[str, Any]


class ClusterError(OSError):
    """There is no cluster that could compute; `str(error)` is a sentence that says why."""


def family_of(classifier: ClassifierMixin) -> str:
    """The key of FAMILIES that it belongs to."""
    return next(name for name, known in FAMILIES.items() if type(known) is type(classifier))


def search(
    faces: FaceSet,
    groups: NDArray[np.str_],
    *,
    embedding: FaceEmbedding,
    families: Sequence[str] = tuple(FAMILIES),
    grid: str = "small",
    folds: int = 3,
    at_most: int = 4000,
    seed: int = 0,
    dask: str | None = None,
    tell: Tell = silent,
) -> tuple[Pipeline, list[Row]]:
    """The best pipeline by stratified cross-validation on `at_most` of the faces, not fitted; and the table.

    A row of the table has estimator, parameters, and the mean and deviation of accuracy over the folds; the
    best comes first. groups: (N,), faces of one group are never on two sides. dask: the address of a cluster
    to compute on; there the whole grid is one piece of work, elsewhere each cell is told as it ends.
    """
    chosen = some(faces.labels, at_most=at_most, seed=seed)
    X, y = faces.images[chosen].reshape(len(chosen), -1), faces.labels[chosen]
    cells = [cell for family in families for cell in _cells(family, grid)]
    table: list[Row] = []
    tell(stage="search", done=0, total=len(cells))
    with tempfile.TemporaryDirectory() as memory, computing(dask):
        # The embedding is the same for every classifier: for the faces of a fold it is learned once.
        pipeline = Pipeline([("embedding", embedding), ("classifier", None)], memory=memory)
        for part in [cells] if dask else [[cell] for cell in cells]:
            found = GridSearchCV(
                pipeline,
                [{name: [value] for name, value in cell.items()} for cell in part],
                scoring="accuracy",
                cv=StratifiedGroupKFold(folds, shuffle=True, random_state=seed),
                refit=False,
                error_score="raise",
            ).fit(X, y, groups=groups[chosen])
            table += _rows(found.cv_results_)
            best = max(row["accuracy"] for row in table)
            tell(stage="search", done=len(table), total=len(cells), score=best)
            for row in table[-len(part) :]:
                tell(log=in_words(row))
    winner = max(range(len(cells)), key=lambda place: table[place]["accuracy"])
    pipeline.set_params(memory=None, **cells[winner])
    return pipeline, sorted(table, key=lambda row: -row["accuracy"])


def in_words(row: Row) -> str:
    chosen = (f"{name} {value}" for name, value in row["parameters"].items() if value is not None)
    features = f"{row['features']}, " if "features" in row else ""
    return f"{features}{row['estimator']} {', '.join(chosen)}".rstrip() + f": {row['accuracy']:.3f}"


def some(labels: NDArray[np.int64], *, at_most: int, seed: int) -> NDArray[np.int64]:
    """Places of `at_most` labels, in order, each label as often as in the whole, as far as numbers go."""
    if len(labels) <= at_most:
        return np.arange(len(labels))
    rng = np.random.default_rng(seed)
    of_each = [rng.permutation(np.flatnonzero(labels == label)) for label in np.unique(labels)]
    share = at_most / len(labels)
    return np.sort(np.concatenate([places[: max(1, round(share * len(places)))] for places in of_each]))


def _cells(family: str, grid: str) -> list[dict[str, Any]]:
    """What `Pipeline.set_params` takes, for each cell of the family's grid."""
    tried = {f"classifier__{name}": values for name, values in GRIDS[grid][family].items()}
    return list(ParameterGrid({"classifier": [clone(FAMILIES[family])]} | tried))


@contextmanager
def computing(dask: str | None) -> Iterator[None]:
    """Where joblib computes: here, or on the workers of the cluster at that address. Raises ClusterError."""
    if dask is None:
        yield
        return
    from distributed import Client

    try:
        client = Client(dask, timeout=CLUSTER_ANSWERS_IN_S)
    except OSError as error:
        raise ClusterError(f"No Dask scheduler answers at {dask}: {error}.") from error
    with client:
        try:
            client.wait_for_workers(1, timeout=CLUSTER_ANSWERS_IN_S)
        except TimeoutError as error:
            raise ClusterError(f"The Dask cluster at {dask} has no worker.") from error
        with joblib.parallel_config(backend="dask", client=client):
            yield


def _rows(results: dict[str, Any]) -> list[Row]:
    columns = (results["params"], results["mean_test_score"], results["std_test_score"])
    return [
        {
            "estimator": family_of(parameters["classifier"]),
            "parameters": {
                name.removeprefix("classifier__"): value
                for name, value in parameters.items()
                if name != "classifier"
            },
            "accuracy": round(float(mean), 4),
            "deviation": round(float(deviation), 4),
        }
        for parameters, mean, deviation in zip(*columns, strict=True)
    ]
