"""What a user says of a result: right, wrong, or not a face at all."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from classifier.access import get_face, get_label_set, get_upload
from classifier.cards import lay_out
from classifier.feedback import FeedbackError, give_feedback
from classifier.models import Face, Feedback, LabelSet
from emotion_site.errors import refuse, wants_json


@require_POST
def feedback(request: HttpRequest, face_id: int) -> HttpResponse:
    """Keeps it, in place of what was said before. A script gets the part of the page that has changed."""
    face = get_face(request.user, face_id)
    label_set = get_label_set(request.user, request.POST.get("label_set", ""))
    said = request.POST.get("said", "")
    slug = request.POST.get("label", "") if said == Feedback.Said.WRONG else ""
    label = label_set.labels.filter(slug=slug).first()
    try:
        give_feedback(
            face=face,
            label_set=label_set,
            user=request.user,  # type: ignore[arg-type]
            said=said,
            label=label,
            prediction_id=request.POST.get("prediction", ""),
        )
    except FeedbackError as error:
        return refuse(request, status=400, sentence=str(error))
    if wants_json(request):
        return JsonResponse({"html": _drawn(request, face, label_set)})
    messages.success(request, _("Thank you: that is noted."))
    return redirect(f"{reverse('upload', args=[face.upload_id])}#face-{face.pk}")


def _drawn(request: HttpRequest, face: Face, label_set: LabelSet) -> str:
    faces = lay_out(get_upload(request.user, face.upload_id, results=True)).faces
    found = next(card for card in faces if card.face.pk == face.pk)
    answer = next((answer for answer in found.answers if answer.label_set == label_set), None)
    if answer is None:  # nothing was read under it, and no page has asked
        return ""
    return render_to_string("partials/feedback.html", {"face": found, "answer": answer}, request)
