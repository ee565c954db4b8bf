"""A label set is deleted while photographs are being read under it: each waits for the other, and none fails.

On SQLite one transaction writes at a time; what could go wrong can on PostgreSQL alone.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.http import HttpResponse
from django.test import Client
from pytest_django import Settings

from classifier import later_readings, pipeline
from classifier.models import LabelSet, Prediction, Upload, User
from classifier.serving import active_model
from labeling import label_set_deletion
from labeling.label_set_deletion import delete_label_set
from tests.conftest import logged_in
from tests.factories import make_active_model, make_label_set, make_upload, make_user
from tests.photographs import astronaut

pytestmark = pytest.mark.django_db(transaction=True, serialized_rollback=True)

SECONDS = 30


@pytest.fixture
def happy_sad(database_for_threads: None) -> LabelSet:
    make_active_model()
    return make_label_set()


@pytest.fixture
def sender(happy_sad: LabelSet) -> Client:
    return logged_in(make_user("ada"))


def by_page(client: Client) -> HttpResponse:
    form = {"label_sets": ["expressions", "happy-sad"], "consent": "on"}
    photo = SimpleUploadedFile("ada.jpg", astronaut(), "image/jpeg")
    return client.post("/uploads/", form | {"photos": photo}, headers={"accept": "application/json"})  # type: ignore[return-value]


def by_api(client: Client) -> HttpResponse:
    form = {"label_set": ["expressions", "happy-sad"]}
    photo = SimpleUploadedFile("ada.jpg", astronaut(), "image/jpeg")
    return client.post("/api/v1/predictions/", form | {"image": photo})  # type: ignore[return-value]


SENDING = [by_page, by_api]


def in_thread(act: Callable[..., Any], *arguments: Any) -> Callable[[], Any]:
    def done() -> Any:
        try:
            return act(*arguments)
        finally:
            connection.close()

    return done


def around(module: Any, name: str, monkeypatch: pytest.MonkeyPatch, **moments: Callable[[], Any]) -> None:
    """Have something done before or after a function, once."""
    real = getattr(module, name)

    def watched(*arguments: Any) -> Any:
        moments.pop("before", lambda: None)()
        returned = real(*arguments)
        moments.pop("after", lambda: None)()
        return returned

    monkeypatch.setattr(module, name, watched)


@pytest.mark.parametrize("send", SENDING)
def test_what_is_being_stored_goes_with_the_label_set_right_after(
    send: Callable[[Client], HttpResponse],
    sender: Client,
    happy_sad: LabelSet,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    storing, deleted = Event(), Event()

    def stored() -> None:
        storing.set()
        deleted.wait(1)

    def delete() -> None:
        assert storing.wait(SECONDS)
        delete_label_set(happy_sad)
        deleted.set()

    around(pipeline, "_save_faces", monkeypatch, after=stored)
    with ThreadPoolExecutor(2) as threads:
        sent = threads.submit(in_thread(send, sender))
        gone = threads.submit(in_thread(delete))
        assert sent.result(SECONDS).status_code == 201
        gone.result(SECONDS)
    assert not LabelSet.objects.filter(slug="happy-sad").exists()
    assert set(Prediction.objects.values_list("label_set__slug", flat=True)) == {"expressions"}


@pytest.mark.parametrize("send", SENDING)
def test_what_comes_while_it_is_deleted_is_refused_and_leaves_nothing(
    send: Callable[[Client], HttpResponse],
    sender: Client,
    happy_sad: LabelSet,
    monkeypatch: pytest.MonkeyPatch,
    settings: Settings,
) -> None:
    deleting, coming = Event(), Event()

    def wait_for_it() -> None:
        deleting.set()
        assert coming.wait(SECONDS)
        time.sleep(0.5)

    around(label_set_deletion, "_delete", monkeypatch, before=wait_for_it)
    # Its photograph is read by then, and nothing is stored.
    around(pipeline, "make_thumbnail", monkeypatch, before=coming.set)
    with ThreadPoolExecutor(2) as threads:
        gone = threads.submit(in_thread(delete_label_set, happy_sad))
        assert deleting.wait(SECONDS)
        sent = threads.submit(in_thread(send, sender))
        gone.result(SECONDS)
        answered = sent.result(SECONDS)
    assert answered.status_code == 503
    assert "happy-sad" in answered.content.decode()
    assert "Nothing was stored" in answered.content.decode()
    assert not Upload.objects.exists()
    assert [path for path in (Path(settings.MEDIA_ROOT) / "uploads").rglob("*") if path.is_file()] == []


def test_a_later_reading_of_what_is_being_deleted_is_refused(
    sender: Client, happy_sad: LabelSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = make_upload(User.objects.get(username="ada"))
    active_model("happy-sad")
    around(later_readings, "hold", monkeypatch, before=lambda: delete_label_set(happy_sad))
    # As a request whose transaction begins once the deletion's has ended.
    answered = sender.post(f"/uploads/{upload.pk}/readings/", {"label_set": "happy-sad"}, follow=True)
    assert answered.status_code == 200
    assert "No model can answer for “Happy sad” at present." in answered.content.decode()
