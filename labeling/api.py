"""The dataset, for programs of labelers."""

from __future__ import annotations

from django.http import StreamingHttpResponse
from django.urls import path
from drf_spectacular.utils import extend_schema
from rest_framework.permissions import BasePermission, IsAuthenticated
from rest_framework.request import Request

from classifier.api.base import ApiView, check, label_set_of
from classifier.api.schema import file_of, responses
from classifier.api.serializers import LabelSetQuery
from emotion_site.problems import INVALID

from .exporting import csv_lines


class MayExport(BasePermission):
    message = "Only labelers may take the dataset out."

    def has_permission(self, request: Request, view: object) -> bool:
        return bool(request.user.has_perm("labeling.export_examples"))


class DatasetExport(ApiView):
    permission_classes = [IsAuthenticated, MayExport]

    @extend_schema(
        operation_id="export_dataset",
        summary="The curated dataset as CSV: label and pixels of each example",
        parameters=[LabelSetQuery],
        responses=responses(file_of("text/csv"), INVALID),
    )
    def get(self, request: Request) -> StreamingHttpResponse:
        asked = check(LabelSetQuery, request.query_params, request.user)
        label_set = label_set_of(asked, request.user)
        return StreamingHttpResponse(
            csv_lines(label_set),
            content_type="text/csv",
            headers={"Content-Disposition": f'attachment; filename="{label_set.slug}.csv"'},
        )


app_name = "dataset"
urlpatterns = [path("export.csv", DatasetExport.as_view(), name="export")]
