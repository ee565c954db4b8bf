"""A photograph read under two label sets, in a real browser."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect
from pytest_django.live_server_helper import LiveServer

from tests.browser.conftest import SignIn, serious
from tests.factories import make_active_model, make_label_set

# The label set comes with a migration, and a flush after each test would take it away.
pytestmark = pytest.mark.django_db(transaction=True, serialized_rollback=True)


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 390)])
def test_both_readings_are_shown_and_the_history_is_narrowed(
    scheme: Any,
    width: int,
    page: Page,
    site: LiveServer,
    sign_in: SignIn,
    photographs: dict[str, Path],
    complaints: list[str],
) -> None:
    make_active_model(favourite="surprise")
    make_label_set("happy-sad", favourite="sad")
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 844})
    sign_in("ada")
    page.get_by_label("Expressions").uncheck()
    page.set_input_files("#photos", photographs["astronaut.jpg"])
    expect(page.get_by_role("alert").filter(has_text="Choose what to read them under")).to_be_visible()
    page.get_by_label("Expressions").check()
    page.get_by_label("Happy sad").check()
    page.set_input_files("#photos", photographs["astronaut.jpg"])
    expect(page.locator("#queue .verdict")).to_have_count(2)
    # The last choice stands when the page comes again.
    page.goto("/")
    expect(page.get_by_label("Happy sad")).to_be_checked()
    page.get_by_label("Happy sad").uncheck()
    page.set_input_files("#photos", photographs["hopper.jpg"])
    expect(page.locator("#queue .verdict")).to_have_count(1)
    found = serious(page)

    page.get_by_role("link", name="History").first.click()
    expect(page.locator(".tile")).to_have_count(2)
    page.get_by_role("navigation", name="Label sets").get_by_role("link", name="Happy sad").click()
    expect(page.locator(".tile")).to_have_count(1)
    expect(page.locator(".tile .chip")).to_have_text("Sad")
    found += serious(page)

    page.locator(".tile-link").click()
    both = page.get_by_role("region", name="Happy sad, face 1")
    expect(both.locator(".scale-ends")).to_have_text("HappySad")
    both.get_by_role("button", name="Right").click()
    expect(both.get_by_role("button", name="Right")).to_have_attribute("aria-pressed", "true")
    both.get_by_text("Why sad?").click()
    expect(both.locator(".reason img")).to_have_js_property("naturalWidth", 112)
    found += serious(page)
    assert found == []
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    assert complaints == []
