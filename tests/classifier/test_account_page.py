"""A user's settings, export and erasure, through the pages."""

from __future__ import annotations

import io
import zipfile
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import Settings

from classifier.models import DataExport, Upload, User
from tests.factories import PASSWORD, make_upload

pytestmark = pytest.mark.django_db
DELETE = "/account/delete/"


def test_the_preference_is_kept(ada: User, ada_client: Client) -> None:
    ada_client.post("/account/", {"training_consent": "on"})
    ada.refresh_from_db()
    assert ada.training_consent is True
    ada_client.post("/account/", {})
    ada.refresh_from_db()
    assert ada.training_consent is False


def test_an_export_is_written_and_can_be_fetched(ada: User, ada_client: Client) -> None:
    make_upload(ada)
    page = ada_client.post("/account/export/", follow=True).content.decode()
    export = DataExport.objects.get(owner=ada)
    url = reverse("account-export-download", args=[export.pk])
    assert url in page
    answer = ada_client.get(url)
    assert answer.headers["Content-Type"] == "application/zip"
    assert answer.headers["Cache-Control"] == "private, no-store"
    names = zipfile.ZipFile(io.BytesIO(b"".join(answer.streaming_content))).namelist()  # type: ignore[attr-defined]
    assert "account.json" in names


@pytest.mark.parametrize("state", [DataExport.State.WAITING, DataExport.State.RUNNING])
def test_while_it_is_written_the_page_looks_again(state: str, ada: User, ada_client: Client) -> None:
    export = DataExport.objects.create(owner=ada, state=state, done=3, total=9)
    url = reverse("account-export-download", args=[export.pk])
    assert 'http-equiv="refresh"' in ada_client.get("/account/").content.decode()
    assert ada_client.get(url).headers["Location"] == reverse("account")
    answer = ada_client.get(url, headers={"Accept": "application/json"})
    assert answer.json() == {"state": state, "done": 3, "total": 9}


def make_ended_badly(owner: User, *, how: str) -> DataExport:
    """An export that says itself that it failed, or one that went silent when its worker was killed."""
    if how == "failed":
        return DataExport.objects.create(owner=owner, state=DataExport.State.FAILED)
    silent_since = timezone.now() - DataExport.LOST_AFTER - timedelta(seconds=1)
    return DataExport.objects.create(owner=owner, state=how, done=3, total=9, progress_at=silent_since)


@pytest.mark.parametrize("how", ["failed", "waiting", "running"])
def test_an_export_that_will_never_be_done_says_so_and_can_be_tried_again(
    how: str, ada: User, ada_client: Client
) -> None:
    lost = make_ended_badly(ada, how=how)
    url = reverse("account-export-download", args=[lost.pk])
    page = ada_client.get("/account/").content.decode()
    assert "The last one could not be finished. Please try again." in page
    assert "Try again</button>" in page
    assert "<progress" not in page
    assert "http-equiv" not in page
    assert ada_client.get(url, headers={"Accept": "application/json"}).json()["state"] == "failed"
    ada_client.post("/account/export/")
    assert DataExport.objects.get(owner=ada).state == "ready"


def test_signing_in_on_the_way_to_an_export_ends_on_the_account_page(ada: User, client: Client) -> None:
    stopped = client.post(reverse("account-export"))
    signed_in = client.post(stopped.headers["Location"], {"login": "ada", "password": PASSWORD}, follow=True)
    assert [url for url, _ in signed_in.redirect_chain] == [reverse("account-export"), reverse("account")]
    assert signed_in.status_code == 200
    assert not DataExport.objects.exists()


def test_the_account_goes_with_everything_after_the_password(ada: User, ada_client: Client) -> None:
    make_upload(ada)
    answer = ada_client.post(DELETE, {"password": PASSWORD}, follow=True)
    assert "are deleted" in answer.content.decode()
    assert not User.objects.filter(username="ada").exists()
    assert not Upload.objects.exists()


@pytest.mark.parametrize("proof", [{}, {"password": ""}, {"password": "guess"}, {"username": "ada"}])
def test_the_account_stays_without_it(proof: dict[str, str], ada: User, ada_client: Client) -> None:
    answer = ada_client.post(DELETE, proof)
    assert answer.status_code == 400
    assert User.objects.filter(pk=ada.pk, is_active=True).exists()


def test_an_account_without_a_password_asks_for_its_name(ada: User, ada_client: Client) -> None:
    ada.set_unusable_password()
    ada.save()
    ada_client.force_login(ada)
    assert ada_client.post(DELETE, {"username": "bob"}).status_code == 400
    ada_client.post(DELETE, {"username": "ada"})
    assert not User.objects.filter(pk=ada.pk).exists()


def test_passwords_cannot_be_tried_at_will(ada: User, ada_client: Client, settings: Settings) -> None:
    settings.ACCOUNT_RATE_LIMITS = settings.ACCOUNT_RATE_LIMITS | {"reauthenticate": "2/m/user"}
    statuses = [ada_client.post(DELETE, {"password": "guess"}).status_code for _ in range(3)]
    assert statuses == [400, 400, 429]
    assert ada_client.post(DELETE, {"password": PASSWORD}).status_code == 429
