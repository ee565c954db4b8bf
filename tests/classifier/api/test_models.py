"""What the site can recognise, and which model answers."""

from __future__ import annotations

import pytest
from django.test import Client

from classifier.models import Label, LabelSet
from tests.factories import make_active_model

pytestmark = pytest.mark.django_db


def test_label_sets_name_their_labels_in_the_order_of_the_output(api: Client) -> None:
    names = LabelSet.objects.create(slug="names", name="Names")
    Label.objects.create(label_set=names, position=0, slug="ada", name="Ada")
    version = make_active_model()
    said = {one["slug"]: one for one in api.get("/api/v1/label-sets/").json()}
    assert [label["slug"] for label in said["expressions"]["labels"]] == version.card["labels"]
    assert (said["expressions"]["active_version"], said["names"]["active_version"]) == (1, None)


def test_every_version_is_listed_and_the_active_one_marked(api: Client) -> None:
    make_active_model()
    make_active_model(favourite="sad")
    said = api.get("/api/v1/models/").json()
    assert [(one["version"], one["active"]) for one in said] == [(2, True), (1, False)]


def test_the_active_one_comes_with_its_card(api: Client) -> None:
    version = make_active_model()
    said = api.get("/api/v1/models/active/").json()
    assert (said["digest"], said["card"]) == (version.digest, version.card)
    assert api.get("/api/v1/models/active/?label_set=expressions").json() == said


def test_where_none_is_active_there_is_none(api: Client) -> None:
    LabelSet.objects.create(slug="names", name="Names")
    assert api.get("/api/v1/models/active/?label_set=names").status_code == 404
    assert api.get("/api/v1/models/active/?label_set=colors").status_code == 400
