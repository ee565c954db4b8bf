"""A site whose DEFAULT_LABEL_SET does not exist says so, and answers whoever names another."""

from __future__ import annotations

import json
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from pytest_django import Settings

from classifier.models import User
from tests.factories import make_upload
from tests.photographs import astronaut

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def no_default(settings: Settings) -> None:
    settings.DEFAULT_LABEL_SET = "gone"


def feedback(api: Client, ada: User, **options: Any) -> Any:
    face = make_upload(ada, shows=["happy"]).faces.get()
    said = json.dumps({"correct": True, **options})
    return api.post(f"/api/v1/faces/{face.pk}/feedback/", said, content_type="application/json")


def bulk(api: Client, ada: User, **options: Any) -> Any:
    make_upload(ada)  # with a model
    return api.post("/api/v1/bulk/", {"archive": SimpleUploadedFile("a.zip", b"no archive"), **options})


def active_model(api: Client, ada: User, **options: Any) -> Any:
    make_upload(ada)
    return api.get("/api/v1/models/active/", options)


@pytest.mark.parametrize("ask", [feedback, bulk, active_model])
def test_what_needs_one_names_the_field_and_the_way_out(ask: Any, api: Client, ada: User) -> None:
    answer = ask(api, ada)
    assert answer.status_code == 400
    [error] = answer.json()["errors"]
    assert error["field"] == "label_set"
    assert "gone, does not exist. Name one that GET label-sets/ lists." in error["detail"]
    named = ask(api, ada, label_set="expressions")
    assert "label_set" not in [error["field"] for error in named.json().get("errors", [])]


def test_a_photograph_has_no_model_to_read_it(api: Client) -> None:
    answer = api.post("/api/v1/predictions/", {"image": SimpleUploadedFile("a.jpg", astronaut())})
    assert (answer.status_code, answer.json()["type"]) == (503, "/api/problems/#no-model")
