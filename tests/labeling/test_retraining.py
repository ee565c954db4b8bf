"""What comes of a run of training: what is registered, what is promoted, and what the row tells."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

from classifier import registry
from classifier.models import LabelSet, ModelVersion, User
from labeling import retraining, trainer_process
from labeling.models import DatasetVersion, Example, TrainingRun
from labeling.retraining import retrain
from labeling.training_runs import learned_from_erased
from tests.factories import make_active_model
from tests.labeling.cast import expressions
from tests.labeling.training import fake_trainer, leave_candidate, make_dataset, make_run

pytestmark = pytest.mark.django_db
Outcome, State = TrainingRun.Outcome, TrainingRun.State
Trainer = Callable[..., Path]


@pytest.fixture
def label_set(db: None) -> LabelSet:
    return make_dataset()


@pytest.fixture
def trainer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Trainer:
    """Sets up a trainer that leaves such a candidate."""

    def set_up(how: str = "", **candidate: Any) -> Path:
        left = leave_candidate(tmp_path / "candidate", **candidate)
        monkeypatch.setattr(trainer_process, "TRAINER", fake_trainer(left, how))
        return left

    return set_up


def active() -> ModelVersion | None:
    return ModelVersion.objects.filter(label_set=expressions(), active=True).first()


def folders() -> list[Path]:
    return list(Path(settings.FILE_UPLOAD_TEMP_DIR).glob("training-*"))


def test_a_better_candidate_is_promoted_and_the_row_tells_all(
    label_set: LabelSet, trainer: Trainer, root: User
) -> None:
    champion = make_active_model()
    trainer()
    run = retrain(make_run(by=root, seed=3))
    assert (run.state, run.outcome) == (State.DONE, Outcome.PROMOTED), run.message
    assert run.version == active() != champion
    assert run.champion == champion
    assert run.dataset == DatasetVersion.objects.get()
    assert run.dataset
    assert run.dataset.counts["train"]["happy"] == 3
    assert (run.score, run.stage, len(run.curves)) == (0.6, "judge", 3)
    assert run.curves[-1]["val_accuracy"] == 0.6
    assert "asked for svm from scratch" in run.log
    assert "a library’s own words" in run.log
    assert run.cross_validation[0]["parameters"] == {"C": 1.0}
    assert run.parameters["seed"] == 3
    assert run.parameters["chosen"] == {"C": 1.0}
    assert run.environment["python"] == "3.11"
    assert run.gate["passed"] is True
    assert run.metrics["candidate"]["accuracy"] > run.metrics["champion"]["accuracy"] + 0.1
    assert run.started_at
    assert run.ended_at
    assert run.ended_at >= run.started_at
    assert folders() == []


def test_what_is_not_better_is_registered_and_refused_with_the_rule(
    label_set: LabelSet, trainer: Trainer
) -> None:
    champion = make_active_model()
    trainer(accuracy=0.6, champion=0.6)
    run = retrain(make_run())
    assert (run.state, run.outcome, active()) == (State.DONE, Outcome.REFUSED, champion)
    assert run.version
    assert run.version.number == 2
    assert "better" in run.gate["refused_by"]
    refused = next(rule for rule in run.gate["rules"] if rule["name"] == "better")
    assert refused["sentence"] in run.message


def test_without_a_champion_it_is_measured_against_the_most_frequent_label(
    label_set: LabelSet, trainer: Trainer
) -> None:
    trainer(champion=None)
    run = retrain(make_run())
    assert (run.outcome, run.version, run.champion) == (Outcome.PROMOTED, active(), None), run.message
    assert "champion" not in run.metrics


def test_no_promote_registers_and_nothing_more(label_set: LabelSet, trainer: Trainer) -> None:
    champion = make_active_model()
    trainer()
    run = retrain(make_run(no_promote=True))
    assert (run.outcome, active()) == (Outcome.REGISTERED, champion)
    assert run.version
    assert not run.version.active
    assert run.gate["passed"] is True


def test_force_promotes_what_the_gate_refuses_and_says_why(label_set: LabelSet, trainer: Trainer) -> None:
    make_active_model()
    trainer(accuracy=0.5, champion=0.6)
    run = retrain(make_run(force=True, reason="the old one is biased"))
    assert (run.outcome, run.version) == (Outcome.PROMOTED, active())
    assert run.gate["passed"] is False
    assert "the old one is biased" in run.message


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ("crash", "no such layer"),
        ("killed", "ran out of memory"),
        ("disk full", "The disk is full"),
        ("leaves nothing", "no complete candidate"),
        ("leaves a damaged artifact", "SHA-256"),
    ],
)
def test_a_trainer_that_ends_badly_fails_the_run_and_nothing_else(
    how: str, words: str, label_set: LabelSet, trainer: Trainer
) -> None:
    champion = make_active_model()
    trainer(how)
    run = retrain(make_run())
    assert (run.state, run.outcome) == (State.FAILED, Outcome.FAILED)
    assert words in run.message
    assert (active(), ModelVersion.objects.count()) == (champion, 1)
    assert folders() == []
    assert make_run(), "it can be started anew"


def test_what_a_crashed_trainer_said_last_is_in_the_log(label_set: LabelSet, trainer: Trainer) -> None:
    trainer("crash")
    assert "RuntimeError: no such layer" in retrain(make_run()).log


def test_a_trainer_that_finds_nothing_to_train_on_says_so(label_set: LabelSet, trainer: Trainer) -> None:
    trainer("refuses")
    run = retrain(make_run())
    assert (run.state, run.outcome, run.message) == (State.DONE, Outcome.NOTHING, "Only one label is left.")


def test_examples_that_went_meanwhile_are_noticed_when_it_freezes(
    label_set: LabelSet, trainer: Trainer
) -> None:
    trainer()
    run = make_run()
    Example.objects.filter(split="test").delete()
    run = retrain(run)
    assert (run.outcome, "no test split" in run.message) == (Outcome.NOTHING, True)


def test_a_disk_that_is_full_when_the_artifact_is_kept_leaves_nothing(
    label_set: LabelSet, trainer: Trainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    champion = make_active_model()
    trainer()
    before = {path for path in Path(settings.MEDIA_ROOT).rglob("*") if "artifacts" in path.parts}

    def full(*arguments: Any) -> Any:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(registry, "register", full)
    run = retrain(make_run())
    assert (run.outcome, "The disk is full" in run.message) == (Outcome.FAILED, True)
    assert (active(), ModelVersion.objects.count()) == (champion, 1)
    assert {path for path in Path(settings.MEDIA_ROOT).rglob("*") if "artifacts" in path.parts} == before
    assert folders() == []


def test_a_candidate_that_was_compared_with_yesterdays_model_is_not_promoted(
    label_set: LabelSet, trainer: Trainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_active_model()
    trainer()
    judge = retraining.judge

    def meanwhile(*arguments: Any, **named: Any) -> Any:
        make_active_model(favourite="angry")
        return judge(*arguments, **named)

    monkeypatch.setattr(retraining, "judge", meanwhile)
    run = retrain(make_run())
    assert run.outcome == Outcome.REFUSED
    assert "meanwhile" in run.message
    assert active() not in {run.version, run.champion}


def test_no_model_of_a_face_that_was_taken_back_is_promoted_and_versions_of_it_are_known(
    label_set: LabelSet, trainer: Trainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_active_model()
    trainer()
    judge = retraining.judge

    def meanwhile(*arguments: Any, **named: Any) -> Any:
        DatasetVersion.objects.update(erased_at="2026-01-01T00:00Z", file="")
        return judge(*arguments, **named)

    monkeypatch.setattr(retraining, "judge", meanwhile)
    run = retrain(make_run(force=True, reason="whatever"))
    assert (run.outcome, "took back" in run.message) == (Outcome.REFUSED, True)
    assert run.version
    assert not run.version.active
    assert learned_from_erased(run.version)


def test_a_version_that_went_on_from_one_of_erased_data_has_learned_from_it_too(label_set: LabelSet) -> None:
    first, second, third = (make_active_model(favourite=label) for label in ("sad", "fear", "angry"))
    dataset = DatasetVersion.objects.create(
        label_set=label_set, digest="d" * 64, size=1, examples=1, counts={}, erased_at="2026-01-01T00:00Z"
    )
    ended = {
        "label_set": label_set,
        "estimator": "cnn",
        "state": "done",
        "outcome": "promoted",
        "ended_at": "2026-01-02T00:00Z",
    }
    TrainingRun.objects.create(dataset=dataset, version=first, **ended)
    TrainingRun.objects.create(champion=first, version=second, parameters={"start": "active"}, **ended)
    TrainingRun.objects.create(champion=second, version=third, parameters={"start": "scratch"}, **ended)
    assert [learned_from_erased(version) for version in (first, second, third)] == [True, True, False]
