"""The caller's history."""

from __future__ import annotations

import uuid
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.http import HttpResponseBase
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from classifier.access import get_upload
from classifier.accounts import delete_uploads
from classifier.annotated import annotated_version
from classifier.api.base import ApiView, check, label_set_of, label_sets_of
from classifier.api.schema import NOT_MODIFIED, WITH_A_BODY, file_of, responses
from classifier.api.serializers import (
    ConsentRequest,
    LaterReadingRequest,
    ReadingQuery,
    UploadAnswer,
    UploadFilter,
    UploadPageAnswer,
)
from classifier.cards import lay_out
from classifier.delivery import CHANGING, FIXED, deliver, drawn, named, stored
from classifier.feedback import with_feedback
from classifier.handover import set_consent
from classifier.history import page_of, showing
from classifier.later_readings import read_later
from classifier.models import LabelSet, Upload, UploadQuerySet, User
from classifier.results import describe_upload
from emotion_site.problems import INVALID, NO_MODEL, NOT_FOUND


class Uploads(ApiView):
    @extend_schema(
        operation_id="uploads",
        summary="Your photographs, newest first",
        parameters=[UploadFilter],
        responses=responses({200: UploadPageAnswer}, INVALID),
    )
    def get(self, request: Request) -> Response:
        asked = check(UploadFilter, request.query_params, request.user)
        page = page_of(
            _narrowed(request.user, asked),
            reader=request.user,
            before=asked.get("before", ""),
            after=asked.get("after", ""),
            size=asked["size"],
        )
        return Response(
            {
                "next": _link(request, before=page.older),
                "previous": _link(request, after=page.newer),
                "results": [describe_upload(upload) for upload in page.uploads],
            }
        )


def _narrowed(user: User, asked: dict[str, Any]) -> UploadQuerySet:
    found = Upload.objects.owned_by(user).between(asked.get("first"), asked.get("last"))
    label_sets = LabelSet.objects.readable_by(user)
    if "label_set" in asked:
        label_sets = label_sets.filter(slug=asked["label_set"])
        found = found.read_under(label_sets.get())
    found = showing(found, asked.get("label", ""), asked.get("found_label"), label_sets)
    if "model_version" in asked:
        label_set = asked.get("label_set", settings.DEFAULT_LABEL_SET)
        found = found.read_by(label_set, asked["model_version"])
    if "feedback" in asked:
        found = with_feedback(found, user, asked["feedback"])
    if "bulk" in asked:
        found = found.filter(bulk_file__bulk=asked["bulk"])
    return found


def _link(request: Request, **cursor: str) -> str | None:
    """The same question about the page beside this one."""
    if not any(cursor.values()):
        return None
    kept = {name: value for name, value in request.query_params.items() if name not in {"before", "after"}}
    return request.build_absolute_uri(f"{request.path}?{urlencode(kept | cursor)}")


class OneUpload(ApiView):
    @extend_schema(
        operation_id="upload",
        summary="One photograph and what was read of it",
        responses=responses({200: UploadAnswer}, NOT_FOUND),
    )
    def get(self, request: Request, upload_id: uuid.UUID) -> Response:
        return Response(describe_upload(get_upload(request.user, upload_id, results=True)))

    @extend_schema(
        operation_id="set_consent",
        summary="Give or take back consent for training",
        request=ConsentRequest,
        responses=responses({200: UploadAnswer}, *WITH_A_BODY, NOT_FOUND),
    )
    def patch(self, request: Request, upload_id: uuid.UUID) -> Response:
        """Taken back, no labeler sees it any more, and what was made of it leaves the dataset."""
        upload = get_upload(request.user, upload_id)
        asked = check(ConsentRequest, request.data, request.user)
        if "consent" in asked:
            set_consent(upload, asked["consent"])
        return Response(describe_upload(get_upload(request.user, upload_id, results=True)))

    @extend_schema(
        operation_id="delete_upload",
        summary="Delete a photograph with all that was read of it",
        responses=responses({204: None}, NOT_FOUND),
    )
    def delete(self, request: Request, upload_id: uuid.UUID) -> Response:
        delete_uploads(request.user, [get_upload(request.user, upload_id).pk])
        return Response(status=204)


class UploadReadings(ApiView):
    @extend_schema(
        operation_id="read_later",
        summary="Have its faces read under further label sets",
        request=LaterReadingRequest,
        responses=responses({200: UploadAnswer}, *WITH_A_BODY, NOT_FOUND, NO_MODEL),
    )
    def post(self, request: Request, upload_id: uuid.UUID) -> Response:
        """What was read of it before stays as it is."""
        upload = get_upload(request.user, upload_id)
        asked = check(LaterReadingRequest, request.data, request.user)
        for label_set in label_sets_of(asked, request.user):
            read_later(upload, label_set)
        return Response(describe_upload(get_upload(request.user, upload_id, results=True)))


class AnnotatedUpload(ApiView):
    @extend_schema(
        operation_id="annotated",
        summary="The photograph with boxes and labels drawn in",
        parameters=[ReadingQuery],
        responses=responses(file_of("image/png") | NOT_MODIFIED, INVALID, NOT_FOUND),
    )
    def get(self, request: Request, upload_id: uuid.UUID) -> HttpResponseBase:
        upload = get_upload(request.user, upload_id, results=True)
        asked = check(ReadingQuery, request.query_params, request.user)
        card = lay_out(upload, label_set_of(asked, request.user) if asked else None)
        return deliver(
            request._request,
            lambda: drawn(card, "PNG"),
            etag=f"{annotated_version(card)}-png",
            name=named(card.upload, "-expressions.png"),
            cache=CHANGING,
            content_type="image/png",
        )


class OriginalUpload(ApiView):
    @extend_schema(
        operation_id="original",
        summary="The photograph as it is kept: upright, without metadata, at most STORED_LONG_SIDE pixels",
        responses=responses(file_of("image/jpeg") | NOT_MODIFIED, NOT_FOUND),
    )
    def get(self, request: Request, upload_id: uuid.UUID) -> HttpResponseBase:
        upload = get_upload(request.user, upload_id)
        return deliver(
            request._request,
            lambda: stored(upload.photo),
            etag=f"{upload.pk}-photo",
            name=named(upload, ".jpg"),
            cache=FIXED,
        )
