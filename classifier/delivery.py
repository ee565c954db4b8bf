"""Files, for whoever may have them: with a name, an ETag, and how long they may be kept."""

from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from pathlib import PurePath
from typing import IO, Literal

from django.db.models.fields.files import FieldFile
from django.http import FileResponse, Http404, HttpRequest, HttpResponseBase
from django.utils.cache import get_conditional_response

from .annotated import annotated_picture
from .cards import ResultCard
from .models import Upload

# What never changes may stay in its owner's browser; anything else is asked for again each time.
FIXED = "private, max-age=2592000, immutable"
CHANGING = "private, no-cache"


def deliver(
    request: HttpRequest,
    opened: Callable[[], IO[bytes]],
    *,
    etag: str,
    name: str,
    cache: str,
    content_type: str = "image/jpeg",
    as_attachment: bool = False,
) -> HttpResponseBase:
    quoted = f'"{etag}"'
    response: HttpResponseBase | None = get_conditional_response(request, etag=quoted)
    if response is None:
        response = FileResponse(
            opened(), content_type=content_type, as_attachment=as_attachment, filename=name
        )
    response["ETag"] = quoted
    response["Cache-Control"] = cache
    response["Cross-Origin-Resource-Policy"] = "same-origin"
    return response


def stored(file: FieldFile) -> IO[bytes]:
    try:
        return file.open("rb")
    except FileNotFoundError as error:
        raise Http404 from error


def drawn(card: ResultCard, kind: Literal["JPEG", "PNG"]) -> IO[bytes]:
    try:
        return BytesIO(annotated_picture(card, kind))
    except FileNotFoundError as error:
        raise Http404 from error


def named(upload: Upload, ending: str) -> str:
    return f"{PurePath(upload.name).stem or 'photograph'}{ending}"
