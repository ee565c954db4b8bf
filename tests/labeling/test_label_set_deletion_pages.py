"""A label set is deleted in the admin: asked twice, by whoever may."""

from __future__ import annotations

import pytest
from django.contrib.auth.models import Permission
from django.test import Client
from django.urls import reverse

from classifier.label_sets import create_label_set
from classifier.models import LabelSet
from labeling.models import TrainingRun
from tests.conftest import logged_in
from tests.factories import make_user

pytestmark = pytest.mark.django_db


@pytest.fixture
def two(db: None) -> LabelSet:
    return create_label_set("two", ["Happy", "Sad"])


def page_of(label_set: LabelSet) -> str:
    return reverse("admin:classifier_labelset_delete", args=[label_set.pk])


def text(client: Client, url: str) -> str:
    answered = client.get(url)
    assert answered.status_code == 200
    return answered.content.decode()


def test_it_is_asked_twice_and_then_done(two: LabelSet, root_client: Client) -> None:
    assert page_of(two) in text(root_client, reverse("admin:classifier_labelset_change", args=[two.pk]))
    first = text(root_client, page_of(two))
    assert "<b>2</b>labels" in first
    assert "for good</button>" not in first
    assert "Delete Two for good</button>" in text(root_client, f"{page_of(two)}?again")
    for slug in ("", "Two", "expressions"):
        assert root_client.post(page_of(two), {"slug": slug}).status_code in (200, 400)
        assert LabelSet.objects.filter(pk=two.pk).exists()
    done = root_client.post(page_of(two), {"slug": "two"}, follow=True)
    assert "The label set “Two” is deleted." in done.content.decode()
    assert not LabelSet.objects.filter(pk=two.pk).exists()
    assert root_client.get(page_of(two)).status_code == 404


def test_what_can_t_be_deleted_says_why(two: LabelSet, root_client: Client) -> None:
    TrainingRun.objects.create(label_set=two, estimator="svm", state="running")
    for label_set in (two, LabelSet.objects.get(slug="expressions")):
        answered = root_client.post(page_of(label_set), {"slug": label_set.slug})
        assert 'role="alert"' in answered.content.decode()
        assert LabelSet.objects.filter(pk=label_set.pk).exists()


def test_only_whoever_may_delete_is_asked(two: LabelSet, bob_client: Client) -> None:
    staff = make_user(is_staff=True)
    staff.user_permissions.set(Permission.objects.filter(codename__in=["view_labelset", "change_labelset"]))
    client = logged_in(staff)
    assert page_of(two) not in text(client, reverse("admin:classifier_labelset_change", args=[two.pk]))
    assert client.post(page_of(two), {"slug": "two"}).status_code == 403
    assert bob_client.post(page_of(two), {"slug": "two"}).status_code == 302
    assert LabelSet.objects.filter(pk=two.pk).exists()
    # Nor by the stock list.
    selected = {"action": "delete_selected", "_selected_action": two.pk, "post": "yes"}
    logged_in(make_user("eve", is_staff=True, is_superuser=True)).post(
        reverse("admin:classifier_labelset_changelist"), selected
    )
    assert LabelSet.objects.filter(pk=two.pk).exists()
