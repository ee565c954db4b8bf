"""The grid search, here and on a cluster."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from distributed import LocalCluster
from numpy.typing import NDArray

from classifier.ml.dataset import FaceSet, read_fer2013
from classifier.ml.embedding import FaceEmbedding
from classifier.ml.search import GRIDS, search, some

SMALL = FaceEmbedding(words=4, components=(12, 6, 4, 4))


@pytest.fixture(scope="module")
def faces(fer_file: Path) -> FaceSet:
    return read_fer2013(fer_file)["Training"].take(np.arange(84))


@pytest.fixture(scope="module")
def groups(faces: FaceSet) -> NDArray[np.str_]:
    return np.array(faces.digests())


def test_a_cluster_of_two_workers_finds_what_one_machine_finds(
    faces: FaceSet, groups: NDArray[np.str_]
) -> None:
    _pipeline, alone = search(faces, groups, embedding=SMALL, families=["logistic"], folds=2)
    with LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=None) as cluster:
        address = cluster.scheduler_address
        pipeline, together = search(
            faces, groups, embedding=SMALL, families=["logistic"], folds=2, dask=address
        )
    assert together == alone
    assert together[0]["parameters"]["C"] == pipeline["classifier"].C


def test_a_cluster_that_is_not_there_is_said(faces: FaceSet, groups: NDArray[np.str_]) -> None:
    with pytest.raises(OSError, match=r"127\.0\.0\.1:9"):
        search(faces, groups, embedding=SMALL, families=["logistic"], dask="tcp://127.0.0.1:9")


def test_each_cell_is_told_with_the_best_score_so_far(faces: FaceSet, groups: NDArray[np.str_]) -> None:
    told: list[dict[str, object]] = []
    _pipeline, table = search(
        faces, groups, embedding=SMALL, families=["svm"], folds=2, tell=lambda **said: told.append(said)
    )
    stages = [said for said in told if "stage" in said]
    cells = len(GRIDS["small"]["svm"]["gamma"]) * len(GRIDS["small"]["svm"]["alpha"])
    assert [said["done"] for said in stages] == list(range(cells + 1))
    assert stages[-1]["score"] == table[0]["accuracy"]


def test_what_a_search_returns_is_not_what_the_next_one_begins_with(
    faces: FaceSet, groups: NDArray[np.str_]
) -> None:
    pipeline, _table = search(faces, groups, embedding=SMALL, families=["svm"], folds=2)
    pipeline["classifier"].set_params(centres=7)
    again, _table = search(faces, groups, embedding=SMALL, families=["svm"], folds=2)
    assert again["classifier"].centres != 7


def test_some_labels_are_as_the_whole() -> None:
    labels = np.repeat([0, 1, 2], [600, 300, 100])
    chosen = some(labels, at_most=100, seed=0)
    np.testing.assert_array_equal(np.bincount(labels[chosen]), [60, 30, 10])
    np.testing.assert_array_equal(some(labels, at_most=1000, seed=0), np.arange(1000))
