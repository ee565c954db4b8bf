"""Photographs that imports set aside: a person chooses the right face in each, or drops it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from django.contrib import messages
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_safe

from classifier.access import get_label_set, within_reach
from classifier.admin_pages import id_in
from classifier.models import LabelSet, User
from labeling.models import Example, FoundFace, SetAsidePicture
from labeling.rescuing import Settled, settle_pictures

from .review import admin_page

SHOWN = 24
TOLD = 5
DROP = "drop"
Reason = SetAsidePicture.Reason


@dataclass(frozen=True)
class Outlined:
    """A face and where its box is, in percent of the picture, as SVG wants it."""

    face: FoundFace
    number: int
    left: str
    top: str
    width: str
    height: str


@require_http_methods(["GET", "HEAD", "POST"])
def set_aside(request: HttpRequest, label_set: str) -> HttpResponse:
    found = get_label_set(request.user, label_set)
    if request.method == "POST":
        return _settle(request, found)
    waiting = SetAsidePicture.objects.waiting().filter(label_set=found)
    reason = request.GET.get("reason", "")
    shown = waiting.filter(reason=reason) if reason in Reason else waiting
    pictures = shown.select_related("label").defer("copy").order_by("label__position", "pk")
    page = Paginator(pictures, SHOWN).get_page(request.GET.get("page"))
    faces = FoundFace.objects.filter(picture__in=list(page)).defer("crop")
    context = {
        "label_set": found,
        "page": page,
        "cards": [(picture, [_outlined(f) for f in faces if f.picture_id == picture.pk]) for picture in page],
        "reasons": [(one, one.label, waiting.filter(reason=one).count()) for one in Reason],
        "reason": reason if reason in Reason else "",
        "waiting": waiting.count(),
    }
    title = _("Photographs set aside: %s") % found.name
    framed = admin_page(request, title, **context) | {"opts": Example._meta}
    return render(request, "labeling/set_aside.html", framed)


@require_safe
def photo(request: HttpRequest, picture_id: int) -> HttpResponse:
    pictures = within_reach(request.user, SetAsidePicture.objects.waiting())
    copy = get_object_or_404(pictures, pk=picture_id).copy
    return HttpResponse(bytes(copy or b""), content_type="image/jpeg")


@require_safe
def crop(request: HttpRequest, face_id: int) -> HttpResponse:
    pictures = within_reach(request.user, SetAsidePicture.objects.waiting())
    face = get_object_or_404(FoundFace.objects.filter(picture__in=pictures), pk=face_id)
    return HttpResponse(bytes(face.crop), content_type="image/png")


def _outlined(face: FoundFace) -> Outlined:
    left, top, width, height = (f"{100 * side:.2f}%" for side in (face.x, face.y, face.w, face.h))
    return Outlined(face, face.position + 1, left, top, width, height)


def _settle(request: HttpRequest, label_set: LabelSet) -> HttpResponse:
    user = request.user
    assert isinstance(user, User)
    choices = dict(_choices(request.POST))
    if request.POST.get("do") == "drop-faceless":
        faceless = SetAsidePicture.objects.waiting().filter(label_set=label_set, reason=Reason.NO_FACE)
        choices = dict.fromkeys(faceless.values_list("pk", flat=True))
    if choices:
        _tell(request, settle_pictures(label_set, choices, by=user))
    else:
        messages.warning(request, _("Nothing was chosen: say which face it is, or drop the photograph."))
    way = reverse("admin:labeling_set_aside", args=[label_set.slug])
    reason = request.POST.get("reason", "")
    return redirect(f"{way}?reason={reason}" if reason in Reason else way)


def _choices(form: QueryDict) -> Iterator[tuple[int, int | None]]:
    """Each field is named for a picture; it holds a face's id, DROP, or nothing where it waits on."""
    for name, value in form.items():
        word, _dash, number = name.partition("-")
        if word == "picture" and (picture := id_in(number)) and value:
            yield picture, None if value == DROP else id_in(str(value))


def _tell(request: HttpRequest, settled: Settled) -> None:
    said = [
        ngettext("%d photograph is rescued.", "%d photographs are rescued.", settled.rescued)
        % settled.rescued,
        ngettext("%d photograph is dropped.", "%d photographs are dropped.", settled.dropped)
        % settled.dropped,
    ]
    messages.success(request, " ".join(said))
    for sentence in settled.not_added[:TOLD]:
        messages.warning(request, _("Not added, %s.") % sentence)
    if settled.left:
        messages.warning(
            request,
            ngettext(
                "%d was settled by somebody else meanwhile.",
                "%d were settled by somebody else meanwhile.",
                settled.left,
            )
            % settled.left,
        )
