"""A label set gets a label: what is trained then is compared with a model that does not know it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from django.test import Client

from classifier.label_sets import add_labels
from classifier.ml import artifact as artifacts
from classifier.ml.dataset import EXPRESSIONS
from classifier.models import ModelVersion, User
from labeling import trainer_process
from labeling.models import TrainingRun
from labeling.retraining import retrain
from labeling.training_plan import Asked, RunRefusedError, plan_run
from tests.artifacts import tiny_artifact
from tests.factories import make_active_model
from tests.labeling.cast import expressions, item_of, offered_upload
from tests.labeling.training import add_examples, fake_trainer, leave_candidate, make_dataset, make_run

pytestmark = pytest.mark.django_db
LABELS = (*EXPRESSIONS, "contempt")
FACES = 800


@pytest.fixture
def champion(db: None) -> ModelVersion:
    """Active, and trained before there was the label."""
    make_dataset()
    version = make_active_model()
    ModelVersion.objects.filter(pk=version.pk).update(estimator="cnn")
    add_labels(version.label_set, ["Contempt"])
    add_examples("train", of_each=3, labels=["contempt"])
    add_examples("test", of_each=1, labels=["contempt"])
    version.refresh_from_db()
    return version


def answers(labels: np.ndarray, *, classes: int, right: np.ndarray) -> np.ndarray:
    """(N, classes): sure of what is right by 0.8; elsewhere of the first."""
    told = np.where(right & (labels < classes), labels, 0)
    found = np.full((len(labels), classes), 0.2 / (classes - 1), np.float32)
    found[np.arange(len(labels)), told] = 0.8
    return found


def trained(folder: Path, *, contempt: float = 1.0) -> Path:
    """A candidate that reads so large a share of the new label's faces; the champion reads seven labels."""
    left = leave_candidate(folder)
    artifact, card = tiny_artifact(favourite="contempt", labels=LABELS)
    artifacts.write(left, "candidate", artifact, card | {"estimator": "svm"})
    labels = np.arange(FACES) % len(LABELS)
    rng = np.random.default_rng(0)
    right = rng.random(FACES) < np.where(labels == len(EXPRESSIONS), 0.8 * contempt, 0.8)
    scores = {
        "candidate": answers(labels, classes=8, right=right),
        "champion": answers(labels, classes=7, right=right),
    }
    np.savez(left / "test.npz", labels=labels, **scores)  # type: ignore[arg-type]
    return left


def test_a_model_that_knows_it_is_compared_with_one_that_does_not_and_takes_its_place(
    champion: ModelVersion, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trainer_process, "TRAINER", fake_trainer(trained(tmp_path / "candidate")))
    run = retrain(make_run())
    assert run.outcome == TrainingRun.Outcome.PROMOTED, run.message
    assert run.version
    assert run.version.card["labels"] == list(LABELS)
    recalls = run.metrics["champion"]["recall"]
    assert (recalls["contempt"], recalls["happy"] > 0.6) == (0.0, True)
    assert run.metrics["candidate"]["recall"]["contempt"] > 0.6
    recall = next(rule for rule in run.gate["rules"] if rule["name"] == "recall")
    assert recall["figures"]["of_label"]["contempt"]["champion"] == 0.0
    assert ModelVersion.objects.get(active=True) == run.version


def test_knowing_the_label_and_not_reading_it_is_not_better(
    champion: ModelVersion, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = trained(tmp_path / "candidate", contempt=0)
    monkeypatch.setattr(trainer_process, "TRAINER", fake_trainer(left))
    run = retrain(make_run())
    assert (run.outcome, "better" in run.gate["refused_by"]) == (TrainingRun.Outcome.REFUSED, True)
    assert ModelVersion.objects.get(active=True) == champion


def test_no_network_goes_on_from_one_that_lacks_a_label(champion: ModelVersion) -> None:
    asked = Asked(label_set=expressions(), estimator="cnn")
    with pytest.raises(RunRefusedError, match=r"cnn\) does not know “Contempt”: .*--from-scratch"):
        plan_run(replace(asked, start="active"))
    assert plan_run(asked).start == "scratch"


def test_a_label_that_comes_while_a_run_waits_ends_it(
    champion: ModelVersion, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trainer_process, "TRAINER", fake_trainer(trained(tmp_path / "candidate")))
    run = make_run(estimator="svm")
    run.parameters |= {"start": "active"}
    run.save()
    run = retrain(run)
    assert (run.outcome, "“Contempt”" in run.message) == (TrainingRun.Outcome.FAILED, True)


def test_the_review_page_has_no_share_for_it(ada: User, root_client: Client) -> None:
    make_active_model()
    upload = offered_upload(ada, shows=["happy"])
    item = item_of(upload)
    item.suggestion_hidden = item.probe = False
    item.save()
    add_labels(expressions(), ["Contempt"])
    page = root_client.get("/admin/labeling/reviewitem/review/expressions/").content.decode()
    assert "Contempt" in page
    assert page.count("review-track") == len(EXPRESSIONS)
