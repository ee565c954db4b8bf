"""What the caller says of how a face was read."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from classifier.access import get_face
from classifier.api.base import ApiView, check, label_set_of
from classifier.api.schema import WITH_A_BODY, responses
from classifier.api.serializers import FeedbackAnswer, FeedbackRequest
from classifier.feedback import give_feedback
from classifier.models import Feedback, Label, LabelSet
from emotion_site.problems import NOT_FOUND


class FaceFeedback(ApiView):
    @extend_schema(
        operation_id="give_feedback",
        summary="Say whether a face was read rightly, in place of what you said before",
        request=FeedbackRequest,
        responses=responses({200: FeedbackAnswer}, *WITH_A_BODY, NOT_FOUND),
    )
    def post(self, request: Request, face_id: int) -> Response:
        face = get_face(request.user, face_id)
        asked = check(FeedbackRequest, request.data, request.user)
        label_set = label_set_of(asked, request.user)
        label = _label_of(label_set, asked)
        given = give_feedback(
            face=face, label_set=label_set, user=request.user, said=_said(asked), label=label
        )
        return Response(
            {
                "face": face.pk,
                "label_set": label_set.slug,
                "said": given.said,
                "label": label and label.slug,
            }
        )


def _said(asked: dict[str, Any]) -> Feedback.Said:
    if "label" in asked:
        return Feedback.Said.WRONG
    return Feedback.Said.RIGHT if "correct" in asked else Feedback.Said.NOT_A_FACE


def _label_of(label_set: LabelSet, asked: dict[str, Any]) -> Label | None:
    if "label" not in asked:
        return None
    labels = {label.slug: label for label in label_set.labels.all()}
    if asked["label"] not in labels:
        raise ValidationError({"label": f"One of: {', '.join(labels)}."})
    return labels[asked["label"]]
