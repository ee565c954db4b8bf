"""After a promotion: what pages show of recent faces comes from the version that answers now."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from datetime import timedelta
from itertools import islice
from uuid import UUID

import numpy as np
from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone
from numpy.typing import NDArray
from PIL import Image

from .handover import tell_rescored
from .models import Face, LabelSet, ModelVersion, Prediction, Upload, UploadQuerySet
from .pipeline import TURN, classify, prediction_of
from .serving import ActiveModel, load
from .vision.align import CROP_SIDE

# Faces of one transaction, but never a part of a photograph: a page names one version for all of its faces.
AT_ONCE = 64
ASKED_AT_ONCE = 500


class NoLongerActiveError(LookupError):
    """Another version was promoted meanwhile; its own rescoring does the rest."""


def rescore(version_id: int) -> int:
    """Have the active version read the newest faces that their users offer; returns how many were.

    RESCORE_DAYS and RESCORE_AT_MOST bound them. Called again it goes on where it was stopped, and once it is
    done it changes nothing; nor does it for a version that is not active. Raises ArtifactError.
    """
    version = ModelVersion.objects.filter(pk=version_id, active=True).first()
    rescored = 0
    if version is None:
        return rescored
    model = load(version.pk)
    for batch in _batches(version):
        try:
            rescored += len(_rescore_batch(batch, model))
        except NoLongerActiveError:
            break
    return rescored


def unfinished() -> Iterator[ModelVersion]:
    """The active versions that have not read all that they should have, as after a worker was killed."""
    for version in ModelVersion.objects.filter(active=True).defer("card"):
        if next(_batches(version), None):
            yield version


def _batches(version: ModelVersion) -> Iterator[Sequence[UUID]]:
    """Photographs with something left to read, newest first."""
    batch: list[UUID] = []
    faces = 0
    bounds = _bounds()
    while asked := dict(islice(bounds, ASKED_AT_ONCE)):
        left = set(_left(version).filter(pk__in=list(asked)).values_list("pk", flat=True))
        for upload_id in filter(left.__contains__, asked):
            batch.append(upload_id)
            faces += asked[upload_id]
            if faces >= AT_ONCE:
                yield batch
                batch, faces = [], 0
    if batch:
        yield batch


def _bounds() -> Iterator[tuple[UUID, int]]:
    """The newest photographs that are offered, each with how many faces it has, up to the bounds."""
    since = timezone.now() - timedelta(days=settings.RESCORE_DAYS)
    room = settings.RESCORE_AT_MOST
    recent = Upload.objects.filter(consent=True, created_at__gte=since, faces_found__gt=0).newest_first()
    # All at once: an open cursor would be a snapshot, and nothing could be written from within it.
    for upload_id, found in list(recent.values_list("pk", "faces_found")[:room]):
        room -= min(found, settings.MAX_FACES)
        if room < 0:
            return
        yield upload_id, found


def _left(version: ModelVersion) -> UploadQuerySet:
    """Photographs whose pages still show what another version of the label set said."""
    # One inside the other: of a join, SQLite might read all predictions of the label set for each photograph.
    faces = Face.objects.filter(Exists(_others(version).filter(face=OuterRef("pk"))), upload=OuterRef("pk"))
    return Upload.objects.filter(Exists(faces))


def _others(version: ModelVersion) -> QuerySet[Prediction]:
    shown = Prediction.objects.filter(label_set=version.label_set_id, shown=True)
    return shown.exclude(model_version=version)


def _rescore_batch(upload_ids: Sequence[UUID], model: ActiveModel) -> list[Prediction]:
    """Raises NoLongerActiveError, having changed nothing."""
    version = model.version
    read = _read(upload_ids, model)
    with transaction.atomic():
        # Held, so that no promotion comes between; and below, so that nobody deletes or takes consent back.
        LabelSet.objects.select_for_update(no_key=True).filter(pk=version.label_set_id).first()
        if not ModelVersion.objects.filter(pk=version.pk, active=True).exists():
            raise NoLongerActiveError
        # Whoever holds one of them meanwhile is doing just that: to wait could be to wait for each other.
        uploads = Upload.objects.select_for_update(skip_locked=True)
        offered = set(uploads.filter(pk__in=upload_ids, consent=True).values_list("pk", flat=True))
        shown = [prediction for prediction in read if prediction.face.upload_id in offered]
        _show(shown, version)
        tell_rescored(shown)
    return shown


def _read(upload_ids: Sequence[UUID], model: ActiveModel) -> list[Prediction]:
    """What it says of each face that shows another version's answer; saved already if it said it before."""
    others = _others(model.version).filter(face=OuterRef("pk"))
    offered = Face.objects.filter(upload__in=upload_ids, upload__consent=True)
    faces = list(offered.filter(Exists(others)).order_by("pk"))
    said = Prediction.objects.filter(face__in=faces, model_version=model.version)
    known = {one.face_id: one for one in said.select_related("face").defer("face__crop")}
    unread = [face for face in faces if face.pk not in known]
    with TURN:
        answers = classify(crops_of(unread), model)
    return [*known.values(), *(prediction_of(*pair, model) for pair in zip(unread, answers, strict=True))]


def crops_of(faces: Sequence[Face]) -> NDArray[np.uint8]:
    """(N, 112, 112, 3) RGB, as the pipeline has stored them."""
    crops = np.zeros((len(faces), CROP_SIDE, CROP_SIDE, 3), np.uint8)
    for place, face in enumerate(faces):
        with Image.open(io.BytesIO(face.crop), formats=["PNG"]) as picture:
            crops[place] = np.asarray(picture.convert("RGB"))
    return crops


def _show(predictions: Sequence[Prediction], version: ModelVersion) -> None:
    here = Prediction.objects.filter(face__in=[one.face_id for one in predictions])
    here.filter(label_set=version.label_set_id, shown=True).exclude(model_version=version).update(shown=False)
    # Another worker may have been at the same.
    saved = here.filter(model_version=version)
    saved.update(shown=True)
    have = set(saved.values_list("face", flat=True))
    Prediction.objects.bulk_create(one for one in predictions if one.face_id not in have)
