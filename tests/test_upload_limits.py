"""What is refused before or while its body is read: always with a sentence and the right status."""

from __future__ import annotations

import gc
import io
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.handlers.wsgi import WSGIRequest
from django.test import Client, RequestFactory
from pytest_django import Settings

from classifier.models import Upload
from emotion_site import upload_limits
from emotion_site.upload_limits import CHUNK_BYTES, DISCARD_BYTES, discard_body, largest_upload

CHUNK = b"x" * CHUNK_BYTES
JSON = {"Accept": "application/json"}
HTML = {"Accept": "text/html,*/*;q=0.8"}
SMALL = 50_000


@pytest.fixture(autouse=True)
def small_limits(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upload_limits, "SMALL_BODY_BYTES", SMALL)
    settings.MAX_UPLOAD_MB = 1
    settings.MAX_UPLOAD_BYTES = 100_000
    settings.MAX_FILES_PER_UPLOAD = settings.DATA_UPLOAD_MAX_NUMBER_FILES = 3


def post(client: Client, url: str, size: int, headers: dict[str, str] = JSON) -> Any:
    """Post a form that has `size` bytes, and no end."""
    return client.generic("POST", url, b"x" * size, "multipart/form-data; boundary=b", headers=headers)


def photographs(*sizes: int) -> list[SimpleUploadedFile]:
    return [SimpleUploadedFile(f"p{i}.jpg", b"x" * size, "image/jpeg") for i, size in enumerate(sizes)]


def test_a_body_that_announces_too_much_is_not_read(ada_client: Client) -> None:
    answer = post(ada_client, "/uploads/", largest_upload() + 1)
    assert answer.status_code == 413
    assert "at most 1 MB" in answer.json()["error"]


@pytest.mark.parametrize("url", ["/", "/account/", "/accounts/password/change/", "/uploads/delete/", "/no/"])
def test_only_photographs_may_be_large(ada_client: Client, url: str) -> None:
    assert post(ada_client, url, SMALL).status_code != 413
    answer = post(ada_client, url, SMALL + 1)
    assert answer.status_code == 413
    assert "photograph" not in answer.json()["error"]


@pytest.mark.parametrize("method", ["GET", "PUT", "PATCH", "DELETE"])
def test_only_a_form_may_bring_them(ada_client: Client, method: str) -> None:
    answer = ada_client.generic(method, "/uploads/", b"x" * (SMALL + 1), headers=JSON)
    assert answer.status_code == 413


@pytest.mark.django_db
@pytest.mark.parametrize("url", ["/", "/accounts/login/", "/accounts/signup/", "/admin/", "/no/"])
def test_a_visitor_may_send_little(client: Client, url: str) -> None:
    assert post(client, url, SMALL).status_code != 413
    assert post(client, url, SMALL + 1).status_code == 413


@pytest.mark.django_db
@pytest.mark.parametrize("size", [1, SMALL, SMALL + 1, 2_000_000])
def test_a_photograph_of_any_size_from_a_signed_out_user_is_not_called_too_large(size: int) -> None:
    """Without reading it: not even the form's token, which Django would look for in the body."""
    by_script = post(Client(), "/uploads/", size)
    assert by_script.status_code == 403
    assert by_script.json()["error"].startswith("You are signed out.")
    by_browser = post(Client(), "/uploads/", size, HTML)
    assert (by_browser.status_code, by_browser["Location"]) == (302, "/accounts/login/?next=/uploads/")


@pytest.mark.django_db
def test_nothing_of_a_large_upload_is_parsed_for_a_signed_out_user(monkeypatch: pytest.MonkeyPatch) -> None:
    def parsed(*arguments: object) -> None:
        raise AssertionError("the body was parsed")

    monkeypatch.setattr(WSGIRequest, "_load_post_and_files", parsed)
    assert post(Client(enforce_csrf_checks=True), "/uploads/", SMALL + 1).status_code == 403


def test_one_file_over_the_limit_stops_the_upload_and_is_named(ada_client: Client) -> None:
    answer = ada_client.post("/uploads/", {"photos": photographs(10, 100_001)}, headers=JSON)
    assert answer.status_code == 413
    assert "“p1.jpg” is larger than 1 MB" in answer.json()["error"]
    assert not Upload.objects.exists()


def test_a_file_that_was_not_received_whole_leaves_nothing_on_the_disk(
    ada_client: Client, settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.FILE_UPLOAD_TEMP_DIR, settings.FILE_UPLOAD_MAX_MEMORY_SIZE = tmp_path, 0
    files: list[int] = []
    discard = upload_limits.discard_body

    def look(request: WSGIRequest) -> None:
        files.append(len(list(tmp_path.iterdir())))
        discard(request)

    monkeypatch.setattr(upload_limits, "discard_body", look)
    gc.disable()
    try:
        answer = ada_client.post("/uploads/", {"photos": photographs(10, 100_001)}, headers=JSON)
        files.append(len(list(tmp_path.iterdir())))
    finally:
        gc.enable()
    assert answer.status_code == 413
    assert files == [1, 0]


def test_thousands_of_files_are_refused_in_one_sentence(ada_client: Client) -> None:
    answer = ada_client.post("/uploads/", {"photos": photographs(*[1] * 50)}, headers=JSON)
    assert answer.status_code == 400
    assert "At most 3 photographs" in answer.json()["error"]
    assert not Upload.objects.exists()


def test_a_browser_gets_a_page(ada_client: Client) -> None:
    answer = ada_client.post("/uploads/", {"photos": photographs(100_001)}, headers=HTML)
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
