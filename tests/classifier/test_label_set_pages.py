"""Label sets in the admin: making one, naming and colouring its labels, adding and removing them."""

from __future__ import annotations

from typing import Any

import pytest
from django.contrib.auth.models import Group, Permission
from django.test import Client
from django.urls import reverse

from classifier.label_sets import add_labels, create_label_set
from classifier.models import LabelSet, User
from tests.conftest import logged_in
from tests.factories import make_active_model, make_user

pytestmark = pytest.mark.django_db
LIST = reverse("admin:classifier_labelset_changelist")
ADD = reverse("admin:classifier_labelset_add")
ASKED = {
    "slug": "happy-sad",
    "name": "Happy or sad",
    "labels": "Happy\nSad, Neither",
    "annotations_wanted": "1",
    "open_to_all": "on",
}


def page_of(label_set: LabelSet) -> str:
    return reverse("admin:classifier_labelset_change", args=[label_set.pk])


def text(client: Client, url: str) -> str:
    answered = client.get(url)
    assert answered.status_code == 200
    return answered.content.decode()


@pytest.fixture
def two(db: None) -> LabelSet:
    return create_label_set("two", ["Happy", "Sad"])


def names(label_set: LabelSet) -> list[str]:
    return list(label_set.labels.values_list("name", flat=True))


def test_a_label_set_is_made_with_its_labels(root_client: Client) -> None:
    assert root_client.get(ADD).status_code == 200
    answered = root_client.post(ADD, ASKED)
    made = LabelSet.objects.get(slug="happy-sad")
    assert answered["Location"] == page_of(made)
    assert names(made) == ["Happy", "Sad", "Neither"]
    assert (made.name, made.open_to_all, made.names_people) == ("Happy or sad", True, False)


def test_one_of_people_asks_for_purpose_and_consent_basis_and_shows_them(root_client: Client) -> None:
    group = Group.objects.create(name="Archivists")
    asked = ASKED | {"names_people": "on", "groups": [group.pk]}
    del asked["open_to_all"]
    refused = root_client.post(ADD, asked)
    assert refused.status_code == 400
    assert refused.content.decode().count("Needed where the labels are people.") == 2
    assert LabelSet.objects.count() == 1
    root_client.post(ADD, asked | {"purpose": "to find them in our archive", "consent_basis": "in writing"})
    made = LabelSet.objects.get(slug="happy-sad")
    assert (made.open_to_all, list(made.groups.all())) == (False, [group])
    shown = text(root_client, page_of(made))
    assert "to find them in our archive" in shown
    assert "biometric identification" in shown


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"labels": "Happy"}, "at least two labels"),
        ({"labels": "Happy\nHAPPY"}, "too much alike"),
        ({"labels": ""}, "This field is required"),
        ({"slug": "expressions"}, "already exists"),
        ({"slug": "two words"}, "valid “slug”"),
    ],
)
def test_what_can_t_be_made_is_said_on_the_form(
    wrong: dict[str, Any], words: str, root_client: Client
) -> None:
    refused = root_client.post(ADD, ASKED | wrong)
    assert refused.status_code == 400
    assert words in refused.content.decode()
    assert LabelSet.objects.count() == 1


def test_labels_are_named_and_coloured(two: LabelSet, root_client: Client) -> None:
    happy, sad = two.labels.all()
    sent = {
        "act": "labels",
        f"label-{happy.pk}-name": "Glad",
        f"label-{happy.pk}-color": "#123456",
        f"label-{sad.pk}-name": "Sad",
        f"label-{sad.pk}-color": sad.color,
    }
    assert root_client.post(page_of(two), sent).status_code == 302
    assert list(two.labels.values_list("slug", "name", "color")) == [
        ("happy", "Glad", "#123456"),
        ("sad", "Sad", sad.color),
    ]
    refused = root_client.post(page_of(two), sent | {f"label-{happy.pk}-name": "sad"})
    assert "There is a label “sad” already." in refused.content.decode()
    refused = root_client.post(page_of(two), sent | {f"label-{happy.pk}-color": "red; x"})
    assert "Write the color as #" in refused.content.decode()
    assert names(two) == ["Glad", "Sad"]


def test_labels_are_added_and_removed(two: LabelSet, root_client: Client) -> None:
    root_client.post(page_of(two), {"act": "add", "names": "Angry\nAfraid"})
    assert names(two) == ["Happy", "Sad", "Angry", "Afraid"]
    root_client.post(page_of(two), {"act": "remove", "label": two.labels.get(slug="angry").pk})
    assert names(two) == ["Happy", "Sad", "Afraid"]
    assert "Removed: Angry." in text(root_client, reverse("admin:classifier_labelset_history", args=[two.pk]))
    refused = root_client.post(page_of(two), {"act": "add", "names": "happy"})
    assert "too much alike" in refused.content.decode()
    assert root_client.post(page_of(two), {"act": "remove", "label": "nobody"}).status_code == 404


def test_a_label_in_use_says_why_it_stays(root_client: Client) -> None:
    version = make_active_model()
    fear = version.label_set.labels.get(slug="fear")
    refused = root_client.post(page_of(version.label_set), {"act": "remove", "label": fear.pk})
    assert refused.status_code == 400
    assert (
        "The label “Fear” can&#x27;t be removed: expressions v1 (constant) knows it."
        in refused.content.decode()
    )


def test_the_settings_change_and_people_stay_people(two: LabelSet, root_client: Client) -> None:
    group = Group.objects.create(name="Archivists")
    sent = {"act": "settings", "name": "Two", "annotations_wanted": "3", "groups": [group.pk]}
    root_client.post(page_of(two), sent)
    two.refresh_from_db()
    assert (two.name, two.annotations_wanted, two.open_to_all) == ("Two", 3, False)
    people = sent | {"names_people": "on", "purpose": "an archive", "consent_basis": "in writing"}
    root_client.post(page_of(two), people)
    assert root_client.post(page_of(two), people | {"purpose": ""}).status_code == 400
    del people["names_people"]
    root_client.post(page_of(two), people | {"purpose": "another"})
    two.refresh_from_db()
    assert (two.names_people, two.purpose) == (True, "another")


def test_what_the_active_model_does_not_know_is_said_on_its_pages(root_client: Client) -> None:
    version = make_active_model()
    add_labels(version.label_set, ["Contempt"])
    said = "The model does not know “Contempt” yet"
    assert said in text(root_client, page_of(version.label_set))
    assert said in text(root_client, LIST)


def with_permission(*codenames: str) -> Client:
    user: User = make_user(is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    return logged_in(user)


def test_who_may_look_make_and_change(two: LabelSet, bob_client: Client) -> None:
    adding = {"act": "add", "names": "Angry"}
    assert bob_client.get(page_of(two)).status_code == 302
    for_looking = with_permission("view_labelset")
    shown = text(for_looking, page_of(two))
    assert "Remove" not in shown
    assert "Keep the" not in shown
    assert for_looking.post(page_of(two), adding).status_code == 403
    assert for_looking.get(ADD).status_code == 403
    assert for_looking.post(ADD, ASKED).status_code == 403
    changing = with_permission("view_labelset", "change_labelset")
    assert changing.post(page_of(two), adding).status_code == 302
    assert changing.get(ADD).status_code == 403
    assert with_permission("view_labelset", "add_labelset").post(ADD, ASKED).status_code == 302
    assert with_permission().get(page_of(two)).status_code == 403
