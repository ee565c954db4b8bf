"""`--dask`: the grid is searched on a cluster, by the real trainer; without a cluster nothing is begun."""

from __future__ import annotations

import io
import json
import socket
import sys
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from distributed import LocalCluster
from distributed.diagnostics.plugin import SchedulerPlugin
from django.core.management import CommandError, call_command
from pytest_django import Settings

from classifier.models import ModelVersion
from labeling import trainer_process
from labeling.models import DatasetVersion, TrainingRun
from tests.factories import make_active_model
from tests.labeling.training import add_examples, crop_of_label

pytestmark = pytest.mark.django_db
# Whose scheduler other processes can reach all the same.
IN_THREADS: dict[str, Any] = {"processes": False, "protocol": "tcp://", "dashboard_address": "127.0.0.1:0"}
MANY = """
import sys
from classifier.ml import frozen, trainer, ways
frozen.FEW, ways.SMALL_CODEBOOK = 0, 6
sys.exit(trainer.main())
"""
"""A trainer that takes the few examples for many, and a codebook that is made in no time."""


class Work(SchedulerPlugin):
    """What each worker has computed. Pieces of data that were sent there are no work."""

    def __init__(self) -> None:
        self.of_worker: Counter[str] = Counter()

    def transition(self, key: Any, start: str, finish: str, *args: Any, **kwargs: Any) -> None:
        if (start, finish) == ("processing", "memory"):
            self.of_worker[kwargs["worker"]] += 1


@pytest.fixture(scope="module")
def cluster() -> Iterator[LocalCluster]:
    with LocalCluster(n_workers=2, threads_per_worker=1, **IN_THREADS) as cluster:
        yield cluster


@pytest.fixture
def work(cluster: LocalCluster) -> Iterator[Work]:
    work, scheduler = Work(), cluster.scheduler
    assert scheduler
    scheduler.add_plugin(work, name="work")
    yield work
    scheduler.remove_plugin("work")


@pytest.fixture
def dataset(settings: Settings) -> ModelVersion:
    # So few faces say little of calibration, and a busy machine little of speed.
    settings.GATE_LEAST_EXAMPLES = settings.GATE_LEAST_OF_LABEL = 6
    settings.GATE_CALIBRATION = 0.5
    settings.GATE_LATENCY_MS = 10_000
    for split, of_each, first in (("train", 8, 0), ("validation", 3, 100), ("test", 6, 200)):
        add_examples(split, of_each=of_each, first=first, crop=crop_of_label)
    return make_active_model()


def retrain(*arguments: str) -> dict[str, Any]:
    told = io.StringIO()
    call_command("retrain", "--estimator", "svm", "--json", *arguments, stdout=told)
    said: dict[str, Any] = json.loads(told.getvalue())
    return said


@pytest.mark.parametrize("examples", ["few", "many"])
def test_the_grid_is_searched_by_both_workers_of_a_cluster(
    examples: str, dataset: ModelVersion, cluster: LocalCluster, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    if examples == "many":
        monkeypatch.setattr(trainer_process, "TRAINER", (sys.executable, "-c", MANY))
    said = retrain("--dask", cluster.scheduler_address)
    assert said["outcome"] == "promoted", said["message"]
    assert said["parameters"]["dask"] == cluster.scheduler_address
    assert ("features" in said["cross_validation"][0]) == (examples == "few")
    assert len(work.of_worker) == 2, work.of_worker
    assert sum(work.of_worker.values()) >= 5, "as many as there are folds"


def refusal(address: str) -> CommandError:
    with pytest.raises(CommandError) as caught:
        retrain("--dask", address)
    return caught.value


def test_where_nobody_listens_nothing_is_begun(dataset: ModelVersion) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    began = time.monotonic()
    error = refusal(f"tcp://127.0.0.1:{port}")
    assert time.monotonic() - began < 5
    assert error.returncode == 2
    assert f"No Dask scheduler answers at tcp://127.0.0.1:{port}: " in str(error)
    assert TrainingRun.objects.count() == DatasetVersion.objects.count() == 0
    assert ModelVersion.objects.get() == dataset


def test_a_cluster_without_workers_fails_the_run_and_says_so(dataset: ModelVersion) -> None:
    with LocalCluster(n_workers=0, **IN_THREADS) as empty:
        error = refusal(empty.scheduler_address)
        assert str(error) == f"The Dask cluster at {empty.scheduler_address} has no worker."
    assert error.returncode == 1
    assert TrainingRun.objects.get().outcome == "failed"
    assert ModelVersion.objects.get() == dataset
