"""Label sets in the admin: made, described, their labels named, coloured, added and removed."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.models import ADDITION, CHANGE
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from classifier.admin_pages import framed, id_in, log
from classifier.label_set_forms import AddLabelsForm, LabelForm, LabelSetForm, NewLabelSetForm
from classifier.label_sets import (
    LabelSetError,
    add_labels,
    create_label_set,
    remove_label,
    rename_label,
    say_unknown,
    unknown_labels,
)
from classifier.models import LabelSet, ModelVersion

CHANGE_LABEL_SET = "classifier.change_labelset"


@require_http_methods(["GET", "HEAD", "POST"])
def create(request: HttpRequest) -> HttpResponse:
    form = NewLabelSetForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            made = _create(form.cleaned_data)
        except LabelSetError as error:
            form.add_error(None, str(error))
        else:
            log(request, made, ADDITION)
            messages.success(request, _("“%s” is made. Now it needs examples, and a model.") % made)
            return redirect("admin:classifier_labelset_change", made.pk)
    page = _framed(request, _("Make a label set"), form=form)
    return render(request, "label_sets/new.html", page, status=400 if form.errors else 200)


@transaction.atomic
def _create(told: dict[str, Any]) -> LabelSet:
    names = ("slug", "labels", "name", "names_people", "purpose", "consent_basis")
    made = create_label_set(**{name: told[name] for name in names})
    made.annotations_wanted, made.open_to_all = told["annotations_wanted"], told["open_to_all"]
    made.save(update_fields=["annotations_wanted", "open_to_all"])
    made.groups.set(told["groups"])
    return made


@require_http_methods(["GET", "HEAD", "POST"])
def change(request: HttpRequest, label_set_id: int) -> HttpResponse:
    """Three forms on one page; each says by its button what it is for."""
    found = get_object_or_404(LabelSet, pk=label_set_id)
    page = _Page(found)
    if request.method == "POST":
        if not request.user.has_perm(CHANGE_LABEL_SET):
            raise PermissionDenied
        if said := page.obey(request.POST):
            log(request, found, CHANGE, said)
            messages.success(request, said)
            return redirect("admin:classifier_labelset_change", found.pk)
    return render(request, "label_sets/change.html", page.context(request), status=page.status)


class _Page:
    """The forms of a label set's page: what was sent, and what was wrong with it."""

    def __init__(self, label_set: LabelSet) -> None:
        self.label_set = label_set
        self.settings = LabelSetForm(instance=LabelSet.objects.get(pk=label_set.pk))
        self.labels = [LabelForm(label=label) for label in label_set.labels.all()]
        self.adding = AddLabelsForm()
        self.refused = ""
        self.status = 200

    def obey(self, sent: QueryDict) -> str:
        """What was done, in a sentence; empty where nothing was."""
        acts = {"settings": self._describe, "labels": self._name, "add": self._add, "remove": self._remove}
        act = acts.get(sent.get("act", ""))
        try:
            said = act(sent) if act else ""
        except LabelSetError as error:
            said, self.refused = "", str(error)
        self.status = 200 if said else 400
        return said

    def _describe(self, sent: QueryDict) -> str:
        self.settings = LabelSetForm(sent, instance=self.settings.instance)
        if not self.settings.is_valid():
            return ""
        self.settings.save()
        return _("The settings are kept.")

    @transaction.atomic
    def _name(self, sent: QueryDict) -> str:
        self.labels = [LabelForm(sent, label=form.label) for form in self.labels]
        if not all(form.is_valid() for form in self.labels):
            return ""
        for form in self.labels:
            if form.has_changed():
                rename_label(form.label, form.cleaned_data["name"], color=form.cleaned_data["color"])
        return _("The names and colors are kept.")

    def _add(self, sent: QueryDict) -> str:
        self.adding = AddLabelsForm(sent)
        if not self.adding.is_valid():
            return ""
        added = add_labels(self.label_set, self.adding.cleaned_data["names"])
        return _("Added: %s.") % ", ".join(label.name for label in added)

    def _remove(self, sent: QueryDict) -> str:
        label = get_object_or_404(self.label_set.labels, pk=id_in(sent.get("label", "")))
        remove_label(label)
        return _("Removed: %s.") % label.name

    def context(self, request: HttpRequest) -> dict[str, Any]:
        active = ModelVersion.objects.filter(label_set=self.label_set, active=True)
        version = active.prefetch_related("label_set__labels").first()
        return _framed(
            request,
            _("Label set: %s") % self.label_set,
            label_set=self.label_set,
            settings_form=self.settings,
            label_forms=self.labels,
            adding=self.adding,
            refused=self.refused,
            active=version,
            unknown=say_unknown(unknown_labels(version)) if version else "",
            may_change=request.user.has_perm(CHANGE_LABEL_SET),
            may_delete=_may_delete(request, self.label_set),
        )


def _may_delete(request: HttpRequest, label_set: LabelSet) -> bool:
    """Whether the admin has a page for it, which is the return half's."""
    return admin.site.get_model_admin(LabelSet).has_delete_permission(request, label_set)


def _framed(request: HttpRequest, title: str, **context: Any) -> dict[str, Any]:
    return framed(request, title, opts=LabelSet._meta, **context)
