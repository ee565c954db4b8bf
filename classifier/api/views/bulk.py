"""Many photographs in one archive."""

from __future__ import annotations

import uuid
from typing import Any

from django.urls import reverse
from drf_spectacular.utils import extend_schema
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from classifier.access import own
from classifier.api.base import ApiView, check, label_set_of, label_sets_of
from classifier.api.bulk import send_bulk, state_of
from classifier.api.models import Bulk
from classifier.api.schema import WITH_A_BODY, responses
from classifier.api.serializers import BulkAnswer, BulkRequest
from classifier.throttling import BulkThrottle
from emotion_site.problems import NO_MODEL, NOT_FOUND


class Bulks(ApiView):
    parser_classes = [MultiPartParser]
    throttle_classes = [BulkThrottle]

    @extend_schema(
        operation_id="send_bulk",
        summary="Have every photograph of a ZIP read, later",
        request={"multipart/form-data": BulkRequest},
        responses=responses({202: BulkAnswer}, *WITH_A_BODY, NO_MODEL),
    )
    def post(self, request: Request) -> Response:
        asked = check(BulkRequest, request.data, request.user)
        if "label_set" not in asked:
            asked["label_set"] = [label_set_of(asked, request.user).slug]
        bulk = send_bulk(
            owner=request.user,
            file=asked["archive"],
            label_sets=label_sets_of(asked, request.user),
            consent=asked["consent"],
        )
        address = reverse("api:one-bulk", args=[bulk.pk])
        return Response(_describe(request, bulk), status=202, headers={"Location": address})


class OneBulk(ApiView):
    @extend_schema(
        operation_id="bulk",
        summary="How far it is, and what became of each file",
        responses=responses({200: BulkAnswer}, NOT_FOUND),
    )
    def get(self, request: Request, bulk_id: uuid.UUID) -> Response:
        return Response(_describe(request, own(request.user, Bulk.objects.filter(pk=bulk_id), "owner")))


def _describe(request: Request, bulk: Bulk) -> dict[str, Any]:
    files = list(bulk.files.all())
    return {
        "id": str(bulk.pk),
        "state": state_of(bulk),
        "total": bulk.total,
        "done": len(files),
        "created_at": bulk.created_at.isoformat(),
        "files": [
            {
                "name": file.name,
                "upload": file.upload_id and str(file.upload_id),
                "error": file.error or None,
            }
            for file in files
        ],
        "results": request.build_absolute_uri(f"{reverse('api:uploads')}?bulk={bulk.pk}"),
    }
