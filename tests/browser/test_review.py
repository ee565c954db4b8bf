"""Labelers at work in real browsers."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from itertools import cycle, islice
from pathlib import Path
from statistics import median
from typing import Any

import pytest
from playwright.sync_api import Page, Playwright, expect
from pytest_django import Settings
from pytest_django.live_server_helper import LiveServer

from classifier.models import User
from labeling.models import Annotation, Example, ReviewItem
from tests.browser.conftest import ARGUMENTS, SignIn, log_in, serious
from tests.labeling.cast import label, make_labeler, offered_upload

# The label set comes with a migration, and a flush after each test would take it away.
pytestmark = pytest.mark.django_db(transaction=True, serialized_rollback=True)

REVIEW = "/admin/labeling/reviewitem/review/expressions/"
SHOWN = "[data-item]:not([hidden])"

# The time from each key to the moment when another face, its picture decoded, is what the page shows.
STOPWATCH = """() => {
  window.waits = [];
  let began = 0, before = null;
  const current = () => document.querySelector("[data-item]:not([hidden])");
  const look = () => {
    const card = current();
    const picture = card?.querySelector(".review-crop");
    if (!began || !card || card === before || !picture.complete || !picture.naturalWidth) return;
    waits.push(performance.now() - began);
    began = 0;
  };
  addEventListener("keydown", () => { began = performance.now(); before = current(); }, true);
  new MutationObserver(look).observe(document.querySelector("[data-cards]"),
    { subtree: true, childList: true, attributes: true });
  addEventListener("load", look, true);
}"""


@pytest.fixture
def lena(db: None) -> User:
    return make_labeler("lena")


@pytest.fixture(autouse=True)
def no_probes(settings: Settings) -> None:
    settings.REVIEW_PROBE_SHARE = settings.REVIEW_HIDDEN_SHARE = 0


@pytest.fixture
def review(page: Page, sign_in: SignIn, lena: User) -> Callable[[], Page]:
    """The review page, opened by a labeler."""

    def opened() -> Page:
        sign_in("lena")
        page.goto(REVIEW)
        return page

    return opened


def number_shown(page: Page) -> int | None:
    """The face that the labeler sees; None while there is none, or none yet."""
    found = page.evaluate("selector => document.querySelector(selector)?.dataset.item", SHOWN)
    return int(found) if found else None


def settle_down(page: Page) -> None:
    """Wait until everything that was pressed has been answered for."""
    expect(page.locator("[data-sent]")).to_have_count(0)


def test_fifty_faces_are_reviewed_by_keyboard_alone(review: Callable[[], Page], ada: User) -> None:
    offered_upload(ada, shows=["happy"] * 50)
    page = review()
    page.evaluate(STOPWATCH)
    for key in [*islice(cycle("1234567"), 48), "Enter", "x"]:
        page.keyboard.press(key)
        settle_down(page)  # nobody looks at a face for less time than an answer takes
    expect(page.get_by_role("heading", name="No face waits for you")).to_be_visible()
    expect(page.locator("[data-waiting]")).to_have_text("0 faces wait")

    assert ReviewItem.objects.filter(state="settled").count() == Annotation.objects.count() == 50
    assert Annotation.objects.filter(label=label("angry")).count() == 7
    assert Annotation.objects.filter(verdict="accept", label=label("happy")).count() == 1
    assert Annotation.objects.filter(verdict="unusable").count() == 1
    assert Example.objects.kept().count() == 49
    waits = page.evaluate("waits")
    print(f"from key to next face: median {median(waits):.1f} ms, longest {max(waits):.1f} ms")
    assert len(waits) == 49
    assert median(waits) < 100


def test_skip_undo_and_help_by_keyboard(review: Callable[[], Page], ada: User) -> None:
    offered_upload(ada, shows=["happy"] * 4)
    page = review()
    first, second = number_shown(page), None
    page.keyboard.press("s")
    second = number_shown(page)
    assert second != first
    page.keyboard.press("5")
    settle_down(page)
    expect(page.get_by_role("status")).to_have_text("Sad. The model says Happy, 80%.")
    page.keyboard.press("u")
    expect(page.get_by_role("status")).to_have_text("Taken back.")
    assert number_shown(page) == second
    help_ = page.locator(".review-help")
    for state in ("", None):
        page.keyboard.press("?")
        assert help_.get_attribute("open") == state
    for _ in range(4):
        page.wait_for_selector(SHOWN)
        last = number_shown(page)
        page.keyboard.press("4")
        settle_down(page)
    assert last == first, "the skipped face comes last"


def test_keys_can_be_turned_off_and_stay_off(review: Callable[[], Page], ada: User) -> None:
    offered_upload(ada, shows=["happy"] * 2)
    page = review()
    first = number_shown(page)
    page.keyboard.press("?")
    page.get_by_label("Answer by keys").uncheck()
    page.reload()
    page.keyboard.press("4")
    page.wait_for_timeout(200)
    assert number_shown(page) == first
    page.get_by_text("Keys and rules").click()
    page.get_by_label("Answer by keys").check()
    page.keyboard.press("4")
    settle_down(page)
    assert Annotation.objects.count() == 1


def test_the_same_with_a_pointer(review: Callable[[], Page], ada: User) -> None:
    offered_upload(ada, shows=["happy"] * 4)
    page = review()
    for name in ("Accept Happy", "Fear", "Unusable", "Skip"):
        page.locator(SHOWN).get_by_role("button", name=name).click()
        settle_down(page)
    page.get_by_role("button", name="Undo").click()
    expect(page.get_by_role("status")).to_have_text("Taken back.")
    page.get_by_text("Keys and rules").click()
    expect(page.get_by_text("skip: it comes again after all others")).to_be_visible()
    verdicts = Annotation.objects.order_by("pk").values_list("verdict", flat=True)
    assert list(verdicts) == ["accept", "correct", "unusable", "undo"]


def test_an_answer_that_does_not_arrive_brings_its_face_back(review: Callable[[], Page], ada: User) -> None:
    offered_upload(ada, shows=["happy"] * 3)
    page = review()
    first = number_shown(page)
    page.route(f"**{REVIEW}", lambda route: route.abort())
    page.keyboard.press("4")
    expect(page.get_by_role("status")).to_contain_text("did not reach the site")
    assert number_shown(page) == first
    page.unroute(f"**{REVIEW}")
    page.keyboard.press("4")
    settle_down(page)
    assert Annotation.objects.get().face.review_items.get().pk == first


def test_who_is_signed_out_is_told_and_keeps_the_face(review: Callable[[], Page], ada: User) -> None:
    offered_upload(ada, shows=["happy"] * 3)
    page = review()
    first = number_shown(page)
    page.context.clear_cookies(name="sessionid")
    page.keyboard.press("4")
    expect(page.get_by_role("status")).to_contain_text("You are signed out")
    assert number_shown(page) == first
    assert not Annotation.objects.exists()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_the_review_pages_are_accessible(
    width: int, scheme: Any, review: Callable[[], Page], ada: User, complaints: list[str]
) -> None:
    upload = offered_upload(ada, shows=["happy"] * 3)
    page = review()
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme=scheme)
    page.reload()
    page.keyboard.press("?")
    assert serious(page) == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.keyboard.press("5")
    settle_down(page)
    assert serious(page) == []
    page.keyboard.press("x")
    page.wait_for_selector(SHOWN)
    page.keyboard.press("x")
    page.wait_for_selector("[data-empty]:not([hidden])")
    settle_down(page)
    assert serious(page) == []
    page.goto(f"/admin/labeling/reviewitem/{upload.faces.earliest('pk').review_items.get().pk}/change/")
    assert serious(page) == []
    assert complaints == []


class Killable:
    """A Chromium of its own that can be killed as a crash or a power cut would."""

    def __init__(self, playwright: Playwright, executable: str, profile: Path) -> None:
        self.process = subprocess.Popen(
            [
                executable,
                "--headless",
                "--remote-debugging-port=0",
                f"--user-data-dir={profile}",
                *ARGUMENTS,
            ],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        told = profile / "DevToolsActivePort"
        deadline = time.monotonic() + 60
        while not told.exists() or not told.read_text().count("\n"):
            assert time.monotonic() < deadline, "Chromium did not start"
            time.sleep(0.1)
        port = told.read_text().splitlines()[0]
        self.browser = playwright.chromium.connect_over_cdp(f"http://127.0.0.1:{port}")

    def kill(self) -> None:
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


@pytest.fixture
def killable(
    playwright: Playwright, browser_type_launch_args: dict[str, Any], tmp_path: Path
) -> Iterator[Callable[[], Killable]]:
    started: list[Killable] = []

    def start() -> Killable:
        executable = browser_type_launch_args["executable_path"]
        started.append(Killable(playwright, executable, tmp_path / f"profile{len(started)}"))
        return started[-1]

    yield start
    for browser in started:
        browser.kill()


def at_work(browser: Killable, site: LiveServer, labeler: User) -> Page:
    page = browser.browser.new_context(base_url=site.url).new_page()
    log_in(page, labeler.username)
    page.goto(REVIEW)
    return page


def test_two_labelers_settle_200_faces_though_one_of_them_is_killed(
    site: LiveServer, killable: Callable[[], Killable], ada: User, lena: User, settings: Settings
) -> None:
    settings.REVIEW_LEASE_MINUTES = 0.25
    for _ in range(4):
        offered_upload(ada, shows=["happy"] * 50)
    max_ = make_labeler("max")
    first, second = killable(), killable()
    pages = {lena: at_work(first, site, lena), max_: at_work(second, site, max_)}
    seen: dict[User, set[int]] = {lena: set(), max_: set()}

    def press(labeler: User) -> None:
        if number := number_shown(pages[labeler]):
            seen[labeler].add(number)
            pages[labeler].keyboard.press("4")

    while len(seen[lena]) < 60:
        for labeler in pages:
            press(labeler)
    first.kill()
    abandoned = {item.pk for item in ReviewItem.objects.held_by(lena)}
    assert abandoned
    kept = set(Annotation.objects.filter(labeler=lena).values_list("face__review_items", flat=True))
    deadline = time.monotonic() + 120
    while ReviewItem.objects.exclude(state="settled").exists():
        assert time.monotonic() < deadline, "some faces were never given again"
        press(max_)
        if pages[max_].locator("[data-empty]").is_visible():
            pages[max_].get_by_role("link", name="Look again").click()
    settle_down(pages[max_])

    assert Annotation.objects.count() == ReviewItem.objects.filter(state="settled").count() == 200
    assert not kept & seen[max_], "what she had answered was given to him too"
    assert seen[lena] & seen[max_] <= abandoned
    assert seen[lena] | seen[max_] | abandoned == set(ReviewItem.objects.values_list("pk", flat=True))
    assert seen[lena] - abandoned <= kept, "what she had answered was lost"
