"""A model version in the admin: its card, how it compares, its history, and the word to let it answer."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from io import BytesIO
from typing import Any
from urllib.parse import quote

from django import forms
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods, require_safe
from PIL import Image

from classifier import registry
from classifier.admin_pages import framed, id_in
from classifier.card_values import mapping, text
from classifier.comparison import Scoring, compare, confusion_of, reliability_of, scoring_in
from classifier.delivery import CHANGING, deliver
from classifier.label_sets import known_labels, say_unknown, unknown_labels
from classifier.ml.artifact import TESTED_ON, ArtifactError, sha256
from classifier.ml.diagrams import draw_confusion, draw_reliability
from classifier.models import Activation, Label, LabelSet, ModelVersion
from classifier.trials import trials_of

# What has a panel of its own on the page.
TOLD_ELSEWHERE = ("metrics", "dataset", "labels", "format")


class ReasonForm(forms.Form):
    reason = forms.CharField(
        label=gettext_lazy("Reason"),
        required=False,
        max_length=300,
        help_text=gettext_lazy("It stays in the history."),
    )

    def __init__(self, *args: Any, wanted: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["reason"].required = wanted


@dataclass(frozen=True)
class Period:
    """From one activation to the next of the label set; `until` is None while it is in force."""

    activation: Activation
    until: datetime | None


@require_safe
def version(request: HttpRequest, version_id: int) -> HttpResponse:
    found = _find(version_id)
    labels = list(found.label_set.labels.all())
    way_back = _way_back(found.label_set) if found.active else None
    champion = ModelVersion.objects.filter(label_set=found.label_set_id, active=True).first()
    # What answers now is looked at beside what did before.
    against = (way_back.version if way_back else None) if found.active else champion
    context = {
        "version": found,
        "size": _size(found),
        "labels": known_labels(found),
        "unknown": say_unknown(unknown_labels(found)),
        "against": against,
        "scorings": _compared(found, against, labels),
        "dataset": list(_told(mapping(found.card.get("dataset")))),
        "dataset_list": _dataset_list(request, found),
        "card": list(_told(_told_here(found.card))),
        "trials": trials_of(mapping(found.card.get("training")).get("cross_validation")),
        "periods": _periods(found),
        "runs": _runs(request, found),
        "way_back": way_back,
    }
    return render(request, "registry/version.html", _framed(request, str(found), **context))


@require_http_methods(["GET", "HEAD", "POST"])
def promote(request: HttpRequest, version_id: int) -> HttpResponse:
    """Shows what would change; POST does it, unless something else has changed meanwhile."""
    found = _find(version_id)
    forced = bool(found.refusal)
    form = ReasonForm(request.POST or None, wanted=forced)
    if request.method == "POST" and form.is_valid():
        return _obey(request, found, partial(registry.promote, found, forced=forced), form)
    return _confirm(request, _("Promote %s") % found, found, form)


@require_http_methods(["GET", "HEAD", "POST"])
def roll_back(request: HttpRequest, label_set: str) -> HttpResponse:
    """As `promote`, for the version that was active before."""
    found = get_object_or_404(LabelSet, slug=label_set)
    before = _way_back(found)
    if before is None:
        messages.error(request, _("There is nothing to go back to."))
        return redirect("admin:classifier_modelversion_changelist")
    form = ReasonForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        return _obey(request, before.version, partial(registry.roll_back, found), form)
    return _confirm(request, _("Roll back to %s") % before.version, before.version, form)


def _obey(
    request: HttpRequest, version: ModelVersion, act: Callable[..., Activation], form: ReasonForm
) -> HttpResponse:
    try:
        done = act(
            by=request.user,
            reason=form.cleaned_data["reason"],
            instead_of=_seen(request.POST.get("instead_of", ""), version.label_set),
        )
    except (registry.PromotionRefusedError, ArtifactError) as error:
        messages.error(request, str(error))
    else:
        version = done.version
        messages.success(request, _("%s answers from now on.") % version)
    return redirect("admin:classifier_modelversion_change", version.pk)


def _seen(number: str, label_set: LabelSet) -> Activation | None:
    """What was active when the page was made; None where nothing ever was. Raises PromotionRefusedError."""
    history = label_set.activations.all()
    found = history.filter(pk=id_in(number)).first()
    if found is None and history.exists():
        raise registry.PromotionRefusedError(_("Meanwhile another version was activated. Look again."))
    return found


def _confirm(request: HttpRequest, title: str, version: ModelVersion, form: ReasonForm) -> HttpResponse:
    now = registry.current(version.label_set)
    against = now.version if now else None
    labels = list(version.label_set.labels.all())
    context = {
        "version": version,
        "now": now,
        "against": against,
        "unknown": say_unknown(unknown_labels(version)),
        "scorings": _compared(version, against, labels),
        "form": form,
    }
    page = _framed(request, title, **context)
    return render(request, "registry/confirm.html", page, status=400 if form.errors else 200)


@require_safe
def diagram(request: HttpRequest, version_id: int, place: int, kind: str) -> HttpResponseBase:
    """The confusion matrix or the reliability diagram of one scoring."""
    found = _find(version_id)
    said = scoring_in(found, place)
    draw = DIAGRAMS[kind](said, known_labels(found)) if said else None
    if draw is None:
        raise Http404
    digest = sha256(json.dumps(said).encode())
    return deliver(
        request,
        lambda: _png(draw()),
        etag=f"{digest[:32]}-{kind}",
        name=f"{found.label_set.slug}-v{found.number}-{kind}.png",
        cache=CHANGING,
        content_type="image/png",
    )


def _confusion(said: dict[str, Any], labels: Sequence[Label]) -> Callable[[], Image.Image] | None:
    matrix = confusion_of(said, len(labels))
    return partial(draw_confusion, matrix, tuple(label.slug for label in labels)) if matrix else None


def _reliability(said: dict[str, Any], labels: Sequence[Label]) -> Callable[[], Image.Image] | None:
    found = reliability_of(said)
    return partial(draw_reliability, *found) if found else None


DIAGRAMS = {"confusion": _confusion, "reliability": _reliability}


def _png(picture: Image.Image) -> BytesIO:
    file = BytesIO()
    picture.save(file, "PNG", optimize=True)
    file.seek(0)
    return file


def _find(version_id: int) -> ModelVersion:
    return get_object_or_404(ModelVersion.objects.select_related("label_set"), pk=version_id)


def _way_back(label_set: LabelSet) -> Activation | None:
    now = registry.current(label_set)
    return now and registry.before_it(now)


def _size(version: ModelVersion) -> int | None:
    """In bytes; None where the file is gone."""
    try:
        return version.artifact.size
    except OSError:
        return None


def _periods(version: ModelVersion) -> list[Period]:
    """When the version was active, newest first."""
    after: datetime | None = None
    periods = []
    for activation in version.label_set.activations.select_related("by"):
        if activation.version_id == version.pk:
            periods.append(Period(activation, after))
        after = activation.at
    return periods


def _told(value: Any, name: str = "") -> Iterator[tuple[str, str]]:
    """A part of a card as rows: `{"a_b": {"c": 1}}` is "a b: c", "1"."""
    if isinstance(value, dict):
        for key, part in value.items():
            inner = str(key).replace("_", " ")
            yield from _told(part, f"{name}: {inner}" if name else inner)
    elif isinstance(value, list):
        yield name, ", ".join(map(str, value))
    else:
        yield name, "–" if value is None else str(value)


def _told_here(card: dict[str, Any]) -> dict[str, Any]:
    kept = {name: said for name, said in card.items() if name not in TOLD_ELSEWHERE}
    if training := mapping(card.get("training")):
        kept["training"] = {name: said for name, said in training.items() if name != "cross_validation"}
    return kept


def _runs(request: HttpRequest, version: ModelVersion) -> list[tuple[Any, str]]:
    """What made it, with the address of each. Runs are the return half's: here they are only rows."""
    runs = getattr(version, "training_runs", None)
    if runs is None or not request.user.has_perm("labeling.view_trainingrun"):
        return []
    found = runs.select_related("label_set", "dataset")
    return [(run, reverse("admin:labeling_trainingrun_change", args=[run.pk])) for run in found]


def _compared(version: ModelVersion, other: ModelVersion | None, labels: Sequence[Label]) -> list[Scoring]:
    """Also with what the other got when the two were compared in training: its own card can't know."""
    runs = getattr(version, "training_runs", None)
    run = runs.filter(champion=other).first() if runs is not None and other else None
    measured = mapping(mapping(run.metrics).get("champion")) if run else {}
    return compare(version, other, labels, measured={TESTED_ON: measured} if measured else None)


def _dataset_list(request: HttpRequest, version: ModelVersion) -> str:
    """The address of the frozen version that it learned from; empty where that is not one of this site."""
    digest = text(mapping(version.card.get("dataset")).get("sha256"))
    if not digest or not request.user.has_perm("labeling.view_datasetversion"):
        return ""
    return f"{reverse('admin:labeling_datasetversion_changelist')}?q={quote(digest)}"


def _framed(request: HttpRequest, title: str, **context: Any) -> dict[str, Any]:
    return framed(request, title, opts=ModelVersion._meta, **context)
