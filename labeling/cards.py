"""What the review page says of a face: where it is, its labels with their keys, what model and user say."""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import dataclass

from django.db.models import Prefetch, prefetch_related_objects

from classifier.cards import FaceCard, lay_out_face
from classifier.models import Feedback, Label, LabelSet, Prediction, User

from .models import Annotation, ReviewItem

KEYS = "123456789"


@dataclass(frozen=True)
class Choice:
    """One label: the key that gives it ("" beyond the ninth), and the model's share, if that may be seen."""

    label: Label
    key: str
    share: float | None
    suggested: bool


@dataclass(frozen=True)
class ReviewCard:
    item: ReviewItem
    face: FaceCard
    choices: tuple[Choice, ...]
    prediction: Prediction | None
    blind: bool
    feedback: Feedback | None

    @property
    def suggestion(self) -> Prediction | None:
        """What the labeler may accept."""
        return None if self.blind else self.prediction


def lay_out_items(items: Sequence[ReviewItem], labeler: User, label_set: LabelSet) -> list[ReviewCard]:
    """A card for each, in as many queries however many they are. The items have their face and its upload."""
    shown = Prediction.objects.filter(label_set=label_set, shown=True)
    shown = shown.select_related("label", "label_set", "model_version").prefetch_related("label_set__labels")
    prefetch_related_objects(
        [item.face for item in items],
        Prefetch("predictions", queryset=shown, to_attr="shown_predictions"),
        Prefetch("feedback", queryset=Feedback.objects.filter(label_set=label_set).select_related("label")),
    )
    answered = Annotation.objects.opinions().filter(labeler=labeler, label_set=label_set)
    seen = set(answered.filter(face__in=[item.face_id for item in items]).values_list("face", flat=True))
    labels = list(label_set.labels.all())
    return [_lay_out(item, labels, blind=_is_blind(item, seen)) for item in items]


def _is_blind(item: ReviewItem, seen: Container[int]) -> bool:
    """Once the labeler has answered, or nobody will any more, there is nothing left to bend."""
    waits = item.state == ReviewItem.State.WAITING
    return item.suggestion_hidden and waits and item.face_id not in seen


def _lay_out(item: ReviewItem, labels: Sequence[Label], *, blind: bool) -> ReviewCard:
    prediction = next(iter(item.face.shown_predictions), None)
    visible = None if blind else prediction
    return ReviewCard(
        item=item,
        face=lay_out_face(item.face, item.face.upload),
        choices=tuple(_choice(place, label, visible) for place, label in enumerate(labels)),
        prediction=prediction,
        blind=blind,
        feedback=next(iter(item.face.feedback.all()), None),
    )


def _choice(place: int, label: Label, visible: Prediction | None) -> Choice:
    # A label that came after the model has no share.
    share = visible.probabilities[place : place + 1] if visible else []
    return Choice(
        label=label,
        key=KEYS[place : place + 1],
        share=float(share[0]) if share else None,
        suggested=visible is not None and visible.label_id == label.pk,
    )
