"""Photographs as files: types, names, caching, and nothing in them that the user did not see."""

from __future__ import annotations

import io
import json

import pytest
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from PIL import Image
from pytest_django import DjangoAssertNumQueries

from classifier.models import Upload, User
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
