"""A user says what is wrong with a result, in a real browser, with a script and without one."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from classifier.models import Decision, Feedback, Label, User
from tests.browser.conftest import NewContext, SignIn, log_in, serious
from tests.factories import make_upload

# The label set comes with a migration, and a flush after each test would take it away.
pytestmark = pytest.mark.django_db(transaction=True, serialized_rollback=True)


def said() -> list[str]:
    return [str(given) for given in Feedback.objects.order_by("pk")]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_right_wrong_and_not_a_face_without_leaving_the_page(
    page: Page, sign_in: SignIn, ada: User, scheme: Any, complaints: list[str]
) -> None:
    upload = make_upload(ada, shows=["happy", "sad"])
    page.emulate_media(color_scheme=scheme)
    sign_in("ada")
    page.goto(f"/uploads/{upload.pk}/")
    first, second = page.locator(".face").all()
    first.get_by_role("button", name="Right").click()
    expect(first.get_by_role("button", name="Right")).to_have_attribute("aria-pressed", "true")
    expect(first.get_by_role("button", name="Right")).to_be_focused()
    second.get_by_text("Wrong", exact=True).click()
    second.get_by_label("It is").select_option("Fear")
    second.get_by_role("button", name="Say so").click()
    expect(second.get_by_text("Wrong: it is fear")).to_be_visible()
    assert said() == ["right", "wrong: it is Fear"]
    second.get_by_text("Wrong: it is fear").click()
    assert serious(page) == []
    second.get_by_role("button", name="Not a face").click()
    expect(second.get_by_role("button", name="Not a face")).to_have_attribute("aria-pressed", "true")
    assert said() == ["right", "not a face"]
    assert complaints == []


def test_the_same_without_a_script(new_context: NewContext, ada: User) -> None:
    upload = make_upload(ada, shows=["happy"])
    fear = Label.objects.get(slug="fear")
    Decision.objects.create(face=upload.faces.get(), label_set=fear.label_set, label=fear)
    page = new_context(java_script_enabled=False).new_page()
    log_in(page, "ada")
    page.goto(f"/uploads/{upload.pk}/")
    expect(page.get_by_text("Labelers looked at it: Fear")).to_be_visible()
    page.get_by_text("Wrong", exact=True).click()
    page.get_by_label("It is").select_option("Fear")
    page.get_by_role("button", name="Say so").click()
    expect(page).to_have_url(re.compile(rf"/uploads/{upload.pk}/#face-\d+"))
    expect(page.get_by_text("Thank you: that is noted.")).to_be_visible()
    assert said() == ["wrong: it is Fear"]


def test_feedback_that_cannot_be_kept_is_said(page: Page, sign_in: SignIn, ada: User) -> None:
    upload = make_upload(ada, shows=["happy"])
    sign_in("ada")
    page.goto(f"/uploads/{upload.pk}/")
    page.route("**/feedback/", lambda route: route.abort())
    page.get_by_role("button", name="Right").click()
    expect(page.get_by_role("alert")).to_have_text("That could not be kept. Reload the page and try again.")
    assert said() == []
