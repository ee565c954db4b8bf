"""What every answer tells the browser, and that no page needs what the headers forbid."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from django.conf import settings as site
from django.test import Client
from pytest_django import Settings

from classifier.models import User
from tests.factories import make_upload

# What Django's never_cache says, which allauth puts on its forms.
ALLAUTH_NEVER = "max-age=0, no-cache, no-store, must-revalidate, private"
TEMPLATES = sorted((site.BASE_DIR / "templates").rglob("*.html"))
PAGES = ["/", "/about/", "/accounts/login/", "/accounts/signup/", "/no-such-page/"]
# A style attribute, an event handler, a script or style element with content: all that the policy blocks.
INLINE = re.compile(
    r"""\sstyle\s*=\s*["']|\son[a-z]+\s*=\s*["']|<style|<script(?![^>]*\bsrc=)(?![^>]*type="application/json")|javascript:""",
    re.IGNORECASE,
)


@pytest.fixture
def https(settings: Settings) -> None:
    settings.SECURE_SSL_REDIRECT = True
    settings.SECURE_HSTS_SECONDS = 31_536_000
    settings.SECURE_HSTS_INCLUDE_SUBDOMAINS = True
    settings.SECURE_HSTS_PRELOAD = True
    settings.SESSION_COOKIE_SECURE = True
    settings.CSRF_COOKIE_SECURE = True


@pytest.mark.django_db
@pytest.mark.parametrize("url", PAGES)
def test_every_page_says_what_it_may_load(client: Client, url: str) -> None:
    headers = client.get(url).headers
    policy = dict(part.split(" ", 1) for part in headers["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == "'self'"
    assert policy["frame-ancestors"] == policy["base-uri"] == "'none'"
    assert policy["form-action"] == "'self'"
    assert "unsafe" not in headers["Content-Security-Policy"]
    assert headers["Referrer-Policy"] == "same-origin"
    assert headers["X-Frame-Options"] == "DENY"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"
    assert "camera=(self)" in headers["Permissions-Policy"]
    assert "microphone=()" in headers["Permissions-Policy"]


def test_plain_http_is_sent_to_https(client: Client, https: None) -> None:
    answer = client.get("/about/")
    assert answer.status_code == 301
    assert answer["Location"].startswith("https://")


@pytest.mark.django_db
def test_https_is_remembered_and_cookies_stay_on_it(client: Client, https: None) -> None:
    answer = client.get("/accounts/login/", secure=True)
    assert answer["Strict-Transport-Security"] == "max-age=31536000; includeSubDomains; preload"
    cookie = answer.cookies["csrftoken"]
    assert cookie["secure"]
    assert cookie["samesite"] == "Lax"


@pytest.mark.django_db
def test_a_session_cookie_is_out_of_reach_of_scripts(ada_client: Client) -> None:
    cookie = ada_client.cookies[site.SESSION_COOKIE_NAME]
    assert ada_client.get("/").status_code == 200
    assert site.SESSION_COOKIE_HTTPONLY
    assert cookie.value


@pytest.mark.django_db
@pytest.mark.parametrize(
    "url", ["/", "/about/", "/uploads/", "/account/", "/accounts/email/", "/no-such-page/"]
)
def test_the_back_button_shows_no_page_of_a_user_who_logged_out(ada_client: Client, url: str) -> None:
    assert ada_client.get(url)["Cache-Control"] in {"private, no-store", ALLAUTH_NEVER}


@pytest.mark.django_db
def test_a_visitors_page_may_be_kept(client: Client) -> None:
    assert "Cache-Control" not in client.get("/").headers


@pytest.mark.django_db
def test_static_files_may_be_kept(ada_client: Client, settings: Settings) -> None:
    settings.WHITENOISE_USE_FINDERS = settings.WHITENOISE_AUTOREFRESH = True
    assert ada_client.get("/static/site.css")["Cache-Control"] == "max-age=60, public"


@pytest.mark.django_db
def test_pictures_say_for_themselves_how_long_they_may_be_kept(ada: User, ada_client: Client) -> None:
    upload = make_upload(ada)
    assert ada_client.get(f"/uploads/{upload.pk}/photo.jpg")["Cache-Control"].startswith("private, max-age")
    assert ada_client.get(f"/uploads/{upload.pk}/result.json")["Cache-Control"] == "private, no-cache"


def test_there_are_templates_to_look_at() -> None:
    assert TEMPLATES


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda path: str(path.relative_to(site.BASE_DIR)))
def test_no_template_has_inline_script_or_style(template: Path) -> None:
    assert INLINE.findall(template.read_text(encoding="utf-8")) == []


@pytest.mark.django_db
def test_the_admin_has_no_log_in_form_of_its_own(client: Client) -> None:
    answer = client.get("/admin/login/?next=/admin/")
    assert answer.status_code == 302
    assert answer["Location"].startswith("/accounts/login/")


@pytest.mark.django_db
def test_the_admin_shows_nothing_inline(root_client: Client) -> None:
    page = root_client.get("/admin/").content.decode()
    assert INLINE.findall(page) == []


@pytest.mark.django_db
def test_guessing_passwords_is_slowed_down(client: Client, ada: object) -> None:
    for _ in range(6):
        answer = client.post("/accounts/login/", {"login": "ada", "password": "wrong"})
    assert answer.status_code == 200
    good = client.post("/accounts/login/", {"login": "ada", "password": "correct horse battery"})
    assert good.status_code == 200, "the right password, too, has to wait"
    assert "_auth_user_id" not in client.session
