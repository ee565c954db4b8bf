"""The whole way by keyboard alone: nothing here points, clicks or moves the focus but with a key."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from classifier.models import Upload, User
from tests.factories import PASSWORD, make_active_model, make_upload

# The label set comes with a migration, and a flush after each test would take it away.
pytestmark = pytest.mark.django_db(transaction=True, serialized_rollback=True)

NAME_OF_FOCUS = """() => {
  const part = document.activeElement;
  const described = part.labels?.length ? part.labels[0] : part;
  return [part.getAttribute("aria-label"), described.textContent].filter(Boolean).join(" ").trim();
}"""


def tab_to(page: Page, words: str, key: str = "Tab") -> None:
    """Press Tab until the focus is on what is called so, and make sure that the focus can be seen."""
    for _ in range(60):
        page.keyboard.press(key)
        if words in page.evaluate(NAME_OF_FOCUS):
            assert page.evaluate(
                """() => [document.activeElement, document.activeElement.closest("label")]
                  .some((part) => part && getComputedStyle(part).outlineStyle !== "none"
                    && parseFloat(getComputedStyle(part).outlineWidth) >= 1)"""
            ), f"the focus on {words!r} cannot be seen"
            return
    raise AssertionError(f"{words!r} cannot be reached with {key}")


def press(page: Page, words: str, key: str = "Enter") -> None:
    tab_to(page, words)
    page.keyboard.press(key)


def sign_in_by_keyboard(page: Page) -> None:
    page.goto("/accounts/login/")
    tab_to(page, "Username")
    page.keyboard.type("ada")
    tab_to(page, "Password")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_selector("#upload")


def test_skipping_to_the_content_leads_to_the_photographs(page: Page, ada: User) -> None:
    sign_in_by_keyboard(page)
    page.keyboard.press("Tab")
    expect(page.locator(":focus")).to_have_text("Skip to the content")
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    expect(page.locator(":focus")).to_have_attribute("id", "photos")


def test_choosing_sending_reading_and_deleting(page: Page, ada: User, photographs: dict[str, Path]) -> None:
    make_active_model()
    # Asked for early: on a busy machine the browser's own window would open before it is held back.
    page.on("filechooser", lambda chooser: None)
    sign_in_by_keyboard(page)
    tab_to(page, "Choose photographs")
    with page.expect_file_chooser() as chooser:
        page.keyboard.press("Enter")
    chooser.value.set_files([photographs["astronaut.jpg"], photographs["letter.jpg"]])
    expect(page.locator("#queue .verdict")).to_contain_text("Happy")
    expect(page.locator(".job.failed")).to_have_count(1)
    press(page, "Remove letter.jpg")
    expect(page.locator(".job.failed")).to_have_count(0)

    press(page, "astronaut.jpg")
    expect(page.get_by_role("heading", level=1, name="astronaut.jpg")).to_be_visible()
    press(page, "Delete")
    expect(page.locator(":focus")).to_have_text("Keep")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.locator(":focus")).to_have_text("Delete")
    page.keyboard.press("Enter")
    tab_to(page, "Delete")
    page.keyboard.press("Enter")
    expect(page.get_by_text("“astronaut.jpg” is deleted.")).to_be_visible()
    assert not Upload.objects.exists()


def test_a_face_and_its_box(page: Page, ada: User) -> None:
    make_upload(ada, name="two.jpg", shows=["happy", "sad"])
    sign_in_by_keyboard(page)
    press(page, "two.jpg")
    expect(page.get_by_role("heading", name="two.jpg")).to_be_visible()
    tab_to(page, "Face 2")
    expect(page.locator("[data-box='2']")).to_have_class("on")
    expect(page.locator("[data-face='2']")).to_have_class(re.compile(r"\bon\b"))
    tab_to(page, "Face 1", key="Shift+Tab")
    expect(page.locator("[data-box='1']")).to_have_class("on")


def test_filtering_and_deleting_several(page: Page, ada: User) -> None:
    for name, label in (("a.jpg", "happy"), ("b.jpg", "sad"), ("c.jpg", "sad")):
        make_upload(ada, name=name, shows=[label])
    sign_in_by_keyboard(page)
    press(page, "History")
    expect(page.get_by_role("heading", level=1, name="History")).to_be_visible()
    tab_to(page, "Showing")
    page.keyboard.type("Sad")
    press(page, "Show")
    expect(page.locator(".tile")).to_have_count(2)
    press(page, "Select c.jpg", key="Space")
    press(page, "Select b.jpg", key="Space")

    press(page, "Delete selected")
    expect(page.locator(":focus")).to_have_text("Keep")
    press(page, "Delete")
    expect(page.get_by_text("2 photographs are deleted.")).to_be_visible()
    assert [upload.name for upload in Upload.objects.all()] == ["a.jpg"]
