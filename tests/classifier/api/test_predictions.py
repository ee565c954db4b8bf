"""A photograph in, by each of the ways to send one, and what comes back."""

from __future__ import annotations

import base64
import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from PIL import Image
from pytest_django import Settings

from classifier import pipeline
from classifier.accounts import erase_account
from classifier.api.serializers import ReadingAnswer, UploadAnswer
from classifier.models import ModelVersion, Upload, User
from classifier.pipeline import Reading, read_photograph
from tests.factories import make_active_model
from tests.photographs import astronaut, no_face

PREDICTIONS = "/api/v1/predictions/"
pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def model(db: None) -> ModelVersion:
    return make_active_model(favourite="surprise")


def send_file(api: Client, content: bytes | None = None, **fields: Any) -> Any:
    image = SimpleUploadedFile("collins.jpg", content or astronaut(), "image/jpeg")
    return api.post(PREDICTIONS, {"image": image, **fields})


def send_json(api: Client, **fields: Any) -> Any:
    return api.post(PREDICTIONS, json.dumps(fields), content_type="application/json")


def picture_in(url: str) -> Image.Image:
    head, _, content = url.partition(",")
    assert head == "data:image/jpeg;base64"
    return Image.open(io.BytesIO(base64.b64decode(content)))


def test_a_file_is_read_and_kept(api: Client, ada: User, model: ModelVersion) -> None:
    answer = send_file(api)
    assert answer.status_code == 201
    said = answer.json()
    upload = Upload.objects.get()
    assert upload.owner == ada
    assert not upload.consent
    assert answer["Location"] == f"/api/v1/uploads/{upload.pk}/"
    assert (said["id"], said["name"], said["width"], said["height"]) == (
        str(upload.pk),
        "collins.jpg",
        512,
        512,
    )
    assert said["model"]["digest"] == model.digest
    [face] = said["faces"]
    assert face["id"] == upload.faces.get().pk
    assert (face["label"], face["confidence"], face["unsure"]) == ("surprise", 0.9, False)
    assert len(face["probabilities"]) == 7
    assert len(face["box"]) == 4
    assert len(face["landmarks"]) == 5


@pytest.mark.parametrize(
    "written",
    [
        lambda text: text,
        lambda text: f"data:image/jpeg;base64,{text}",
        lambda text: re.sub("(.{76})", "\\1\n", text),
    ],
    ids=["base64", "data URL", "base64 in lines"],
)
def test_json_is_read_as_the_file_is(written: Any, api: Client) -> None:
    answer = send_json(api, image=written(base64.b64encode(astronaut()).decode()))
    assert answer.status_code == 201
    assert answer.json()["faces"][0]["label"] == "surprise"


def test_a_photograph_too_large_for_memory_goes_through_a_file(api: Client, settings: Settings) -> None:
    settings.FILE_UPLOAD_MAX_MEMORY_SIZE = 1000
    assert send_json(api, image=base64.b64encode(astronaut()).decode()).status_code == 201
    assert list(Path(settings.FILE_UPLOAD_TEMP_DIR).iterdir()) == []


def test_a_photograph_without_a_face_is_no_failure(api: Client) -> None:
    said = send_file(api, no_face()).json()
    assert (said["faces_found"], said["faces"], said["model"]) == (0, [], None)


def test_what_is_not_to_be_stored_is_not(api: Client, settings: Settings) -> None:
    answer = send_file(api, store="false", annotated="true")
    assert answer.status_code == 200
    said = answer.json()
    assert said["faces"][0]["label"] == "surprise"
    assert "id" not in said
    assert picture_in(said["annotated"]).size == (512, 512)
    assert not Upload.objects.exists()
    assert not list(Path(settings.MEDIA_ROOT).rglob("*.jpg"))


def test_the_picture_is_drawn_when_asked_for(api: Client) -> None:
    assert "annotated" not in send_file(api).json()
    stored = send_file(api, annotated="true").json()["annotated"]
    unstored = send_file(api, annotated="true", store="false").json()["annotated"]
    plain = Image.open(io.BytesIO(astronaut()))
    for url in (stored, unstored):
        drawn = picture_in(url)
        assert drawn.size == plain.size
        assert drawn.resize((64, 64)).tobytes() != plain.resize((64, 64)).tobytes()


def test_consent_is_given_only_by_saying_so(api: Client) -> None:
    send_file(api, consent="true")
    assert Upload.objects.get().consent


def test_a_label_set_without_a_model_is_said_so(api: Client) -> None:
    ModelVersion.objects.update(active=False)
    answer = send_file(api, label_set="expressions")
    assert (answer.status_code, answer.json()["type"]) == (503, "/api/problems/#no-model")
    assert not Upload.objects.exists()


def test_the_stages_are_timed(api: Client) -> None:
    timing = send_file(api)["Server-Timing"]
    stages = dict(part.split(";dur=") for part in timing.split(", "))
    assert {"admit", "receive", "decode", "detect", "align", "classify", "encode", "store", "total"} <= set(
        stages
    )
    assert float(stages["total"]) >= sum(float(stages[one]) for one in ("decode", "detect", "classify")) - 1


def test_the_schema_names_all_that_is_answered(api: Client) -> None:
    stored = send_file(api, annotated="true").json()
    assert set(stored) == set(UploadAnswer().fields)
    assert set(stored["faces"][0]) == set(UploadAnswer().fields["faces"].child.fields)
    unstored = send_file(api, annotated="true", store="false").json()
    assert set(unstored) == set(ReadingAnswer().fields)
    assert set(unstored["faces"][0]) == set(ReadingAnswer().fields["faces"].child.fields)


def test_what_is_answered_at_once_is_what_is_answered_later(api: Client) -> None:
    answer = send_file(api)
    assert api.get(answer["Location"]).json() == answer.json()


# Only a commit asks whether the owner is still there.
@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_an_account_that_is_deleted_meanwhile_keeps_nothing(
    api: Client, ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def read_meanwhile(data: bytes, **options: Any) -> Reading:
        erase_account(ada)
        return read_photograph(data, **options)

    monkeypatch.setattr(pipeline, "read_photograph", read_meanwhile)
    assert send_file(api).status_code == 401
    assert not Upload.objects.exists()
