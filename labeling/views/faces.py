"""One face: what is known of it, who said what and when, and, for adjudicators, the last word."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from classifier.access import within_reach
from classifier.models import User
from labeling.cards import lay_out_items
from labeling.models import Annotation, AnnotationQuerySet, ReviewItem
from labeling.review import ReviewError, adjudicate

from .review import admin_page, said_in

State = ReviewItem.State
ADJUDICATE = "labeling.adjudicate_faces"


@require_http_methods(["GET", "HEAD", "POST"])
def face(request: HttpRequest, object_id: str) -> HttpResponse:
    labeler = request.user
    assert isinstance(labeler, User)
    item = _find(labeler, object_id)
    if request.method == "POST":
        return _adjudicate(request, item, labeler)
    history = _visible(item, labeler).select_related(
        "labeler", "label", "prediction__label", "supersedes__label"
    )
    (card,) = lay_out_items([item], labeler, item.label_set)
    context: dict[str, Any] = {
        "card": card,
        "item": item,
        "history": history.order_by("-pk"),
        "hidden": item.state == State.WAITING,
        "adjudicates": item.state != State.WAITING and labeler.has_perm(ADJUDICATE),
    }
    return render(request, "labeling/face.html", admin_page(request, _("Face %d") % item.face_id, **context))


def _find(labeler: User, number: str) -> ReviewItem:
    items = within_reach(labeler, ReviewItem.objects.offered())
    items = items.select_related("face__upload", "label_set", "label")
    found = items.filter(pk=int(number)).first() if number.isdecimal() and len(number) < 19 else None
    if found is None:
        raise Http404
    return found


def _visible(item: ReviewItem, labeler: User) -> AnnotationQuerySet:
    """While a face waits, labelers see what they said themselves: opinions are independent."""
    history = Annotation.objects.of(item)
    return history.filter(labeler=labeler) if item.state == State.WAITING else history


def _adjudicate(request: HttpRequest, item: ReviewItem, labeler: User) -> HttpResponse:
    if not labeler.has_perm(ADJUDICATE):
        raise PermissionDenied
    try:
        given = adjudicate(labeler, item, said_in(request.POST, item.label_set))
        messages.success(request, _("Settled: %s.") % (given.label or _("unusable")))
    except ReviewError as error:
        messages.error(request, str(error))
    return redirect("admin:labeling_reviewitem_change", item.pk)
