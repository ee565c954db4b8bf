"""What the site's own forms accept."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.files.uploadedfile import UploadedFile
from django.utils.translation import gettext_lazy as _

from .history import NO_FACE, UNSURE
from .models import Label, LabelSet, User


class PhotographInput(forms.FileInput):
    allow_multiple_selected = True


class PhotographsField(forms.FileField):
    """Several files in one field: their number is Django's to limit, and the view finds each one's faults."""

    widget = PhotographInput

    def clean(self, data: Any, initial: Any = None) -> list[UploadedFile]:
        files = [file for file in data or [] if file]
        if not files:
            raise ValidationError(_("Choose at least one photograph."), code="none")
        return files


class UploadForm(forms.Form):
    """Photographs, and what to read them for: of `offered`, which is a question only where there are several.

    `chosen`: the slugs of those that are ticked at first.
    """

    photos = PhotographsField()
    consent = forms.BooleanField(required=False)
    label_sets = forms.MultipleChoiceField(
        required=False,
        error_messages={
            "invalid_choice": _("What you chose to read them for is not there any more. Reload the page."),
            "required": _("Choose what to read the photographs for."),
        },
    )

    def __init__(
        self, *args: Any, offered: Sequence[LabelSet], chosen: Sequence[str] = (), **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.offered = offered
        slugs = [label_set.slug for label_set in offered]
        self.initial["label_sets"] = [slug for slug in slugs if slug in chosen] or slugs[:1]
        field = self.fields["label_sets"]
        assert isinstance(field, forms.MultipleChoiceField)
        field.choices = [(slug, slug) for slug in slugs]
        field.required = self.asks

    @property
    def asks(self) -> bool:
        """Whether there is anything to choose from."""
        return len(self.offered) > 1

    def clean_label_sets(self) -> list[str]:
        chosen: list[str] = self.cleaned_data["label_sets"]
        return chosen or self.initial["label_sets"]


class HistoryForm(forms.Form):
    """The history's filter. Choices: the labels of one label set, "unsure" and "no-face"."""

    showing = forms.ChoiceField(required=False, label=_("Showing"))
    first = forms.DateField(
        required=False, label=_("From"), widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
    )
    last = forms.DateField(
        required=False, label=_("To"), widget=forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")
    )

    def __init__(self, *args: Any, labels: list[Label], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.labels = {label.slug: label for label in labels}
        showing = self.fields["showing"]
        assert isinstance(showing, forms.ChoiceField)
        showing.choices = [
            ("", _("Everything")),
            *((label.slug, label.name) for label in labels),
            (UNSURE, _("Unsure")),
            (NO_FACE, _("No face found")),
        ]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        first, last = cleaned.get("first"), cleaned.get("last")
        if first and last and last < first:
            self.add_error("last", _("This is before the first day."))
        return cleaned


class ConsentForm(forms.ModelForm[User]):
    class Meta:
        model = User
        fields = ["training_consent"]


class TokenForm(forms.Form):
    """A name for a new token, and how long it lasts."""

    LASTS = {30: _("30 days"), 90: _("90 days"), 365: _("a year")}

    name = forms.CharField(
        max_length=100,
        label=_("What is it for?"),
        widget=forms.TextInput(attrs={"autocomplete": "off", "placeholder": _("The kiosk in the hall")}),
    )
    lasts = forms.TypedChoiceField(
        choices=list(LASTS.items()),
        coerce=lambda days: timedelta(days=int(days)),
        initial=90,
        label=_("How long does it last?"),
    )


class DeleteAccountForm(forms.Form):
    """Asks for the password, or, where an account has none, for its name."""

    password = forms.CharField(
        strip=False,
        label=_("Your password"),
        widget=forms.PasswordInput(attrs={"autocomplete": "current-password"}),
    )
    username = forms.CharField(
        label=_("Your user name"), widget=forms.TextInput(attrs={"autocomplete": "off"})
    )

    def __init__(self, *args: Any, user: User, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user = user
        del self.fields["username" if user.has_usable_password() else "password"]

    def clean_password(self) -> str:
        if not self.user.check_password(self.cleaned_data["password"]):
            raise ValidationError(_("This is not your password."))
        return self.cleaned_data["password"]

    def clean_username(self) -> str:
        if self.cleaned_data["username"] != self.user.get_username():
            raise ValidationError(_("This is not your user name."))
        return self.cleaned_data["username"]
