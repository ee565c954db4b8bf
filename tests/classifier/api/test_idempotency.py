"""A request that is sent again with its key is answered again, and nothing is stored twice."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from pytest_django import Settings

from classifier import pipeline
from classifier.models import Upload
from tests.factories import make_active_model, make_label_set
from tests.photographs import astronaut, grace_hopper

PREDICTIONS = "/api/v1/predictions/"
pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def model(db: None) -> None:
    make_active_model()


def send(api: Client, key: str = "k1", content: bytes | None = None, **fields: Any) -> Any:
    image = SimpleUploadedFile("a.jpg", content or astronaut())
    return api.post(PREDICTIONS, {"image": image, **fields}, headers={"Idempotency-Key": key})


def test_the_same_key_answers_the_same_upload(api: Client) -> None:
    first, second = send(api), send(api)
    assert (first.status_code, second.status_code) == (201, 201)
    assert first.json() == second.json()
    assert first["Location"] == second["Location"]
    assert Upload.objects.count() == 1


def test_the_same_photograph_sent_another_way_is_the_same(api: Client) -> None:
    first = send(api)
    image = base64.b64encode(astronaut()).decode()
    again = api.post(
        PREDICTIONS,
        json.dumps({"image": image}),
        content_type="application/json",
        headers={"Idempotency-Key": "k1"},
    )
    assert again.json()["id"] == first.json()["id"]


def test_other_keys_and_none_store_anew(api: Client) -> None:
    for key in ("k1", "k2", "", ""):
        assert send(api, key).status_code == 201
    assert Upload.objects.count() == 4


def test_a_key_that_came_with_something_else_is_refused(api: Client) -> None:
    make_label_set("happy-sad")
    send(api)
    for other in ({"content": grace_hopper()}, {"consent": "true"}, {"label_set": "happy-sad"}):
        answer = send(api, **other)
        assert (answer.status_code, answer.json()["type"]) == (422, "/api/problems/#idempotency-key-reused")
    assert send(api, label_set="expressions").status_code == 201, "what it is without being said"
    assert Upload.objects.count() == 1


def test_a_key_is_its_users_own(api: Client, bobs_api: Client) -> None:
    assert send(api).json()["id"] != send(bobs_api).json()["id"]


def test_a_failed_request_leaves_its_key_free(api: Client) -> None:
    assert send(api, content=b"Dear Ada,").status_code == 415
    assert send(api).status_code == 201


def test_a_deleted_upload_leaves_its_key_free(api: Client) -> None:
    api.delete(send(api)["Location"])
    assert send(api).status_code == 201


@pytest.mark.parametrize("key", ["k" * 256, "a b", "ä"])
def test_a_key_that_is_none_is_refused(key: str, api: Client) -> None:
    answer = send(api, key)
    assert answer.status_code == 400
    assert answer.json()["errors"][0]["field"] == "Idempotency-Key"


def test_two_at_the_same_moment_store_one(
    api: Client, monkeypatch: pytest.MonkeyPatch, settings: Settings
) -> None:
    """The second comes, and is answered, after the first has read the photograph and before it keeps it."""
    save, second = pipeline._save_file, []

    def save_later(*args: Any) -> str:
        monkeypatch.setattr(pipeline, "_save_file", save)
        second.append(send(api))
        return save(*args)

    monkeypatch.setattr(pipeline, "_save_file", save_later)
    first = send(api)
    assert (first.status_code, second[0].status_code) == (201, 201)
    assert first.json() == second[0].json()
    assert Upload.objects.count() == 1
    assert len(list(Path(settings.MEDIA_ROOT).rglob("*-photo.jpg"))) == 1


def test_an_address_with_a_key_is_fetched_once(
    api: Client, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever is there by then: the request is the same."""
    settings.FETCH_URLS = True
    fetched: list[str] = []

    def fetch(url: str) -> SimpleUploadedFile:
        fetched.append(url)
        return SimpleUploadedFile("a.jpg", astronaut() if len(fetched) == 1 else grace_hopper())

    monkeypatch.setattr("classifier.api.views.predictions.fetch_photograph", fetch)

    def ask(url: str) -> Any:
        return api.post(
            PREDICTIONS,
            json.dumps({"url": url}),
            content_type="application/json",
            headers={"Idempotency-Key": "k1"},
        )

    first, second = (ask("https://example.org/webcam.jpg") for _ in range(2))
    assert first.json() == second.json()
    other = ask("https://example.org/another.jpg")
    assert (other.status_code, other.json()["type"]) == (422, "/api/problems/#idempotency-key-reused")
    assert fetched == ["https://example.org/webcam.jpg"]
    assert Upload.objects.count() == 1


def test_an_upload_whose_file_is_lost_is_not_found_with_its_picture(api: Client) -> None:
    send(api)
    Upload.objects.update(photo="uploads/lost.jpg")
    answer = send(api, annotated="true")
    assert (answer.status_code, answer.json()["type"]) == (404, "/api/problems/#not-found")
