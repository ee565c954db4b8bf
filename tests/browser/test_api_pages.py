"""The API's pages in a browser: its documentation without the internet, and tokens."""

from __future__ import annotations

from typing import Any

import httpx
import pytest
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from classifier.models import User
from tests.browser.conftest import SignIn
from tests.browser.test_every_page import overflow, serious
from tests.factories import make_active_model

pytestmark = pytest.mark.django_db(transaction=True, serialized_rollback=True)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_the_documentation_lists_every_call_and_asks_nobody_else(
    scheme: Any, width: int, page: Page, site: LiveServer
) -> None:
    asked: list[str] = []
    complaints: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 900})
    page.goto("/api/docs/")
    expect(page.locator(".opblock")).to_have_count(
        sum(len(calls) for calls in httpx.get(f"{site.url}/api/v1/openapi.json").json()["paths"].values())
    )
    assert complaints == []
    assert all(url.startswith((site.url, "data:", "blob:")) for url in asked)
    assert overflow(page) <= 0


def test_a_call_can_be_tried_by_whoever_is_signed_in(page: Page, sign_in: SignIn, ada: User) -> None:
    make_active_model()
    sign_in("ada")
    page.goto("/api/docs/")
    page.locator("#operations-models-models .opblock-summary-control").click()
    page.get_by_role("button", name="Try it out").click()
    page.get_by_role("button", name="Execute").click()
    expect(page.locator(".live-responses-table .response-col_status").nth(1)).to_contain_text("200")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_token_is_made_shown_and_revoked(
    scheme: Any, page: Page, sign_in: SignIn, ada: User, site: LiveServer
) -> None:
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": 320, "height": 844})
    sign_in("ada")
    page.goto("/account/")
    page.get_by_role("link", name="API tokens").click()
    page.get_by_label("What is it for?").fill("a-name-that-cannot-be-broken-anywhere" * 2)
    page.get_by_role("button", name="Make it").click()
    secret = page.locator(".secret").inner_text()
    assert serious(page) == []
    assert overflow(page) <= 0
    headers = {"Authorization": f"Bearer {secret}"}
    assert httpx.get(f"{site.url}/api/v1/models/", headers=headers).status_code == 200
    page.get_by_role("button", name="Revoke").click()
    expect(page.get_by_role("button", name="Revoke")).to_have_count(0)
    assert httpx.get(f"{site.url}/api/v1/models/", headers=headers).status_code == 401
