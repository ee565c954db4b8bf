"""A photograph in, what its faces show out."""

from __future__ import annotations

import base64
import re
from contextlib import ExitStack
from typing import Any

from django.core.files.uploadedfile import UploadedFile
from django.db import IntegrityError
from django.urls import reverse
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import NotAuthenticated
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from classifier.access import get_upload
from classifier.annotated import annotated_reading
from classifier.api.base import ApiView, check, label_sets_of
from classifier.api.parsers import PhotographParser
from classifier.api.schema import IDEMPOTENCY_KEY, WITH_A_PHOTOGRAPH, responses
from classifier.api.serializers import (
    JsonPrediction,
    MultipartPrediction,
    PredictionRequest,
    ReadingAnswer,
    UploadAnswer,
)
from classifier.cards import lay_out
from classifier.delivery import drawn
from classifier.fetching import fetch_photograph
from classifier.idempotency import Key, digest_of
from classifier.models import Upload, User
from classifier.pipeline import read_in_turn, store_photograph
from classifier.results import describe_reading, describe_upload
from classifier.throttling import UploadThrottle
from emotion_site.problems import INVALID, KEY_REUSED, NO_MODEL, NOT_FOUND, URL_NOT_FETCHED, ProblemError

KEY = re.compile(r"[\x21-\x7e]{1,255}")


class Predictions(ApiView):
    parser_classes = [PhotographParser, MultiPartParser]
    throttle_classes = [UploadThrottle]

    @extend_schema(
        operation_id="predict",
        summary="Read the expressions in a photograph",
        request={"multipart/form-data": MultipartPrediction, "application/json": JsonPrediction},
        parameters=[IDEMPOTENCY_KEY],
        responses=responses(
            {201: UploadAnswer, 200: ReadingAnswer},
            *WITH_A_PHOTOGRAPH,
            NOT_FOUND,
            KEY_REUSED,
            URL_NOT_FETCHED,
            NO_MODEL,
        ),
    )
    def post(self, request: Request) -> Response:
        name = _key_of(request)
        with self.watch.stage("receive"):
            asked = check(PredictionRequest, request.data, request.user)
        # Closed at once: a request stays in memory until Python looks for cycles.
        with ExitStack() as files:
            if "image" in asked:
                files.enter_context(asked["image"])
            asked["label_sets"] = [label_set.slug for label_set in label_sets_of(asked, request.user)]
            key = _known_by(name, request.user, asked) if name and asked["store"] else None
            upload = key and key.find()
            if not upload:
                if "url" in asked:
                    with self.watch.stage("fetch"):
                        asked["image"] = files.enter_context(fetch_photograph(asked["url"]))
                if not asked["store"]:
                    return Response(self._read(asked))
                upload = self._keep(request.user, asked, key)
        return Response(
            self._describe(request.user, upload, annotated=asked["annotated"]),
            status=201,
            headers={"Location": reverse("api:upload", args=[upload.pk])},
        )

    def _read(self, asked: dict[str, Any]) -> dict[str, Any]:
        reading = read_in_turn(asked["image"], label_sets=asked["label_sets"], watch=self.watch)
        words = describe_reading(reading)
        if asked["annotated"]:
            words["annotated"] = _data_url(annotated_reading(reading))
        return words

    def _keep(self, owner: User, asked: dict[str, Any], key: Key | None) -> Upload:
        image: UploadedFile = asked["image"]
        how: dict[str, Any] = {
            "name": image.name,
            "file": image,
            "consent": asked["consent"],
            "label_sets": asked["label_sets"],
            "watch": self.watch,
        }
        try:
            return key.store_once(**how) if key else store_photograph(owner=owner, **how)
        except IntegrityError as error:
            if User.objects.filter(pk=owner.pk).exists():
                raise
            # The account was deleted while the photograph was read, which leaves nobody to keep it for.
            raise NotAuthenticated from error

    def _describe(self, owner: User, upload: Upload, *, annotated: bool) -> dict[str, Any]:
        with self.watch.stage("describe"):
            if annotated or upload.stored_faces is None:
                upload = get_upload(owner, upload.pk, results=True)
            words = describe_upload(upload)
        if annotated:
            with self.watch.stage("annotate"):
                words["annotated"] = _data_url(drawn(lay_out(upload), "JPEG").read())
        return words


def _key_of(request: Request) -> str:
    key = request.headers.get("Idempotency-Key", "")
    if key and not KEY.fullmatch(key):
        said = "A key has up to 255 visible ASCII characters."
        raise ProblemError(INVALID, said, field="Idempotency-Key")
    return key


def _known_by(name: str, owner: User, asked: dict[str, Any]) -> Key:
    sent = asked["url"] if "url" in asked else asked["image"]
    return Key(owner, name, digest_of(sent, consent=asked["consent"], label_sets=asked["label_sets"]))


def _data_url(jpeg: bytes) -> str:
    return f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}"
