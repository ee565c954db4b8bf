"""Who gets what, by every method, at every address of the API. One that the table forgets fails a test."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from classifier.api.models import Bulk, BulkFile, Token
from classifier.models import DataExport, Face, LabelSet, Prediction, Upload, User
from tests.classifier.api.conftest import ApiOf
from tests.classifier.api.test_bulk import zip_of
from tests.classifier.test_ownership import every_address
from tests.factories import (
    make_active_model,
    make_label_set,
    make_reading,
    make_superuser,
    make_upload,
    make_user,
)
from tests.labeling.cast import make_labeler
from tests.photographs import astronaut

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
    patch: Statuses | None = None
    delete: Statuses | None = None
    rest: Statuses = NOT_ALLOWED
    args: Callable[[User], list[object]] = lambda user: []
    query: str = ""

    def statuses(self, method: str) -> Statuses:
        named = {"GET": self.get, "HEAD": self.get, "POST": self.post, "PATCH": self.patch}
        return (named | {"DELETE": self.delete}).get(method) or self.rest


def an_upload(user: User) -> list[object]:
    return [make_upload(user).pk]


def a_face(user: User) -> list[object]:
    return [make_upload(user).faces.get().pk]


def a_bulk(user: User) -> list[object]:
    bulk = Bulk.objects.create(owner=user, total=1)
    bulk.label_sets.add(LabelSet.objects.get(slug="expressions"))
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
    "api:upload": Address(HIDDEN, patch=HIDDEN, delete=Statuses(401, 204, 404), args=an_upload),
    "api:readings": Address(post=Statuses(401, 400, 404), args=an_upload),
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


@pytest.mark.parametrize("someone", ["another", "labeler", "superuser"])
def test_a_list_has_only_ones_own(someone: str, ada: User, api: Client, api_of: ApiOf) -> None:
    make_upload(ada)
    assert len(api.get("/api/v1/uploads/").json()["results"]) == 1
    assert program_of(someone, ada, api_of).get("/api/v1/uploads/").json()["results"] == []


@pytest.mark.parametrize(
    ("someone", "name"), [("another", "bob"), ("labeler", "lena"), ("superuser", "root")]
)
def test_an_export_is_of_whoever_asks(someone: str, name: str, ada: User, api_of: ApiOf) -> None:
    make_upload(ada)
    answer = program_of(someone, ada, api_of).get("/api/v1/me/export.zip")
    with zipfile.ZipFile(io.BytesIO(answer.getvalue())) as archive:
        assert json.loads(archive.read("account.json"))["username"] == name
        assert not [member for member in archive.namelist() if member.endswith(".jpg")]


@pytest.mark.parametrize("someone", CAST)
def test_health_is_told_to_whoever_asks(someone: str, ada: User, api_of: ApiOf) -> None:
    make_active_model()
    program = program_of(someone, ada, api_of)
    assert program.get("/health/live").status_code == 200
    ready = program.get("/health/ready")
    assert (ready.status_code, ready.json().keys()) == (503, Client().get("/health/ready").json().keys())


def test_somebody_elses_archive_narrows_to_nothing(ada: User, api: Client, bobs_api: Client) -> None:
    query = f"?bulk={a_bulk(ada)[0]}"
    assert len(api.get(f"/api/v1/uploads/{query}").json()["results"]) == 1
    assert bobs_api.get(f"/api/v1/uploads/{query}").json()["results"] == []


SECRET, NOWHERE = "secret", "nowhere"


@pytest.fixture
def limited(ada: User, bob: User) -> LabelSet:
    """A label set for ada's group alone, under which a photograph of each has been read; both may export."""
    make_active_model()
    friends = Group.objects.create(name="friends")
    ada.groups.add(friends)
    secret = make_label_set(SECRET, ["Ann", "Bo"], favourite="ann", groups=[friends])
    for owner in (ada, bob):
        make_reading(make_upload(owner).faces.get(), secret, shows="ann")
        owner.user_permissions.add(Permission.objects.get(codename="export_examples"))
    return secret


def as_json(program: Client, url: str, **said: object) -> Any:
    return program.post(url, json.dumps(said), content_type="application/json")


def as_file(program: Client, url: str, name: str, content: bytes, slug: str) -> Any:
    return program.post(url, {name: SimpleUploadedFile("a", content), "label_set": slug})


Door = Callable[[Client, Face, str], Any]
# Whoever may not read with a label set gets, at each door, the answer about one that is not there.
DOORS: dict[str, Door] = {
    "predictions": lambda program, face, slug: as_file(
        program, "/api/v1/predictions/", "image", astronaut(), slug
    ),
    "bulk": lambda program, face, slug: as_file(
        program, "/api/v1/bulk/", "archive", zip_of({"a.jpg": astronaut()}), slug
    ),
    "readings": lambda program, face, slug: as_json(
        program, f"/api/v1/uploads/{face.upload_id}/readings/", label_set=slug
    ),
    "feedback": lambda program, face, slug: as_json(
        program, f"/api/v1/faces/{face.pk}/feedback/", correct=True, label_set=slug
    ),
    **{
        url: lambda program, face, slug, url=url: program.get(url, {"label_set": slug})  # type: ignore[misc]
        for url in ("/api/v1/uploads/", "/api/v1/models/active/", "/api/v1/dataset/export.csv")
    },
    "annotated": lambda program, face, slug: program.get(
        f"/api/v1/uploads/{face.upload_id}/annotated.png", {"label_set": slug}
    ),
}


def said_about(door: str, program: Client, face: Face, slug: str) -> tuple[int, bytes]:
    answer = DOORS[door](program, face, slug)
    return answer.status_code, answer.getvalue()


@pytest.mark.parametrize("door", DOORS)
def test_a_label_set_that_one_may_not_read_with_is_as_if_it_were_not_there(
    door: str, ada: User, bob: User, api: Client, bobs_api: Client, limited: LabelSet
) -> None:
    hers, his = (Face.objects.get(upload__owner=owner) for owner in (ada, bob))
    assert said_about(door, bobs_api, his, SECRET) == said_about(door, bobs_api, his, NOWHERE)
    assert said_about(door, bobs_api, his, SECRET)[0] == 400
    assert said_about(door, api, hers, SECRET)[0] in {200, 201, 202}


def test_nothing_of_it_is_listed(
    ada: User, bob: User, api: Client, bobs_api: Client, limited: LabelSet
) -> None:
    hers, his = (Upload.objects.get(owner=owner).pk for owner in (ada, bob))
    for url in ("label-sets/", "models/", "uploads/", "uploads/{}/"):
        assert SECRET in api.get(f"/api/v1/{url.format(hers)}").content.decode(), url
        assert SECRET not in bobs_api.get(f"/api/v1/{url.format(his)}").content.decode(), url


def test_a_default_that_is_limited_is_not_there_for_others(api: Client, bobs_api: Client) -> None:
    make_active_model()
    friends = Group.objects.create(name="friends")
    User.objects.get(username="ada").groups.add(friends)
    default = LabelSet.objects.get(slug="expressions")
    default.groups.add(friends)
    LabelSet.objects.update(open_to_all=False)
    photograph = {"image": SimpleUploadedFile("a.jpg", astronaut())}
    assert bobs_api.post("/api/v1/predictions/", photograph).status_code == 503
    assert bobs_api.get("/api/v1/models/active/").status_code == 400
    assert api.get("/api/v1/models/active/").status_code == 200
    assert not Upload.objects.exists()
