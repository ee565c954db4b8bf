"""Sending photographs, looking at one result, removing one."""

from __future__ import annotations

import logging
import uuid
from collections.abc import Iterable
from dataclasses import dataclass
from math import ceil
from typing import Any

from django.conf import settings
from django.contrib import messages
from django.core.files.uploadedfile import UploadedFile
from django.db import IntegrityError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from classifier.access import get_label_set, get_upload, label_sets_for
from classifier.accounts import delete_uploads
from classifier.cards import lay_out
from classifier.forms import UploadForm
from classifier.handover import set_consent
from classifier.later_readings import read_later
from classifier.ml.artifact import ArtifactError
from classifier.models import Upload, User
from classifier.pipeline import store_photograph
from classifier.serving import NoActiveModelError
from classifier.throttling import UploadThrottle
from classifier.views.history import history
from classifier.views.pages import CHOSEN, upload_page
from classifier.vision.image import ImageDecodeError
from emotion_site.errors import signed_out, wants_json

logger = logging.getLogger(__name__)

UNSUPPORTED = {"not_an_image", "unsupported_format"}


class NotKeptError(Exception):
    """One photograph that is not kept: `sentence` is for the user, `status` for the reply."""

    def __init__(self, sentence: str, status: int, *, retry_after: int = 0) -> None:
        super().__init__(sentence)
        self.sentence, self.status, self.retry_after = sentence, status, retry_after


@dataclass(frozen=True)
class RefusedFile:
    name: str
    why: NotKeptError


@require_http_methods(["GET", "HEAD", "POST"])
def uploads(request: HttpRequest) -> HttpResponse:
    if not request.user.is_authenticated and request.method == "POST":
        return signed_out(request)
    if request.method != "POST":
        return history(request)
    try:
        return _create(request)
    except IntegrityError:
        if User.objects.filter(pk=request.user.pk).exists():  # type: ignore[misc]
            raise
        # The account was deleted while the photograph was read, which leaves nobody to keep it for.
        return signed_out(request)


def _create(request: HttpRequest) -> HttpResponse:
    form = UploadForm(request.POST, request.FILES, offered=label_sets_for(request.user))
    by_script = wants_json(request)
    if not form.is_valid():
        sentence = " ".join(str(error) for errors in form.errors.values() for error in errors)
        return (
            _error(NotKeptError(sentence, 400)) if by_script else upload_page(request, form=form, status=400)
        )
    files = form.cleaned_data["photos"]
    how = {name: form.cleaned_data[name] for name in ("consent", "label_sets")}
    _remember(request, form)
    if not by_script:
        return _reply_with_page(request, form, *_keep_all(request, files, **how))
    if len(files) > 1:
        return _error(NotKeptError(_("Send one photograph in each request."), 400))
    try:
        return _created(request, _keep(request, files[0], **how))
    except NotKeptError as refused:
        return _error(refused)


def _remember(request: HttpRequest, form: UploadForm) -> None:
    """What was chosen is ticked again the next time. Written only where it is news: each write is a query."""
    chosen = form.cleaned_data["label_sets"]
    if form.asks and request.session.get(CHOSEN) != chosen:
        request.session[CHOSEN] = chosen


def _keep(request: HttpRequest, file: UploadedFile, *, consent: bool, label_sets: list[str]) -> Upload:
    """Raises NotKeptError."""
    throttle = UploadThrottle()
    if not throttle.allow_request(request, None):
        seconds = ceil(throttle.wait() or 1)
        raise NotKeptError(_too_fast(seconds), 429, retry_after=seconds)
    try:
        if not label_sets:
            raise NoActiveModelError(settings.DEFAULT_LABEL_SET)
        return store_photograph(
            owner=request.user,  # type: ignore[arg-type]
            name=file.name or _("photograph"),
            file=file,
            consent=consent,
            label_sets=label_sets,
        )
    except ImageDecodeError as error:
        raise NotKeptError(str(error), 415 if error.code in UNSUPPORTED else 400) from error
    except (NoActiveModelError, ArtifactError) as error:
        logger.error("No photograph can be read: %s", error)
        raise NotKeptError(_no_model(error), 503) from error


