"""A user's photographs: a page of them, and removing several."""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from typing import Any
from urllib.parse import urlencode

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods

from classifier.access import label_sets_for
from classifier.accounts import delete_uploads
from classifier.cards import lay_out
from classifier.forms import HistoryForm
from classifier.history import page_of, showing
from classifier.models import Label, LabelSet, Upload, User
from classifier.timeline import draw_timeline


@login_required
def history(request: HttpRequest) -> HttpResponse:
    user: User = request.user  # type: ignore[assignment]
    readable, label_sets = LabelSet.objects.readable_by(user), label_sets_for(user)
    label_set = next((one for one in label_sets if one.slug == request.GET.get("label_set")), None)
    of_labels = label_set.slug if label_set else settings.DEFAULT_LABEL_SET
    labels = list(Label.objects.filter(label_set__in=readable.filter(slug=of_labels)))
    form = HistoryForm(request.GET, labels=labels)
    chosen = form.cleaned_data if form.is_valid() else {}
    chosen["label_set"] = label_set.slug if label_set else ""
    found = Upload.objects.owned_by(user).between(chosen.get("first"), chosen.get("last"))
    first_to_last = found.read_under(label_set) if label_set else found
    choice = chosen.get("showing", "")
    within = readable.filter(pk=label_set.pk) if label_set else readable
    found = showing(first_to_last, choice, form.labels.get(choice), within)
    before, after = request.GET.get("before", ""), request.GET.get("after", "")
    page = page_of(found, reader=user, before=before, after=after)
    context = {
        "form": form,
        "page": page,
        "label_sets": label_sets,
        "label_set": label_set,
        "cards": [lay_out(upload, label_set) for upload in page.uploads],
        "kept": _kept(chosen),
        "narrowed": any(chosen.get(name) for name in ("showing", "first", "last")),
        "first": chosen.get("first"),
        "last": chosen.get("last"),
        # The chart is of the whole span, so it stands above the first page only.
        "timeline": None if page.newer or not labels else draw_timeline(first_to_last, of_labels),
    }
    return render(request, "classifier/history.html", context)


def _kept(chosen: dict[str, Any]) -> str:
    """The filter, as it goes on into the links to other pages; empty when nothing is filtered."""
    return urlencode({name: value for name, value in chosen.items() if value})


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def uploads_delete(request: HttpRequest) -> HttpResponse:
    """Asks first: with the photographs on a page of their own, unless a script has asked already."""
    if request.method != "POST":
        # Whoever was asked to sign in on the way comes back without the form.
        return redirect("uploads")
    ids = _ids(request.POST.getlist("ids"))
    if request.POST.get("confirmed") == "yes":
        gone = delete_uploads(request.user, ids)  # type: ignore[arg-type]
        messages.success(
            request, ngettext("%d photograph is deleted.", "%d photographs are deleted.", gone) % gone
        )
        return redirect("uploads")
    mine = Upload.objects.owned_by(request.user)
    found = mine.filter(pk__in=ids).newest_first().with_results(reader=request.user)
    cards = [lay_out(upload) for upload in found]
    if not cards:
        messages.warning(request, _("Select the photographs to delete first."))
        return redirect("uploads")
    return render(request, "classifier/uploads_delete.html", {"cards": cards})


def _ids(texts: Iterable[str]) -> list[uuid.UUID]:
    """Those that are UUIDs: anything else can name no upload."""
    found = []
    for text in texts:
        try:
            found.append(uuid.UUID(text))
        except ValueError:
            continue
    return found
