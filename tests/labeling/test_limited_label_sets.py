"""A label set that is limited to a group: labelers who are not in it don't learn that it is there."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.contrib.auth.models import Group, Permission
from django.test import Client
from django.urls import reverse

from classifier.handover import offer
from classifier.models import LabelSet, User
from labeling.models import DatasetJob, DatasetVersion, Example, ReviewItem
from tests.conftest import logged_in
from tests.factories import make_active_model, make_label_set, make_upload
from tests.labeling.cast import make_labeler

pytestmark = pytest.mark.django_db
RIGHTS = ("view_example", "change_example", "import_examples", "freeze_dataset", "view_datasetversion")


@pytest.fixture
def friends(db: None) -> Group:
    return Group.objects.create(name="friends")


@pytest.fixture
def limited(ada: User, friends: Group) -> LabelSet:
    """With a face to review, an example, a frozen version and a job, the only ones of their kinds."""
    make_active_model()
    secret = make_label_set("secret", ["Ann", "Bo"], favourite="ann", groups=[friends])
    upload = make_upload(ada, consent=True, version=secret.versions.get(), shows=["ann"])
    offer(upload)
    Example.objects.create(
        label_set=secret,
        label=secret.labels.get(slug="ann"),
        crop=upload.faces.get().crop,
        source="table",
        group="g",
        split="train",
        digest="0" * 64,
        perceptual_hash=0,
    )
    DatasetVersion.objects.create(label_set=secret, digest="0" * 64, size=0, examples=0, counts={})
    DatasetJob.objects.create(kind="export", label_set=secret)
    return secret


def labeler(name: str) -> User:
    user = make_labeler(name, adjudicator=True)
    user.user_permissions.add(*Permission.objects.filter(codename__in=RIGHTS))
    return user


@pytest.fixture
def insider(friends: Group) -> Client:
    user = labeler("lena")
    user.groups.add(friends)
    return logged_in(user)


@pytest.fixture
def outsider(db: None) -> Client:
    return logged_in(labeler("otto"))


PAGES: dict[str, Callable[[], list[object]]] = {
    "labeling_review": lambda: ["secret"],
    "labeling_reviewitem_change": lambda: [ReviewItem.objects.get().pk],
    "labeling_crop": lambda: [ReviewItem.objects.get().pk],
    "labeling_photo": lambda: [ReviewItem.objects.get().pk],
    "labeling_dataset": lambda: ["secret"],
    "labeling_dataset_job": lambda: [DatasetJob.objects.get().pk],
    "labeling_example_crop": lambda: [Example.objects.get().pk],
}


@pytest.mark.parametrize("name", PAGES)
def test_its_pages_are_there_for_its_group_alone(
    name: str, limited: LabelSet, insider: Client, outsider: Client
) -> None:
    url = reverse(f"admin:{name}", args=PAGES[name]())
    assert insider.get(url).status_code == 200
    assert outsider.get(url).status_code == 404


@pytest.mark.parametrize(
    "name",
    [
        *("labeling_bulk", "labeling_dataset_import", "labeling_dataset_export", "labeling_dataset_freeze"),
        *("labeling_dataset_doubts", "labeling_relabel", "labeling_withdraw"),
    ],
)
def test_nothing_can_be_done_to_it_from_outside(
    name: str, limited: LabelSet, insider: Client, outsider: Client
) -> None:
    url = reverse(f"admin:{name}", args=["secret"])
    assert outsider.post(url).status_code == 404
    assert insider.post(url).status_code != 404


@pytest.mark.parametrize("kind", ["reviewitem", "example", "datasetversion"])
def test_its_rows_are_listed_for_its_group_alone(
    kind: str, limited: LabelSet, insider: Client, outsider: Client
) -> None:
    url = reverse(f"admin:labeling_{kind}_changelist")
    assert len(insider.get(url).context["cl"].result_list) == 1
    assert len(outsider.get(url).context["cl"].result_list) == 0


def test_whoever_reviews_is_asked_about_their_own_label_sets(
    limited: LabelSet, insider: Client, outsider: Client
) -> None:
    url = reverse("admin:labeling_review_start")
    assert "Secret" in insider.get(url).content.decode()
    assert outsider.get(url)["Location"] == reverse("admin:labeling_review", args=["expressions"])


def test_a_superuser_sees_it(limited: LabelSet, root_client: Client) -> None:
    assert root_client.get(reverse("admin:labeling_dataset", args=["secret"])).status_code == 200
