"""Who gets what, by every method, at every address. An address that the tables forget fails a test."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver, reverse

from classifier.api.models import Token
from classifier.api.tokens import make_token
from classifier.models import DataExport, Face, LabelSet, Prediction, Upload, User
from tests.factories import make_active_model, make_label_set, make_reading, make_upload
from tests.photographs import astronaut

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
    # Without a label set there is nothing that it could be read under.
    "upload-readings": Address(NOT_ALLOWED, post=(404, 404, 404), args=an_upload),
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


SECRET, NOWHERE = "secret", "nowhere"


@pytest.fixture
def limited(ada: User, bob: User) -> LabelSet:
    """A label set for ada's group alone, under which a photograph of each has been read."""
    make_active_model()
    make_label_set("happy-sad")
    friends = Group.objects.create(name="friends")
    ada.groups.add(friends)
    secret = make_label_set(SECRET, ["Ann", "Bo"], favourite="ann", groups=[friends])
    for owner in (ada, bob):
        make_reading(make_upload(owner).faces.get(), secret, shows="ann")
    return secret


def the_face(client: Client) -> Face:
    return Face.objects.get(upload__owner=client.session["_auth_user_id"])


# Whoever may not read with a label set gets, at each door, the answer about one that is not there.
DOORS: dict[str, Callable[[Client, str], Any]] = {
    "upload": lambda client, slug: client.post(
        "/uploads/", {"photos": SimpleUploadedFile("a.jpg", astronaut()), "label_sets": slug}
    ),
    "read later": lambda client, slug: client.post(
        reverse("upload-readings", args=[the_face(client).upload_id]), {"label_set": slug}
    ),
    "feedback": lambda client, slug: client.post(
        reverse("face-feedback", args=[the_face(client).pk]), {"label_set": slug, "said": "right"}
    ),
    "picture": lambda client, slug: client.get(
        reverse("upload-annotated", args=[the_face(client).upload_id]), {"label_set": slug}
    ),
    "history": lambda client, slug: client.get("/uploads/", {"label_set": slug}),
    "history by its label": lambda client, slug: client.get(
        "/uploads/", {"label_set": slug, "showing": "ann"}
    ),
}


def said_about(door: str, client: Client, slug: str) -> tuple[int, str]:
    answer = DOORS[door](client, slug)
    page = answer.getvalue().decode(errors="replace").replace(slug, "…")
    return answer.status_code, re.sub(r'value="\w{64}"', "", page)


@pytest.mark.parametrize("door", DOORS)
def test_a_label_set_that_one_may_not_read_with_is_as_if_it_were_not_there(
    door: str, ada_client: Client, bob_client: Client, limited: LabelSet
) -> None:
    assert said_about(door, bob_client, SECRET) == said_about(door, bob_client, NOWHERE)
    assert said_about(door, ada_client, SECRET) != said_about(door, ada_client, NOWHERE)


def test_nothing_that_was_read_under_it_is_shown_to_who_may_no_longer_read_with_it(
    ada: User, ada_client: Client, limited: LabelSet
) -> None:
    face = the_face(ada_client)
    why = reverse("prediction-why", args=[face.predictions.get(label_set=limited).pk])
    result, as_json = (reverse(name, args=[face.upload_id]) for name in ("upload", "upload-json"))
    pages = [result, as_json, "/", "/about/", "/uploads/"]

    def shown() -> list[bool]:
        return [SECRET in ada_client.get(url).content.decode().lower() for url in pages]

    assert shown() == [True] * len(pages)
    assert ada_client.get(why).status_code == 200
    ada.groups.clear()
    assert shown() == [False] * len(pages)
    assert ada_client.get(why).status_code == 404


def test_a_visitor_is_told_about_the_default_alone(client: Client, limited: LabelSet) -> None:
    page = client.get("/about/").content.decode()
    assert "Surprise" in page
    assert "Happy sad" not in page
    assert "Secret" not in page


def test_a_default_that_is_limited_is_read_by_its_group_alone(
    ada_client: Client, bob_client: Client, client: Client, limited: LabelSet
) -> None:
    friends = Group.objects.get(name="friends")
    default = LabelSet.objects.get(slug="expressions")
    default.groups.add(friends)
    LabelSet.objects.exclude(slug="happy-sad").update(open_to_all=False)
    photograph = {"photos": SimpleUploadedFile("a.jpg", astronaut())}
    assert bob_client.post("/uploads/", photograph).status_code == 302
    newest = Prediction.objects.order_by("pk").last()
    assert newest
    assert newest.label_set.slug == "happy-sad"
    for someone in (bob_client, client):
        assert "Surprise" not in someone.get("/about/").content.decode()
    assert "Surprise" in ada_client.get("/about/").content.decode()
    LabelSet.objects.update(open_to_all=False)
    photograph = {"photos": SimpleUploadedFile("a.jpg", astronaut())}
    before = Upload.objects.count()
    assert bob_client.post("/uploads/", photograph).status_code == 503
    assert Upload.objects.count() == before
