"""Who gets what at every address of the site's own. An address that the table forgets fails a test."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from django.test import Client
from django.urls import URLPattern, reverse

from classifier.models import DataExport, Upload, User
from classifier.urls import urlpatterns
from tests.factories import make_upload

pytestmark = pytest.mark.django_db

HIDDEN, LOG_IN, OPEN = "hidden", "log in", "open"


@dataclass(frozen=True)
class Address:
    """`rule`: HIDDEN is 404 to strangers and visitors, LOG_IN is for any user, OPEN for everyone."""

    method: str
    rule: str
    args: Callable[[User], list[object]] = lambda user: []


def an_upload(user: User) -> list[object]:
    return [make_upload(user).pk]


def a_face(user: User) -> list[object]:
    face = make_upload(user).faces.first()
    assert face
    return [face.pk]


def an_export(user: User) -> list[object]:
    return [DataExport.objects.create(owner=user).pk]


ADDRESSES = {
    "home": Address("get", OPEN),
    "about": Address("get", OPEN),
    "uploads": Address("get", LOG_IN),
    "uploads-delete": Address("post", LOG_IN),
    "upload": Address("get", HIDDEN, an_upload),
    "upload-delete": Address("post", HIDDEN, an_upload),
    "upload-consent": Address("post", HIDDEN, an_upload),
    "upload-photo": Address("get", HIDDEN, an_upload),
    "upload-thumbnail": Address("get", HIDDEN, an_upload),
    "upload-annotated": Address("get", HIDDEN, an_upload),
    "upload-json": Address("get", HIDDEN, an_upload),
    "face-crop": Address("get", HIDDEN, a_face),
    "account": Address("get", LOG_IN),
    "account-export": Address("post", LOG_IN),
    "account-export-download": Address("get", HIDDEN, an_export),
    "account-delete": Address("get", LOG_IN),
}
TABLE = [pytest.param(name, address, id=name) for name, address in ADDRESSES.items()]


def test_the_table_knows_every_address() -> None:
    assert {pattern.name for pattern in urlpatterns if isinstance(pattern, URLPattern)} == set(ADDRESSES)
    assert all(isinstance(pattern, URLPattern) for pattern in urlpatterns)


@pytest.mark.parametrize(("name", "address"), TABLE)
def test_the_owner_gets_in(name: str, address: Address, ada: User, ada_client: Client) -> None:
    answer = getattr(ada_client, address.method)(reverse(name, args=address.args(ada)))
    assert answer.status_code in {200, 302}
    assert "login" not in answer.headers.get("Location", "")


@pytest.mark.parametrize(("name", "address"), TABLE)
def test_a_stranger_does_not_learn_that_it_is_there(
    name: str, address: Address, ada: User, bob_client: Client
) -> None:
    answer = getattr(bob_client, address.method)(reverse(name, args=address.args(ada)))
    assert answer.status_code == 404 if address.rule == HIDDEN else answer.status_code in {200, 302}
    assert Upload.objects.count() == (1 if address.args in {an_upload, a_face} else 0)


@pytest.mark.parametrize(("name", "address"), TABLE)
def test_a_visitor_gets_the_log_in_page_or_nothing(
    name: str, address: Address, ada: User, client: Client
) -> None:
    answer = getattr(client, address.method)(reverse(name, args=address.args(ada)))
    if address.rule == OPEN:
        assert answer.status_code == 200
    elif address.rule == LOG_IN:
        assert answer.status_code == 302
        assert answer.headers["Location"].startswith(reverse("account_login"))
    else:
        assert answer.status_code == 404


def test_a_superuser_is_a_stranger_on_the_site(ada: User, root_client: Client) -> None:
    assert root_client.get(reverse("upload-photo", args=an_upload(ada))).status_code == 404


def test_deleting_several_takes_only_ones_own(ada: User, bob: User, bob_client: Client) -> None:
    hers, his = make_upload(ada), make_upload(bob)
    bob_client.post(reverse("uploads-delete"), {"ids": [str(hers.pk), str(his.pk)], "confirmed": "yes"})
    assert list(Upload.objects.all()) == [hers]
