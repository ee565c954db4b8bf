"""Debian's Chromium, headless, against the site as `make run` serves it but in this process."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any, Protocol

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.db import connection
from playwright.sync_api import BrowserContext, Page
from pytest_django.live_server_helper import LiveServer

from classifier.models import User
from tests.factories import PASSWORD, make_user
from tests.photographs import astronaut, grace_hopper, no_face

# Playwright's event loop runs in this thread, and Django would take the tests' queries for asynchronous ones.
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # A camera that shows a test picture, and nobody to ask whether it may be used.
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
]


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args: dict[str, Any]) -> dict[str, Any]:
    """The system's Chromium. Where there is none, Playwright looks for its own, and the tests fail."""
    chromium = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
    return browser_type_launch_args | {"executable_path": chromium, "args": ARGUMENTS}


class NewContext(Protocol):
    def __call__(self, **options: Any) -> BrowserContext:
        """A browser of its own, closed with the test."""


class SignIn(Protocol):
    def __call__(self, username: str) -> None:
        """Log this user in through the form, making the account where there is none."""


@pytest.fixture(scope="session")
def django_db_modify_db_settings(
    django_db_modify_db_settings: None, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """A file, as on a real site: threads that share an SQLite database in memory lock each other out."""
    if connection.vendor == "sqlite":
        connection.settings_dict["TEST"]["NAME"] = str(tmp_path_factory.mktemp("database") / "db.sqlite3")


@pytest.fixture
def site(live_server: LiveServer) -> LiveServer:
    return live_server


@pytest.fixture
def browser_context_args(browser_context_args: dict[str, Any], site: LiveServer) -> dict[str, Any]:
    return browser_context_args | {"base_url": site.url}


@pytest.fixture
def sign_in(page: Page) -> SignIn:
    def through_the_form(username: str) -> None:
        if not User.objects.filter(username=username).exists():
            make_user(username)
        log_in(page, username)

    return through_the_form


def log_in(page: Page, username: str) -> None:
    page.goto("/accounts/login/")
    page.get_by_label("Username").fill(username)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_selector("#upload")


def serious(page: Page) -> list[str]:
    """What axe-core finds on the page that keeps somebody out."""
    # A click does not wait for the page that comes of it, and without its stylesheet no contrast is right.
    page.wait_for_load_state("load")
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


@pytest.fixture
def photographs(tmp_path: Path) -> dict[str, Path]:
    paths = {}
    for name, content in {
        "astronaut.jpg": astronaut(),
        "hopper.jpg": grace_hopper(),
        "wall.jpg": no_face(),
        "letter.jpg": b"Dear Ada",
    }.items():
        paths[name] = tmp_path / name
        paths[name].write_bytes(content)
    return paths
