"""Deleting a label set from the admin: asked twice, and told what goes with it."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.admin.models import DELETION
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_http_methods

from classifier.admin_pages import framed, log
from classifier.label_sets import LabelSetError
from classifier.models import LabelSet
from labeling.label_set_deletion import delete_label_set, what_goes, why_not


class SlugForm(forms.Form):
    slug = forms.CharField(label=gettext_lazy("What addresses call it"), max_length=50)

    def __init__(self, *args: Any, wanted: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.wanted = wanted
        self.fields["slug"].help_text = _("Type %s.") % wanted
        self.fields["slug"].widget.attrs |= {"autocomplete": "off", "autocapitalize": "none"}

    def clean_slug(self) -> str:
        slug: str = self.cleaned_data["slug"]
        if slug != self.wanted:
            raise ValidationError(_("That is not it: nothing was deleted."))
        return slug


@require_http_methods(["GET", "HEAD", "POST"])
def delete(request: HttpRequest, label_set_id: int) -> HttpResponse:
    """First what would go; then, by `?again`, the slug is asked for; a POST with it deletes."""
    found = get_object_or_404(LabelSet, pk=label_set_id)
    form = SlugForm(request.POST or None, wanted=found.slug)
    refused = why_not(found)
    if request.method == "POST" and form.is_valid():
        try:
            _delete(request, found)
        except LabelSetError as error:
            refused = str(error)
        else:
            messages.success(request, _("The label set “%s” is deleted.") % found.name)
            return redirect("admin:classifier_labelset_changelist")
    context = {
        "label_set": found,
        "refused": refused,
        "going": [] if refused else [one for one in what_goes(found) if one.count],
        "form": form,
        "again": "again" in request.GET or request.method == "POST",
    }
    page = framed(request, _("Delete %s") % found, opts=LabelSet._meta, **context)
    return render(request, "label_sets/delete.html", page, status=400 if form.errors else 200)


def _delete(request: HttpRequest, label_set: LabelSet) -> None:
    gone = LabelSet(pk=label_set.pk, name=label_set.name)
    delete_label_set(label_set)
    log(request, gone, DELETION)
