"""Who gets what, by every method, at every address. An address that the tables forget fails a test."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from classifier.api.models import Token
from classifier.api.tokens import make_token
from classifier.models import DataExport, Face, Prediction, Upload, User
from tests.factories import make_upload

pytestmark = pytest.mark.django_db

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
# Statuses for the owner, a stranger and a visitor.
Statuses = tuple[int, int, int]
NOT_ALLOWED = (405, 405, 405)
HIDDEN = (200, 404, 404)
LOG_IN = (200, 200, 302)
OPEN = (200, 200, 200)


@dataclass(frozen=True)
class Address:
    """`get` is also for HEAD, `rest` for every method but POST."""

    get: Statuses
    post: Statuses = NOT_ALLOWED
    rest: Statuses = NOT_ALLOWED
    args: Callable[[User], list[object]] = lambda user: []

    def statuses(self, method: str) -> Statuses:
        return {"GET": self.get, "HEAD": self.get, "POST": self.post}.get(method, self.rest)


def an_upload(user: User) -> list[object]:
    return [make_upload(user).pk]


def a_face(user: User) -> list[object]:
    face = make_upload(user).faces.first()
    assert face
    return [face.pk]


def a_prediction(user: User) -> list[object]:
    return [Prediction.objects.get(face__in=make_upload(user).faces.all()).pk]


def an_export(user: User) -> list[object]:
    """One that is not ready: its owner is led to the account page."""
    return [DataExport.objects.create(owner=user).pk]


def a_token(user: User) -> list[object]:
    token, _ = make_token(owner=user, name="a program", lasts=timedelta(days=1))
    return [token.pk]


# Where log-in is asked for first, a visitor is sent there whatever the method.
ASKS_FIRST = (405, 405, 302)
ADDRESSES = {
    "home": Address(OPEN),
    "about": Address(OPEN),
    "uploads": Address(LOG_IN, post=(400, 400, 302)),
    "uploads-delete": Address((302, 302, 302), post=(302, 302, 302), rest=ASKS_FIRST),
    "upload": Address(HIDDEN, args=an_upload),
    "upload-delete": Address(HIDDEN, post=(302, 404, 404), args=an_upload),
    "upload-consent": Address(NOT_ALLOWED, post=(302, 404, 404), args=an_upload),
    "upload-photo": Address(HIDDEN, args=an_upload),
    "upload-thumbnail": Address(HIDDEN, args=an_upload),
    "upload-annotated": Address(HIDDEN, args=an_upload),
    "upload-json": Address(HIDDEN, args=an_upload),
    "face-crop": Address(HIDDEN, args=a_face),
    "face-feedback": Address(NOT_ALLOWED, post=(404, 404, 404), args=a_face),
    "prediction-why": Address(HIDDEN, args=a_prediction),
    "account": Address(LOG_IN, post=(302, 302, 302), rest=ASKS_FIRST),
    "account-export": Address((302, 302, 302), post=(302, 302, 302), rest=ASKS_FIRST),
    "account-export-download": Address((302, 404, 404), args=an_export),
    "tokens": Address(LOG_IN, post=(400, 400, 302), rest=ASKS_FIRST),
    "token-revoke": Address(NOT_ALLOWED, post=(302, 404, 404), args=a_token),
    # Not ready: there is neither a model nor a worker here.
    "health-live": Address(OPEN),
    "health-ready": Address((503, 503, 503)),
    "account-delete": Address(LOG_IN, post=(400, 400, 302), rest=ASKS_FIRST),
}
# allauth's pages: of whoever asks, or, the last two, of whoever holds the key from a letter.
ACCOUNT_PAGES = {
    "account_login",
    "account_logout",
    "account_inactive",
    "account_signup",
    "account_reauthenticate",
    "account_email",
    "account_email_verification_sent",
    "account_change_password",
    "account_set_password",
    "account_reset_password",
    "account_reset_password_done",
    "account_reset_password_from_key_done",
    "account_confirm_login_code",
    "account_confirm_email",
    "account_reset_password_from_key",
}
# The admin is below; the API in tests/classifier/api/test_ownership.py.
ELSEWHERE = {"admin", "api", "dataset"}
TABLE = [
    pytest.param(name, method, id=f"{method} {name}")
    for name, address in ADDRESSES.items()
    for method in METHODS
]


def every_address(
    patterns: list[URLPattern | URLResolver] | None = None, space: str = "", route: str = ""
) -> Iterator[tuple[str, str, str]]:
    """The namespace, name and route of each address of the site, the admin's included."""
    for pattern in get_resolver().url_patterns if patterns is None else patterns:
        whole = route + str(pattern.pattern)
        if isinstance(pattern, URLPattern):
            yield space, pattern.name or "", whole
        else:
            yield from every_address(pattern.url_patterns, pattern.namespace or space, whole)


