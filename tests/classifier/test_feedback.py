"""What users say of a result, and what they are told once labelers have looked at it."""

from __future__ import annotations

import re

import pytest
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse

from classifier.feedback import FeedbackError, give_feedback
from classifier.models import Decision, Face, Feedback, Label, LabelSet, User
from tests.factories import make_upload

pytestmark = pytest.mark.django_db
JSON = {"accept": "application/json"}


def expressions() -> LabelSet:
    return LabelSet.objects.get(slug="expressions")


@pytest.fixture
def face(ada: User) -> Face:
    return make_upload(ada, shows=["happy"]).faces.get()


def page_of(client: Client, face: Face) -> str:
    return client.get(reverse("upload", args=[face.upload_id])).content.decode()


def say(client: Client, face: Face, **form: str) -> str:
    url = reverse("face-feedback", args=[face.pk])
    return client.post(url, {"label_set": "expressions", **form}, follow=True).content.decode()


def pressed(page: str) -> list[str]:
    return re.findall(r'value="(\w+)" aria-pressed="true"', page)


@pytest.mark.parametrize(("said", "kept"), [("right", "right"), ("not_a_face", "not a face")])
def test_right_and_not_a_face_are_one_button(said: str, kept: str, face: Face, ada_client: Client) -> None:
    page = say(ada_client, face, said=said, label="angry")
    assert pressed(page) == [said]
    assert "Thank you" in page
    assert str(Feedback.objects.get()) == kept


def test_wrong_says_what_it_is_instead(face: Face, ada_client: Client) -> None:
    page = say(ada_client, face, said="wrong", label="sad")
    assert "Wrong: it is sad" in page
    assert '<option value="sad" selected>' in page
    given = Feedback.objects.get()
    assert (given.said, given.label) == ("wrong", Label.objects.get(slug="sad"))


def test_whoever_changes_their_mind_says_one_thing(face: Face, ada_client: Client) -> None:
    say(ada_client, face, said="wrong", label="sad")
    assert pressed(say(ada_client, face, said="right")) == ["right"]
    assert Feedback.objects.get().label is None


@pytest.mark.parametrize(
    ("form", "status"),
    [
        ({"said": "wrong"}, 400),
        ({"said": "wrong", "label": "joy"}, 400),
        ({"said": "maybe"}, 400),
        ({}, 400),
        ({"said": "right", "label_set": "poses"}, 404),
    ],
)
def test_what_makes_no_sense_is_refused(
    form: dict[str, str], status: int, face: Face, ada_client: Client
) -> None:
    url = reverse("face-feedback", args=[face.pk])
    answer = ada_client.post(url, {"label_set": "expressions", **form}, headers=JSON)
    assert answer.status_code == status
    assert not Feedback.objects.exists()


def test_nobody_speaks_of_anothers_face(face: Face, bob_client: Client, client: Client) -> None:
    for stranger in (bob_client, client):
        answer = stranger.post(
            reverse("face-feedback", args=[face.pk]), {"label_set": "expressions", "said": "right"}
        )
        assert answer.status_code == 404
    assert not Feedback.objects.exists()


def test_a_script_gets_the_part_of_the_page_that_has_changed(face: Face, ada_client: Client) -> None:
    form = {"label_set": "expressions", "said": "right"}
    url = reverse("face-feedback", args=[face.pk])
    html = ada_client.post(url, form, headers=JSON).json()["html"]
    assert html.startswith('<div class="feedback"')
    assert pressed(html) == ["right"]


@pytest.mark.parametrize(("slug", "words"), [("sad", "<b>Sad</b>"), (None, "<b>no readable face</b>")])
def test_what_labelers_settled_is_told(slug: str | None, words: str, face: Face, ada_client: Client) -> None:
    assert "Labelers looked" not in page_of(ada_client, face)
    label = Label.objects.filter(slug=slug).first()
    Decision.objects.create(face=face, label_set=expressions(), label=label)
    assert f"Labelers looked at it: {words}" in page_of(ada_client, face)


def test_a_label_of_another_set_is_refused(face: Face, ada: User) -> None:
    poses = LabelSet.objects.create(slug="poses", name="Poses")
    front = poses.labels.create(position=0, slug="front", name="Front")
    with pytest.raises(FeedbackError, match="not one of this label set"):
        give_feedback(face=face, label_set=expressions(), user=ada, said="wrong", label=front)


def test_the_database_knows_that_only_wrong_names_a_label(face: Face, ada: User) -> None:
    row = Feedback(face=face, label_set=expressions(), user=ada, said="right")
    row.label = Label.objects.get(slug="sad")
    with pytest.raises(IntegrityError, match="only_wrong_names_a_label"), transaction.atomic():
        row.save()
