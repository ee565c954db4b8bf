"""What is no photograph, or no request: each a problem with the right type, and nothing kept."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from pytest_django import Settings

from classifier.models import Upload
from tests.classifier.test_bad_uploads import png
from tests.factories import make_active_model
from tests.photographs import astronaut

PREDICTIONS = "/api/v1/predictions/"
pytestmark = pytest.mark.django_db
Send = Callable[[Client], Any]


@pytest.fixture(autouse=True)
def model(db: None) -> None:
    make_active_model()


def body(content: bytes | str, content_type: str = "application/json") -> Send:
    return lambda api: api.post(PREDICTIONS, content, content_type=content_type)


def fields(**sent: Any) -> Send:
    return body(json.dumps(sent))


def file(content: bytes | Callable[[], bytes], **more: Any) -> Send:
    def send(api: Client) -> Any:
        data = content if isinstance(content, bytes) else content()
        return api.post(PREDICTIONS, {"image": SimpleUploadedFile("a.jpg", data), **more})

    return send


def two_files(api: Client) -> Any:
    return api.post(PREDICTIONS, {"image": [SimpleUploadedFile(f"{n}.jpg", astronaut()) for n in "ab"]})


def in_base64(content: bytes) -> str:
    return base64.b64encode(content).decode()


PHOTOGRAPH = in_base64(astronaut())
BAD: dict[str, tuple[Send, int, str, str]] = {
    "invalid base64": (fields(image="not base64!"), 400, "invalid", "image"),
    "base64 cut off": (fields(image=PHOTOGRAPH[:-5]), 400, "invalid", "image"),
    "an image that is a number": (fields(image=7), 400, "invalid", "image"),
    "base64 of text": (fields(image=in_base64(b"Dear Ada,")), 415, "not-a-photograph", "image"),
    "a data URL of another type": (
        fields(image=f"data:text/plain;base64,{PHOTOGRAPH}"),
        415,
        "not-a-photograph",
        "image",
    ),
    "a data URL without base64": (fields(image="data:image/png,%89PNG"), 415, "not-a-photograph", "image"),
    "JSON that is no object": (body('["image"]'), 400, "bad-request", ""),
    "no JSON": (body('{"image": '), 400, "bad-request", ""),
    "JSON that is not a number": (body('{"image": NaN}'), 400, "bad-request", ""),
    "JSON without end of depth": (body("[" * 100_000), 400, "bad-request", ""),
    "JSON of far too many lists": (body('{"image": [' + "[]," * 2000 + "[]]}"), 400, "bad-request", ""),
    "JSON of far too many fields": (
        body("{" + ",".join(f'"{n}":0' for n in range(2000)) + "}"),
        400,
        "bad-request",
        "",
    ),
    "JSON that is no text": (body(b'{"image": "\xff"}'), 400, "bad-request", ""),
    "nothing": (body("{}"), 400, "invalid", "image"),
    "an empty body": (body(""), 400, "invalid", "image"),
    "an empty file": (file(b""), 400, "photograph-unreadable", "image"),
    "25 MB in a file": (file(lambda: astronaut() + bytes(25_000_000)), 413, "too-large", ""),
    "25 MB of JSON": (lambda api: fields(image="A" * 25_000_000)(api), 413, "too-large", ""),
    "an image bomb": (file(lambda: png(50_000, 50_000)), 400, "photograph-unreadable", "image"),
    "a truncated file": (file(lambda: astronaut()[:9000]), 400, "photograph-unreadable", "image"),
    "another content type": (body("image", "text/plain"), 415, "unsupported-media-type", ""),
    "no content type": (body("image", ""), 415, "unsupported-media-type", ""),
    "a form without boundary": (body(b"image", "multipart/form-data"), 400, "bad-request", ""),
    "a form that breaks off": (
        body(b"--x\r\nContent", "multipart/form-data; boundary=x"),
        400,
        "invalid",
        "image",
    ),
    "a part that is no file": (
        lambda api: api.post(PREDICTIONS, {"image": PHOTOGRAPH}),
        400,
        "invalid",
        "image",
    ),
    "an unknown label set": (file(astronaut, label_set="colors"), 400, "invalid", "label_set"),
    "a label set that is no slug": (file(astronaut, label_set="\x00"), 400, "invalid", "label_set"),
    "consent that is neither": (file(astronaut, consent="perhaps"), 400, "invalid", "consent"),
    "two files": (two_files, 400, "invalid", "image"),
    "a file and a url": (file(astronaut, url="https://example.org/a.jpg"), 400, "invalid", "image"),
    "an image named twice": (
        body(f'{{"image": "{PHOTOGRAPH}", "image": "{PHOTOGRAPH}"}}'),
        400,
        "bad-request",
        "",
    ),
    "a url where none is fetched": (fields(url="https://example.org/a.jpg"), 400, "invalid", "url"),
    "a url that is none": (fields(url="elsewhere"), 400, "invalid", "url"),
}


@pytest.mark.parametrize(("send", "status", "slug", "field"), BAD.values(), ids=BAD.keys())
def test_bad_input_is_a_problem(send: Send, status: int, slug: str, field: str, api: Client) -> None:
    answer = send(api)
    assert answer.status_code == status
    assert answer["Content-Type"] == "application/problem+json"
    said = answer.json()
    assert said["type"] == f"/api/problems/#{slug}"
    assert said["status"] == status
    assert said["title"]
    assert said["detail"].endswith(".")
    assert [error["field"] for error in said.get("errors", [])] == ([field] if field else [])
    assert not Upload.objects.exists()


def test_an_upload_that_nobody_has_is_not_found(api: Client) -> None:
    for address in ("00000000-0000-0000-0000-000000000000", "not-a-uuid", "1"):
        answer = api.get(f"/api/v1/uploads/{address}/")
        assert (answer.status_code, answer.json()["type"]) == (404, "/api/problems/#not-found")


def test_an_address_that_is_none_is_a_problem_too(api: Client, client: Client) -> None:
    for someone in (api, client):
        answer = someone.get("/api/v1/nowhere/")
        assert (answer.status_code, answer["Content-Type"]) == (404, "application/problem+json")


def test_a_way_of_asking_that_is_none_says_which_there_are(api: Client) -> None:
    answer = api.put("/api/v1/uploads/")
    assert (answer.status_code, answer.json()["type"]) == (405, "/api/problems/#method-not-allowed")
    assert "GET" in answer["Allow"]


@pytest.mark.parametrize("authorization", ["Bearer", "Bearer emo_wrong", "Bearer \xff", "bearer  a b c"])
def test_a_token_that_is_none_is_a_problem(authorization: str, client: Client) -> None:
    answer = client.get("/api/v1/models/", headers={"Authorization": authorization})
    assert (answer.status_code, answer.json()["type"]) == (401, "/api/problems/#not-signed-in")
    assert answer["WWW-Authenticate"] == "Bearer"


def test_a_failure_says_nothing_of_the_inside(
    api: Client, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("the secret of the inside")

    settings.DEBUG = True
    api.raise_request_exception = False
    monkeypatch.setattr("classifier.api.views.predictions.store_photograph", fail)
    answer = file(astronaut)(api)
    assert (answer.status_code, answer["Content-Type"]) == (500, "application/problem+json")
    assert b"inside" not in answer.content
    assert b"Traceback" not in answer.content


def test_a_browsers_session_needs_its_csrf_token(ada_client: Client) -> None:
    strict = Client(enforce_csrf_checks=True)
    strict.cookies = ada_client.cookies
    answer = file(astronaut)(strict)
    assert (answer.status_code, answer.json()["type"]) == (403, "/api/problems/#forbidden")
    assert strict.get("/api/v1/uploads/").status_code == 200


def test_each_problem_is_explained_where_its_type_points(client: Client, api: Client) -> None:
    kind = api.put("/api/v1/uploads/").json()["type"]
    page, _, place = kind.partition("#")
    assert f'id="{place}"' in client.get(page).content.decode()
