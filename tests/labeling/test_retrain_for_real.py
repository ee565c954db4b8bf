"""The command with the real trainer, on faces that a few dozen examples are enough for."""

from __future__ import annotations

import io
import json

import pytest
from django.core.management import call_command
from pytest_django import Settings

from classifier.ml.runtime import Classifier
from classifier.models import ModelVersion
from classifier.serving import read_artifact
from labeling.models import DatasetVersion, TrainingRun
from tests.factories import make_active_model
from tests.labeling.training import add_examples, crop_of_label

pytestmark = pytest.mark.django_db


def test_from_examples_to_the_model_that_answers(settings: Settings) -> None:
    # So few faces say little of calibration.
    settings.GATE_LEAST_EXAMPLES = settings.GATE_LEAST_OF_LABEL = 6
    settings.GATE_CALIBRATION = 0.5
    settings.GATE_LATENCY_MS = 10_000
    for split, of_each, first in (("train", 8, 0), ("validation", 3, 100), ("test", 6, 200)):
        add_examples(split, of_each=of_each, first=first, crop=crop_of_label)
    champion = make_active_model()
    told = io.StringIO()
    call_command("retrain", "--estimator", "logistic", "--json", stdout=told)
    said = json.loads(told.getvalue())
    run, dataset = TrainingRun.objects.get(), DatasetVersion.objects.get()
    assert said["outcome"] == "promoted", said["message"]
    version = ModelVersion.objects.get(active=True)
    assert version != champion
    assert version.card["dataset"]["sha256"] == dataset.digest == said["dataset"]["digest"]
    assert version.card["metrics"]["curated test split"]["faces"] == 42
    assert said["metrics"]["candidate"]["accuracy"] > said["metrics"]["champion"]["accuracy"] + 0.5
    assert {row["estimator"] for row in said["cross_validation"]} == {"logistic"}
    assert "scikit-learn" in run.environment
    assert "faces to learn from" in run.log
    assert Classifier.load(read_artifact(version), version.card).labels
