"""Pages of a history: order, depth, filters, deleting, and what they cost."""

from __future__ import annotations

import base64
import re
import uuid
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from classifier.history import PAGE_SIZE, Cursor, page_of
from classifier.models import Face, Prediction, Upload, User
from tests.factories import PASSWORD, make_upload

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 3, 15, 12, tzinfo=UTC)
Counting = Callable[[int], AbstractContextManager[object]]


def make_many(owner: User, n: int) -> list[Upload]:
    """Uploads a minute apart, newest first, all with the files of one, each with a face and a prediction."""
    first = make_upload(owner, created_at=NOON)
    uploads = [first, *(copy_of(first, number) for number in range(1, n))]
    Upload.objects.bulk_create(uploads[1:])
    for number, upload in enumerate(uploads[1:], start=1):
        upload.created_at = NOON - timedelta(minutes=number)
    Upload.objects.bulk_update(uploads[1:], ["created_at"], batch_size=500)
    face = Face.objects.get(upload=first)
    prediction = Prediction.objects.get(face=face)
    faces = [Face(**{**values_of(face), "upload": upload}) for upload in uploads[1:]]
    Face.objects.bulk_create(faces)
    Prediction.objects.bulk_create(Prediction(**{**values_of(prediction), "face": face}) for face in faces)
    return uploads


def copy_of(upload: Upload, number: int) -> Upload:
    return Upload(**{**values_of(upload), "id": uuid.uuid4(), "name": f"{number}.jpg"})


def values_of(row: Upload | Face | Prediction) -> dict[str, object]:
    return {
        field.name: getattr(row, field.name)
        for field in row._meta.concrete_fields
        if not field.primary_key or field.name == "upload"
    }


def names(page: str) -> list[str]:
    return re.findall(r'class="tile-name">([^<]+)<', page)


def walk(client: Client, relation: str, url: str) -> Iterator[str]:
    """Page after page along the links of one kind."""
    while True:
        page = client.get(url).content.decode()
        yield page
        link = re.search(rf'rel="{relation}" href="([^"]+)"', page)
        if not link:
            return
        url = "/uploads/" + link[1].replace("&amp;", "&")


def test_newest_first_and_every_photograph_once(ada: User, ada_client: Client) -> None:
    uploads = make_many(ada, 2 * PAGE_SIZE + 5)
    pages = [names(page) for page in walk(ada_client, "next", "/uploads/")]
    assert [len(page) for page in pages] == [PAGE_SIZE, PAGE_SIZE, 5]
    assert [name for page in pages for name in page] == [upload.name for upload in uploads]


def test_back_again_is_the_same_pages(ada: User, ada_client: Client) -> None:
    make_many(ada, 3 * PAGE_SIZE)
    down = list(walk(ada_client, "next", "/uploads/"))
    last = re.search(r'rel="prev" href="([^"]+)"', down[-1])
    assert last
    up = list(walk(ada_client, "prev", "/uploads/" + last[1]))
    assert [names(page) for page in up] == [names(page) for page in down[-2::-1]]


def test_photographs_of_one_instant_are_neither_lost_nor_repeated(ada: User) -> None:
    for _ in range(7):
        make_upload(ada, created_at=NOON, shows=())
    seen, page = [], page_of(Upload.objects.owned_by(ada), reader=ada, size=2)
    seen += page.uploads
    while page.older:
        page = page_of(Upload.objects.owned_by(ada), reader=ada, before=page.older, size=2)
        seen += page.uploads
    assert len(seen) == len({upload.pk for upload in seen}) == 7


def written(moment: str) -> str:
    """A cursor as the site would write it for this moment, were it a moment that a photograph can have."""
    return base64.urlsafe_b64encode(f"{moment}|{uuid.UUID(int=7)}".encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "cursor",
    [
        "x",
        "%00",
        "MjAyNg",
        Cursor(NOON, uuid.UUID(int=7)).encode()[:-9],
        written("2026-03-15T12:00:00"),
        written("0001-01-01T00:00:00+14:00"),
        written("9999-12-31T23:59:59-14:00"),
    ],
)
def test_a_cursor_that_the_site_did_not_write_is_the_first_page(
    cursor: str, ada: User, ada_client: Client
) -> None:
    make_upload(ada)
    for side in ("before", "after"):
        answer = ada_client.get("/uploads/", {side: cursor})
        assert answer.status_code == 200
        assert len(names(answer.content.decode())) == 1


def test_a_page_past_the_end_is_the_first_page(ada: User, ada_client: Client) -> None:
    upload = make_upload(ada)
    answer = ada_client.get("/uploads/", {"before": Cursor.at(upload).encode()}).content.decode()
    assert names(answer) == ["photo.jpg"]
    assert "Nothing here yet" not in answer


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        ("", {"glad.jpg", "mixed.jpg", "unsure.jpg", "wall.jpg"}),
        ("happy", {"glad.jpg", "mixed.jpg"}),
        ("sad", {"mixed.jpg"}),
        ("unsure", {"unsure.jpg"}),
        ("no-face", {"wall.jpg"}),
        ("fear", set()),
    ],
)
def test_filter_by_expression(choice: str, expected: set[str], ada: User, ada_client: Client) -> None:
    make_upload(ada, name="glad.jpg", shows=["happy"])
    make_upload(ada, name="mixed.jpg", shows=["sad", "happy"])
    make_upload(ada, name="unsure.jpg", shows=["fear"], unsure=True)
    make_upload(ada, name="wall.jpg", shows=[])
    page = ada_client.get("/uploads/", {"showing": choice}).content.decode()
    assert set(names(page)) == expected


