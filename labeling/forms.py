"""What curators fill in."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from django import forms
from django.core.validators import FileExtensionValidator
from django.utils.translation import gettext_lazy as _

from classifier.models import Label, LabelSet

from .cleaning import Cleaning
from .models import TrainingRun
from .training_plan import MOST_EPOCHS


class ImportForm(forms.Form):
    given = forms.FileField(
        label=_("File"),
        help_text=_(
            "FER2013 (.csv, .csv.gz, .csv.xz), a CSV of label and pixels, a frozen .parquet, or a .zip with "
            "a folder of pictures for each label."
        ),
    )
    votes = forms.FileField(
        label=_("FER+ votes"), required=False, help_text=_("fer2013new.csv, beside a file of FER2013.")
    )
    detect = forms.BooleanField(
        label=_("The pictures are photographs: find the face in each"), required=False
    )


class ArchiveForm(forms.Form):
    """Folders that a label set is made of."""

    given = forms.FileField(
        label=_("Archive"),
        help_text=_("A .zip with a folder of pictures for each label. The folders’ names become the labels."),
        validators=[FileExtensionValidator(["zip"], _("Only a .zip has folders."))],
        widget=forms.FileInput(attrs={"accept": ".zip"}),
    )
    detect = forms.BooleanField(
        label=_("The pictures are photographs: find the face in each"), required=False, initial=True
    )


class CleaningForm(forms.Form):
    """What is asked of the face in a photograph; the names are those of `cleaning.Cleaning`."""

    min_face = forms.FloatField(
        label=_("Smallest face"),
        min_value=0,
        help_text=_("The shorter side of its box, in pixels of the photograph."),
    )
    min_sharpness = forms.FloatField(
        label=_("Least sharpness"), min_value=0, max_value=1, help_text=_("Most faces have 0.1 to 1.")
    )
    bystander = forms.FloatField(
        label=_("Bystanders"),
        min_value=0,
        max_value=1,
        help_text=_("Faces narrower than this share of the largest do not count. 0: every face does."),
    )
    require_two_eyes = forms.BooleanField(
        label=_("Only faces in which OpenCV’s Haar cascade finds exactly two eyes"), required=False
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **{"initial": asdict(Cleaning()), **kwargs})
        for name in ("min_face", "min_sharpness", "bystander"):
            self.fields[name].required = False
            self.fields[name].widget.attrs["step"] = "any"

    def clean(self) -> dict[str, Any]:
        """What is left empty is as it was proposed."""
        given = {name: value for name, value in self.cleaned_data.items() if value is not None}
        return asdict(Cleaning()) | given


class ExportForm(forms.Form):
    format_name = forms.ChoiceField(
        label=_("Format"),
        choices=[
            ("csv", _("CSV: label and gray values")),
            ("folders", _("ZIP: a folder for each label")),
            ("parquet", _("Parquet: everything")),
        ],
    )


class ReasonForm(forms.Form):
    reason = forms.CharField(
        label=_("Reason"), max_length=300, help_text=_("It stays in the history of each example.")
    )


class RelabelForm(ReasonForm):
    label = forms.ModelChoiceField(
        Label.objects.none(), label=_("They show"), empty_label=_("Choose a label")
    )
    field_order = ["label", "reason"]

    def __init__(self, *args: Any, label_set: LabelSet, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["label"].queryset = label_set.labels.all()  # type: ignore[attr-defined]


class TrainForm(forms.Form):
    """What a run is asked for; the names are those of `training_plan.Asked`."""

    estimator = forms.ChoiceField(
        label=_("Estimator"),
        choices=[(choice.value, choice.label.capitalize()) for choice in TrainingRun.Estimator],
    )
    start = forms.ChoiceField(
        label=_("A network starts"),
        required=False,
        choices=[
            ("", _("As the size of the dataset suggests")),
            ("active", _("From the active network: a few examples are enough")),
            ("scratch", _("From scratch: takes hours, and thousands of examples")),
        ],
    )
    grid = forms.ChoiceField(
        label=_("Grid"), choices=[("small", _("Small: minutes")), ("full", _("Full: hours"))]
    )
    epochs = forms.IntegerField(
        label=_("Epochs"),
        required=False,
        min_value=1,
        max_value=MOST_EPOCHS,
        help_text=_("Of a network from scratch. Empty: as many as it was made for."),
    )
    seed = forms.IntegerField(
        label=_("Seed"),
        initial=0,
        min_value=0,
        max_value=2**32 - 1,
        help_text=_("The same dataset, seed and kind of machine give the same model."),
    )
    no_promote = forms.BooleanField(label=_("Only register it: promote nothing"), required=False)
