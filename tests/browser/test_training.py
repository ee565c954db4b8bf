"""Training in real browsers: the pages are accessible, fit a phone, and follow the run by themselves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.utils import timezone
from playwright.sync_api import Page, expect

from classifier.models import User
from labeling import trainer_process, training_runs
from labeling.models import TrainingRun
from labeling.retraining import retrain
from tests.browser.conftest import SignIn, serious
from tests.factories import make_active_model, make_user
from tests.labeling.training import fake_trainer, leave_candidate, make_dataset, make_run

# The label set comes with a migration, and a flush after each test would take it away.
pytestmark = pytest.mark.django_db(transaction=True, serialized_rollback=True)
TRAIN = "/admin/labeling/trainingrun/train/expressions/"


@pytest.fixture
def olga(db: None) -> User:
    olga = make_user("olga", is_staff=True)
    olga.groups.add(Group.objects.get(name="Operators"))
    return olga


@pytest.fixture(autouse=True)
def trained_in_no_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trainer_process, "TRAINER", fake_trainer(leave_candidate(tmp_path / "candidate")))
    monkeypatch.setattr(training_runs, "_enqueue", lambda run: None)
    make_active_model()
    make_dataset()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_every_page_of_it(
    scheme: Any, width: int, page: Page, sign_in: SignIn, olga: User, complaints: list[str]
) -> None:
    done = retrain(make_run(by=olga))
    page.set_viewport_size({"width": width, "height": 844})
    page.emulate_media(color_scheme=scheme)
    sign_in("olga")
    for url in (TRAIN, f"/admin/labeling/trainingrun/{done.pk}/change/"):
        page.goto(url)
        assert serious(page) == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width, url
    assert complaints == []


def test_a_run_is_started_watched_and_read_without_touching_the_page(
    page: Page, sign_in: SignIn, olga: User, complaints: list[str]
) -> None:
    sign_in("olga")
    page.goto(TRAIN)
    page.get_by_label("Estimator").select_option("svm")
    page.get_by_role("button", name="Start training").click()
    expect(page.get_by_role("status")).to_contain_text("Waiting for the worker")
    run = TrainingRun.objects.get()
    curves = [{"epoch": epoch, "accuracy": epoch / 5} for epoch in (1, 2, 3)]
    TrainingRun.objects.update(
        state="running", started_at=timezone.now(), stage="fit", done=3, total=9, curves=curves, log="hello"
    )
    expect(page.get_by_role("status")).to_contain_text("Fitting: 3 of 9 epochs")
    expect(page.locator("polyline")).to_have_count(1)
    assert serious(page) == []
    TrainingRun.objects.update(state="waiting", started_at=None)
    retrain(run)
    expect(page.get_by_text("expressions v2 (svm) is active.")).to_be_visible()
    expect(page.get_by_role("heading", name="The gate")).to_be_visible()
    assert complaints == []


def test_a_run_is_cancelled_by_its_button(page: Page, sign_in: SignIn, olga: User) -> None:
    sign_in("olga")
    run = make_run(by=olga)
    TrainingRun.objects.filter(pk=run.pk).update(state="running", started_at=timezone.now())
    page.goto(f"/admin/labeling/trainingrun/{run.pk}/change/")
    page.get_by_role("button", name="Cancel").click()
    expect(page.get_by_role("status")).to_contain_text("Being cancelled")
    assert TrainingRun.objects.get().cancel_asked
