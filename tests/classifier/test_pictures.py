"""Photographs as files: types, names, caching, and nothing in them that the user did not see."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from PIL import Image
from pytest_django import DjangoAssertNumQueries

from classifier.models import Face, Label, Prediction, Upload, User
from classifier.registry import promote, register
from classifier.vision.image import encode_png
from tests.artifacts import artifact_looking_at, tiny_artifact
from tests.factories import make_active_model, make_upload
from tests.photographs import astronaut

pytestmark = pytest.mark.django_db
KINDS = {
    "upload-photo": ("image/jpeg", "inline", "private, max-age=2592000, immutable"),
    "upload-thumbnail": ("image/jpeg", "inline", "private, max-age=2592000, immutable"),
    "upload-annotated": ("image/jpeg", "attachment", "private, no-cache"),
    "upload-json": ("application/json", "attachment", "private, no-cache"),
}


def body(answer: object) -> bytes:
    return b"".join(answer.streaming_content)  # type: ignore[attr-defined]


@pytest.mark.parametrize("name", KINDS)
def test_each_says_what_it_is_and_who_may_keep_it(name: str, ada: User, ada_client: Client) -> None:
    content_type, disposition, cache = KINDS[name]
    headers = ada_client.get(reverse(name, args=[make_upload(ada, name="Eileen.png").pk])).headers
    assert headers["Content-Type"] == content_type
    assert headers["Content-Disposition"].startswith(f'{disposition}; filename="Eileen')
    assert headers["Cache-Control"] == cache
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert "Cookie" in headers["Vary"]


@pytest.mark.parametrize("name", ["upload-photo", "upload-thumbnail", "upload-annotated"])
def test_what_the_browser_has_is_not_sent_again(name: str, ada: User, ada_client: Client) -> None:
    url = reverse(name, args=[make_upload(ada).pk])
    tag = ada_client.get(url).headers["ETag"]
    answer = ada_client.get(url, headers={"If-None-Match": tag})
    assert answer.status_code == 304
    assert answer.headers["Cache-Control"].startswith("private")


def test_a_stranger_with_the_right_tag_gets_404(ada: User, ada_client: Client, bob_client: Client) -> None:
    url = reverse("upload-photo", args=[make_upload(ada).pk])
    tag = ada_client.get(url).headers["ETag"]
    assert bob_client.get(url, headers={"If-None-Match": tag}).status_code == 404


def test_the_crop_is_the_face_as_the_model_saw_it(ada: User, ada_client: Client) -> None:
    face = make_upload(ada).faces.get()
    answer = ada_client.get(reverse("face-crop", args=[face.pk]))
    assert answer.headers["Content-Type"] == "image/png"
    assert Image.open(io.BytesIO(body(answer))).size == (112, 112)


def test_boxes_are_drawn_into_the_download_and_change_with_the_reading(ada: User, ada_client: Client) -> None:
    upload = make_upload(ada)
    url = reverse("upload-annotated", args=[upload.pk])
    answer = ada_client.get(url)
    drawn = Image.open(io.BytesIO(body(answer))).convert("RGB")
    assert len(drawn.getcolors(1_000_000) or []) > 10  # the photograph itself is plain gray
    upload.faces.get().predictions.update(shown=False)
    assert ada_client.get(url).headers["ETag"] != answer.headers["ETag"]


@pytest.mark.parametrize("changed", [{"name": "Joyful"}, {"color": "#123456"}])
def test_a_label_drawn_otherwise_is_a_picture_to_fetch_again(
    changed: dict[str, str], ada: User, ada_client: Client
) -> None:
    url = reverse("upload-annotated", args=[make_upload(ada).pk])
    before = ada_client.get(url).headers["ETag"]
    Label.objects.filter(slug="happy").update(**changed)
    assert ada_client.get(url, headers={"If-None-Match": before}).status_code == 200


def test_no_picture_tells_where_it_was_taken(ada: User, ada_client: Client) -> None:
    make_active_model()
    exif = Image.Exif()
    exif[0x8825] = {1: "N", 2: (52.0, 31.0, 12.0)}
    exif[0x010F] = "Maker of cameras"
    file = io.BytesIO()
    Image.open(io.BytesIO(astronaut())).save(file, "JPEG", exif=exif)
    ada_client.post("/uploads/", {"photos": SimpleUploadedFile("where.jpg", file.getvalue())})
    upload = Upload.objects.get()
    for name in ("upload-photo", "upload-thumbnail", "upload-annotated"):
        served = body(ada_client.get(reverse(name, args=[upload.pk])))
        assert b"Maker of cameras" not in served
        assert not Image.open(io.BytesIO(served)).getexif()


def test_the_json_is_the_result(ada: User, ada_client: Client) -> None:
    upload = make_upload(ada, shows=["sad"])
    result = json.loads(ada_client.get(reverse("upload-json", args=[upload.pk])).content)
    assert result["faces"][0]["label"] == "sad"
    assert result["name"] == "photo.jpg"


@pytest.mark.parametrize("name", ["upload-photo", "upload-thumbnail", "upload-annotated"])
def test_a_file_that_is_lost_is_not_there(name: str, ada: User, ada_client: Client) -> None:
    upload = make_upload(ada)
    for file in (upload.photo, upload.thumbnail):
        default_storage.delete(str(file.name))
    assert ada_client.get(reverse(name, args=[upload.pk])).status_code == 404


@pytest.mark.parametrize("name", ["upload-photo", "upload-thumbnail"])
def test_a_picture_costs_three_queries(
    name: str, ada: User, ada_client: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    url = reverse(name, args=[make_upload(ada, shows=["happy", "sad"]).pk])
    with django_assert_num_queries(3) as asked:
        assert ada_client.get(url).status_code == 200
    tables = ["django_session", "classifier_user", "classifier_upload"]
    assert all(table in one["sql"] for table, one in zip(tables, asked.captured_queries, strict=True))


def test_why_shows_the_face_with_what_the_model_looked_at(ada: User, ada_client: Client) -> None:
    version = register(*artifact_looking_at(24, 24, radius=8, label="happy"))
    promote(version)
    upload = make_upload(ada, version=version)
    crop = np.random.default_rng(0).integers(0, 256, (112, 112, 3), dtype=np.uint8)
    crop[40:72, 40:72] = 255
    Face.objects.filter(upload=upload).update(crop=encode_png(crop))
    prediction = Prediction.objects.get(face__upload=upload)
    answer = ada_client.get(reverse("prediction-why", args=[prediction.pk]))
    assert answer.headers["Content-Type"] == "image/png"
    assert answer.headers["Cache-Control"] == "private, max-age=2592000, immutable"
    shown = np.asarray(Image.open(io.BytesIO(body(answer)))).astype(int)
    colour = np.ptp(shown, axis=2)
    assert colour[46:66, 46:66].mean() > 60
    assert colour[:10, :10].max() < 20


def test_why_asks_the_version_that_answered_not_the_active_one(ada: User, ada_client: Client) -> None:
    upload = make_upload(ada, version=make_active_model(favourite="happy"))
    promote(register(*artifact_looking_at(24, 24, radius=8, label="happy")))
    prediction = Prediction.objects.get(face__upload=upload)
    shown = np.asarray(
        Image.open(io.BytesIO(body(ada_client.get(reverse("prediction-why", args=[prediction.pk])))))
    )
    assert not np.ptp(shown, axis=2).any()


def test_why_of_a_model_that_is_gone_is_not_found(ada: User, ada_client: Client) -> None:
    version = make_active_model(confidence=0.61)
    prediction = Prediction.objects.get(face__upload=make_upload(ada, version=version))
    promote(register(*tiny_artifact(favourite="sad")))
    default_storage.delete(str(version.artifact.name))
    assert ada_client.get(reverse("prediction-why", args=[prediction.pk])).status_code == 404
