"""A photograph, or an archive of them, read under several label sets for a program."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from pytest_django import Settings

from classifier.api.bulk import NoLabelSetError, run_bulk
from classifier.api.models import Bulk
from classifier.label_sets import create_label_set
from classifier.models import LabelSet, Prediction, Upload, User
from tests.classifier.api.test_bulk import HOLIDAY, zip_of
from tests.factories import make_active_model, make_label_set, make_reading, make_upload
from tests.photographs import astronaut

pytestmark = pytest.mark.django_db
PREDICTIONS = "/api/v1/predictions/"
BOTH = ["expressions", "happy-sad"]


@pytest.fixture(autouse=True)
def two(db: None) -> LabelSet:
    """The second of two label sets that have a model."""
    make_active_model(favourite="surprise")
    return make_label_set("happy-sad", favourite="sad", confidence=0.8)


def send_file(api: Client, **fields: Any) -> Any:
    return api.post(PREDICTIONS, {"image": SimpleUploadedFile("a.jpg", astronaut()), **fields})


def send_json(api: Client, **fields: Any) -> Any:
    said = {"image": base64.b64encode(astronaut()).decode(), **fields}
    return api.post(PREDICTIONS, json.dumps(said), content_type="application/json")


def read_under(answer: Any) -> list[str]:
    [face] = answer.json()["faces"]
    return [one["model"]["label_set"] for one in face["readings"]]


@pytest.mark.parametrize("send", [send_file, send_json])
@pytest.mark.parametrize(
    ("asked", "answered"),
    [
        ({}, ["expressions"]),
        ({"label_set": "happy-sad"}, ["happy-sad"]),
        ({"label_set": ["happy-sad"]}, ["happy-sad"]),
        ({"label_set": ["happy-sad", "expressions"]}, BOTH),
        ({"label_set": ["happy-sad", "happy-sad"]}, ["happy-sad"]),
        ({"label_set": ["happy-sad", "expressions"], "store": "false"}, BOTH),
    ],
)
def test_one_or_several_are_asked_for(
    send: Any, asked: dict[str, Any], answered: list[str], api: Client
) -> None:
    assert read_under(send(api, **asked)) == answered


def test_beside_the_readings_stands_what_the_first_one_says(api: Client) -> None:
    answer = send_file(api, label_set=["happy-sad", "expressions"])
    [face] = answer.json()["faces"]
    first, second = face["readings"]
    assert answer.json()["model"] == first["model"]
    assert {name: face[name] for name in ("label", "confidence", "probabilities", "unsure")} == {
        name: said for name, said in first.items() if name != "model"
    }
    assert (first["label"], second["label"], second["confidence"]) == ("surprise", "sad", 0.8)
    assert second["probabilities"] == {"happy": 0.2, "sad": 0.8}
    assert api.get(answer["Location"]).json() == answer.json()


def test_the_default_comes_first_whatever_the_others_are_called(api: Client) -> None:
    make_label_set("almost", ["Yes", "No"], favourite="yes")
    answer = send_file(api, label_set=["almost", "expressions"])
    assert read_under(answer) == ["expressions", "almost"]
    assert read_under(api.get(answer["Location"])) == ["expressions", "almost"]


@pytest.mark.parametrize("send", [send_file, send_json])
@pytest.mark.parametrize("asked", ["colors", ["expressions", "colors"], ["\x00"], [""]])
def test_one_that_is_not_there_is_refused_by_its_field(send: Any, asked: Any, api: Client) -> None:
    answer = send(api, label_set=asked)
    assert answer.status_code == 400
    [error] = answer.json()["errors"]
    assert error["field"] == "label_set"
    assert not Upload.objects.exists()


@pytest.mark.parametrize("asked", [[], [1], [["expressions"]], {"slug": "expressions"}, 1, None])
def test_what_is_no_list_of_slugs_is_refused(asked: Any, api: Client) -> None:
    answer = send_json(api, label_set=asked)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "label_set")


def test_one_without_a_model_is_named_and_nothing_is_stored(api: Client) -> None:
    create_label_set("names", ["Ann", "Bo"])
    for answer in (
        send_file(api, label_set=["expressions", "names"]),
        api.post(
            "/api/v1/bulk/", {"archive": SimpleUploadedFile("a.zip", zip_of(HOLIDAY)), "label_set": "names"}
        ),
    ):
        assert (answer.status_code, answer.json()["type"]) == (503, "/api/problems/#no-model")
        said = "No model can answer for the label set names at present. Nothing was stored."
        assert answer.json()["detail"] == said
    assert not Upload.objects.exists()
    assert not Bulk.objects.exists()


def send_archive(api: Client) -> Any:
    archive = SimpleUploadedFile("a.zip", zip_of(HOLIDAY))
    return api.post("/api/v1/bulk/", {"archive": archive, "label_set": BOTH})


def test_an_archive_is_read_under_each(api: Client) -> None:
    said = api.get(send_archive(api)["Location"]).json()
    assert said["state"] == "done"
    for upload in api.get(said["results"]).json()["results"]:
        [face] = upload["faces"]
        assert [one["model"]["label_set"] for one in face["readings"]] == BOTH


def test_an_archive_is_not_read_under_what_its_owner_may_no_longer_read_with(
    api: Client, two: LabelSet, settings: Settings
) -> None:
    settings.TASKS = {"default": {"BACKEND": "django_tasks_db.DatabaseBackend"}}
    send_archive(api)
    LabelSet.objects.filter(pk=two.pk).update(open_to_all=False)
    run_bulk(Bulk.objects.get().pk)
    assert {one.label_set.slug for one in Prediction.objects.all()} == {"expressions"}


def test_an_archive_whose_label_sets_are_all_gone_has_failed(
    api: Client, two: LabelSet, settings: Settings
) -> None:
    settings.TASKS = {"default": {"BACKEND": "django_tasks_db.DatabaseBackend"}}
    address = send_archive(api)["Location"]
    LabelSet.objects.update(open_to_all=False)
    with pytest.raises(NoLabelSetError):
        run_bulk(Bulk.objects.get().pk)
    assert api.get(address).json()["state"] == "failed"
    assert not Upload.objects.exists()


def test_a_history_is_narrowed_to_what_was_read_under_one(api: Client, ada: User, two: LabelSet) -> None:
    make_upload(ada, name="first.jpg", shows=["happy"])
    make_upload(ada, name="second.jpg", shows=["happy"], version=two.versions.get())
    both = make_upload(ada, name="both.jpg", shows=["happy"])
    make_reading(both.faces.get(), two, shows="sad")
    make_upload(ada, name="wall.jpg", shows=[])

    def found(query: str) -> set[str]:
        return {upload["name"] for upload in api.get(f"/api/v1/uploads/?{query}").json()["results"]}

    assert found("") == {"first.jpg", "second.jpg", "both.jpg", "wall.jpg"}
    assert found("label_set=happy-sad") == {"second.jpg", "both.jpg", "wall.jpg"}
    assert found("label_set=expressions") == {"first.jpg", "both.jpg", "wall.jpg"}
    assert found("label_set=happy-sad&label=happy") == {"second.jpg"}
    assert found("label_set=happy-sad&model_version=1") == {"second.jpg", "both.jpg"}
    assert found("label=happy") == {"first.jpg", "both.jpg"}


def test_a_stored_photograph_is_read_later(api: Client, two: LabelSet) -> None:
    stored = send_file(api)
    answer = api.post(
        f"{stored['Location']}readings/",
        json.dumps({"label_set": ["happy-sad", "expressions"]}),
        content_type="application/json",
    )
    assert (answer.status_code, read_under(answer)) == (200, BOTH)
    [before], [after] = stored.json()["faces"], answer.json()["faces"]
    assert after["readings"][0] == before["readings"][0]
    assert Prediction.objects.count() == 2


def test_each_reading_has_a_picture(api: Client, ada: User, two: LabelSet) -> None:
    upload = make_upload(ada)
    make_reading(upload.faces.get(), two, shows="sad")
    url = f"/api/v1/uploads/{upload.pk}/annotated.png"
    etags = [api.get(url, query)["ETag"] for query in ({}, *({"label_set": slug} for slug in BOTH))]
    assert etags[0] == etags[1] != etags[2]
    assert api.get(url, {"label_set": "colors"}).status_code == 400


def test_what_names_people_is_said_with_its_purpose(api: Client) -> None:
    why: dict[str, Any] = {"purpose": "Sorting an archive.", "consent_basis": "They agreed."}
    create_label_set("people", ["Ann", "Bo"], names_people=True, **why)
    said = {one["slug"]: one for one in api.get("/api/v1/label-sets/").json()}
    assert {name: said["people"][name] for name in ("names_people", *why)} == {"names_people": True, **why}
    assert said["expressions"]["names_people"] is False
