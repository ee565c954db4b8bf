"""Curators relabel, withdraw and take back examples: first a look at all of them, then it counts."""

from __future__ import annotations

from collections.abc import Callable

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_POST, require_safe

from classifier.access import get_label_set, within_reach
from classifier.models import LabelSet, User
from labeling.curation import relabel, restore, withdraw
from labeling.forms import ReasonForm, RelabelForm
from labeling.models import Example, ExampleQuerySet

from .review import admin_page

MOST = 500
ACTS = {
    "relabel": gettext_lazy("Relabel"),
    "withdraw": gettext_lazy("Withdraw"),
    "restore": gettext_lazy("Take back in"),
}


@require_safe
def crop(request: HttpRequest, example_id: int) -> HttpResponse:
    example = get_object_or_404(within_reach(request.user, Example.objects.only("crop")), pk=example_id)
    return HttpResponse(bytes(example.crop), content_type="image/png")


def preview(request: HttpRequest, chosen: ExampleQuerySet, *, act: str) -> HttpResponse | None:
    """The crops that it would be done to. None where it can't be, with a message that says why."""
    label_sets = LabelSet.objects.filter(pk__in=chosen.order_by().values("label_set"))
    if len(label_sets) > 1:
        messages.error(request, _("Choose examples of one label set: each has labels of its own."))
    elif chosen.count() > MOST:
        messages.error(request, _("Choose at most %d examples at a time, and look at them.") % MOST)
    else:
        form = RelabelForm(label_set=label_sets[0]) if act == "relabel" else ReasonForm()
        return _ask(request, act, label_sets[0], chosen, form)
    return None


@require_POST
def change(request: HttpRequest, label_set: str, act: str) -> HttpResponse:
    found = get_label_set(request.user, label_set)
    ticked = [number for number in request.POST.getlist("examples")[:MOST] if _is_id(number)]
    chosen = Example.objects.filter(pk__in=ticked, label_set=found)
    form = RelabelForm(request.POST, label_set=found) if act == "relabel" else ReasonForm(request.POST)
    if not form.is_valid():
        return _ask(request, act, found, chosen, form, status=400)
    user = request.user
    assert isinstance(user, User)
    changed = _DO[act](chosen, form, user)
    said = ngettext("%d example is changed.", "%d examples are changed.", changed) % changed
    messages.success(request, said)
    return redirect("admin:labeling_example_changelist")


def _ask(
    request: HttpRequest,
    act: str,
    label_set: LabelSet,
    chosen: ExampleQuerySet,
    form: ReasonForm,
    *,
    status: int = 200,
) -> HttpResponse:
    examples = chosen.select_related("label").defer("crop").order_by("-pk")
    context = {"act": act, "label_set": label_set, "examples": examples, "form": form}
    page = admin_page(request, str(ACTS[act]), **context) | {"opts": Example._meta}
    return render(request, "labeling/examples_change.html", page, status=status)


def _is_id(number: str) -> bool:
    return number.isdecimal() and len(number) < 19


def _relabel(chosen: ExampleQuerySet, form: ReasonForm, by: User) -> int:
    return relabel(chosen, form.cleaned_data["label"], reason=form.cleaned_data["reason"], by=by)


def _withdraw(chosen: ExampleQuerySet, form: ReasonForm, by: User) -> int:
    return withdraw(chosen, why=Example.Withdrawn.CURATOR, reason=form.cleaned_data["reason"], by=by)


def _restore(chosen: ExampleQuerySet, form: ReasonForm, by: User) -> int:
    return restore(chosen, reason=form.cleaned_data["reason"], by=by)


_DO: dict[str, Callable[[ExampleQuerySet, ReasonForm, User], int]] = {
    "relabel": _relabel,
    "withdraw": _withdraw,
    "restore": _restore,
}
