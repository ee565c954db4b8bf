"""Photographs through the form and through the script that sends them one by one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from classifier import pipeline
from classifier.accounts import erase_account
from classifier.models import ModelVersion, Upload, User
from classifier.pipeline import Reading, read_photograph
from tests.factories import make_active_model, make_upload
from tests.photographs import astronaut, grace_hopper, no_face

pytestmark = pytest.mark.django_db
JSON = {"Accept": "application/json"}


@pytest.fixture(autouse=True)
def model(db: None) -> None:
    make_active_model()


def photograph(content: bytes, name: str = "photo.jpg") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, content, "image/jpeg")


def test_one_photograph_leads_to_its_result(ada: User, ada_client: Client) -> None:
    answer = ada_client.post("/uploads/", {"photos": photograph(astronaut())}, follow=True)
    upload = Upload.objects.get(owner=ada)
    assert answer.redirect_chain == [(reverse("upload", args=[upload.pk]), 302)]
    page = answer.content.decode()
    assert "Happy" in page
    assert "90%" in page
    assert upload.faces_found == 1


def test_several_lead_to_the_history(ada: User, ada_client: Client) -> None:
    sent = [photograph(astronaut(), "a.jpg"), photograph(grace_hopper(), "b.jpg")]
    answer = ada_client.post("/uploads/", {"photos": sent}, follow=True)
    assert answer.redirect_chain[-1][0] == reverse("uploads")
    assert "2 photographs were read." in answer.content.decode()
    assert Upload.objects.count() == 2


def test_a_bad_one_does_not_take_the_good_ones_with_it(ada_client: Client) -> None:
    sent = [photograph(astronaut(), "good.jpg"), photograph(b"not a picture", "bad.jpg")]
    page = ada_client.post("/uploads/", {"photos": sent}, follow=True).content.decode()
    assert "bad.jpg: " in page
    assert [upload.name for upload in Upload.objects.all()] == ["good.jpg"]


def test_no_photograph_is_said_on_the_page(ada_client: Client) -> None:
    answer = ada_client.post("/uploads/", {})
    assert answer.status_code == 400
    assert "Choose at least one photograph." in answer.content.decode()


def test_a_photograph_without_a_face_is_kept_and_says_so(ada_client: Client) -> None:
    page = ada_client.post("/uploads/", {"photos": photograph(no_face())}, follow=True).content.decode()
    assert "No face found" in page
    assert Upload.objects.get().faces_found == 0


def test_consent_is_off_unless_it_is_given(ada_client: Client) -> None:
    assert 'name="consent" id="consent">' in ada_client.get("/").content.decode()
    ada_client.post("/uploads/", {"photos": photograph(astronaut())})
    assert Upload.objects.get().consent is False


def test_consent_is_given_with_the_upload(ada_client: Client) -> None:
    ada_client.post("/uploads/", {"photos": photograph(astronaut()), "consent": "on"})
    assert Upload.objects.get().consent is True


def test_the_preference_only_ticks_the_box(ada: User, ada_client: Client) -> None:
    ada.training_consent = True
    ada.save()
    assert 'id="consent" checked>' in ada_client.get("/").content.decode()
    ada_client.post("/uploads/", {"photos": photograph(astronaut())})
    assert Upload.objects.get().consent is False


def test_consent_can_be_taken_back(ada: User, ada_client: Client) -> None:
    upload = make_upload(ada, consent=True)
    ada_client.post(reverse("upload-consent", args=[upload.pk]), {"consent": "no"})
    upload.refresh_from_db()
    assert upload.consent is False


def test_a_script_gets_the_result_to_show(ada_client: Client) -> None:
    answer = ada_client.post("/uploads/", {"photos": photograph(astronaut())}, headers=JSON)
    upload = Upload.objects.get()
    assert answer.status_code == 201
    assert answer.headers["Location"] == answer.json()["url"] == reverse("upload", args=[upload.pk])
    assert f'id="result-{upload.pk}"' in answer.json()["html"]
    assert answer.json()["summary"] == "1 face: happy"


def test_a_script_whose_user_signed_out_is_told(client: Client) -> None:
    answer = client.post("/uploads/", {"photos": photograph(astronaut())}, headers=JSON)
    assert answer.status_code == 403
    assert "signed out" in answer.json()["error"]


def test_too_many_in_a_minute_are_told_when_to_go_on(ada_client: Client, settings: Settings) -> None:
    settings.UPLOAD_RATE = "2/min"
    for _ in range(2):
        assert (
            ada_client.post("/uploads/", {"photos": photograph(no_face())}, headers=JSON).status_code == 201
        )
    answer = ada_client.post("/uploads/", {"photos": photograph(no_face())}, headers=JSON)
    assert answer.status_code == 429
    assert 0 < int(answer.headers["Retry-After"]) <= 60
    assert "Try again in" in answer.json()["error"]
    assert Upload.objects.count() == 2


def test_every_photograph_of_a_form_counts_towards_the_rate(ada_client: Client, settings: Settings) -> None:
    settings.UPLOAD_RATE = "2/min"
    sent = [photograph(no_face(), f"{n}.jpg") for n in range(3)]
    page = ada_client.post("/uploads/", {"photos": sent}, follow=True).content.decode()
    assert Upload.objects.count() == 2
    assert "2.jpg: You have sent as many photographs" in page


def test_the_rate_is_each_users_own(ada_client: Client, bob_client: Client, settings: Settings) -> None:
    settings.UPLOAD_RATE = "1/min"
    for client in (ada_client, bob_client):
        assert client.post("/uploads/", {"photos": photograph(no_face())}, headers=JSON).status_code == 201


def test_without_a_model_nothing_is_kept(ada_client: Client) -> None:
    ModelVersion.objects.update(active=False)
    answer = ada_client.post("/uploads/", {"photos": photograph(astronaut())}, headers=JSON)
    assert answer.status_code == 503
    assert not Upload.objects.exists()


def test_a_model_whose_file_was_altered_answers_nothing(ada_client: Client) -> None:
    version = make_active_model(favourite="surprise")
    with version.artifact.open("r+b") as file:
        file.write(b"altered")
    answer = ada_client.post("/uploads/", {"photos": photograph(astronaut())}, headers=JSON)
    assert answer.status_code == 503
    assert "No model can answer" in answer.json()["error"]
    assert not Upload.objects.exists()


# Only a commit asks whether the owner is still there.
@pytest.mark.django_db(transaction=True, serialized_rollback=True)
@pytest.mark.parametrize(("headers", "status"), [(JSON, 403), ({"Accept": "text/html"}, 302)])
def test_a_photograph_on_its_way_while_the_account_is_deleted_is_not_kept(
    headers: dict[str, str],
    status: int,
    ada: User,
    ada_client: Client,
    settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def read_meanwhile(data: bytes, **options: Any) -> Reading:
        erase_account(ada)
        return read_photograph(data, **options)

    monkeypatch.setattr(pipeline, "read_photograph", read_meanwhile)
    answer = ada_client.post("/uploads/", {"photos": photograph(astronaut())}, headers=headers)
    assert answer.status_code == status
    assert not Upload.objects.exists()
    left = [path.name for path in Path(settings.MEDIA_ROOT).rglob("*.jpg")]
    assert left == []
