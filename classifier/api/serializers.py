"""What the API accepts, and, for its schema, what it answers. The answers are made by classifier.results."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from classifier.feedback import OPINIONS
from classifier.history import NO_FACE, UNSURE, Cursor
from classifier.models import Feedback, Label, LabelSet, User

from .models import Bulk

PAGE_SIZE, LARGEST_PAGE = 24, 100


NO_SUCH_LABEL_SET = "There is no such label set; GET label-sets/ lists them."
SLUG = {"type": "string", "pattern": "^[-a-zA-Z0-9_]+$"}


def _slugs_for(asker: User) -> set[str]:
    """To be looked through here: of some texts, such as half a surrogate pair, no database can be asked."""
    return set(LabelSet.objects.readable_by(asker).values_list("slug", flat=True))


class LabelSetField(serializers.SlugField):
    """The slug of a label set that there is, for whoever asks."""

    def __init__(self, **options: Any) -> None:
        told = {"required": False, "help_text": "A label set's slug; else the site's default."}
        super().__init__(**(told | options))

    def to_internal_value(self, data: Any) -> str:
        slug = super().to_internal_value(data)
        if slug not in _slugs_for(self.context["asker"]):
            raise serializers.ValidationError(NO_SUCH_LABEL_SET)
        return slug


@extend_schema_field({"oneOf": [SLUG, {"type": "array", "items": SLUG, "minItems": 1}]})
class LabelSetsField(serializers.Field):
    """The slugs of one label set or several: in JSON a list, in a form as often as there are."""

    def __init__(self, **options: Any) -> None:
        said = "A label set's slug, or several; else the site's default. Each has to have a model."
        super().__init__(**({"required": False, "help_text": said} | options))

    def get_value(self, dictionary: Any) -> Any:
        if self.field_name in dictionary and hasattr(dictionary, "getlist"):
            return dictionary.getlist(self.field_name)
        return super().get_value(dictionary)

    def to_internal_value(self, data: Any) -> list[str]:
        asked = data if isinstance(data, list) else [data]
        known = _slugs_for(self.context["asker"])
        if not asked or not all(isinstance(slug, str) and slug in known for slug in asked):
            raise serializers.ValidationError(NO_SUCH_LABEL_SET)
        return asked


@extend_schema_field(OpenApiTypes.BINARY)
class PhotographField(serializers.Field):
    """One file. Parsers make it of base64."""

    def get_value(self, dictionary: Any) -> Any:
        several = dictionary.getlist(self.field_name) if hasattr(dictionary, "getlist") else []
        return several if len(several) > 1 else super().get_value(dictionary)

    def to_internal_value(self, data: Any) -> UploadedFile:
        if isinstance(data, list) and len(data) > 1:
            raise serializers.ValidationError("Send one file in each request.")
        if not isinstance(data, UploadedFile):
            raise serializers.ValidationError("Send a file: a part with a file name, or base64 in JSON.")
        return data


class Options(serializers.Serializer):
    """How a photograph is to be read."""

    label_set = LabelSetsField()
    consent = serializers.BooleanField(
        default=False, help_text="May labelers see it, and models learn from it? Only if you say so."
    )
    annotated = serializers.BooleanField(
        default=False, help_text="Also answer the picture with boxes and labels drawn in, as a data: URL."
    )
    store = serializers.BooleanField(
        default=True, help_text="false answers 200 and keeps nothing: no id, no history, nothing to delete."
    )


class PredictionRequest(Options):
    image = PhotographField(required=False)
    url = serializers.URLField(
        required=False, max_length=2000, help_text="Of a photograph to fetch, where the site does that."
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("image" in attrs) == ("url" in attrs):
            raise serializers.ValidationError({"image": "Send either `image` or `url`: one photograph."})
        if "url" in attrs and not settings.FETCH_URLS:
            raise serializers.ValidationError(
                {"url": "This site fetches no photographs. Send the photograph itself, as `image`."}
            )
        return attrs


class MultipartPrediction(Options):
    """For the schema."""

    image = PhotographField(help_text="The photograph's file.")


class JsonPrediction(Options):
    """For the schema."""

    image = serializers.CharField(
        required=False, help_text="The photograph in base64, or as a data: URL. Either this or `url`."
    )
    url = serializers.URLField(
        required=False,
        max_length=2000,
        help_text="Of a photograph to fetch, where the site does that (FETCH_URLS).",
    )


class UploadFilter(serializers.Serializer):
    """The query of GET uploads/."""

    label_set = LabelSetField(
        help_text="The photographs read under it, and those without a face; it is what `label` and "
        "`model_version` are of. Else they are of the site's default, and photographs are of any."
    )
    label = serializers.CharField(
        required=False,
        max_length=100,
        help_text=f"A label of the label set, shown by at least one face; or {UNSURE}, or {NO_FACE}.",
    )
    model_version = serializers.IntegerField(
        required=False,
        min_value=1,
        max_value=2**31 - 1,
        help_text="Of a version of that label set.",
    )
    first = serializers.DateField(required=False, help_text="From this day on.")
    last = serializers.DateField(required=False, help_text="Up to and including this day.")
    feedback = serializers.ChoiceField(
        required=False,
        choices=[*OPINIONS],
        help_text="What you said of at least one face: anything (given), or just this; none: nothing at all.",
    )
    bulk = serializers.UUIDField(required=False, help_text="Of the archive with this id.")
    size = serializers.IntegerField(
        default=PAGE_SIZE, min_value=1, max_value=LARGEST_PAGE, help_text="Uploads in a page."
    )
    before = serializers.CharField(required=False, help_text="The page after: take it from `next`.")
    after = serializers.CharField(required=False, help_text="The page before: take it from `previous`.")

    def validate_before(self, value: str) -> str:
        if Cursor.decode(value) is None:
            raise serializers.ValidationError("This is no cursor: take it from `next` or `previous`.")
        return value

    validate_after = validate_before

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if attrs.get("label", UNSURE) not in {UNSURE, NO_FACE}:
            attrs["found_label"] = self._label(attrs)
        if "first" in attrs and "last" in attrs and attrs["last"] < attrs["first"]:
            raise serializers.ValidationError({"last": "This is before the first day."})
        return attrs

    def _label(self, attrs: dict[str, Any]) -> Label:
        label_sets = LabelSet.objects.readable_by(self.context["asker"])
        of = label_sets.filter(slug=attrs.get("label_set", settings.DEFAULT_LABEL_SET))
        labels = {label.slug: label for label in Label.objects.filter(label_set__in=of)}
        if attrs["label"] not in labels:
            known = ", ".join([*labels, UNSURE, NO_FACE])
            raise serializers.ValidationError({"label": f"One of: {known}."})
        return labels[attrs["label"]]


class LabelSetQuery(serializers.Serializer):
    label_set = LabelSetField()


class ReadingQuery(serializers.Serializer):
    label_set = LabelSetField(help_text="What is read under it; else under the first of `readings`.")


class BulkRequest(serializers.Serializer):
    archive = PhotographField(help_text="A ZIP of photographs.")
    label_set = LabelSetsField()
    consent = serializers.BooleanField(default=False, help_text="For every photograph in it.")


class ConsentRequest(serializers.Serializer):
    consent = serializers.BooleanField(
        required=False, help_text="May labelers see it, and models learn from it? What is not sent stays."
    )


class LaterReadingRequest(serializers.Serializer):
    label_set = LabelSetsField(required=True)


class FeedbackRequest(serializers.Serializer):
    """One of the three."""

    label = serializers.CharField(
        required=False, max_length=100, help_text="It was read wrongly: this label is right."
    )
    correct = serializers.BooleanField(required=False, help_text="true: it was read rightly.")
    not_a_face = serializers.BooleanField(required=False, help_text="true: there is no face.")
    label_set = LabelSetField()

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        said = [name for name in ("label", "correct", "not_a_face") if name in attrs]
        if len(said) != 1:
            raise serializers.ValidationError("Send one of `label`, `correct` and `not_a_face`.")
        if not attrs[said[0]]:
            raise serializers.ValidationError(
                {said[0]: "This can only be true. If it was read wrongly, send `label`: what is right."}
            )
        return attrs


class EraseQuery(serializers.Serializer):
    username = serializers.CharField(help_text="Your own user name, so that nobody does this by accident.")


# --- answers, for the schema ---


class ModelAnswer(serializers.Serializer):
    label_set = serializers.CharField()
    version = serializers.IntegerField()
    estimator = serializers.CharField()
    digest = serializers.CharField(help_text="SHA-256 of the artifact.")


class ListedModelAnswer(ModelAnswer):
    active = serializers.BooleanField(help_text="Whether it answers now.")
    created_at = serializers.DateTimeField()


class ModelCardAnswer(ListedModelAnswer):
    card = serializers.DictField(help_text="Labels, preprocessing, training data, metrics, calibration.")


class QualityAnswer(serializers.Serializer):
    size = serializers.FloatField(help_text="The shorter side of the box, in pixels.")
    sharpness = serializers.FloatField()
    yaw = serializers.FloatField(allow_null=True, help_text="Degrees.")
    roll = serializers.FloatField(allow_null=True, help_text="Degrees.")
    unreadable = serializers.CharField(allow_null=True, help_text="too_small, too_blurred or turned_away.")


class LabelSetReadingAnswer(serializers.Serializer):
    model = ModelAnswer()
    label = serializers.CharField()
    confidence = serializers.FloatField(min_value=0, max_value=1)
    probabilities = serializers.DictField(
        child=serializers.FloatField(min_value=0, max_value=1), help_text="By label."
    )
    unsure = serializers.BooleanField()


class FaceReadingAnswer(serializers.Serializer):
    box = serializers.ListField(
        child=serializers.FloatField(),
        min_length=4,
        max_length=4,
        help_text="x, y, width and height in pixels of the upright photograph.",
    )
    score = serializers.FloatField(help_text="Of the detector, 0 to 1.")
    landmarks = serializers.ListField(
        child=serializers.ListField(child=serializers.FloatField(), min_length=2, max_length=2),
        allow_null=True,
        help_text="Right eye, left eye, nose, right and left corner of the mouth.",
    )
    readings = LabelSetReadingAnswer(
        many=True,
        help_text="One for each label set that it was read under, the site's default first, then by slug. "
        "`label`, `confidence`, `probabilities` and `unsure` beside them are the first one's.",
    )
    label = serializers.CharField(allow_null=True)
    confidence = serializers.FloatField(allow_null=True, min_value=0, max_value=1)
    probabilities = serializers.DictField(
        child=serializers.FloatField(min_value=0, max_value=1), allow_null=True, help_text="By label."
    )
    unsure = serializers.BooleanField(help_text="Too little confidence, or a face that nobody could read.")
    quality = QualityAnswer()


class FaceAnswer(FaceReadingAnswer):
    id = serializers.IntegerField()


class ReadingAnswer(serializers.Serializer):
    width = serializers.IntegerField(help_text="Of the upright photograph as sent.")
    height = serializers.IntegerField()
    model = ModelAnswer(allow_null=True, help_text="Of the first of each face's `readings`.")
    faces_found = serializers.IntegerField(help_text="Also those beyond the most that are read.")
    faces = FaceReadingAnswer(many=True, help_text="The largest first.")
    annotated = serializers.CharField(required=False, help_text="A data: URL, where it was asked for.")


class UploadAnswer(ReadingAnswer):
    id = serializers.UUIDField()
    name = serializers.CharField()
    created_at = serializers.DateTimeField()
    consent = serializers.BooleanField()
    faces = FaceAnswer(many=True, help_text="The largest first.")


class UploadPageAnswer(serializers.Serializer):
    next = serializers.URLField(allow_null=True, help_text="Of the older ones.")
    previous = serializers.URLField(allow_null=True, help_text="Of the newer ones.")
    results = UploadAnswer(many=True)


class LabelAnswer(serializers.Serializer):
    slug = serializers.CharField()
    name = serializers.CharField()
    color = serializers.CharField()


class LabelSetAnswer(serializers.Serializer):
    slug = serializers.CharField()
    name = serializers.CharField()
    labels = LabelAnswer(many=True, help_text="In the order of a model's output.")
    active_version = serializers.IntegerField(
        allow_null=True, help_text="The model that answers; null: none does."
    )
    unknown_labels = serializers.ListField(
        child=serializers.CharField(),
        help_text="The last of the labels, where that model does not know them yet: it answers without them.",
    )
    names_people = serializers.BooleanField(
        help_text="Its labels are people: telling who is in a photograph is biometric identification."
    )
    purpose = serializers.CharField(help_text="What people are told apart for, where its labels are people.")
    consent_basis = serializers.CharField(help_text="What allows that.")


class FeedbackAnswer(serializers.Serializer):
    face = serializers.IntegerField()
    label_set = serializers.CharField()
    said = serializers.ChoiceField(choices=Feedback.Said.choices)
    label = serializers.CharField(allow_null=True, help_text="What it shows, where that was read wrongly.")


class ExportProgressAnswer(serializers.Serializer):
    state = serializers.ChoiceField(choices=["waiting", "running"])
    done = serializers.IntegerField()
    total = serializers.IntegerField()


class BulkFileAnswer(serializers.Serializer):
    name = serializers.CharField()
    upload = serializers.UUIDField(allow_null=True)
    error = serializers.CharField(allow_null=True, help_text="Why there is no upload, in a sentence.")


class BulkAnswer(serializers.Serializer):
    id = serializers.UUIDField()
    state = serializers.ChoiceField(choices=Bulk.State.choices)
    total = serializers.IntegerField(help_text="Files in the archive.")
    done = serializers.IntegerField(help_text="Files that were read or refused so far.")
    created_at = serializers.DateTimeField()
    files = BulkFileAnswer(many=True)
    results = serializers.URLField(help_text="GET uploads/ with the results of those that were read.")


class FaultAnswer(serializers.Serializer):
    field = serializers.CharField()
    detail = serializers.CharField()


class ProblemAnswer(serializers.Serializer):
    """RFC 9457."""

    type = serializers.CharField(help_text="An address that never changes, of the page that explains it.")
    title = serializers.CharField()
    status = serializers.IntegerField()
    detail = serializers.CharField(help_text="A sentence for people.")
    errors = FaultAnswer(many=True, required=False, help_text="The fields or parameters at fault.")
