"""A label set that is made of an archive's folders, with the examples in them."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from classifier.label_set_forms import LabelSetOfFoldersForm
from classifier.models import User
from labeling.forms import ArchiveForm, CleaningForm
from labeling.importing import NewLabelSet
from labeling.jobs import JobRefusedError, request_job, state_of
from labeling.models import DatasetJob, Example

from .review import admin_page

SHOWN = 8


@require_http_methods(["GET", "HEAD", "POST"])
def import_new(request: HttpRequest) -> HttpResponse:
    """Asks for the archive, and plans. The label set is made with the examples, once that is confirmed."""
    sent = (request.POST, request.FILES) if request.method == "POST" else (None, None)
    about, archive = LabelSetOfFoldersForm(sent[0]), ArchiveForm(*sent)
    cleaning = CleaningForm(sent[0])
    forms = (about, archive, cleaning)
    if request.method == "POST" and all(form.is_valid() for form in forms):
        try:
            return redirect("admin:labeling_dataset_job", _plan(request, about, archive, cleaning).pk)
        except JobRefusedError as error:
            messages.error(request, str(error))
    context = {
        "about": about,
        "archive": archive,
        "cleaning_form": cleaning,
        "jobs": [(job, state_of(job)) for job in _planned(request)],
    }
    page = admin_page(request, _("A label set of folders"), **context)
    wrong = any(form.errors for form in forms)
    return render(
        request, "labeling/new_label_set.html", page | {"opts": Example._meta}, status=400 if wrong else 200
    )


def _plan(
    request: HttpRequest, about: LabelSetOfFoldersForm, archive: ArchiveForm, cleaning: CleaningForm
) -> DatasetJob:
    """Raises JobRefusedError."""
    assert isinstance(request.user, User)
    told: dict[str, Any] = {name: about.cleaned_data[name] for name in about.fields}
    asked = archive.cleaned_data | {"cleaning": cleaning.cleaned_data}
    new = NewLabelSet(**told)
    return request_job(DatasetJob.Kind.IMPORT, new, by=request.user, **asked, dry_run=True)


def _planned(request: HttpRequest) -> Any:
    return DatasetJob.objects.filter(label_set=None, requested_by=request.user.pk)[:SHOWN]
