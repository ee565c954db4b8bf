"""Two label sets are trained, promoted and rolled back at the same time, by processes of their own.

On the database of DATABASE_URL, in one of their own there; otherwise in an SQLite file.
"""

from __future__ import annotations

import json
import os
import string
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from django.db import connection

from tests.labeling.training import wait_for

ROOT = Path(__file__).resolve().parents[2]
SETS = {"happy-sad": ("happy", "sad"), "fear-anger": ("fear", "angry", "neutral")}
PREPARE = """
import json, sys
import django
django.setup()
from django.core.management import call_command
from classifier.label_sets import create_label_set
from classifier.registry import promote, register
from tests.artifacts import tiny_artifact
from tests.labeling.training import add_examples, crop_of_label

call_command("migrate", verbosity=0)
for slug, labels in json.loads(sys.argv[1]).items():
    made = create_label_set(slug, labels)
    for split, of_each, first in (("train", 8, 0), ("validation", 3, 100), ("test", 8, 200)):
        add_examples(
            split, of_each=of_each, labels=labels, first=first, crop=crop_of_label, label_set=made
        )
    for favourite in labels:
        artifact, card = tiny_artifact(favourite=favourite, labels=tuple(labels))
        version = register(artifact, card | {"label_set": slug})
    promote(version)
"""
RETRAIN = """
import json, sys
from django.core.management import execute_from_command_line
from labeling import trainer_process
trainer_process.TRAINER = tuple(json.loads(sys.argv[1]))
execute_from_command_line(["manage.py", *sys.argv[2:]])
"""
# The real trainer, as soon as a file is there that somebody else makes.
TRAINER = """
import pathlib, runpy, sys, time
begun, awaited, folder = sys.argv[1:]
pathlib.Path(begun).touch()
while not pathlib.Path(awaited).exists():
    time.sleep(0.05)
sys.argv = ["trainer", folder]
runpy.run_module("classifier.ml.trainer", run_name="__main__")
"""
WALK = """
import sys
import django
django.setup()
from classifier.models import LabelSet, ModelVersion
from classifier.registry import promote, roll_back
label_set = LabelSet.objects.get(slug=sys.argv[1])
for step in sys.argv[2:]:
    if step == "back":
        roll_back(label_set)
    else:
        promote(ModelVersion.objects.get(label_set=label_set, number=int(step)), reason=step)
"""
TOLD = """
import json
import django
django.setup()
from classifier.models import Activation, ModelVersion
from labeling.models import TrainingRun
of, activations = "label_set__slug", Activation.objects.order_by("pk")
print(json.dumps({
    "active": list(ModelVersion.objects.filter(active=True).order_by(of).values_list(of, "number")),
    "history": list(activations.values_list(of, f"version__{of}", "version__number")),
    "runs": list(TrainingRun.objects.order_by(of).values_list(of, "outcome")),
}))
"""


def database_url(name: str) -> str:
    told = connection.settings_dict
    who = quote(str(told["USER"])) + (f":{quote(str(told['PASSWORD']))}" if told["PASSWORD"] else "")
    return f"postgres://{who}@{told['HOST']}:{told['PORT'] or 5432}/{name}"


@pytest.fixture
def database(django_db_blocker: Any) -> Iterator[dict[str, str]]:
    """What the environment says of it: a new one."""
    if connection.vendor == "sqlite":
        yield {}
        return
    import psycopg

    name = f"test_two_sets_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(database_url("postgres"), autocommit=True) as server:
        server.execute(f'CREATE DATABASE "{name}"')
        yield {"DATABASE_URL": database_url(name)}
        server.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


class Site:
    """A site with both label sets, each with an active model, and the processes that work on it."""

    def __init__(self, folder: Path, database: dict[str, str]) -> None:
        self.folder = folder
        self.environment = {
            "PATH": os.environ["PATH"],
            "DJANGO_SETTINGS_MODULE": "emotion_site.settings",
            "ENV_FILE": os.devnull,
            "SECRET_KEY": string.ascii_letters,
            "DATA_DIR": str(folder / "data"),
            "LOOPBACK_HTTP": "1",
            # So few faces say little of calibration, and a busy machine little of speed.
            "GATE_LEAST_EXAMPLES": "6",
            "GATE_LEAST_OF_LABEL": "6",
            "GATE_CALIBRATION": "0.5",
            "GATE_LATENCY_MS": "10000",
            **database,
        }
        (folder / "data").mkdir()
        self.ended(self.start(PREPARE, json.dumps(SETS)))

    def start(self, script: str, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-c", script, *arguments],
            cwd=ROOT,
            env=self.environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def ended(self, process: subprocess.Popen[str]) -> str:
        told, complaints = process.communicate(timeout=240)
        assert process.returncode == 0, complaints + told
        return told

    def train(self, slug: str, *, once: str) -> subprocess.Popen[str]:
        """`manage.py retrain`, whose trainer waits for a file `once` in the folder."""
        trainer = (sys.executable, "-c", TRAINER, str(self.folder / f"{slug} begun"), str(self.folder / once))
        asked = ("retrain", "--label-set", slug, "--estimator", "logistic", "--json")
        return self.start(RETRAIN, json.dumps(trainer), *asked)

    def walk(self, slug: str, *steps: str) -> subprocess.Popen[str]:
        return self.start(WALK, slug, *steps)

    def told(self) -> dict[str, Any]:
        told: dict[str, Any] = json.loads(self.ended(self.start(TOLD)))
        mixed = [row for row in told["history"] if row[0] != row[1]]
        assert mixed == []
        return told


@pytest.fixture
def site(tmp_path: Path, database: dict[str, str]) -> Site:
    return Site(tmp_path, database)


def test_both_are_trained_at_once_and_each_gets_its_own_model(site: Site) -> None:
    # Neither trains before the other has begun, so that one after the other could not be.
    runs = [
        site.train("happy-sad", once="fear-anger begun"),
        site.train("fear-anger", once="happy-sad begun"),
    ]
    told = [json.loads(site.ended(run)) for run in runs]
    assert [one["outcome"] for one in told] == ["promoted", "promoted"], told
    assert site.told()["active"] == [["fear-anger", 4], ["happy-sad", 3]]


def test_promotions_and_rollbacks_of_one_are_what_they_would_be_alone(site: Site) -> None:
    # 1, 2, back, 3, back: as tests/classifier/test_activations.py walks one label set.
    walks = [
        site.walk("fear-anger", *["1", "2", "back", "3", "back"] * 6),
        site.walk("happy-sad", *["1", "2", "1", "back"] * 6),
    ]
    for walk in walks:
        site.ended(walk)
    told = site.told()
    assert told["active"] == [["fear-anger", 1], ["happy-sad", 2]]
    for slug, ends in (("fear-anger", [1, 2, 1, 3, 1]), ("happy-sad", [1, 2, 1, 2])):
        numbers = [number for own, _of, number in told["history"] if own == slug]
        assert numbers[-len(ends) :] == ends


def test_one_goes_back_while_the_other_is_trained(site: Site) -> None:
    run = site.train("happy-sad", once="gone back")
    wait_for(lambda: (site.folder / "happy-sad begun").exists(), seconds=120)
    site.ended(site.walk("fear-anger", "1", "2", "back"))
    (site.folder / "gone back").touch()
    said = json.loads(site.ended(run))
    assert said["outcome"] == "promoted", said["message"]
    told = site.told()
    assert told["active"] == [["fear-anger", 1], ["happy-sad", 3]]
    assert told["runs"] == [["happy-sad", "promoted"]]
