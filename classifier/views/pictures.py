"""Photographs and crops, for their owner alone."""

from __future__ import annotations

import uuid
from io import BytesIO
from typing import IO

from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.utils.http import content_disposition_header
from django.views.decorators.http import require_safe

from classifier.access import get_face, get_label_set, get_prediction, get_upload
from classifier.annotated import annotated_version
from classifier.cards import lay_out
from classifier.delivery import CHANGING, FIXED, deliver, drawn, named, stored
from classifier.explanation import why_png
from classifier.ml.artifact import ArtifactError
from classifier.models import Prediction
from classifier.results import describe_upload


@require_safe
def photo(request: HttpRequest, upload_id: uuid.UUID) -> HttpResponseBase:
    upload = get_upload(request.user, upload_id)
    return deliver(
        request,
        lambda: stored(upload.photo),
        etag=f"{upload.pk}-photo",
        name=named(upload, ".jpg"),
        cache=FIXED,
    )


@require_safe
def thumbnail(request: HttpRequest, upload_id: uuid.UUID) -> HttpResponseBase:
    upload = get_upload(request.user, upload_id)
    return deliver(
        request,
        lambda: stored(upload.thumbnail),
        etag=f"{upload.pk}-thumbnail",
        name=named(upload, "-small.jpg"),
        cache=FIXED,
    )


@require_safe
def annotated(request: HttpRequest, upload_id: uuid.UUID) -> HttpResponseBase:
    upload = get_upload(request.user, upload_id, results=True)
    slug = request.GET.get("label_set", "")
    card = lay_out(upload, get_label_set(request.user, slug) if slug else None)
    return deliver(
        request,
        lambda: drawn(card, "JPEG"),
        etag=annotated_version(card),
        name=named(upload, f"-{slug or 'expressions'}.jpg"),
        cache=CHANGING,
        as_attachment=True,
    )


@require_safe
def crop(request: HttpRequest, face_id: int) -> HttpResponseBase:
    face = get_face(request.user, face_id)
    return deliver(
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
    return deliver(
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
    response["Content-Disposition"] = content_disposition_header(True, named(upload, ".json"))
    return response


def _explained(prediction: Prediction) -> IO[bytes]:
    try:
        return BytesIO(why_png(prediction))
    except ArtifactError as error:  # the version that answered then may be gone by now
        raise Http404 from error
