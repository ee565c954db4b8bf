"""Photographs and crops, for their owner alone."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from io import BytesIO
from pathlib import PurePath
from typing import IO

from django.db.models.fields.files import FieldFile
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.utils.cache import get_conditional_response
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_safe

from classifier.access import get_face, get_prediction, get_upload
from classifier.annotated import annotated_jpeg, annotated_version
from classifier.cards import ResultCard, lay_out
from classifier.explanation import why_png
from classifier.ml.artifact import ArtifactError
from classifier.models import Prediction, Upload
from classifier.results import describe_upload

# What never changes may stay in its owner's browser; anything else is asked for again each time.
FIXED = "private, max-age=2592000, immutable"
CHANGING = "private, no-cache"


@require_safe
def photo(request: HttpRequest, upload_id: uuid.UUID) -> HttpResponseBase:
    upload = get_upload(request.user, upload_id)
    return _deliver(
        request,
        lambda: _stored(upload.photo),
        etag=f"{upload.pk}-photo",
        name=_named(upload, ".jpg"),
        cache=FIXED,
    )


@require_safe
def thumbnail(request: HttpRequest, upload_id: uuid.UUID) -> HttpResponseBase:
    upload = get_upload(request.user, upload_id)
    return _deliver(
        request,
        lambda: _stored(upload.thumbnail),
        etag=f"{upload.pk}-thumbnail",
        name=_named(upload, "-small.jpg"),
        cache=FIXED,
    )


@require_safe
def annotated(request: HttpRequest, upload_id: uuid.UUID) -> HttpResponseBase:
    card = lay_out(get_upload(request.user, upload_id, results=True))
    return _deliver(
        request,
        lambda: _drawn(card),
        etag=annotated_version(card),
        name=_named(card.upload, "-expressions.jpg"),
        cache=CHANGING,
        as_attachment=True,
    )


@require_safe
def crop(request: HttpRequest, face_id: int) -> HttpResponseBase:
    face = get_face(request.user, face_id)
    return _deliver(
        request,
        lambda: BytesIO(face.crop),
        etag=f"{face.pk}-crop",
        name=f"face-{face.pk}.png",
        cache=FIXED,
        content_type="image/png",
    )


@require_safe
def why(request: HttpRequest, prediction_id: int) -> HttpResponseBase:
    prediction = get_prediction(request.user, prediction_id)
    return _deliver(
        request,
        lambda: _explained(prediction),
        etag=f"{prediction.pk}-why",
        name=f"why-{prediction.pk}.png",
        cache=FIXED,
        content_type="image/png",
    )


@require_safe
def result_json(request: HttpRequest, upload_id: uuid.UUID) -> HttpResponse:
    upload = get_upload(request.user, upload_id, results=True)
    response = JsonResponse(describe_upload(upload), json_dumps_params={"indent": 2, "ensure_ascii": False})
    response["Cache-Control"] = CHANGING
    response["Content-Disposition"] = content_disposition_header(True, _named(upload, ".json"))
    return response


def _deliver(
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


def _stored(file: FieldFile) -> IO[bytes]:
    try:
        return file.open("rb")
    except FileNotFoundError as error:
        raise Http404 from error


def _drawn(card: ResultCard) -> IO[bytes]:
    try:
        return BytesIO(annotated_jpeg(card))
    except FileNotFoundError as error:
        raise Http404 from error


def _explained(prediction: Prediction) -> IO[bytes]:
    try:
        return BytesIO(why_png(prediction))
    except ArtifactError as error:  # the version that answered then may be gone by now
        raise Http404 from error


def _named(upload: Upload, ending: str) -> str:
    return f"{PurePath(upload.name).stem or 'photograph'}{ending}"
