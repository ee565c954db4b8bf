"""What is refused before or while its body is read: always with a sentence and the right status."""

from __future__ import annotations

import io

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.handlers.wsgi import WSGIRequest
from django.test import Client, RequestFactory
from pytest_django import Settings

from classifier.models import Upload
from emotion_site.upload_limits import CHUNK_BYTES, DISCARD_BYTES, discard_body, largest_body

CHUNK = b"x" * CHUNK_BYTES
JSON = {"Accept": "application/json"}


@pytest.fixture(autouse=True)
def small_limits(settings: Settings) -> None:
    settings.MAX_UPLOAD_MB = 1
    settings.MAX_UPLOAD_BYTES = 100_000
    settings.MAX_FILES_PER_UPLOAD = settings.DATA_UPLOAD_MAX_NUMBER_FILES = 3


def photographs(*sizes: int) -> list[SimpleUploadedFile]:
    return [SimpleUploadedFile(f"p{i}.jpg", b"x" * size, "image/jpeg") for i, size in enumerate(sizes)]


def test_a_body_that_announces_too_much_is_not_read(ada_client: Client) -> None:
    body = b"x" * (largest_body() + 1)
    answer = ada_client.generic("POST", "/uploads/", body, "multipart/form-data; boundary=b", headers=JSON)
    assert answer.status_code == 413
    assert "at most 1 MB" in answer.json()["error"]


def test_one_file_over_the_limit_stops_the_upload_and_is_named(ada_client: Client) -> None:
    answer = ada_client.post("/uploads/", {"photos": photographs(10, 100_001)}, headers=JSON)
    assert answer.status_code == 413
    assert "“p1.jpg” is larger than 1 MB" in answer.json()["error"]
    assert not Upload.objects.exists()


def test_thousands_of_files_are_refused_in_one_sentence(ada_client: Client) -> None:
    answer = ada_client.post("/uploads/", {"photos": photographs(*[1] * 50)}, headers=JSON)
    assert answer.status_code == 400
    assert "At most 3 photographs" in answer.json()["error"]
    assert not Upload.objects.exists()


def test_a_browser_gets_a_page(ada_client: Client) -> None:
    answer = ada_client.post(
        "/uploads/", {"photos": photographs(100_001)}, headers={"Accept": "text/html,*/*;q=0.8"}
    )
    assert answer.status_code == 413
    assert answer["Content-Type"].startswith("text/html")
    assert "is larger than 1 MB" in answer.content.decode()


def test_a_file_name_cannot_bring_markup_into_the_page(ada_client: Client) -> None:
    file = SimpleUploadedFile("<img src=x onerror=alert(1)>.jpg", b"x" * 100_001, "image/jpeg")
    answer = ada_client.post("/uploads/", {"photos": [file]}, headers={"Accept": "text/html"})
    assert answer.status_code == 413
    assert "<img src=x" not in answer.content.decode()


def test_a_missing_csrf_token_is_explained(ada: object) -> None:
    answer = Client(enforce_csrf_checks=True).post("/uploads/", headers=JSON)
    assert answer.status_code == 403
    assert "Reload the page" in answer.json()["error"]


def test_a_broken_form_is_a_bad_request(ada_client: Client) -> None:
    answer = ada_client.generic("POST", "/uploads/", b"no boundary", "multipart/form-data", headers=JSON)
    assert answer.status_code == 400
    assert answer.json()["error"]


def still_sending(body: io.RawIOBase) -> WSGIRequest:
    """A request that announces more than is ever discarded, and has `body` to read it from."""
    environ = RequestFactory().post("/").environ
    return WSGIRequest(environ | {"wsgi.input": body, "CONTENT_LENGTH": str(2 * DISCARD_BYTES)})


def test_what_a_client_still_sends_is_read_up_to_a_bound() -> None:
    class Endless(io.RawIOBase):
        sent = 0

        def read(self, size: int = -1) -> bytes:
            self.sent += size
            return CHUNK[:size]

    body = Endless()
    discard_body(still_sending(body))
    assert DISCARD_BYTES <= body.sent < DISCARD_BYTES + 1_000_000


def test_a_client_that_is_gone_ends_the_reading() -> None:
    class Gone(io.RawIOBase):
        reads = 0

        def read(self, size: int = -1) -> bytes:
            self.reads += 1
            raise ConnectionResetError

    body = Gone()
    discard_body(still_sending(body))
    assert body.reads == 1


@pytest.mark.django_db
def test_a_length_that_is_no_number_is_no_length(client: Client) -> None:
    assert client.get("/accounts/login/", CONTENT_LENGTH="not a number").status_code == 200
