"""The dataset of a label set: what is in it, how far it can be believed, and what can be done with it."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from classifier.access import get_label_set, within_reach
from classifier.models import LabelSet, User
from labeling.figures import agreement_of_pairs, figures_of_examples, figures_of_labelers, figures_of_model
from labeling.forms import CleaningForm, ExportForm, ImportForm
from labeling.jobs import JobRefusedError, request_job, state_of
from labeling.models import DatasetJob, DatasetVersion, Example, SetAsidePicture

from .review import admin_page

Kind = DatasetJob.Kind
SHOWN = 8


@require_safe
def start(request: HttpRequest) -> HttpResponse:
    return redirect("admin:labeling_dataset", settings.DEFAULT_LABEL_SET)


@require_safe
def dataset(request: HttpRequest, label_set: str) -> HttpResponse:
    return _page(request, get_label_set(request.user, label_set))


@require_POST
def import_file(request: HttpRequest, label_set: str) -> HttpResponse:
    found = get_label_set(request.user, label_set)
    form, cleaning = ImportForm(request.POST, request.FILES), CleaningForm(request.POST)
    if not (form.is_valid() and cleaning.is_valid()):
        return _page(request, found, import_form=form, cleaning_form=cleaning, status=400)
    asked = form.cleaned_data | {"cleaning": cleaning.cleaned_data}
    return _ask(request, Kind.IMPORT, found, **asked, dry_run=True)


@require_POST
def export(request: HttpRequest, label_set: str) -> HttpResponse:
    found = get_label_set(request.user, label_set)
    form = ExportForm(request.POST)
    if not form.is_valid():
        return _page(request, found, export_form=form, status=400)
    return _ask(request, Kind.EXPORT, found, **form.cleaned_data)


@require_POST
def freeze(request: HttpRequest, label_set: str) -> HttpResponse:
    return _ask(request, Kind.FREEZE, get_label_set(request.user, label_set))


@require_POST
def find_doubts(request: HttpRequest, label_set: str) -> HttpResponse:
    return _ask(request, Kind.DOUBTS, get_label_set(request.user, label_set))


@require_safe
def version_file(request: HttpRequest, version_id: int) -> HttpResponseBase:
    version = get_object_or_404(within_reach(request.user, DatasetVersion.objects.all()), pk=version_id)
    try:
        file = version.file.open("rb")
    except (FileNotFoundError, ValueError) as error:
        raise Http404 from error
    return FileResponse(file, as_attachment=True, filename=f"{version.digest}.parquet")


def _ask(request: HttpRequest, kind: DatasetJob.Kind, label_set: LabelSet, **options: Any) -> HttpResponse:
    user = request.user
    assert isinstance(user, User)
    try:
        job = request_job(kind, label_set, by=user, **options)
    except JobRefusedError as error:
        messages.error(request, str(error))
        return redirect("admin:labeling_dataset", label_set.slug)
    return redirect("admin:labeling_dataset_job", job.pk)


def _page(
    request: HttpRequest,
    label_set: LabelSet,
    *,
    import_form: ImportForm | None = None,
    cleaning_form: CleaningForm | None = None,
    export_form: ExportForm | None = None,
    status: int = 200,
) -> HttpResponse:
    labels = list(label_set.labels.all())
    may_see_labelers = request.user.has_perm("labeling.view_annotation")
    jobs = DatasetJob.objects.filter(label_set=label_set).select_related("requested_by")[:SHOWN]
    context = {
        "label_set": label_set,
        "label_sets": LabelSet.objects.readable_by(request.user),
        "examples": figures_of_examples(label_set, labels),
        "model": figures_of_model(label_set, labels),
        "labelers": figures_of_labelers(label_set) if may_see_labelers else None,
        "pairs": agreement_of_pairs(label_set)[:SHOWN] if may_see_labelers else None,
        "versions": DatasetVersion.objects.filter(label_set=label_set)[:SHOWN],
        "jobs": [(job, state_of(job)) for job in jobs],
        "import_form": import_form or ImportForm(),
        "cleaning_form": cleaning_form or CleaningForm(),
        "set_aside": SetAsidePicture.objects.waiting().filter(label_set=label_set).count(),
        "export_form": export_form or ExportForm(),
    }
    page = admin_page(request, _("Dataset: %s") % label_set.name, **context)
    return render(request, "labeling/dataset.html", page | {"opts": Example._meta}, status=status)
