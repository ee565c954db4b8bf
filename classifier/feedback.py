"""What users say of a result: one door for the pages and the API."""

from __future__ import annotations

from django.db import transaction
from django.db.models import Case, Exists, OuterRef, Q, When
from django.utils import timezone
from django.utils.translation import gettext as _

from .handover import pass_on
from .models import Face, Feedback, Label, LabelSet, Prediction, UploadQuerySet, User

GIVEN, NONE = "given", "none"
OPINIONS = (GIVEN, NONE, *Feedback.Said.values)


class FeedbackError(ValueError):
    """Feedback that says nothing, or two things. `str(error)` is a sentence for the user."""


@transaction.atomic
def give_feedback(
    *,
    face: Face,
    label_set: LabelSet,
    user: User,
    said: str,
    label: Label | None = None,
    prediction_id: str = "",
) -> Feedback:
    """Keep what `user` says of `face`, in place of whatever they said before.

    `said` is one of `Feedback.Said`; `label` is what the face shows instead, and goes with "wrong" alone.
    `prediction_id`: of the answer that the user saw, where another may be shown by now.
    Whether the face is theirs to speak of is for the caller to know. Raises FeedbackError.
    """
    _check(label_set, said, label)
    of = _answer_seen(face, label_set, prediction_id)
    given, _created = Feedback.objects.update_or_create(
        face=face,
        label_set=label_set,
        user=user,
        defaults={"said": said, "label": label, "prediction": of, "given_at": timezone.now()},
    )
    pass_on(given)
    return given


def _answer_seen(face: Face, label_set: LabelSet, prediction_id: str) -> Prediction | None:
    """The named one of the face's, else the one that pages show now."""
    number = int(prediction_id) if prediction_id.isdecimal() and len(prediction_id) < 19 else 0
    given = Prediction.objects.filter(face=face, label_set=label_set)
    return (
        given.filter(Q(pk=number) | Q(shown=True)).order_by(Case(When(pk=number, then=0), default=1)).first()
    )


def _check(label_set: LabelSet, said: str, label: Label | None) -> None:
    if said not in Feedback.Said.values:
        raise FeedbackError(_("Say “right”, “wrong” or “not a face”."))
    if (said == Feedback.Said.WRONG) != (label is not None):
        raise FeedbackError(_("Say which expression it is when, and only when, the answer is wrong."))
    if label and label.label_set_id != label_set.pk:
        raise FeedbackError(_("That label is not one of this label set."))


def with_feedback(found: UploadQuerySet, user: User, opinion: str) -> UploadQuerySet:
    """Narrows to uploads of whose faces the user has said something, nothing, or just this: see OPINIONS."""
    about = Feedback.objects.filter(face__upload=OuterRef("pk"), user=user)
    if opinion == NONE:
        return found.filter(~Exists(about))
    return found.filter(Exists(about if opinion == GIVEN else about.filter(said=opinion)))
