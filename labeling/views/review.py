"""The review page: one face at a time, for a script that swaps faces and for a browser that runs none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, JsonResponse, QueryDict
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_safe

from classifier.access import get_label_set
from classifier.admin_pages import framed
from classifier.models import LabelSet, User
from classifier.templatetags.expressions import grouped, percent
from emotion_site.errors import wants_json
from labeling.cards import ReviewCard, lay_out_items
from labeling.models import Annotation, ReviewItem
from labeling.review import NO_LONGER_YOURS, ReviewError, Said, answer, undo
from labeling.review_queue import count_disputed, count_waiting, hand, skip

Verdict = Annotation.Verdict

# From here on faces are not counted: the exact number would cost more than it tells.
MANY = 1000


@require_safe
def start(request: HttpRequest) -> HttpResponse:
    """Which label set to review: a question only where there are several."""
    readable = LabelSet.objects.readable_by(request.user)
    label_sets = list(readable.filter(labels__isnull=False).distinct())
    if len(label_sets) == 1:
        return redirect("admin:labeling_review", label_sets[0].slug)
    rows = [(label_set, _waiting(label_set)) for label_set in label_sets]
    return render(request, "labeling/start.html", admin_page(request, _("Review faces"), rows=rows))


@require_http_methods(["GET", "HEAD", "POST"])
def review(request: HttpRequest, label_set: str) -> HttpResponse:
    found = get_label_set(request.user, label_set)
    labeler = request.user
    assert isinstance(labeler, User)
    if request.method != "POST":
        context = {
            "cards": _cards(labeler, found),
            "waiting": _waiting(found),
            "label_set": found,
            "lease_minutes": settings.REVIEW_LEASE_MINUTES,
            "disputed": count_disputed(found) if labeler.has_perm("labeling.adjudicate_faces") else 0,
        }
        return render(request, "labeling/review.html", admin_page(request, _("Review faces"), **context))
    reply = _obey(labeler, found, request.POST)
    if wants_json(request):
        return _as_json(request, labeler, found, reply)
    (messages.success if reply.kept else messages.error)(request, reply.sentence)
    return redirect("admin:labeling_review", found.slug)


def admin_page(request: HttpRequest, title: str, **context: Any) -> dict[str, Any]:
    return framed(request, title, **{"opts": ReviewItem._meta, **context})


def said_in(form: QueryDict, label_set: LabelSet) -> Said:
    """The verdict that a form's button stands for. Raises ReviewError."""
    for name, verdict in (("label", Verdict.CORRECT), ("accept", Verdict.ACCEPT)):
        if label := label_set.labels.filter(slug=form.get(name, "")).first():
            return Said(verdict, label)
    if form.get("do") == "unusable":
        return Said(Verdict.UNUSABLE)
    raise ReviewError(_("Say what the face shows, or that it is unusable."))


@dataclass(frozen=True)
class Reply:
    """What came of a labeler's key or button, in a sentence; `kept`: whether anything came of it."""

    sentence: str
    kept: bool = True


def _obey(labeler: User, label_set: LabelSet, form: QueryDict) -> Reply:
    try:
        if form.get("do") == "undo":
            undo(labeler, label_set)
            return Reply(_("Taken back."))
        item = _find(form.get("item", ""), label_set)
        if form.get("do") == "skip":
            skip(labeler, item)
            return Reply(_("Skipped: it comes again after all others."))
        return Reply(_describe(answer(labeler, item, said_in(form, label_set))))
    except ReviewError as error:
        return Reply(str(error), kept=False)


def _find(number: str, label_set: LabelSet) -> ReviewItem:
    """Raises ReviewError."""
    items = ReviewItem.objects.filter(label_set=label_set)
    found = items.filter(pk=int(number)).first() if number.isdecimal() and len(number) < 19 else None
    if found is None:
        raise ReviewError(NO_LONGER_YOURS)
    return found


def _describe(given: Annotation) -> str:
    """The answer; and what the model had said where it said otherwise, since it may be known now."""
    said = str(given.label or _("Unusable"))
    if given.prediction is None or given.label_id == given.prediction.label_id:
        return f"{said}."
    model = f"{given.prediction.label}, {percent(given.prediction.confidence)}"
    return _("%(said)s. The model says %(model)s.") % {"said": said, "model": model}


def _cards(labeler: User, label_set: LabelSet) -> list[ReviewCard]:
    return lay_out_items(hand(labeler, label_set), labeler, label_set)


def _waiting(label_set: LabelSet) -> str:
    number = count_waiting(label_set, at_most=MANY)
    if number == MANY:
        return _("%s faces or more wait") % grouped(MANY)
    return ngettext("%d face waits", "%d faces wait", number) % number


def _as_json(request: HttpRequest, labeler: User, label_set: LabelSet, reply: Reply) -> JsonResponse:
    """The labeler's hand as it is now, in order; `have` names the cards that the page has already."""
    have = set(request.POST.get("have", "").split(","))
    cards = [
        {"item": card.item.pk, "html": "" if str(card.item.pk) in have else _drawn(request, card)}
        for card in _cards(labeler, label_set)
    ]
    said = {"sentence": reply.sentence, "waiting": _waiting(label_set), "cards": cards}
    return JsonResponse(said, status=200 if reply.kept else 409)


def _drawn(request: HttpRequest, card: ReviewCard) -> str:
    return render_to_string("labeling/card.html", {"card": card}, request)