def _no_model(error: NoActiveModelError | ArtifactError) -> str:
    if isinstance(error, NoActiveModelError) and error.label_set != settings.DEFAULT_LABEL_SET:
        # Its form was sent before that was so, as when the label set was just deleted.
        return _("No model can answer for “%s” at present. Nothing was stored.") % error.label_set
    return _("No model can answer on this site at present. Nothing was stored.")


def _too_fast(seconds: int) -> str:
    return (
        ngettext(
            "You have sent as many photographs as one may for now. Try again in %d second.",
            "You have sent as many photographs as one may for now. Try again in %d seconds.",
            seconds,
        )
        % seconds
    )


def _keep_all(
    request: HttpRequest, files: Iterable[UploadedFile], **how: Any
) -> tuple[list[Upload], list[RefusedFile]]:
    """Each photograph stands for itself: a bad one does not take the good ones with it."""
    kept, refused = [], []
    for file in files:
        try:
            kept.append(_keep(request, file, **how))
        except NotKeptError as why:
            refused.append(RefusedFile(file.name or "", why))
    return kept, refused


def _reply_with_page(
    request: HttpRequest, form: UploadForm, kept: list[Upload], refused: list[RefusedFile]
) -> HttpResponse:
    if not kept:
        why = refused[0].why
        return _later(upload_page(request, form=form, refused=refused, status=why.status), why)
    for file in refused:
        messages.error(request, f"{file.name}: {file.why.sentence}")
    if len(kept) == 1:
        return redirect("upload", kept[0].pk)
    messages.success(request, _("%d photographs were read.") % len(kept))
    return redirect("uploads")


def _created(request: HttpRequest, upload: Upload) -> JsonResponse:
    card = lay_out(get_upload(request.user, upload.pk, results=True))
    url = reverse("upload", args=[upload.pk])
    html = render_to_string("partials/result.html", {"card": card, "listed": True}, request)
    return JsonResponse(
        {"url": url, "html": html, "summary": card.summary}, status=201, headers={"Location": url}
    )


def _error(refused: NotKeptError) -> HttpResponse:
    return _later(JsonResponse({"error": refused.sentence}, status=refused.status), refused)


def _later(response: HttpResponse, refused: NotKeptError) -> HttpResponse:
    if refused.retry_after:
        response["Retry-After"] = str(refused.retry_after)
    return response


@require_safe
def upload(request: HttpRequest, upload_id: uuid.UUID) -> HttpResponse:
    card = lay_out(get_upload(request.user, upload_id, results=True))
    others = [one for one in label_sets_for(request.user) if one not in card.label_sets]
    return render(request, "classifier/result.html", {"card": card, "others": others})


@require_POST
def upload_readings(request: HttpRequest, upload_id: uuid.UUID) -> HttpResponse:
    """Has the faces of a stored photograph read under another label set."""
    found = get_upload(request.user, upload_id)
    label_set = get_label_set(request.user, request.POST.get("label_set", ""))
    try:
        read_later(found, label_set)
    except (NoActiveModelError, ArtifactError) as error:
        logger.error("%s can't be read under %s: %s", found.pk, label_set.slug, error)
        messages.error(request, _("No model can answer for “%s” at present.") % label_set.name)
    except Upload.DoesNotExist as error:
        raise Http404 from error
    else:
        messages.success(request, _("The faces are read under “%s”, too.") % label_set.name)
    return redirect("upload", found.pk)


@require_http_methods(["GET", "HEAD", "POST"])
def upload_delete(request: HttpRequest, upload_id: uuid.UUID) -> HttpResponse:
    found = get_upload(request.user, upload_id, results=request.method != "POST")
    if request.method != "POST":
        return render(request, "classifier/uploads_delete.html", {"cards": [lay_out(found)], "one": found})
    delete_uploads(request.user, [found.pk])  # type: ignore[arg-type]
    messages.success(request, _("“%s” is deleted.") % found.name)
    return redirect("uploads")


@require_POST
def upload_consent(request: HttpRequest, upload_id: uuid.UUID) -> HttpResponse:
    """Gives or takes back consent for one photograph."""
    found = get_upload(request.user, upload_id)
    set_consent(found, request.POST.get("consent") == "yes")
    said = (
        _("This photograph may be used for training.")
        if found.consent
        else _("This photograph stays private.")
    )
    messages.success(request, said)
    return redirect("upload", found.pk)
