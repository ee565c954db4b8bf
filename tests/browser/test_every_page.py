"""Every page, light and dark, at a phone's width: accessible, nothing beyond the edge, nothing forbidden."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone
from playwright.sync_api import Page, expect
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from classifier.models import DataExport, Face, User
from tests.browser.conftest import SignIn, serious
from tests.factories import make_active_model, make_upload

# The label set comes with a migration, and a flush after each test would take it away.
pytestmark = pytest.mark.django_db(transaction=True, serialized_rollback=True)
PHONE = {"width": 390, "height": 844}
OPEN_PAGES = [
    "/",
    "/about/",
    "/accounts/login/",
    "/accounts/signup/",
    "/accounts/password/reset/",
    "/api/problems/",
    "/nowhere/",
]
OWN_PAGES = [
    "/",
    "/uploads/",
    "/uploads/?showing=fear&first=2026-02-02&last=2026-02-01",
    "/account/",
    "/account/delete/",
    "/account/tokens/",
    "/accounts/email/",
    "/accounts/password/change/",
    "/accounts/logout/",
]


def make_everything(user: User) -> list[str]:
    """Addresses of a result of each kind."""
    unreadable = make_upload(user, shows=["fear", "sad"], unsure=True)
    unreadable.faces.filter(position=1).update(unreadable=Face.Unreadable.TOO_SMALL)
    last_month = timezone.now() - timedelta(days=30)
    kinds = [
        make_upload(user, shows=["happy"], created_at=last_month),
        make_upload(user, shows=["happy", "sad", "angry"] * 5, faces_found=20),
        make_upload(user, shows=[]),
        unreadable,
    ]
    return [f"/uploads/{upload.pk}/" for upload in kinds]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_for_everyone(scheme: Any, page: Page, site: LiveServer, complaints: list[str]) -> None:
    page.emulate_media(color_scheme=scheme)
    for url in OPEN_PAGES:
        page.goto(site.url + url)
        assert serious(page) == []
    assert [line for line in complaints if "404" not in line] == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_for_users(scheme: Any, page: Page, sign_in: SignIn, ada: User, complaints: list[str]) -> None:
    results = make_everything(ada)
    page.emulate_media(color_scheme=scheme)
    sign_in("ada")
    for url in [*OWN_PAGES, *results]:
        page.goto(url)
        assert serious(page) == []
    page.goto(results[0])
    page.get_by_role("link", name="Delete").click()
    assert serious(page) == []
    assert complaints == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_queue_of_photographs_in_every_state(
    scheme: Any, page: Page, sign_in: SignIn, photographs: dict[str, Path]
) -> None:
    make_active_model()
    page.emulate_media(color_scheme=scheme)
    sign_in("ada")
    page.set_input_files("#photos", [photographs["astronaut.jpg"], photographs["letter.jpg"]])
    expect(page.locator("#queue .result")).to_have_count(1)
    expect(page.locator(".job.failed")).to_have_count(1)
    page.route("**/uploads/", lambda route: None)
    page.set_input_files("#photos", [photographs[name] for name in ("hopper.jpg", "wall.jpg", "letter.jpg")])
    expect(page.locator(".job-state", has_text="Waiting")).to_have_count(1)
    page.set_input_files("#photos", [photographs["wall.jpg"]] * 21)
    expect(page.get_by_role("alert")).to_contain_text("At most 20 photographs")
    assert serious(page) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_deleting_several_with_a_dialog_and_without(
    scheme: Any, page: Page, sign_in: SignIn, ada: User
) -> None:
    make_everything(ada)
    page.emulate_media(color_scheme=scheme)
    sign_in("ada")
    page.goto("/uploads/")
    page.get_by_role("button", name="Select all on this page").click()
    page.get_by_role("button", name="Delete selected").click()
    expect(page.get_by_role("dialog")).to_contain_text("Delete 4 photographs?")
    assert serious(page) == []
    page.get_by_role("button", name="Keep").click()
    submit_without_script(page, "#selection")
    expect(page.get_by_role("heading", level=1)).to_have_text("Delete 4 photographs?")
    assert serious(page) == []


def submit_without_script(page: Page, form: str) -> None:
    """As a browser does that runs no script: none hears of it."""
    with page.expect_navigation():
        page.evaluate("form => document.querySelector(form).submit()", form)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_an_export_in_every_state(scheme: Any, page: Page, sign_in: SignIn, ada: User) -> None:
    page.emulate_media(color_scheme=scheme)
    sign_in("ada")
    page.route("**/export.js", lambda route: route.abort())  # it would look for itself, and reload the page
    export = DataExport.objects.create(owner=ada, total=9)
    long_ago = timezone.now() - DataExport.LOST_AFTER * 2
    for state, progress_at, words in (
        ("waiting", timezone.now(), "Waiting to be written."),
        ("running", timezone.now(), "Being written: 3 of 9."),
        ("running", long_ago, "The last one could not be finished."),
        ("failed", timezone.now(), "The last one could not be finished."),
        ("ready", timezone.now(), "Download"),
    ):
        DataExport.objects.filter(pk=export.pk).update(state=state, done=3, progress_at=progress_at)
        page.goto("/account/")
        expect(page.locator("section", has_text="Take your data out")).to_contain_text(words)
        assert serious(page) == [], state


def test_an_export_whose_worker_dies_is_said_to_have_failed_on_the_open_page(
    page: Page, sign_in: SignIn, ada: User
) -> None:
    sign_in("ada")
    export = DataExport.objects.create(owner=ada, state="running", total=9)
    page.goto("/account/")
    expect(page.get_by_text("Being written: 0 of 9.")).to_be_visible()
    DataExport.objects.filter(pk=export.pk).update(progress_at=timezone.now() - DataExport.LOST_AFTER * 2)
    page.get_by_role("button", name="Try again").click()
    expect(page.get_by_role("link", name="Download")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_that_refuse(
    scheme: Any, page: Page, sign_in: SignIn, photographs: dict[str, Path], settings: Settings
) -> None:
    settings.MAX_UPLOAD_BYTES = 1000
    settings.ACCOUNT_RATE_LIMITS = settings.ACCOUNT_RATE_LIMITS | {"reauthenticate": "1/m/user"}
    page.emulate_media(color_scheme=scheme)
    page.route("**/upload.js", lambda route: route.abort())
    sign_in("ada")
    page.set_input_files("#photos", photographs["astronaut.jpg"])
    submit_without_script(page, "#upload")
    expect(page.get_by_role("heading", level=1)).to_have_text("Too large")
    assert serious(page) == []
    for _ in range(2):
        page.goto("/account/delete/")
        page.get_by_label("Your password").fill("a guess")
        page.get_by_role("button", name="Delete everything").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Slow down a little")
    assert serious(page) == []


def test_a_model_with_figures(page: Page, site: LiveServer) -> None:
    version = make_active_model()
    recall = dict.fromkeys(version.card["labels"], 0.5)
    version.card["metrics"] = {"FER2013 PublicTest": {"accuracy": 0.7, "faces": 3589, "recall": recall}}
    version.save()
    page.goto("/about/")
    expect(page.locator(".figures li")).to_have_count(7)
    assert serious(page) == []


@pytest.mark.parametrize("width", [320, 390])
def test_nothing_is_wider_than_a_phone(width: int, page: Page, sign_in: SignIn, ada: User) -> None:
    results = make_everything(ada)
    make_upload(ada, name="a-very-long-name-without-any-space-that-cannot-be-broken-anywhere-at-all.jpeg")
    page.set_viewport_size({"width": width, "height": 844})
    for url in OPEN_PAGES:
        page.goto(url)
        assert overflow(page) <= 0, page.url
    sign_in("ada")
    for url in [*OWN_PAGES, *results]:
        page.goto(url)
        assert overflow(page) <= 0, page.url


def test_a_queue_fits_a_phone_whatever_files_are_called(
    page: Page, sign_in: SignIn, photographs: dict[str, Path]
) -> None:
    make_active_model()
    page.set_viewport_size({"width": 320, "height": 844})
    sign_in("ada")
    long = photographs["letter.jpg"].rename(photographs["letter.jpg"].with_stem("a-letter" * 12))
    page.set_input_files("#photos", [long, photographs["astronaut.jpg"]])
    expect(page.locator(".job.failed")).to_have_count(1)
    expect(page.locator("#queue .result")).to_have_count(1)
    assert overflow(page) <= 0


def overflow(page: Page) -> int:
    return page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")


def test_targets_on_a_phone_are_large_enough(page: Page, sign_in: SignIn, ada: User) -> None:
    make_everything(ada)
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    sign_in("ada")
    for url in OWN_PAGES:
        page.goto(url)
        small = page.evaluate(
            """() => [...document.querySelectorAll(".button, .nav a, .nav-button, select, input[type=date]")]
              .filter((part) => part.checkVisibility() && part.getBoundingClientRect().height < 24)
              .map((part) => part.outerHTML)"""
        )
        assert small == []