def everything() -> list[object]:
    """Whatever a request could have changed for somebody."""
    kept = (Upload, Face, Prediction, DataExport, Token)
    return [list(model.objects.order_by("pk").values()) for model in kept]


def leads_to_log_in(location: str) -> bool:
    return location.startswith((reverse("account_login"), reverse("admin:login")))


def test_the_tables_know_every_address() -> None:
    named = {name for space, name, _ in every_address() if space not in ELSEWHERE}
    assert named == set(ADDRESSES) | ACCOUNT_PAGES
    with_parameters = {
        name for space, name, route in every_address() if space not in ELSEWHERE and "<" in route
    }
    keyed = {"account_confirm_email", "account_reset_password_from_key"}
    owned = {
        name
        for name, address in ADDRESSES.items()
        if address.args in {an_upload, a_face, a_prediction, an_export, a_token}
    }
    assert with_parameters == owned | keyed


@pytest.mark.parametrize(("name", "method"), TABLE)
def test_the_owner_gets_in(name: str, method: str, ada: User, ada_client: Client) -> None:
    address = ADDRESSES[name]
    answer = ada_client.generic(method, reverse(name, args=address.args(ada)))
    assert answer.status_code == address.statuses(method)[0]
    assert not leads_to_log_in(answer.headers.get("Location", ""))


@pytest.mark.parametrize(("name", "method"), TABLE)
def test_a_stranger_does_not_learn_that_it_is_there(
    name: str, method: str, ada: User, bob_client: Client
) -> None:
    address = ADDRESSES[name]
    url = reverse(name, args=address.args(ada))
    hers = everything()
    answer = bob_client.generic(method, url)
    assert answer.status_code == address.statuses(method)[1]
    assert not leads_to_log_in(answer.headers.get("Location", ""))
    DataExport.objects.exclude(owner=ada).delete()  # asking for one's own export is everyone's right
    assert everything() == hers


@pytest.mark.parametrize(("name", "method"), TABLE)
def test_a_visitor_gets_the_log_in_page_or_nothing(name: str, method: str, ada: User, client: Client) -> None:
    address = ADDRESSES[name]
    url = reverse(name, args=address.args(ada))
    hers = everything()
    answer = client.generic(method, url)
    status = address.statuses(method)[2]
    assert answer.status_code == status
    assert leads_to_log_in(answer.headers.get("Location", "")) == (status == 302)
    assert everything() == hers


def admin_addresses() -> Iterator[str]:
    for space, name, route in every_address():
        if space == "admin" and name not in {"login", "logout"}:
            filled = re.sub(r"<[^>]+>", "1", re.sub(r"\^?\(\?P<\w+>([\w.*]+)[^)]*\)", r"\1", route))
            yield "/" + filled.replace("$", "").replace(".*", "anything")


@pytest.mark.parametrize("method", METHODS)
def test_the_admin_is_closed_to_all_but_staff(
    method: str, ada: User, ada_client: Client, client: Client
) -> None:
    make_upload(ada)
    before = everything()
    urls = list(admin_addresses())
    assert len(urls) > 60
    for url in urls:
        for someone in (ada_client, client):
            answer = someone.generic(method, url)
            assert answer.status_code == 302, url
            assert leads_to_log_in(answer.headers["Location"]), url
    assert everything() == before


def test_a_superuser_is_a_stranger_on_the_site(ada: User, root_client: Client) -> None:
    for name, address in ADDRESSES.items():
        if address.get == HIDDEN:
            assert root_client.get(reverse(name, args=address.args(ada))).status_code == 404, name


def test_deleting_several_takes_only_ones_own(ada: User, bob: User, bob_client: Client) -> None:
    hers, his = make_upload(ada), make_upload(bob)
    bob_client.post(reverse("uploads-delete"), {"ids": [str(hers.pk), str(his.pk)], "confirmed": "yes"})
    assert list(Upload.objects.all()) == [hers]
