"""Pages around the main way: landing, about, accounts, errors. Each is whole, and in the site's look."""

from __future__ import annotations

import re
from html.parser import HTMLParser

import pytest
from django.contrib.staticfiles import finders
from django.template.loader import render_to_string
from django.test import Client, RequestFactory
from django.views.defaults import server_error
from pytest_django import Settings

from classifier.models import User
from classifier.templatetags.expressions import DRAWN
from tests.factories import make_upload

pytestmark = pytest.mark.django_db
OPEN_PAGES = [
    "/",
    "/about/",
    "/accounts/login/",
    "/accounts/signup/",
    "/accounts/password/reset/",
    "/accounts/password/reset/done/",
    "/accounts/password/reset/key/1-set-password/",
    "/accounts/confirm-email/nonsense/",
    "/accounts/inactive/",
    "/nowhere/",
]
OWN_PAGES = [
    "/",
    "/uploads/",
    "/account/",
    "/account/delete/",
    "/accounts/email/",
    "/accounts/password/change/",
    "/accounts/logout/",
    "/accounts/reauthenticate/",
]


class Outline(HTMLParser):
    """What every page must have exactly one of, and identifiers used twice."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.headings, self.mains, self.ids = 0, 0, []  # type: ignore[var-annotated]
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.headings += tag == "h1"
        self.mains += tag == "main"
        self.ids += [value for name, value in attrs if name == "id"]


def assert_whole(page: str) -> None:
    outline = Outline(page)
    assert outline.headings == outline.mains == 1
    assert len(outline.ids) == len(set(outline.ids))
    title = re.search(r"<title>\s*(.*?)\s*·", page, re.DOTALL)
    assert title
    assert title[1].strip()
    assert 'class="skip"' in page


@pytest.mark.parametrize("url", OPEN_PAGES)
def test_pages_for_everyone(url: str, client: Client) -> None:
    assert_whole(client.get(url, follow=True).content.decode())


@pytest.mark.parametrize("url", OWN_PAGES)
def test_pages_for_users(url: str, ada: User, ada_client: Client) -> None:
    make_upload(ada, shows=["happy", "sad"])
    answer = ada_client.get(url, follow=True)
    assert answer.status_code == 200
    assert_whole(answer.content.decode())


def test_visitors_are_told_what_it_is_not_and_where_it_is_forbidden(client: Client) -> None:
    page = client.get("/").content.decode()
    assert "expression on a face" in page
    assert "Article 5(1)(f)" in page
    assert "Article 50(3)" in page


def test_visitors_are_promised_no_more_about_poor_pictures_than_is_kept(client: Client) -> None:
    """tests/classifier/test_result_page.py holds what a result does with an unreadable face."""
    page = " ".join(client.get("/").content.decode().split())
    assert "you are told so, and the guess stays folded away unless you ask for it" in page
    assert "instead of being given a guess" not in page


def test_whats_not_there_is_said_kindly(client: Client) -> None:
    answer = client.get("/nowhere/")
    assert answer.status_code == 404
    assert "There is no such page" in answer.content.decode()


@pytest.mark.parametrize("status", ["400", "403", "403_csrf", "404", "413", "429", "500"])
def test_error_pages_need_nothing_around_them(status: str) -> None:
    assert_whole(render_to_string(f"{status}.html"))


def test_a_crash_shows_the_sites_own_page() -> None:
    answer = server_error(RequestFactory().get("/"))
    assert answer.status_code == 500
    assert "Something broke" in answer.content.decode()


def test_a_form_without_its_token_is_refused_in_a_sentence(ada: User) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(ada)
    answer = client.post("/uploads/", {})
    assert answer.status_code == 403
    assert_whole(answer.content.decode())


def test_too_many_log_ins_get_the_sites_own_page(client: Client, settings: Settings) -> None:
    settings.ACCOUNT_RATE_LIMITS = settings.ACCOUNT_RATE_LIMITS | {"signup": "1/m/ip"}
    answers = [client.post("/accounts/signup/", {"username": "x"}) for _ in range(2)]
    assert answers[-1].status_code == 429
    assert_whole(answers[-1].content.decode())


def test_every_icon_that_templates_name_is_drawn(settings: Settings) -> None:
    path = finders.find("icons.svg")
    assert isinstance(path, str)
    with open(path, encoding="utf-8") as file:  # noqa: PTH123
        drawn = set(re.findall(r'<symbol id="([a-z-]+)"', file.read()))
    templates = (settings.BASE_DIR / "templates").rglob("*.html")
    named = {name for file in templates for name in re.findall(r'{% icon "([a-z-]+)"', file.read_text())}
    assert named | DRAWN | {"other"} <= drawn
