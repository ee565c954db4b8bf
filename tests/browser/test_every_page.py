"""Every page, light and dark, at a phone's width: accessible, nothing beyond the edge, nothing forbidden."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.utils import timezone
from playwright.sync_api import Page
from pytest_django.live_server_helper import LiveServer

from classifier.models import Face, User
from tests.browser.conftest import SignIn
from tests.factories import make_upload

# The label set comes with a migration, and a flush after each test would take it away.
pytestmark = pytest.mark.django_db(transaction=True, serialized_rollback=True)
PHONE = {"width": 390, "height": 844}
OPEN_PAGES = [
    "/",
    "/about/",
    "/accounts/login/",
    "/accounts/signup/",
    "/accounts/password/reset/",
    "/nowhere/",
]
OWN_PAGES = [
    "/",
    "/uploads/",
    "/uploads/?showing=fear&first=2026-02-02&last=2026-02-01",
    "/account/",
    "/account/delete/",
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


def serious(page: Page) -> list[str]:
    found: list[dict[str, Any]] = Axe().run(page).response["violations"]
    return [
        f"{page.url} {one['id']}: {node['html'][:200]}"
        for one in found
        if one["impact"] in {"serious", "critical"}
        for node in one["nodes"]
    ]


@pytest.fixture
def complaints(page: Page) -> list[str]:
    """What the browser's console had to say, such as a breach of the content policy."""
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    return said


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


def test_nothing_is_wider_than_a_phone(page: Page, sign_in: SignIn, ada: User) -> None:
    results = make_everything(ada)
    make_upload(ada, name="a-very-long-name-without-any-space-that-cannot-be-broken-anywhere-at-all.jpeg")
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    for url in OPEN_PAGES:
        page.goto(url)
        assert overflow(page) <= 0, page.url
    sign_in("ada")
    for url in [*OWN_PAGES, *results]:
        page.goto(url)
        assert overflow(page) <= 0, page.url


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
