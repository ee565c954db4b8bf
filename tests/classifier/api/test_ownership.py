"""Who gets what, by every method, at every address of the API. One that the table forgets fails a test."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from django.test import Client
from django.urls import reverse

from classifier.api.models import Bulk, BulkFile, Token
from classifier.models import DataExport, Face, LabelSet, Prediction, Upload, User
from tests.classifier.api.conftest import ApiOf
from tests.classifier.test_ownership import every_address
from tests.factories import make_active_model, make_superuser, make_upload, make_user
from tests.labeling.cast import make_labeler

pytestmark = pytest.mark.django_db

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
CAST = ("visitor", "owner", "another", "labeler", "superuser")


@dataclass(frozen=True)
class Statuses:
    """For a visitor, the owner, and anybody else: labelers and superusers are strangers, too.

    Unless they are named: `staff`.
    """

    visitor: int
    owner: int
    others: int
    staff: int = 0

    def of(self, someone: str) -> int:
        staff = self.staff or self.others
        named = {"visitor": self.visitor, "owner": self.owner, "labeler": staff, "superuser": staff}
        return named.get(someone, self.others)


NOT_ALLOWED = Statuses(401, 405, 405)


@dataclass(frozen=True)
class Address:
    """`get` is also for HEAD, `rest` for what is not named.

    Whoever may not be here is not told what could be asked.
    """

    get: Statuses | None = None
    post: Statuses | None = None
    delete: Statuses | None = None
    rest: Statuses = NOT_ALLOWED
    args: Callable[[User], list[object]] = lambda user: []
    query: str = ""

    def statuses(self, method: str) -> Statuses:
        named = {"GET": self.get, "HEAD": self.get, "POST": self.post, "DELETE": self.delete}
        return named.get(method) or self.rest


def an_upload(user: User) -> list[object]:
    return [make_upload(user).pk]


def a_face(user: User) -> list[object]:
    return [make_upload(user).faces.get().pk]


def a_bulk(user: User) -> list[object]:
    label_set = LabelSet.objects.get(slug="expressions")
    bulk = Bulk.objects.create(owner=user, label_set=label_set, total=1)
    BulkFile.objects.create(bulk=bulk, position=0, name="a.jpg", upload=make_upload(user))
    return [bulk.pk]


SIGNED_IN = Statuses(401, 200, 200)
HIDDEN = Statuses(401, 200, 404)
# An empty request: what counts here is that it was let in.
EMPTY = Statuses(401, 400, 400)
FOR_EVERYBODY = Address(Statuses(200, 200, 200), rest=Statuses(405, 405, 405))
ADDRESSES = {
    "api:docs": FOR_EVERYBODY,
    "api:problems": FOR_EVERYBODY,
    "api:schema": FOR_EVERYBODY,
    "api:predictions": Address(post=EMPTY),
    "api:uploads": Address(SIGNED_IN),
    "api:upload": Address(HIDDEN, delete=Statuses(401, 204, 404), args=an_upload),
    "api:annotated": Address(HIDDEN, args=an_upload),
    "api:original": Address(HIDDEN, args=an_upload),
    "api:feedback": Address(post=Statuses(401, 400, 404), args=a_face),
    "api:label-sets": Address(SIGNED_IN),
    "api:models": Address(SIGNED_IN),
    "api:active-model": Address(SIGNED_IN),
    "api:bulks": Address(post=EMPTY),
    "api:one-bulk": Address(HIDDEN, args=a_bulk),
    # Everybody else is not called ada.
    "api:me": Address(delete=Statuses(401, 204, 400), query="?username=ada"),
    "api:export": Address(SIGNED_IN),
    "dataset:export": Address(Statuses(401, 403, 403, staff=200), rest=Statuses(401, 403, 403, staff=405)),
}
TABLE = [
    pytest.param(name, method, someone, id=f"{method} {name} as {someone}")
    for name in ADDRESSES
    for method in METHODS
    for someone in CAST
]


def everything() -> list[object]:
    """Whatever a request could have changed for ada."""
    kept = (User, Upload, Face, Prediction, Token, Bulk, BulkFile)
    return [
        *(list(model.objects.order_by("pk").values("pk")) for model in kept),
        list(DataExport.objects.filter(owner__username="ada").values()),
    ]


def program_of(someone: str, ada: User, api_of: ApiOf) -> Client:
    if someone == "visitor":
        return Client()
    if someone == "owner":
        return api_of(ada)
    makers = {
        "another": lambda: make_user("bob"),
        "labeler": lambda: make_labeler("lena"),
        "superuser": lambda: make_superuser("root"),
    }
    return api_of(makers[someone]())


def test_the_table_knows_every_address() -> None:
    found = {
        f"{space}:{name}": route for space, name, route in every_address() if space in {"api", "dataset"}
    }
    assert set(found) == set(ADDRESSES)
    owned = {name for name, address in ADDRESSES.items() if address.args in (an_upload, a_face, a_bulk)}
    assert {name for name, route in found.items() if "<" in route} == owned


@pytest.mark.parametrize(("name", "method", "someone"), TABLE)
def test_everybody_gets_what_the_table_says(
    name: str, method: str, someone: str, ada: User, api_of: ApiOf
) -> None:
    make_active_model()
    address = ADDRESSES[name]
    url = reverse(name, args=address.args(ada)) + address.query
    program = program_of(someone, ada, api_of)
    hers = everything()
    answer = program.generic(method, url)
    expected = address.statuses(method).of(someone)
    assert answer.status_code == expected
    if expected >= 400:
        assert answer["Content-Type"] == "application/problem+json"
    if someone != "owner":
        assert everything() == hers


def test_a_session_is_as_good_as_a_token(ada: User, ada_client: Client, bob_client: Client) -> None:
    url = reverse("api:upload", args=an_upload(ada))
    assert ada_client.get(url).status_code == 200
    assert bob_client.get(url).status_code == 404


def test_a_list_has_only_ones_own(ada: User, api: Client, bobs_api: Client) -> None:
    make_upload(ada)
    assert len(api.get("/api/v1/uploads/").json()["results"]) == 1
    assert bobs_api.get("/api/v1/uploads/").json()["results"] == []


def test_somebody_elses_archive_narrows_to_nothing(ada: User, api: Client, bobs_api: Client) -> None:
    query = f"?bulk={a_bulk(ada)[0]}"
    assert len(api.get(f"/api/v1/uploads/{query}").json()["results"]) == 1
    assert bobs_api.get(f"/api/v1/uploads/{query}").json()["results"] == []
