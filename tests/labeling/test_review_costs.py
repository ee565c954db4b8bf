"""The labelers' pages ask the database as often for ten faces as for a thousand."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from classifier.models import Face, Prediction, User
from labeling.models import ReviewItem
from labeling.review import answer
from labeling.review_queue import hand
from tests.conftest import logged_in
from tests.labeling.cast import expressions, make_labeler, offered_upload, says

pytestmark = pytest.mark.django_db

LIST = "/admin/labeling/reviewitem/"
PAGES = {
    "review": f"{LIST}review/expressions/",
    "list": LIST,
    "list, filtered": f"{LIST}?state__exact=waiting&disagreed__exact=0",
    "start": f"{LIST}review/",
}


def make_waiting(owner: User, number: int) -> None:
    """As many more faces, copies of one that went the whole way."""
    first = offered_upload(owner)
    face, item = first.faces.get(), ReviewItem.objects.get(face__upload=first)
    prediction = face.predictions.get()
    faces = Face.objects.bulk_create(_copy(face, position=place) for place in range(1, number))
    Prediction.objects.bulk_create(_copy(prediction, face=copy) for copy in faces)
    ReviewItem.objects.bulk_create(_copy(item, face=copy, perceptual_hash=copy.pk << 20) for copy in faces)


def _copy(row: Any, **changes: Any) -> Any:
    fields = {field.attname: getattr(row, field.attname) for field in row._meta.concrete_fields}
    fields.pop("id")
    for name in changes:
        fields.pop(f"{name}_id", None)
    return type(row)(**{**fields, **changes})


def queries(client: Client, url: str) -> list[str]:
    client.get(url, follow=True)  # the first visit may warm caches and lease faces
    with CaptureQueriesContext(connection) as captured:
        assert client.get(url, follow=True).status_code == 200
    return [query["sql"] for query in captured]


@pytest.mark.parametrize("url", PAGES.values(), ids=PAGES)
def test_a_page_asks_as_often_for_ten_faces_as_for_a_thousand(url: str, ada: User) -> None:
    client = logged_in(make_labeler("lena"))
    make_waiting(ada, 10)
    few = queries(client, url)
    make_waiting(ada, 1000)
    many = queries(client, url)
    assert len(many) == len(few) <= 25, "\n".join(many)


def test_a_faces_page_asks_as_often_for_one_opinion_as_for_twenty(ada: User) -> None:
    make_waiting(ada, 1)
    item = ReviewItem.objects.get()
    labelers = [make_labeler(f"labeler{number}") for number in range(21)]
    client = logged_in(make_labeler("judge", adjudicator=True))
    url = f"{LIST}{item.pk}/change/"
    item.label_set.__class__.objects.update(annotations_wanted=3)
    for labeler in labelers[:1]:
        answer(labeler, hand(labeler, expressions())[0], says("sad"))
    ReviewItem.objects.update(state="disputed", lease_holder=None, leased_until=None)
    few = queries(client, url)
    for labeler in labelers[1:]:
        ReviewItem.objects.update(state="waiting")
        answer(labeler, hand(labeler, expressions())[0], says("sad"))
        ReviewItem.objects.update(state="waiting", settled_at=None, label=None)
    ReviewItem.objects.update(state="disputed")
    assert len(queries(client, url)) == len(few) <= 20
