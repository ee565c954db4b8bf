"""Training from the admin: who may, what the pages show, and that the worker does it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from classifier.ml.dataset import EXPRESSIONS
from classifier.models import LabelSet, User
from labeling import trainer_process, training_runs
from labeling.models import DatasetVersion, Example, TrainingRun
from labeling.retraining import retrain
from labeling.training_cards import RunCard, draw_curves
from labeling.training_report import run_as_text
from tests.conftest import logged_in
from tests.factories import make_active_model, make_user
from tests.labeling.cast import text
from tests.labeling.training import fake_trainer, leave_candidate, make_dataset, make_run

pytestmark = pytest.mark.django_db
TRAIN = "/admin/labeling/trainingrun/train/expressions/"
LIST = "/admin/labeling/trainingrun/"
ASKED = {"estimator": "svm", "grid": "small", "seed": "0"}


@pytest.fixture
def label_set(db: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LabelSet:
    """With a dataset, an active model, and a trainer that makes a better one."""
    monkeypatch.setattr(trainer_process, "TRAINER", fake_trainer(leave_candidate(tmp_path / "candidate")))
    make_active_model()
    return make_dataset()


@pytest.fixture
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """The worker has not come to it yet."""
    monkeypatch.setattr(training_runs, "_enqueue", lambda run: None)


@pytest.fixture
def olga(db: None) -> User:
    user = make_user("olga", is_staff=True)
    user.groups.add(Group.objects.get(name="Operators"))
    return user


def page_of(run: TrainingRun) -> str:
    return reverse("admin:labeling_trainingrun_change", args=[run.pk])


def test_an_operator_starts_a_run_which_the_worker_does_and_reads_its_report(
    label_set: LabelSet, olga: User
) -> None:
    client = logged_in(olga)
    assert "Start training" in text(client, TRAIN)
    answered = client.post(TRAIN, ASKED | {"seed": "7"})
    run = TrainingRun.objects.get()
    assert answered["Location"] == page_of(run)
    assert (run.outcome, run.started_by, run.parameters["seed"]) == ("promoted", olga, 7)
    page = text(client, page_of(run))
    assert "Refresh" not in client.get(page_of(run))
    assert "js/run.js" not in page
    for words in (
        "Promoted",
        "expressions v2 (svm) is active.",
        "Better than what is active: passed",
        "Cross-validation",
    ):
        assert words in page
    assert "C 1.0" in page
    assert page.count("<polyline") == 3
    assert 'class="shade-8"' in page
    assert "a library’s own words" in page
    assert f"run {run.pk}" not in text(client, LIST)
    assert "promoted" in text(client, LIST)


def shuffled(value: Any) -> Any:
    """As PostgreSQL gives back what was kept as JSON: an object's shortest keys come first."""
    if isinstance(value, dict):
        return {key: shuffled(value[key]) for key in sorted(value, key=lambda key: (len(key), key))}
    return [shuffled(one) for one in value] if isinstance(value, list) else value


def test_the_confusions_are_told_of_the_labels_that_they_are_of_whatever_the_database_does_to_their_order(
    label_set: LabelSet, olga: User
) -> None:
    client = logged_in(olga)
    client.post(TRAIN, ASKED)
    run = TrainingRun.objects.get()
    run.metrics = shuffled(run.metrics)
    assert next(iter(run.metrics["candidate"]["recall"])) == "sad"
    run.metrics["candidate"]["confusion_matrix"][2][3] = 41
    run.save()
    assert "taken for something else: fear for happy 41, " in run_as_text(run)
    card = RunCard(run)
    assert [row.name for row in card.confusion] == [row.name for row in card.recalls] == list(EXPRESSIONS)
    assert card.confusion[2].cells[3].count == 41


