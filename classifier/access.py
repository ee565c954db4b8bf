"""Every question of ownership is asked here. Who may not see a thing is told that it is not there."""

from __future__ import annotations

import uuid
from typing import TypeVar

from django.contrib.auth.models import AnonymousUser
from django.db.models import Model, QuerySet
from django.http import Http404

from .models import DataExport, Face, Prediction, Upload, User

M = TypeVar("M", bound=Model)
Visitor = User | AnonymousUser


def get_upload(visitor: Visitor, upload_id: uuid.UUID, *, results: bool = False) -> Upload:
    """The row alone, by one query; with `results`, also its faces and what was read and said of them."""
    found = Upload.objects.with_results(opinions=True) if results else Upload.objects.all()
    return own(visitor, found.filter(pk=upload_id), "owner")


def get_face(visitor: Visitor, face_id: int) -> Face:
    return own(visitor, Face.objects.filter(pk=face_id), "upload__owner")


def get_prediction(visitor: Visitor, prediction_id: int) -> Prediction:
    """With its face and the version that made it."""
    found = Prediction.objects.select_related("face", "label", "model_version__label_set")
    return own(visitor, found.filter(pk=prediction_id), "face__upload__owner")


def get_export(visitor: Visitor, export_id: uuid.UUID) -> DataExport:
    return own(visitor, DataExport.objects.filter(pk=export_id), "owner")


def own(visitor: Visitor, found: QuerySet[M], owner: str) -> M:
    """The one thing in `found`, where `owner`, a path from it, leads to the visitor."""
    thing = found.filter(**{owner: visitor}).first() if visitor.is_authenticated else None
    if thing is None:
        raise Http404
    return thing
