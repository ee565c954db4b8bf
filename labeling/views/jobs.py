"""One piece of long work on the dataset: how far it is, what came of it, and the word to go on."""

from __future__ import annotations

import uuid
from pathlib import PurePosixPath
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from classifier.access import Visitor, within_reach
from labeling.import_report import in_words
from labeling.jobs import UNFINISHED, JobRefusedError, confirm_import, state_of
from labeling.models import DatasetJob, Example

from .review import admin_page

REFRESH_SECONDS = 2
IMPORT, ADD_LABEL_SET = "labeling.import_examples", "classifier.add_labelset"


@require_http_methods(["GET", "HEAD", "POST"])
def job(request: HttpRequest, job_id: uuid.UUID) -> HttpResponse:
    """Comes again by itself until the work has ended, with or without scripts. POST confirms an import."""
    found = get_object_or_404(_within_reach(request.user), pk=job_id)
    if request.method == "POST":
        return _confirm(request, found)
    state = state_of(found)
    title = _("%(kind)s: %(label_set)s") % {
        "kind": found.get_kind_display().capitalize(),
        "label_set": found.about,
    }
    context = {
        "job": found,
        "state": state,
        "unfinished": state in UNFINISHED,
        "aside": _aside(found),
        "may_confirm": request.user.has_perms(_needed(found)),
    }
    page = admin_page(request, title, **context)
    response = render(request, "labeling/job.html", page | {"opts": Example._meta})
    if state in UNFINISHED:
        response["Refresh"] = str(REFRESH_SECONDS)
    return response


def _within_reach(visitor: Visitor) -> QuerySet[DatasetJob]:
    """Those of label sets within reach; of one that is not made, whoever asked for it alone sees its job."""
    jobs = DatasetJob.objects.select_related("label_set", "requested_by")
    return within_reach(visitor, jobs) | jobs.filter(label_set=None, requested_by=visitor.pk)


def _needed(job: DatasetJob) -> list[str]:
    return [IMPORT, *([ADD_LABEL_SET] if job.new_label_set else [])]


def _aside(job: DatasetJob) -> dict[str, Any]:
    """Of an import that set photographs aside: for which reasons, and how many of each label."""
    reasons = job.report.get("set_aside_by_reason")
    if not reasons:
        return {}
    names = {label["slug"]: label["name"] for label in job.report.get("new_labels", [])}
    if job.label_set:
        names |= dict(job.label_set.labels.values_list("slug", "name"))
    rows = [
        row
        | {
            "name": names.get(row["label"], row["label"]),
            "counts": [row["reasons"].get(reason, 0) for reason in reasons],
        }
        for row in job.report["by_label"]
    ]
    return {"reasons": [in_words(reason) for reason in reasons], "rows": rows}


def _confirm(request: HttpRequest, found: DatasetJob) -> HttpResponse:
    if not request.user.has_perms(_needed(found)):
        raise PermissionDenied
    try:
        confirm_import(found)
    except JobRefusedError as error:
        messages.error(request, str(error))
    return redirect("admin:labeling_dataset_job", found.pk)


@require_safe
def job_file(request: HttpRequest, job_id: uuid.UUID) -> HttpResponseBase:
    found = get_object_or_404(_within_reach(request.user), pk=job_id)
    try:
        file = found.file.open("rb")
    except (FileNotFoundError, ValueError) as error:
        raise Http404 from error
    suffix = PurePosixPath(str(found.file.name)).suffix
    name = f"{found.label_set.slug if found.label_set else 'export'}-{found.created_at:%Y-%m-%d}{suffix}"
    return FileResponse(file, as_attachment=True, filename=name)
