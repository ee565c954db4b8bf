"""What a request may weigh, held before and while its body is read, and said in words.

Three limits stand behind each other: BodySizeMiddleware refuses by the Content-Length that was announced,
FileSizeHandler stops the first file that grows too large, and Django counts files and fields.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.core.files.uploadhandler import FileUploadHandler
from django.http import HttpRequest, HttpResponse
from django.urls import Resolver404, resolve, reverse

# Log-in forms and pages of the admin; only who sends photographs may send more.
SMALL_BODY_BYTES = 2_000_000
# Boundaries, headers and the form's other fields, for each file and once for the form.
FORM_OVERHEAD_BYTES = 100_000
DISCARD_BYTES = 1_000_000_000
DISCARD_SECONDS = 5.0
# A client that sends nothing for this long would otherwise hold a thread of the server for ever.
STALL_SECONDS = 30.0
CHUNK_BYTES = 65_536
# By the names of their addresses, the forms that take files of labelled faces.
TAKING_DATASETS = {"labeling_dataset_import", "labeling_import_new"}


class FileTooLarge(RequestDataTooBig):
    """One uploaded file is over MAX_UPLOAD_MB. Its message is for the user."""


class SignedOutUpload(RequestDataTooBig):
    """Photographs from a visitor who is not, or no longer, logged in; they were not read."""


def too_large_sentence(request: HttpRequest) -> str:
    if brings_archive(request):
        return f"An archive may have at most {settings.MAX_BULK_MB} MB. Nothing was stored."
    if brings_one_photograph(request):
        return (
            f"A request with a photograph may have at most {settings.MAX_UPLOAD_MB} MB; base64 takes a third "
            "more than the photograph itself. Nothing was stored."
        )
    if not brings_photographs(request):
        return "That is more than the site takes here. Nothing was stored."
    return (
        "That is more than the site takes at once. One photograph may have at most "
        f"{settings.MAX_UPLOAD_MB} MB, and at most {settings.MAX_FILES_PER_UPLOAD} can be sent together. "
        "Nothing was stored."
    )


def too_many_files_sentence() -> str:
    return (
        f"At most {settings.MAX_FILES_PER_UPLOAD} photographs can be sent at once. Nothing was stored: "
        "please send fewer at a time."
    )


def brings_photographs(request: HttpRequest) -> bool:
    return request.method == "POST" and request.path_info == reverse("uploads")


def brings_one_photograph(request: HttpRequest) -> bool:
    return request.method == "POST" and request.path_info == reverse("api:predictions")


def brings_archive(request: HttpRequest) -> bool:
    return request.method == "POST" and request.path_info == reverse("api:bulks")


def brings_dataset(request: HttpRequest) -> bool:
    """Labelled faces, from somebody who may add them to the curated dataset."""
    try:
        asked = request.method == "POST" and resolve(request.path_info).url_name
    except Resolver404:
        return False
    return asked in TAKING_DATASETS and request.user.has_perm("labeling.import_examples")


def largest_upload() -> int:
    """The most bytes that a form of photographs within the limits can have."""
    return (settings.MAX_UPLOAD_BYTES + FORM_OVERHEAD_BYTES) * settings.MAX_FILES_PER_UPLOAD


def largest_body(request: HttpRequest) -> int:
    """The most bytes that a request to this address within the limits can have."""
    if brings_archive(request):
        return settings.MAX_BULK_BYTES + FORM_OVERHEAD_BYTES
    if brings_one_photograph(request):
        return settings.MAX_UPLOAD_BYTES + FORM_OVERHEAD_BYTES
    if brings_photographs(request):
        return largest_upload()
    if brings_dataset(request):
        return settings.MAX_IMPORT_BYTES + FORM_OVERHEAD_BYTES
    return SMALL_BODY_BYTES


def check_body_size(request: HttpRequest) -> None:
    """Raises RequestDataTooBig for a body larger than any that this request could need, read or not."""
    size = announced_bytes(request)
    if size <= SMALL_BODY_BYTES:
        return
    # The API looks for itself who sends a token, before it reads the body.
    if brings_photographs(request) and not request.user.is_authenticated:
        raise SignedOutUpload
    if size > largest_body(request):
        raise RequestDataTooBig


def announced_bytes(request: HttpRequest) -> int:
    try:
        return int(request.META.get("CONTENT_LENGTH") or 0)
    except ValueError:
        return 0


def wait_at_most(request: HttpRequest, seconds: float | None) -> None:
    """How long one read of the body may block; None is for ever. Only gunicorn lets an application say."""
    if (sock := request.META.get("gunicorn.socket")) is not None:
        sock.settimeout(seconds)


def discard_body(request: HttpRequest) -> None:
    """Read and drop what a client is still sending, up to DISCARD_BYTES and DISCARD_SECONDS.

    A server that answers and closes while bytes are still arriving resets the connection, and then many
    clients never show the answer. Beyond these bounds a reset is the lesser harm.
    """
    deadline = time.monotonic() + DISCARD_SECONDS
    left = DISCARD_BYTES
    try:
        while left > 0 and (seconds := deadline - time.monotonic()) > 0:
            wait_at_most(request, seconds)
            chunk = request.read(CHUNK_BYTES)
            if not chunk:
                break
            left -= len(chunk)
    except (OSError, ValueError):
        pass  # gone, stalled, or already closed: there is nothing left to wait for
    finally:
        wait_at_most(request, None)


def drop_unfinished_file(request: HttpRequest) -> None:
    """Remove the file that was being received when an upload broke off; Python would do so only in time."""
    for handler in request.upload_handlers:
        handler.upload_interrupted()


class BodySizeMiddleware:
    """Refuses a body that announces more than what this visitor may send to this address.

    Whatever the answer, and whoever gave it, what was not read of the body is discarded before it is sent.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not announced_bytes(request):
            return self.get_response(request)
        try:
            check_body_size(request)
            wait_at_most(request, STALL_SECONDS)
            return self.get_response(request)
        finally:
            discard_body(request)
            drop_unfinished_file(request)


class FileSizeHandler(FileUploadHandler):
    """Stops reading at the first file over MAX_UPLOAD_MB; the handlers after it do the storing.

    An archive may have MAX_BULK_MB, a file of labelled faces MAX_IMPORT_MB.
    """

    def receive_data_chunk(self, raw_data: bytes, start: int) -> bytes:
        kind, most_mb, most_bytes = self._limit()
        if start + len(raw_data) > most_bytes:
            raise FileTooLarge(
                f"“{self.file_name}” is larger than {most_mb} MB, the most that one {kind} may have. "
                "Nothing was stored."
            )
        return raw_data

    def _limit(self) -> tuple[str, int, int]:
        """What is being sent, and how many megabytes and bytes it may have."""
        if self.request is not None and brings_archive(self.request):
            return "archive", settings.MAX_BULK_MB, settings.MAX_BULK_BYTES
        if self.request is not None and brings_dataset(self.request):
            return "file of labelled faces", settings.MAX_IMPORT_MB, settings.MAX_IMPORT_BYTES
        return "photograph", settings.MAX_UPLOAD_MB, settings.MAX_UPLOAD_BYTES

    def file_complete(self, file_size: int) -> None:
        return None
