"""A photograph that is stored already, read under another label set from the crops of its faces."""

from __future__ import annotations

from django.db import transaction
from django.db.models import Exists, OuterRef, QuerySet

from .handover import offer
from .models import Face, LabelSet, Prediction, Upload
from .pipeline import TURN, classify, prediction_of
from .rescoring import crops_of
from .serving import active_model, hold


def read_later(upload: Upload, label_set: LabelSet) -> None:
    """Have the label set's active model read those of the upload's faces that nothing has read under it.

    Raises NoActiveModelError, ArtifactError, and Upload.DoesNotExist where it was deleted meanwhile.
    """
    model = active_model(label_set.slug)
    faces = list(_unread(upload, label_set).order_by("position"))
    with TURN:
        answers = classify(crops_of(faces), model)
    read = [prediction_of(*pair, model) for pair in zip(faces, answers, strict=True)]
    with transaction.atomic():
        hold([model])
        # Held, so that whoever asks for the same, deletes it or takes consent back does it before or after.
        held = Upload.objects.select_for_update().get(pk=upload.pk)
        left = set(_unread(held, label_set).values_list("pk", flat=True))
        Prediction.objects.bulk_create(one for one in read if one.face_id in left)
        if held.consent:
            offer(held)


def _unread(upload: Upload, label_set: LabelSet) -> QuerySet[Face]:
    shown = Prediction.objects.filter(face=OuterRef("pk"), label_set=label_set, shown=True)
    return Face.objects.filter(~Exists(shown), upload=upload)
