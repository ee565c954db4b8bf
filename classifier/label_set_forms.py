"""What is filled in about a label set in the admin."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.validators import RegexValidator
from django.utils.translation import gettext_lazy as _

from .label_sets import split_names
from .labels import COLOR, NOT_A_COLOR
from .models import Label, LabelSet

ONE_A_LINE = _("Their names as people write them, one a line or with commas between them.")


class NamesField(forms.CharField):
    """Several names in one box: a list."""

    widget = forms.Textarea

    def to_python(self, value: Any) -> Any:
        return split_names(super().to_python(value) or "")


class LabelSetForm(forms.ModelForm):
    class Meta:
        model = LabelSet
        fields = (
            "name",
            "annotations_wanted",
            "open_to_all",
            "groups",
            "names_people",
            "purpose",
            "consent_basis",
        )
        help_texts = {
            "purpose": _("What these people are told apart for."),
            "consent_basis": _("What allows it: how those people consented, or what law does."),
        }
        widgets = {
            "groups": forms.CheckboxSelectMultiple,
            "purpose": forms.Textarea(attrs={"rows": 2}),
            "consent_basis": forms.Textarea(attrs={"rows": 2}),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        # What was asked when it was made can't be taken back by unticking a box.
        self.fields["names_people"].disabled = self.instance.names_people

    def clean(self) -> dict[str, Any]:
        told = super().clean() or self.cleaned_data
        if told.get("names_people"):
            for name in ("purpose", "consent_basis"):
                if not told.get(name) and name not in self.errors:
                    self.add_error(name, _("Needed where the labels are people."))
        return told


class NewLabelSetForm(LabelSetForm):
    labels = NamesField(label=_("Labels"), help_text=ONE_A_LINE, widget=forms.Textarea(attrs={"rows": 6}))

    class Meta(LabelSetForm.Meta):
        fields = ("slug", *LabelSetForm.Meta.fields)  # type: ignore[assignment]
        help_texts = LabelSetForm.Meta.help_texts | {
            "slug": _("What addresses and commands call it, as in happy-sad. It can't be changed.")
        }

    field_order = ["slug", "name", "labels"]


class LabelSetOfFoldersForm(LabelSetForm):
    """What is to be known of a label set whose labels are the names of folders."""

    class Meta(LabelSetForm.Meta):
        fields = ("slug", "name", "names_people", "purpose", "consent_basis")  # type: ignore[assignment]
        help_texts = NewLabelSetForm.Meta.help_texts | {
            "name": _("What pages call it. Empty: it is made of the slug.")
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["name"].required = False

    def clean(self) -> dict[str, Any]:
        told = super().clean()
        about_people = any(told.get(name) for name in ("purpose", "consent_basis"))
        if about_people and not told.get("names_people") and not self.errors:
            self.add_error("names_people", _("A purpose and a consent basis are for labels that are people."))
        return told


class LabelForm(forms.Form):
    """One label's row."""

    name = forms.CharField(label=_("Name"), max_length=100)
    color = forms.CharField(
        label=_("Color"),
        validators=[RegexValidator(COLOR, NOT_A_COLOR)],
        widget=forms.TextInput(attrs={"type": "color"}),
    )

    def __init__(self, sent: Any = None, *, label: Label) -> None:
        self.label = label
        initial = {"name": label.name, "color": label.color}
        super().__init__(sent, initial=initial, prefix=f"label-{label.pk}")


class AddLabelsForm(forms.Form):
    names = NamesField(label=_("New labels"), help_text=ONE_A_LINE, widget=forms.Textarea(attrs={"rows": 3}))
