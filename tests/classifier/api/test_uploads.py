"""A user's history for programs: pages, filters, pictures, removal."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.test import Client
from django.utils import timezone
from PIL import Image
from pytest_django import DjangoAssertNumQueries, Settings

from classifier.models import Upload, User
from labeling.models import ReviewItem
from tests.factories import make_active_model, make_upload

UPLOADS = "/api/v1/uploads/"
pytestmark = pytest.mark.django_db


def ids(answer: dict[str, list[dict[str, str]]]) -> list[str]:
    return [upload["id"] for upload in answer["results"]]


def test_pages_lead_to_all_of_them_and_back(ada: User, api: Client) -> None:
    now = timezone.now()
    made = [str(make_upload(ada, created_at=now - timedelta(hours=n)).pk) for n in range(7)]
    first = api.get(f"{UPLOADS}?size=3").json()
    second = api.get(first["next"]).json()
    third = api.get(second["next"]).json()
    assert [ids(first), ids(second), ids(third)] == [made[:3], made[3:6], made[6:]]
    assert (first["previous"], third["next"]) == (None, None)
    assert ids(api.get(third["previous"]).json()) == made[3:6]


def test_a_filter_goes_on_to_the_next_page(ada: User, api: Client) -> None:
    for _ in range(3):
        make_upload(ada, shows=["sad"])
        make_upload(ada, shows=["happy"])
    first = api.get(f"{UPLOADS}?label=sad&size=2").json()
    rest = api.get(first["next"]).json()
    shown = [upload["faces"][0]["label"] for upload in first["results"] + rest["results"]]
    assert shown == ["sad"] * 3


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("label=happy", ["old", "new"]),
        ("label=sad", ["two"]),
        ("label=fear", []),
        ("label=unsure", ["doubt"]),
        ("label=no-face", ["none"]),
        ("last=2026-01-31", ["old"]),
        ("first=2026-02-01", ["doubt", "new", "none", "two"]),
        ("first=2026-01-01&last=2026-01-31&label=happy", ["old"]),
        ("model_version=1", ["doubt", "old", "two"]),
        ("model_version=2", ["new"]),
        ("model_version=3", []),
        ("", ["doubt", "new", "none", "old", "two"]),
    ],
)
def test_filters(query: str, found: list[str], ada: User, api: Client) -> None:
    first = make_active_model()
    january = datetime(2026, 1, 5, tzinfo=UTC)
    make_upload(ada, name="old", shows=["happy"], version=first, created_at=january)
    make_upload(ada, name="two", shows=["sad", "angry"], version=first)
    make_upload(ada, name="doubt", shows=["neutral"], unsure=True, version=first)
    make_upload(ada, name="none", shows=[])
    make_upload(ada, name="new", shows=["happy"], version=make_active_model(favourite="sad"))
    results = api.get(f"{UPLOADS}?{query}").json()["results"]
    assert sorted(upload["name"] for upload in results) == sorted(found)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("label=joy", "label"),
        ("label_set=colors", "label_set"),
        ("model_version=first", "model_version"),
        ("model_version=99999999999999999999", "model_version"),
        ("first=yesterday", "first"),
        ("first=2026-02-02&last=2026-02-01", "last"),
        ("bulk=1", "bulk"),
        ("size=0", "size"),
        ("size=101", "size"),
        ("before=x", "before"),
        ("after=%00", "after"),
    ],
)
def test_a_filter_that_makes_no_sense_is_refused(query: str, field: str, api: Client) -> None:
    answer = api.get(f"{UPLOADS}?{query}")
    assert answer.status_code == 400
    assert [error["field"] for error in answer.json()["errors"]] == [field]


def test_a_page_takes_as_many_queries_as_an_empty_one_and_three(
    ada: User, api: Client, django_assert_num_queries: DjangoAssertNumQueries
) -> None:
    api.get(UPLOADS)  # notes that the token is in use
    with django_assert_num_queries(2):
        api.get(UPLOADS)
    for _ in range(5):
        make_upload(ada, shows=["happy", "sad"])
    with django_assert_num_queries(5):
        api.get(UPLOADS)


def test_pictures_are_pictures(ada: User, api: Client) -> None:
    upload = make_upload(ada)
    drawn = api.get(f"{UPLOADS}{upload.pk}/annotated.png")
    assert drawn["Content-Type"] == "image/png"
    assert Image.open(io.BytesIO(drawn.getvalue())).format == "PNG"
    original = api.get(f"{UPLOADS}{upload.pk}/original")
    assert original["Content-Type"] == "image/jpeg"
    with upload.photo.open("rb") as file:
        assert original.getvalue() == file.read()


@pytest.mark.parametrize("picture", ["annotated.png", "original"])
def test_a_picture_that_the_program_has_is_not_sent_again(picture: str, ada: User, api: Client) -> None:
    url = f"{UPLOADS}{make_upload(ada).pk}/{picture}"
    etag = api.get(url)["ETag"]
    again = api.get(url, headers={"If-None-Match": etag})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize("picture", ["annotated.png", "original"])
def test_a_picture_that_is_lost_is_not_found(picture: str, ada: User, api: Client) -> None:
    upload = make_upload(ada)
    upload.photo.delete()
    Upload.objects.filter(pk=upload.pk).update(photo="uploads/lost.jpg")
    assert api.get(f"{UPLOADS}{upload.pk}/{picture}").status_code == 404


def test_deleting_removes_files_and_rows(ada: User, api: Client, settings: Settings) -> None:
    upload = make_upload(ada)
    assert api.delete(f"{UPLOADS}{upload.pk}/").status_code == 204
    assert api.get(f"{UPLOADS}{upload.pk}/").status_code == 404
    assert not Upload.objects.exists()
    assert not list(Path(settings.MEDIA_ROOT).rglob("*.jpg"))


def test_consent_is_given_and_taken_back_later(ada: User, api: Client) -> None:
    upload = make_upload(ada)
    for given in (True, False):
        answer = api.patch(
            f"{UPLOADS}{upload.pk}/", json.dumps({"consent": given}), content_type="application/json"
        )
        assert (answer.status_code, answer.json()["consent"]) == (200, given)
        assert Upload.objects.get().consent is given
        assert ReviewItem.objects.filter(face__upload=upload).exists() is given


@pytest.mark.parametrize(
    ("sent", "status"), [({}, 200), ({"consent": "perhaps"}, 400), ({"consent": None}, 400), ([], 400)]
)
def test_what_says_nothing_of_consent_changes_nothing(
    sent: object, status: int, ada: User, api: Client
) -> None:
    upload = make_upload(ada, consent=True)
    answer = api.patch(f"{UPLOADS}{upload.pk}/", json.dumps(sent), content_type="application/json")
    assert answer.status_code == status
    assert Upload.objects.get().consent is True
