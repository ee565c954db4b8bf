"""What a program says of how a face was read."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.test import Client

from classifier.models import Feedback, User
from tests.factories import make_upload

pytestmark = pytest.mark.django_db


def say(api: Client, face_id: object, **said: Any) -> Any:
    return api.post(f"/api/v1/faces/{face_id}/feedback/", json.dumps(said), content_type="application/json")


@pytest.fixture
def face_id(ada: User) -> int:
    return make_upload(ada, shows=["happy"]).faces.get().pk


@pytest.mark.parametrize(
    ("sent", "said", "label"),
    [
        ({"label": "sad"}, "wrong", "sad"),
        ({"correct": True}, "right", None),
        ({"not_a_face": True}, "not_a_face", None),
        ({"label": "fear", "label_set": "expressions"}, "wrong", "fear"),
    ],
)
def test_it_is_kept(
    sent: dict[str, Any], said: str, label: str | None, api: Client, ada: User, face_id: int
) -> None:
    answer = say(api, face_id, **sent)
    assert answer.status_code == 200
    assert answer.json() == {"face": face_id, "label_set": "expressions", "said": said, "label": label}
    given = Feedback.objects.get()
    assert (given.user, given.face_id, given.said, given.label and given.label.slug) == (
        ada,
        face_id,
        said,
        label,
    )


def test_the_last_word_counts(api: Client, face_id: int) -> None:
    say(api, face_id, correct=True)
    say(api, face_id, label="sad")
    assert Feedback.objects.get().said == "wrong"


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        ({}, None),
        ({"label": "sad", "correct": True}, None),
        ({"label": "joy"}, "label"),
        ({"label": ""}, "label"),
        ({"label": ["sad"]}, "label"),
        ({"correct": False}, "correct"),
        ({"not_a_face": "perhaps"}, "not_a_face"),
        ({"label": "sad", "label_set": "colors"}, "label_set"),
        ({"correct": True, "label_set": "\ud800"}, "label_set"),
        ({"correct": True, "label_set": "\0"}, "label_set"),
    ],
)
def test_what_makes_no_sense_is_refused(
    sent: dict[str, Any], field: str | None, api: Client, face_id: int
) -> None:
    answer = say(api, face_id, **sent)
    assert (answer.status_code, answer.json()["type"]) == (400, "/api/problems/#invalid")
    assert [error["field"] for error in answer.json().get("errors", [])] == ([field] if field else [])
    assert not Feedback.objects.exists()


@pytest.mark.parametrize("unknown", [0, 999_999, 10**30])
def test_a_face_that_nobody_has_is_not_found(unknown: int, api: Client) -> None:
    assert say(api, unknown, correct=True).status_code == 404


def test_somebody_elses_face_is_not_found(bobs_api: Client, face_id: int) -> None:
    answer = say(bobs_api, face_id, correct=True)
    assert (answer.status_code, answer.json()["type"]) == (404, "/api/problems/#not-found")
    assert not Feedback.objects.exists()


@pytest.mark.parametrize(
    ("opinion", "found"),
    [
        ("given", ["right", "wrong"]),
        ("none", ["silent"]),
        ("right", ["right"]),
        ("wrong", ["wrong"]),
        ("not_a_face", []),
    ],
)
def test_the_history_is_narrowed_by_it(opinion: str, found: list[str], ada: User, api: Client) -> None:
    for name, said in (("right", {"correct": True}), ("wrong", {"label": "sad"}), ("silent", None)):
        face = make_upload(ada, name=name, shows=["happy"]).faces.get()
        if said:
            say(api, face.pk, **said)
    results = api.get(f"/api/v1/uploads/?feedback={opinion}").json()["results"]
    assert sorted(upload["name"] for upload in results) == found
