"""The same verdict for many faces: first a look at all of them, then it counts."""

from __future__ import annotations

from collections.abc import Iterator

from django.contrib import messages
from django.db.models import Prefetch
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from classifier.access import get_label_set
from classifier.models import Label, LabelSet, Prediction, User
from labeling.models import Annotation, ReviewItem, ReviewQuerySet
from labeling.review import Said, answer_many, open_to_bulk

from .review import admin_page

MOST = 500
UNUSABLE = ":unusable"  # no slug: those have no colon


def preview(request: HttpRequest, chosen: ReviewQuerySet, *, giving: bool) -> HttpResponse | None:
    """The crops that a verdict would be for. None where there are none, with a message that says why.

    `giving`: one label for all of them; else each gets its suggestion.
    """
    label_sets = LabelSet.objects.filter(pk__in=chosen.order_by().values("label_set"))
    number = chosen.count()
    faces = _answerable(request.user, chosen, giving=giving)  # type: ignore[arg-type]
    if len(label_sets) > 1:
        messages.error(request, _("Choose faces of one label set: each has labels of its own."))
    elif len(faces) > MOST:
        messages.error(request, _("Choose at most %d faces at a time, so that you can look at them.") % MOST)
    elif not faces:
        messages.warning(request, _("None of these can be answered many at a time."))
    else:
        title = _("Give one label") if giving else _("Accept the suggestions")
        context = {
            "faces": faces,
            "left_out": number - len(faces),
            "giving": giving,
            "label_set": label_sets[0],
        }
        return render(request, "labeling/bulk.html", admin_page(request, title, **context))
    return None


def _answerable(labeler: User, chosen: ReviewQuerySet, *, giving: bool) -> list[ReviewItem]:
    """At most one more than MOST."""
    shown = Prediction.objects.filter(shown=True, label_set__in=chosen.order_by().values("label_set"))
    faces = open_to_bulk(labeler, chosen.prefetch_related(None)).prefetch_related(
        Prefetch("face__predictions", queryset=shown.select_related("label"), to_attr="shown_predictions")
    )
    return [item for item in faces[: MOST + 1] if giving or item.face.shown_predictions]


@require_POST
def bulk(request: HttpRequest, label_set: str) -> HttpResponse:
    labeler = request.user
    assert isinstance(labeler, User)
    found = get_label_set(labeler, label_set)
    verdicts = list(_verdicts(request.POST, found))
    kept = answer_many(labeler, verdicts)
    said = ngettext("%d face is answered.", "%d faces are answered.", kept) % kept
    messages.success(request, said)
    if left := len(verdicts) - kept:
        messages.warning(
            request,
            ngettext(
                "%d is not: somebody else was faster, or the model says something else by now.",
                "%d are not: somebody else was faster, or the model says something else by now.",
                left,
            )
            % left,
        )
    return redirect("admin:labeling_reviewitem_changelist")


def _verdicts(form: QueryDict, label_set: LabelSet) -> Iterator[tuple[ReviewItem, Said]]:
    """What was ticked: each a number, and behind a colon the suggestion that stood below the crop."""
    pairs = [text.partition(":")[::2] for text in form.getlist("faces")[:MOST]]
    ticked = {int(number): slug for number, slug in pairs if number.isdecimal() and len(number) < 19}
    labels = {label.slug: label for label in label_set.labels.all()}
    for item in ReviewItem.objects.filter(pk__in=ticked, label_set=label_set):
        if said := _said(form.get("label", ""), ticked[item.pk], labels):
            yield item, said


def _said(given: str, suggested: str, labels: dict[str, Label]) -> Said | None:
    """`given`: the slug of the one label for all, UNUSABLE, or nothing to accept what was suggested."""
    if given == UNUSABLE:
        return Said(Annotation.Verdict.UNUSABLE)
    if given in labels:
        return Said(Annotation.Verdict.CORRECT, labels[given])
    if not given and suggested in labels:
        return Said(Annotation.Verdict.ACCEPT, labels[suggested])
    return None
