"""What classifier.handover hands over: above all how faces come into the review queue, and leave it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from io import BytesIO
from random import SystemRandom

import numpy as np
from django.conf import settings
from django.db import transaction
from django.db.models import Exists, F, OuterRef, Prefetch, QuerySet
from PIL import Image

from classifier.models import Decision, Face, Feedback, LabelSet, Prediction, Upload
from classifier.vision.similar import perceptual_hash

from . import curation
from .models import Annotation, ReviewItem
from .training_runs import end_lost_runs

TAKEN_AT_ONCE = 50
DISAGREEING = (Feedback.Said.WRONG, Feedback.Said.NOT_A_FACE)
CHANCE = SystemRandom()


def photograph_offered(upload: Upload) -> None:
    """Queue its faces for each label set that they were read for."""
    items = [
        _place(face, prediction.label_set, prediction)
        for face in _with_what_was_said(upload.faces.all())
        for prediction in face.shown_predictions
    ]
    ReviewItem.objects.bulk_create(items, ignore_conflicts=True)


def photographs_taken_back(uploads: QuerySet[Upload]) -> None:
    """Remove whatever labelers made of them."""
    faces = Face.objects.filter(upload__in=uploads)
    # The place in the queue first: a labeler who is answering holds it, and what they write is then seen.
    for model in (ReviewItem, Annotation, Decision):
        model.objects.filter(face__in=faces).delete()
    curation.forget(uploads)


def feedback_given(feedback: Feedback) -> None:
    """Raise the face in the queue, or let it sink again. A probe's place is chance alone."""
    disagreed = feedback.said in DISAGREEING
    items = ReviewItem.objects.filter(face=feedback.face_id, label_set=feedback.label_set_id)
    items.update(disagreed=disagreed)
    items.filter(probe=False).update(rank=F("entropy") + int(disagreed))


def faces_rescored(predictions: Sequence[Prediction]) -> None:
    """Raise the faces that versions read differently, or whose user disagrees with the new answer.

    A probe stays where it is; so does what a labeler has put behind all others.
    """
    shown = {prediction.face_id: prediction for prediction in predictions}
    label_sets = {prediction.label_set_id for prediction in predictions}
    here = {"face__in": list(shown), "label_set__in": label_sets}
    said = Prediction.objects.filter(**here).values_list("face", "label")
    differing = {face for face, label in said if label != shown[face].label_id}
    given = Feedback.objects.filter(**here).select_related("prediction")
    disagreeing = {one.face_id for one in given if _disagrees(one, shown[one.face_id])}
    # Whoever holds one of them is answering it, or deletes it: to wait could be to wait for each other.
    items = list(ReviewItem.objects.filter(**here).select_for_update(skip_locked=True))
    for item in items:
        item.entropy = _entropy(shown[item.face_id].probabilities)
        item.disagreed = item.face_id in disagreeing
        if not item.probe and item.rank >= 0:
            item.rank = item.entropy + item.disagreed + (item.face_id in differing)
    ReviewItem.objects.bulk_update(items, ["entropy", "disagreed", "rank"])


def worker_started() -> None:
    end_lost_runs()


@transaction.atomic
def take_in(label_set: LabelSet) -> int:
    """Queue some faces that have no place yet for this label set, as of a new one, which no model reads.

    Returns how many.
    """
    queued = ReviewItem.objects.filter(face=OuterRef("pk"), label_set=label_set)
    missing = Face.objects.filter(upload=OuterRef("pk")).exclude(Exists(queued))
    offered = Upload.objects.filter(Exists(missing), consent=True).order_by("pk")[:TAKEN_AT_ONCE]
    # Held, so that nobody withdraws consent in the middle.
    uploads = list(offered.select_for_update())
    faces = _with_what_was_said(Face.objects.filter(upload__in=uploads).exclude(Exists(queued)))
    items = [_place(face, label_set, _of(label_set, face.shown_predictions)) for face in faces]
    ReviewItem.objects.bulk_create(items, ignore_conflicts=True)
    return len(items)


def _with_what_was_said(faces: QuerySet[Face]) -> QuerySet[Face]:
    shown = Prediction.objects.filter(shown=True).select_related("label_set")
    predictions = Prefetch("predictions", queryset=shown, to_attr="shown_predictions")
    feedback = Prefetch("feedback", queryset=Feedback.objects.select_related("prediction"))
    return faces.prefetch_related(predictions, feedback)  # type: ignore[no-redef]


def _of(label_set: LabelSet, predictions: Iterable[Prediction]) -> Prediction | None:
    return next((found for found in predictions if found.label_set_id == label_set.pk), None)


def _place(face: Face, label_set: LabelSet, prediction: Prediction | None) -> ReviewItem:
    """Without a prediction there is nothing to probe or to hide, and nothing is less certain."""
    entropy = _entropy(prediction.probabilities) if prediction else 1.0
    probe = prediction is not None and CHANCE.random() < settings.REVIEW_PROBE_SHARE
    hidden = prediction is not None and CHANCE.random() < settings.REVIEW_HIDDEN_SHARE
    disagreed = any(
        _disagrees(said, prediction) for said in face.feedback.all() if said.label_set_id == label_set.pk
    )
    return ReviewItem(
        face=face,
        label_set=label_set,
        disagreed=disagreed,
        entropy=entropy,
        probe=probe,
        suggestion_hidden=probe or hidden,
        rank=CHANCE.random() if probe else entropy + disagreed,
        perceptual_hash=perceptual_hash(np.asarray(Image.open(BytesIO(face.crop)).convert("RGB"))),
    )


def _disagrees(feedback: Feedback, shown: Prediction | None) -> bool:
    """Whether what a user said, perhaps of another version's answer, speaks against the one shown now."""
    was = feedback.prediction
    if shown is None or was is None or was.label_id == shown.label_id:
        return feedback.said in DISAGREEING
    if feedback.said == Feedback.Said.NOT_A_FACE:
        return True
    meant = was.label_id if feedback.said == Feedback.Said.RIGHT else feedback.label_id
    return meant != shown.label_id


def _entropy(probabilities: Sequence[float]) -> float:
    """Shannon's, as a share of the most that so many labels can have."""
    if len(probabilities) < 2:
        return 0.0
    nats = -sum(p * math.log(p) for p in probabilities if p > 0)
    return min(nats / math.log(len(probabilities)), 1.0)
