"""Who is let in: every address of labeling, found in the admin's own URLs, for everybody who may not."""

from __future__ import annotations

import uuid
from collections.abc import Iterator

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group, Permission
from django.test import Client
from django.urls import URLPattern, reverse
from django.urls.converters import (
    IntConverter,
    PathConverter,
    SlugConverter,
    StringConverter,
    UUIDConverter,
)

from classifier.models import User
from labeling.models import DatasetJob, DatasetVersion, Example, ReviewItem, TrainingRun
from tests.conftest import logged_in
from tests.factories import make_user
from tests.labeling.cast import item_of, label, make_labeler, noise, offered_upload

pytestmark = pytest.mark.django_db

LOG_IN = "/accounts/login/"
JOB = uuid.uuid4()


def patterns() -> Iterator[URLPattern]:
    for model, model_admin in admin.site._registry.items():
        if model._meta.app_label == "labeling":
            yield from (pattern for pattern in model_admin.urls if pattern.name)


NAMES = sorted({str(pattern.name) for pattern in patterns()})


@pytest.fixture
def item(ada: User) -> ReviewItem:
    """One of each kind of thing that the addresses may be about, all with the same number."""
    item = item_of(offered_upload(ada))
    happy = label("happy")
    place = {"group": "g", "split": "train", "digest": "0" * 64, "perceptual_hash": 0}
    Example.objects.create(
        pk=item.pk, label_set=item.label_set, label=happy, source="table", crop=noise(0).tobytes(), **place
    )
    DatasetVersion.objects.create(
        pk=item.pk, label_set=item.label_set, digest="0" * 64, size=0, examples=0, counts={}
    )
    DatasetJob.objects.create(pk=JOB, kind="export", label_set=item.label_set)
    TrainingRun.objects.create(pk=item.pk, label_set=item.label_set, estimator="svm")
    return item


def address_of(name: str, item: ReviewItem) -> str:
    """The address with arguments that lead to something."""
    pattern = next(pattern for pattern in patterns() if pattern.name == name)
    values: dict[type, object] = {
        IntConverter: item.pk,
        StringConverter: item.pk,
        PathConverter: item.pk,
        SlugConverter: "expressions",
        UUIDConverter: JOB,
    }
    converters = pattern.pattern.converters
    arguments = {name: values[type(converter)] for name, converter in converters.items()}
    return reverse(f"admin:{name}", kwargs=arguments)


def make_staff(username: str) -> Client:
    """Staff who may look at everything that is not labeling."""
    user = make_user(username, is_staff=True)
    group = Group.objects.create(name="Everything else")
    group.permissions.add(*Permission.objects.exclude(content_type__app_label="labeling"))
    user.groups.add(group)
    return logged_in(user)


def test_the_addresses_of_the_review_are_among_those_that_are_tried() -> None:
    assert {
        "labeling_review",
        "labeling_review_start",
        "labeling_bulk",
        "labeling_crop",
        "labeling_photo",
        "labeling_reviewitem_changelist",
        "labeling_reviewitem_change",
        "labeling_reviewitem_history",
        "labeling_reviewitem_add",
        "labeling_reviewitem_delete",
    } <= set(NAMES)


@pytest.mark.parametrize("method", ["get", "post"])
@pytest.mark.parametrize("name", NAMES)
def test_nobody_without_a_permission_is_let_in(
    name: str, method: str, item: ReviewItem, ada_client: Client, client: Client
) -> None:
    url = address_of(name, item)
    assert getattr(make_staff("staff"), method)(url).status_code == 403
    assert getattr(ada_client, method)(url, follow=True).status_code == 403
    stopped = getattr(client, method)(url, follow=True)
    assert (stopped.status_code, stopped.redirect_chain[-1][0].split("?")[0]) == (200, LOG_IN)
    assert ReviewItem.objects.get().lease_holder is None


@pytest.mark.parametrize(
    "name",
    [
        "labeling_review",
        "labeling_crop",
        "labeling_photo",
        "labeling_reviewitem_changelist",
        "labeling_reviewitem_change",
    ],
)
def test_a_labeler_is(name: str, item: ReviewItem) -> None:
    assert logged_in(make_labeler("lena")).get(address_of(name, item)).status_code == 200


@pytest.mark.parametrize("name", ["labeling_reviewitem_add", "labeling_reviewitem_delete"])
def test_not_even_the_superuser_adds_or_deletes_by_hand(
    name: str, item: ReviewItem, root_client: Client
) -> None:
    assert root_client.get(address_of(name, item)).status_code == 403


def test_labelers_have_what_they_need_and_nothing_else() -> None:
    lena = make_labeler("lena")
    mine = {name for name in lena.get_all_permissions() if "reviewitem" in name or "_faces" in name}
    assert mine == {"labeling.view_reviewitem", "labeling.review_faces"}
    kinds = {name.partition(".")[2].partition("_")[0] for name in lena.get_all_permissions()}
    assert kinds <= {"view", "review", "export"}, "a labeler changes nothing but by answering"


def test_who_may_only_look_may_not_answer(item: ReviewItem) -> None:
    viewer = make_labeler("vera")
    group = Group.objects.get(name="Labelers")
    group.permissions.remove(*group.permissions.filter(codename="review_faces"))
    client = logged_in(viewer)
    assert client.get(address_of("labeling_reviewitem_change", item)).status_code == 200
    assert client.get(address_of("labeling_review", item)).status_code == 403
    assert client.post(address_of("labeling_bulk", item)).status_code == 403
    page = client.get(address_of("labeling_reviewitem_changelist", item)).content.decode()
    assert "accept_many" not in page
    assert client.post(address_of("labeling_reviewitem_change", item), {"label": "sad"}).status_code == 403
