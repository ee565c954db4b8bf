"""The registry's pages in a real browser: readable at any width, light and dark, and two clicks to swap."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from classifier.models import ModelVersion
from classifier.registry import note_verdict, promote
from tests.browser.conftest import SignIn, serious
from tests.factories import make_superuser
from tests.versions import make_version, metrics

# The label set comes with a migration, and a flush after each test would take it away.
pytestmark = pytest.mark.django_db(transaction=True, serialized_rollback=True)

LIST = "/admin/classifier/modelversion/"


@pytest.fixture
def versions() -> list[ModelVersion]:
    """One that was active, one that is, one that the gate has refused."""
    made = [
        make_version("happy"),
        make_version("sad", metrics=metrics(accuracy=0.7, accuracy_95=[0.68, 0.72], balanced_accuracy=0.55)),
        make_version("fear", metrics=metrics(accuracy=0.6)),
    ]
    for version in made[:2]:
        promote(version, reason="better on the test split than what answered before")
    note_verdict(
        made[2], "Fear is recognised 12.0 points less often (0.30 to 0.18); at most 3.0 are permitted."
    )
    return made


@pytest.mark.parametrize("width", [390, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_page_is_accessible_and_fits(
    scheme: Any, width: int, page: Page, sign_in: SignIn, versions: list[ModelVersion], complaints: list[str]
) -> None:
    make_superuser()
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme=scheme)
    sign_in("root")
    pages = [f"{LIST}rollback/expressions/"]
    for version in versions:
        pages += [f"{LIST}{version.pk}/change/", f"{LIST}{version.pk}/promote/"]
    for url in [LIST, *pages]:
        page.goto(url)
        if url != LIST:  # of which most is Django's own
            assert serious(page) == []
        wider = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wider <= 0, url
    # The stock admin names no icon, and the browser looks for one at an address of its own.
    assert [line for line in complaints if "404" not in line] == []


def test_promoting_and_going_back_take_two_clicks_each(
    page: Page, sign_in: SignIn, versions: list[ModelVersion]
) -> None:
    make_superuser()
    sign_in("root")
    page.goto(f"{LIST}{versions[0].pk}/change/")
    page.get_by_role("link", name="Promote").click()
    page.get_by_label("Reason").fill("the old one was better")
    page.get_by_role("button", name="Promote expressions v1").click()
    expect(page.get_by_text("answers from now on")).to_be_visible()
    page.goto(LIST)
    page.get_by_role("link", name="Roll back").click()
    page.get_by_role("button", name="Roll back to expressions v2").click()
    expect(page.get_by_text("Expressions v2 (constant) answers from now on.")).to_be_visible()
    assert ModelVersion.objects.get(active=True) == versions[1]
