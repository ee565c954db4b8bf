"""Training from the admin: ask for a run, watch it, cancel it, read what came of it."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from classifier.admin_pages import framed, id_in
from classifier.label_sets import say_unknown, unknown_labels
from classifier.ml.frozen import FEW
from classifier.models import LabelSet, ModelVersion, User
from labeling.forms import TrainForm
from labeling.mistakes import mistakes_of
from labeling.models import Split, TrainingRun
from labeling.training_cards import RunCard
from labeling.training_plan import (
    ENOUGH_FOR_SCRATCH,
    Asked,
    RunRefusedError,
    check_counts,
    count_examples,
    plan_run,
)
from labeling.training_runs import cancel, learned_from_erased, request_run

SHOWN = 8


@require_safe
def start(request: HttpRequest) -> HttpResponse:
    return redirect("admin:labeling_train", settings.DEFAULT_LABEL_SET)


@require_http_methods(["GET", "HEAD", "POST"])
def train(request: HttpRequest, label_set: str) -> HttpResponse:
    """The form; POST has the worker begin."""
    found = get_object_or_404(LabelSet, slug=label_set)
    form = TrainForm(request.POST if request.method == "POST" else None)
    if request.method == "POST" and form.is_valid():
        user = request.user
        assert isinstance(user, User)
        try:
            plan = plan_run(Asked(label_set=found, **form.cleaned_data))
            run = request_run(plan, by=user, in_worker=True)
        except RunRefusedError as error:
            form.add_error(None, str(error))
        else:
            return redirect("admin:labeling_trainingrun_change", run.pk)
    return _form_page(request, found, form)


def _form_page(request: HttpRequest, label_set: LabelSet, form: TrainForm) -> HttpResponse:
    counts, labels = count_examples(label_set), list(label_set.labels.all())
    runs = TrainingRun.objects.filter(label_set=label_set).select_related("version__label_set", "started_by")
    cards = [RunCard(run) for run in runs[:SHOWN]]
    champion = ModelVersion.objects.filter(label_set=label_set, active=True).first()
    context = {
        "label_set": label_set,
        "label_sets": LabelSet.objects.all(),
        "form": form,
        "splits": [(split, sum(counts.get(split, {}).values())) for split in Split],
        "obstacle": _obstacle(counts, [label.slug for label in labels], label_set),
        "enough": ENOUGH_FOR_SCRATCH,
        "few": FEW,
        "champion": champion,
        "unknown": say_unknown(unknown_labels(champion)) if champion else "",
        "cards": cards,
        "going_on": next((card for card in cards if card.unfinished), None),
    }
    page = _framed(request, _("Train: %s") % label_set.name, **context)
    return render(request, "labeling/train.html", page, status=400 if form.errors else 200)


def _obstacle(counts: Any, labels: list[str], label_set: LabelSet) -> str:
    """Why nothing can be trained on what there is; empty where something can."""
    try:
        check_counts(counts, labels, label_set.slug, needs_all=True)
    except RunRefusedError as error:
        return str(error)
    return ""


@require_safe
def run(request: HttpRequest, run_id: str) -> HttpResponse:
    """Comes again by itself until the run has ended, with or without scripts."""
    found, user = _find(run_id), request.user
    assert isinstance(user, User)
    context = {
        "run": found,
        "card": RunCard(found),
        "learned_from_erased": found.version is not None and learned_from_erased(found.version),
        "mistakes": mistakes_of(found, seen_by=user),
    }
    return render(request, "labeling/run.html", _framed(request, str(found).capitalize(), **context))


@require_POST
def cancel_run(request: HttpRequest, run_id: int) -> HttpResponse:
    found, user = _find(str(run_id)), request.user
    assert isinstance(user, User)
    if not cancel(found, by=user):
        messages.info(request, _("It has ended already."))
    return redirect("admin:labeling_trainingrun_change", found.pk)


def _find(run_id: str) -> TrainingRun:
    relations = ("label_set", "started_by", "dataset", "version__label_set", "champion__label_set")
    # The stock admin's addresses take any word for an id.
    return get_object_or_404(TrainingRun.objects.select_related(*relations), pk=id_in(run_id))


def _framed(request: HttpRequest, title: str, **context: Any) -> dict[str, Any]:
    return framed(request, title, opts=TrainingRun._meta, **context)