def test_filter_by_date_takes_both_days_whole(ada: User, ada_client: Client) -> None:
    for day, hour in [(9, 23), (10, 0), (11, 23), (12, 0)]:
        make_upload(ada, name=f"{day}.jpg", shows=(), created_at=datetime(2026, 3, day, hour, tzinfo=UTC))
    page = ada_client.get("/uploads/", {"first": "2026-03-10", "last": "2026-03-11"}).content.decode()
    assert names(page) == ["11.jpg", "10.jpg"]


@pytest.mark.parametrize("zone", ["Asia/Tokyo", "UTC", "America/Los_Angeles"])
@pytest.mark.parametrize("span", [("0001-01-01", ""), ("", "9999-12-31"), ("0001-01-01", "9999-12-31")])
def test_the_ends_of_the_calendar_are_days_like_others(
    zone: str, span: tuple[str, str], ada: User, ada_client: Client
) -> None:
    make_upload(ada)
    with timezone.override(zone):
        answer = ada_client.get("/uploads/", {"first": span[0], "last": span[1]})
    assert names(answer.content.decode()) == ["photo.jpg"]


def test_a_filter_goes_on_to_the_next_page(ada: User, ada_client: Client) -> None:
    make_many(ada, PAGE_SIZE + 3)
    pages = list(walk(ada_client, "next", "/uploads/?showing=happy"))
    assert [len(names(page)) for page in pages] == [PAGE_SIZE, 3]
    assert not names(next(walk(ada_client, "next", "/uploads/?showing=sad")))


@pytest.mark.parametrize("query", ["showing=joy", "first=soon", "first=2026-02-02&last=2026-02-01"])
def test_a_filter_that_makes_no_sense_is_said_and_not_obeyed(
    query: str, ada: User, ada_client: Client
) -> None:
    make_upload(ada)
    page = ada_client.get(f"/uploads/?{query}").content.decode()
    assert len(names(page)) == 1
    assert "field-error" in page


def test_an_empty_history_says_what_to_do(ada_client: Client) -> None:
    assert "Nothing here yet" in ada_client.get("/uploads/").content.decode()


def test_deleting_several_asks_first_and_takes_files_and_rows(
    ada: User, ada_client: Client, settings: Settings
) -> None:
    gone, kept = [make_upload(ada, name=f"{n}.jpg") for n in range(2)], make_upload(ada, name="kept.jpg")
    ids = [str(upload.pk) for upload in gone]
    question = ada_client.post(reverse("uploads-delete"), {"ids": ids}).content.decode()
    assert "Delete 2 photographs?" in question
    assert Upload.objects.count() == 3
    page = ada_client.post(reverse("uploads-delete"), {"ids": ids, "confirmed": "yes"}, follow=True)
    assert "2 photographs are deleted." in page.content.decode()
    assert list(Upload.objects.all()) == [kept]
    media = Path(settings.MEDIA_ROOT)
    left = {path.name for path in media.rglob("*.jpg")}
    assert left == {Path(str(kept.photo.name)).name, Path(str(kept.thumbnail.name)).name}


def test_deleting_one_asks_first(ada: User, ada_client: Client) -> None:
    upload = make_upload(ada, name="me.jpg")
    url = reverse("upload-delete", args=[upload.pk])
    assert "Delete “me.jpg”?" in ada_client.get(url).content.decode()
    assert Upload.objects.exists()
    assert "“me.jpg” is deleted." in ada_client.post(url, follow=True).content.decode()
    assert not Upload.objects.exists()


def test_nothing_selected_is_said(ada_client: Client) -> None:
    page = ada_client.post(reverse("uploads-delete"), {"ids": ["x"]}, follow=True).content.decode()
    assert "Select the photographs to delete first." in page


PAGES = {"history": "/uploads/", "filtered": "/uploads/?showing=happy&first=2026-01-01", "home": "/"}


@pytest.mark.parametrize("url", PAGES.values(), ids=PAGES)
def test_the_number_of_queries_does_not_grow(
    url: str, ada: User, bob: User, ada_client: Client, bob_client: Client,
    django_assert_max_num_queries: Counting,
) -> None:  # fmt: skip
    make_many(ada, 10)
    with django_assert_max_num_queries(14) as few:
        ada_client.get(url)
    make_many(bob, 1000)
    with django_assert_max_num_queries(len(few)):  # type: ignore[arg-type]
        bob_client.get(url)


def test_a_result_costs_the_same_for_one_face_and_for_forty(
    ada: User, ada_client: Client, django_assert_max_num_queries: Counting
) -> None:
    one, forty = make_upload(ada), make_upload(ada, shows=["happy", "sad"] * 20)
    with django_assert_max_num_queries(12) as few:
        ada_client.get(reverse("upload", args=[one.pk]))
    with django_assert_max_num_queries(len(few)):  # type: ignore[arg-type]
        ada_client.get(reverse("upload", args=[forty.pk]))


def test_signing_in_on_the_way_to_delete_ends_in_the_history(ada: User, client: Client) -> None:
    upload = make_upload(ada)
    stopped = client.post(reverse("uploads-delete"), {"ids": [str(upload.pk)], "confirmed": "yes"})
    signed_in = client.post(stopped.headers["Location"], {"login": "ada", "password": PASSWORD}, follow=True)
    assert [url for url, _ in signed_in.redirect_chain] == [reverse("uploads-delete"), reverse("uploads")]
    assert signed_in.status_code == 200
    assert Upload.objects.exists()
