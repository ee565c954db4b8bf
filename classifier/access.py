"""Every question of ownership is asked here. Who may not see a thing is told that it is not there."""

from __future__ import annotations

import uuid
from typing import TypeVar

from django.contrib.auth.models import AnonymousUser
from django.db.models import Model, QuerySet
from django.http import Http404

from .models import DataExport, Face, LabelSet, Prediction, Upload, User

M = TypeVar("M", bound=Model)
Visitor = User | AnonymousUser


def get_upload(visitor: Visitor, upload_id: uuid.UUID, *, results: bool = False) -> Upload:
    """The row alone, by one query; with `results`, also its faces and what was read and said of them."""
    found = Upload.objects.with_results(reader=visitor, opinions=True) if results else Upload.objects.all()
    return own(visitor, found.filter(pk=upload_id), "owner")


def get_face(visitor: Visitor, face_id: int) -> Face:
    return own(visitor, Face.objects.filter(pk=face_id), "upload__owner")


def get_prediction(visitor: Visitor, prediction_id: int) -> Prediction:
    """With its face and the version that made it; of a label set that the visitor may read with."""
    found = Prediction.objects.select_related("face", "label", "model_version__label_set")
    found = within_reach(visitor, found.filter(pk=prediction_id))
    return own(visitor, found, "face__upload__owner")


def get_label_set(visitor: Visitor, slug: str) -> LabelSet:
    # PostgreSQL can't even be asked about a text with NUL in it.
    asked = "" if "\0" in slug else slug
    found = LabelSet.objects.readable_by(visitor).filter(slug=asked).first()
    if found is None:
        raise Http404
    return found


def within_reach(visitor: Visitor, found: QuerySet[M]) -> QuerySet[M]:
    """Of rows that belong to a label set each, those of label sets that the visitor may read with."""
    return found.filter(label_set__in=LabelSet.objects.readable_by(visitor))


def label_sets_for(visitor: Visitor) -> list[LabelSet]:
    """What the visitor can have photographs read under now, in order."""
    found = LabelSet.objects.readable_by(visitor).answering()
    return sorted(found, key=lambda label_set: label_set.place)


def get_export(visitor: Visitor, export_id: uuid.UUID) -> DataExport:
    return own(visitor, DataExport.objects.filter(pk=export_id), "owner")


def own(visitor: Visitor, found: QuerySet[M], owner: str) -> M:
    """The one thing in `found`, where `owner`, a path from it, leads to the visitor."""
    thing = found.filter(**{owner: visitor}).first() if visitor.is_authenticated else None
    if thing is None:
        raise Http404
    return thing
