"""What the site can recognise, and what recognises it."""

from __future__ import annotations

from django.db.models import Prefetch
from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from classifier.api.base import ApiView, check, label_set_of
from classifier.api.schema import responses
from classifier.api.serializers import LabelSetAnswer, LabelSetQuery, ListedModelAnswer, ModelCardAnswer
from classifier.models import LabelSet, ModelVersion
from classifier.results import describe_label_set, describe_listed_model
from emotion_site.problems import INVALID, NOT_FOUND


class LabelSets(ApiView):
    @extend_schema(
        operation_id="label_sets",
        summary="What the site can recognise",
        responses=responses({200: LabelSetAnswer(many=True)}),
    )
    def get(self, request: Request) -> Response:
        active = ModelVersion.objects.filter(active=True)
        readable = LabelSet.objects.readable_by(request.user)
        found = readable.prefetch_related("labels", Prefetch("versions", active))
        return Response([describe_label_set(label_set) for label_set in found])


class Models(ApiView):
    @extend_schema(
        operation_id="models",
        summary="Every model version, by label set, newest first",
        responses=responses({200: ListedModelAnswer(many=True)}),
    )
    def get(self, request: Request) -> Response:
        readable = LabelSet.objects.readable_by(request.user)
        found = ModelVersion.objects.filter(label_set__in=readable).select_related("label_set").defer("card")
        return Response([describe_listed_model(version) for version in found])


class ActiveModel(ApiView):
    @extend_schema(
        operation_id="active_model",
        summary="The model that answers now, with its card",
        parameters=[LabelSetQuery],
        responses=responses({200: ModelCardAnswer}, INVALID, NOT_FOUND),
    )
    def get(self, request: Request) -> Response:
        asked = check(LabelSetQuery, request.query_params, request.user)
        label_set = label_set_of(asked, request.user)
        active = ModelVersion.objects.select_related("label_set").filter(active=True)
        version = active.filter(label_set=label_set).first()
        if version is None:
            raise Http404
        return Response(describe_listed_model(version) | {"card": version.card})