def test_the_report_shows_what_was_tried_and_which_pictures_were_taken_for_something_else(
    label_set: LabelSet, olga: User, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone, mistaken, withdrawn = Example.objects.order_by("pk")[:3]
    told = {"true": "angry", "told": "sad", "confidence": 0.97, "where": "left_out"}
    tried = [
        {"features": "HOG", "estimator": "svm", "parameters": {"C": 1.0}, "accuracy": 0.8, "deviation": 0.1},
        {"features": "HOG", "estimator": "forest", "parameters": {}, "accuracy": 0.7, "deviation": 0.1},
        {"features": "maps", "estimator": "svm", "parameters": {"C": 1.0, "gamma": None}, "accuracy": 0.9}
        | {"deviation": 0.1},
    ]
    mistakes = [told | {"digest": example.digest} for example in (gone, mistaken, withdrawn)]
    left = leave_candidate(
        tmp_path / "tried",
        left_out=0.7,
        result={"mistakes": mistakes, "cross_validation": tried},
        training={"cross_validation": tried},
    )
    monkeypatch.setattr(trainer_process, "TRAINER", fake_trainer(left))
    client = logged_in(olga)
    client.post(TRAIN, ASKED)
    run = TrainingRun.objects.get()
    gone.delete()
    Example.objects.filter(pk=withdrawn.pk).update(withdrawn="curator", withdrawn_reason="blurred")
    page = text(client, page_of(run))
    assert "What was tried" in page
    assert "<b>90.0%</b>" in page
    assert "All 3 that were tried" in page
    assert "gamma" not in page, "None of it was chosen"
    assert "700 faces that were left out in turn" in page
    assert run.metrics["left_out"]["faces"] == 700
    assert page.count("taken for Sad, 97%") == 1
    assert reverse("admin:labeling_example_crop", args=[mistaken.pk]) in page
    assert reverse("admin:labeling_example_change", args=[mistaken.pk]) in page
    assert run.version is not None
    version = text(client, reverse("admin:classifier_modelversion_change", args=[run.version.pk]))
    assert "What was tried" in version
    assert f"{page_of(run)}#mistakes" in version


def test_faces_that_were_all_read_rightly_leave_room_for_one_that_is_not(
    label_set: LabelSet, olga: User, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = leave_candidate(tmp_path / "flawless", left_out=1.0)
    monkeypatch.setattr(trainer_process, "TRAINER", fake_trainer(left))
    client = logged_in(olga)
    client.post(TRAIN, ASKED)
    page = text(client, page_of(TrainingRun.objects.get()))
    assert "100.0% were read rightly (95 % interval: 99.5% to 100.0%)" in page


def test_a_running_page_comes_again_by_itself_and_can_cancel(
    label_set: LabelSet, unhurried: None, olga: User
) -> None:
    client = logged_in(olga)
    client.post(TRAIN, ASKED)
    run = TrainingRun.objects.get()
    assert "Waiting for the worker" in text(client, page_of(run))
    since = timezone.now() - timedelta(minutes=10)
    TrainingRun.objects.update(
        state="running", stage="fit", stage_at=since, started_at=since, done=2, total=4, score=0.5
    )
    page = text(client, page_of(run))
    assert "Fitting: 2 of 4 epochs, score 0.500, 11 minutes left" in page
    assert 'http-equiv="refresh"' in page
    assert "js/run.js" in page
    url = reverse("admin:labeling_run_cancel", args=[run.pk])
    assert client.get(url).status_code == 405
    client.post(url)
    assert "Being cancelled" in text(client, page_of(run))


def test_a_waiting_run_is_cancelled_at_once_and_an_ended_one_stays(
    label_set: LabelSet, unhurried: None, olga: User
) -> None:
    client = logged_in(olga)
    client.post(TRAIN, ASKED)
    url = reverse("admin:labeling_run_cancel", args=[TrainingRun.objects.get().pk])
    assert "olga cancelled it before it began" in client.post(url, follow=True).content.decode()
    assert "It has ended already" in client.post(url, follow=True).content.decode()


def test_a_second_run_is_refused_and_the_first_is_named(
    label_set: LabelSet, unhurried: None, olga: User, root_client: Client
) -> None:
    first = logged_in(olga)
    first.post(TRAIN, ASKED)
    run = TrainingRun.objects.get()
    answered = root_client.post(TRAIN, ASKED)
    assert answered.status_code == 400
    assert f"run {run.pk} of expressions" in answered.content.decode()
    assert page_of(run) in answered.content.decode()
    assert TrainingRun.objects.count() == 1


def test_what_can_not_be_trained_is_said_before_and_after_asking(root_client: Client) -> None:
    assert "has no examples yet" in text(root_client, TRAIN)
    answered = root_client.post(TRAIN, ASKED)
    assert answered.status_code == 400
    assert "has no examples yet" in answered.content.decode()
    assert not TrainingRun.objects.exists()


@pytest.mark.parametrize(
    "wrong",
    [
        {"estimator": "oracle"},
        {"grid": ""},
        {"seed": "-1"},
        {"epochs": "0"},
        {"epochs": "many"},
        {"start": "x"},
    ],
)
def test_a_form_filled_wrongly_starts_nothing(
    wrong: dict[str, str], label_set: LabelSet, root_client: Client
) -> None:
    answered = root_client.post(TRAIN, ASKED | wrong)
    assert answered.status_code == 400
    assert "dataset-error" in answered.content.decode()
    assert not TrainingRun.objects.exists()


def test_a_run_that_went_silent_has_failed_and_another_can_be_started(
    label_set: LabelSet, unhurried: None, root_client: Client
) -> None:
    root_client.post(TRAIN, ASKED)
    long_ago = timezone.now() - TrainingRun.LOST_AFTER * 2
    TrainingRun.objects.update(state="running", progress_at=long_ago)
    run = TrainingRun.objects.get()
    page = text(root_client, page_of(run))
    assert "Failed" in page
    assert "went silent" in page
    assert root_client.post(TRAIN, ASKED).status_code == 302
    run.refresh_from_db()
    assert run.outcome == "failed"


def test_a_version_that_learned_from_a_face_which_was_taken_back_says_so(
    label_set: LabelSet, root_client: Client
) -> None:
    run = retrain(make_run())
    assert "taken back" not in text(root_client, page_of(run))
    DatasetVersion.objects.update(erased_at=timezone.now(), file="")
    page = text(root_client, page_of(run))
    assert "has learned from a face that its user has taken back" in page


NEEDS: dict[str, tuple[str, str, Callable[[TrainingRun], list[Any]]]] = {
    "labeling_trainingrun_changelist": ("get", "view_trainingrun", lambda run: []),
    "labeling_trainingrun_change": ("get", "view_trainingrun", lambda run: [run.pk]),
    "labeling_train_start": ("get", "train_models", lambda run: []),
    "labeling_train": ("post", "train_models", lambda run: ["expressions"]),
    "labeling_run_cancel": ("post", "train_models", lambda run: [run.pk]),
}


def staff(*permissions: str) -> Client:
    user = make_user("cora", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    return logged_in(user)


@pytest.mark.parametrize("name", NEEDS)
def test_each_address_asks_for_its_permission(
    name: str, label_set: LabelSet, client: Client, ada_client: Client
) -> None:
    method, permission, arguments = NEEDS[name]
    url = reverse(f"admin:{name}", args=arguments(make_run()))
    for stranger in (client, ada_client):
        answered = getattr(stranger, method)(url)
        assert answered.status_code == 302
        assert "/login/" in answered["Location"]
    others = {other for _method, other, _arguments in NEEDS.values()} - {permission}
    assert getattr(staff(*others), method)(url).status_code == 403
    User.objects.filter(username="cora").delete()
    assert getattr(staff(permission), method)(url).status_code not in {403, 500}


def test_who_may_only_look_finds_no_buttons(label_set: LabelSet) -> None:
    run = make_run()
    page = text(staff("view_trainingrun"), page_of(run))
    assert "Cancel" not in page
    assert "Train again" not in page


@pytest.mark.parametrize("address", ["0", "99999", "9" * 30, "x", "-1"])
def test_a_run_that_is_not_there(address: str, root_client: Client) -> None:
    assert root_client.get(f"{LIST}{address}/change/").status_code == 404


def test_the_list_takes_as_many_queries_for_30_runs_as_for_3(
    label_set: LabelSet, root: User, root_client: Client
) -> None:
    taken = []
    ended = {"state": "done", "outcome": "refused", "ended_at": timezone.now(), "started_by": root}
    for number in (3, 30):
        TrainingRun.objects.bulk_create(
            TrainingRun(label_set=label_set, estimator="svm", **ended) for _ in range(number)
        )
        root_client.get(LIST)
        with CaptureQueriesContext(connection) as queries:
            assert root_client.get(LIST).status_code == 200
        taken.append(len(queries))
    assert taken[0] == taken[1]


@pytest.mark.parametrize("sought", ["1", "abc", "9" * 30])
def test_the_list_is_searched_for_a_number_or_a_digest(
    sought: str, label_set: LabelSet, root_client: Client
) -> None:
    assert root_client.get(LIST, {"q": sought}).status_code == 200


def test_curves_are_drawn_within_their_frame_and_gaps_are_left_out() -> None:
    points: list[dict[str, float | None]] = [
        {"epoch": 1.0, "accuracy": 0.2, "val_accuracy": None, "loss": 2.0, "learning_rate": 0.001},
        {"epoch": 2.0, "accuracy": 0.4, "val_accuracy": 0.3, "loss": 1.0, "learning_rate": 0.001},
        {"epoch": 3.0, "accuracy": 0.6, "val_accuracy": 0.4, "loss": 0.5, "learning_rate": 0.001},
    ]
    accuracy, loss = draw_curves(points)
    assert [line.name for line in accuracy.lines] == ["accuracy", "validation accuracy"]
    assert accuracy.lines[0].points == "0.0,160.0 300.0,80.0 600.0,0.0"
    assert accuracy.lines[1].points == "300.0,120.0 600.0,80.0"
    assert (accuracy.first, accuracy.last, accuracy.low, accuracy.high) == (1, 3, 0.2, 0.6)
    assert [line.name for line in loss.lines] == ["loss"]
    assert draw_curves(points[:1]) == draw_curves([]) == []
