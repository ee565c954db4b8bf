"""The forward half of the loop: who uploaded what, which faces are in it, and what a model said of them."""

from __future__ import annotations

import uuid
from datetime import date, datetime, time, timedelta
from typing import Any

from django.conf import settings
from django.contrib.auth.models import AbstractUser
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from .activation import Activation as Activation
from .labels import Label as Label
from .labels import LabelSet as LabelSet
from .labels import LabelSetQuerySet as LabelSetQuerySet
from .worker_job import WorkerJob


class User(AbstractUser):
    """An account. `training_consent` is what the upload form starts with: each upload says for itself."""

    training_consent = models.BooleanField(
        _("offer my photographs for training"),
        default=False,
        help_text=_("Tick the consent box for new uploads. You can still untick it each time."),
    )


class ModelVersion(models.Model):
    """A registered artifact and its model card. Exactly one version per label set is active."""

    label_set = models.ForeignKey(LabelSet, on_delete=models.PROTECT, related_name="versions")
    number = models.PositiveIntegerField()
    digest = models.CharField(max_length=64, help_text=_("SHA-256 of the artifact, hexadecimal"))
    estimator = models.CharField(max_length=50)
    artifact = models.FileField(upload_to="artifacts/", max_length=200)
    card = models.JSONField()
    active = models.BooleanField(default=False)
    refusal = models.TextField(blank=True, help_text=_("why the gate refused it; empty: it did not"))
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["label_set", "-number"]
        permissions = [("promote_models", "Can promote models")]
        constraints = [
            models.UniqueConstraint(fields=["label_set", "number"], name="version_number_unique"),
            # Two label sets may have the same artifact, and then the same file.
            models.UniqueConstraint(fields=["label_set", "digest"], name="version_digest_unique"),
            models.UniqueConstraint(
                fields=["label_set"],
                condition=Q(active=True),
                name="one_active_version",
                violation_error_message=_("Another version of this label set is already active."),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.label_set.slug} v{self.number} ({self.estimator})"


class UploadQuerySet(models.QuerySet["Upload"]):
    def owned_by(self, user: Any) -> UploadQuerySet:
        return self.filter(owner=user)

    def newest_first(self) -> UploadQuerySet:
        return self.order_by("-created_at", "-id")

    def showing(self, label: Label) -> UploadQuerySet:
        """Uploads with at least one face that the site confidently reads as `label`."""
        # One inside the other: of a join, SQLite would read every prediction of the label for each upload.
        shown = Prediction.objects.filter(face=models.OuterRef("pk"), label=label, shown=True, unsure=False)
        faces = Face.objects.filter(models.Exists(shown), upload=models.OuterRef("pk"))
        return self.filter(models.Exists(faces))

    def read_under(self, label_set: LabelSet) -> UploadQuerySet:
        """Uploads read under that label set. Where there is no face, there was nothing to read."""
        shown = Prediction.objects.filter(face=models.OuterRef("pk"), label_set=label_set, shown=True)
        faces = Face.objects.filter(models.Exists(shown), upload=models.OuterRef("pk"))
        return self.filter(Q(faces_found=0) | models.Exists(faces))

    def read_by(self, label_set: str, number: int) -> UploadQuerySet:
        """Uploads with at least one face whose shown reading is that version's."""
        version = Q(model_version__label_set__slug=label_set, model_version__number=number)
        shown = Prediction.objects.filter(version, face=models.OuterRef("pk"), shown=True)
        faces = Face.objects.filter(models.Exists(shown), upload=models.OuterRef("pk"))
        return self.filter(models.Exists(faces))

    def between(self, first: date | None, last: date | None) -> UploadQuerySet:
        """Uploads from `first` to `last`, both included, in the current time zone."""
        # As moments, not as `created_at__date`, which no index can answer.
        found = self
        # The first and the last day of the calendar narrow nothing, and beyond them UTC has no moments.
        if first and first > date.min:
            found = found.filter(created_at__gte=_midnight(first))
        if last and last < date.max:
            found = found.filter(created_at__lt=_midnight(last + timedelta(days=1)))
        return found

    def with_results(self, *, reader: Any = None, opinions: bool = False) -> UploadQuerySet:
        """Everything that is read of them, in as many queries however many uploads.

        `reader`: only under the label sets that this user may read with. `opinions`: also what their owners
        said of it, and what labelers settled.
        """
        shown = (
            Prediction.objects.filter(shown=True)
            .select_related("label", "model_version__label_set", "label_set")
            .defer("model_version__card")
            .prefetch_related("label_set__labels")
        )
        if reader is not None:
            shown = shown.filter(label_set__in=LabelSet.objects.readable_by(reader))
        faces = Face.objects.defer("crop").prefetch_related(
            models.Prefetch("predictions", queryset=shown, to_attr="shown_predictions")  # type: ignore[no-redef]
        )
        if opinions:
            of = ("prediction__label", "prediction__model_version")
            given = Feedback.objects.select_related("label", *of).defer("prediction__model_version__card")
            decided = Decision.objects.select_related("label")
            faces = faces.prefetch_related(  # type: ignore[no-redef]
                models.Prefetch("feedback", given, to_attr="given_feedback"),
                models.Prefetch("decisions", decided, to_attr="decided"),
            )
        return self.prefetch_related(models.Prefetch("faces", queryset=faces))


def _midnight(day: date) -> datetime:
    return timezone.make_aware(datetime.combine(day, time.min))


class Upload(models.Model):
    """One photograph that a user sent, kept upright and without metadata."""

    stored_faces: list[Face] | None = None
    """Set where it has just been stored: the faces, with their `shown_predictions`."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    # Its index is the one of the history, below.
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="uploads", db_index=False
    )
    name = models.CharField(max_length=200, help_text=_("the file's name, as the user sent it"))
    photo = models.FileField(upload_to="uploads/", max_length=200)
    thumbnail = models.FileField(upload_to="uploads/", max_length=200)
    width = models.PositiveIntegerField(help_text=_("of the upright photograph as sent, in pixels"))
    height = models.PositiveIntegerField(help_text=_("of the upright photograph as sent, in pixels"))
    faces_found = models.PositiveIntegerField(help_text=_("also those beyond the most that are read"))
    consent = models.BooleanField(
        default=False, help_text=_("may be shown to labelers and used for training")
    )
    created_at = models.DateTimeField(auto_now_add=True)
    idempotency_key = models.CharField(
        max_length=255, null=True, editable=False, help_text=_("by which a program tells a repeated request")
    )
    idempotency_digest = models.CharField(
        max_length=64, blank=True, editable=False, help_text=_("SHA-256 of what was asked with that key")
    )

    objects = UploadQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(F("owner"), F("created_at").desc(), F("id").desc(), name="upload_history"),
            models.Index(F("created_at").desc(), name="upload_newest"),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(width__gt=0, height__gt=0), name="upload_has_pixels"),
            models.UniqueConstraint(fields=["owner", "idempotency_key"], name="one_upload_for_each_key"),
        ]

    def __str__(self) -> str:
        return self.name


class Face(models.Model):
    """One detected face. Boxes and landmarks are in pixels of the upright photograph as sent."""

    shown_predictions: list[Prediction]
    """Set by `Upload.objects.with_results()`: what pages show, one for each label set, in any order."""
    given_feedback: list[Feedback]
    decided: list[Decision]
    """Both set by `with_results(opinions=True)` alone."""

    class Unreadable(models.TextChoices):
        TOO_SMALL = "too_small", _("too small to read")
        TOO_BLURRED = "too_blurred", _("too blurred to read")
        TURNED_AWAY = "turned_away", _("turned too far to read")

    # Its index is that of face_position_unique.
    upload = models.ForeignKey(Upload, on_delete=models.CASCADE, related_name="faces", db_index=False)
    position = models.PositiveSmallIntegerField(help_text=_("0 is the largest face"))
    x = models.FloatField()
    y = models.FloatField()
    w = models.FloatField()
    h = models.FloatField()
    score = models.FloatField(help_text=_("of the detector, 0 to 1"))
    landmarks = models.JSONField(null=True, help_text=_("five [x, y] points, or null"))
    crop = models.BinaryField(help_text=_("PNG of the aligned 112 × 112 crop"))
    sharpness = models.FloatField()
    yaw = models.FloatField(null=True, help_text=_("degrees, estimated from the landmarks"))
    roll = models.FloatField(null=True, help_text=_("degrees, estimated from the landmarks"))
    unreadable = models.CharField(max_length=20, choices=Unreadable, blank=True)

    class Meta:
        ordering = ["upload", "position"]
        constraints = [
            models.UniqueConstraint(fields=["upload", "position"], name="face_position_unique"),
        ]

    def __str__(self) -> str:
        return f"face {self.position + 1} of {self.upload_id}"

    @property
    def readings(self) -> list[Prediction]:
        """Its `shown_predictions` in the order in which they are told."""
        return sorted(self.shown_predictions, key=lambda prediction: prediction.label_set.place)


class Prediction(models.Model):
    """What one ModelVersion said of one Face."""

    # Its index is that of prediction_once_per_version.
    face = models.ForeignKey(Face, on_delete=models.CASCADE, related_name="predictions", db_index=False)
    model_version = models.ForeignKey(ModelVersion, on_delete=models.PROTECT, related_name="predictions")
    label_set = models.ForeignKey(LabelSet, on_delete=models.PROTECT, related_name="predictions")
    # Its index is the one on (label, face) below.
    label = models.ForeignKey(Label, on_delete=models.PROTECT, related_name="predictions", db_index=False)
    confidence = models.FloatField(help_text=_("probability of the label, 0 to 1"))
    probabilities = models.JSONField(help_text=_("one number per label, in the label set's order"))
    unsure = models.BooleanField(
        default=False, help_text=_("confidence under the model's threshold, or the face is unreadable")
    )
    shown = models.BooleanField(
        default=True, help_text=_("the one that pages show for this face and label set")
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        indexes = [models.Index(fields=["label", "face"], name="prediction_by_label")]
        constraints = [
            models.UniqueConstraint(fields=["face", "model_version"], name="prediction_once_per_version"),
            models.UniqueConstraint(
                fields=["face", "label_set"], condition=Q(shown=True), name="one_shown_prediction"
            ),
            models.CheckConstraint(
                condition=Q(confidence__gte=0, confidence__lte=1), name="confidence_is_a_probability"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.label} {self.confidence:.0%}"


class Feedback(models.Model):
    """What a user said of how a face was read. It raises the face in the review queue; it teaches nothing."""

    class Said(models.TextChoices):
        RIGHT = "right", _("right")
        WRONG = "wrong", _("wrong")
        NOT_A_FACE = "not_a_face", _("not a face")

    # Its index is that of one_feedback_each.
    face = models.ForeignKey(Face, on_delete=models.CASCADE, related_name="feedback", db_index=False)
    label_set = models.ForeignKey(LabelSet, on_delete=models.CASCADE, related_name="feedback")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="feedback")
    said = models.CharField(max_length=10, choices=Said)
    label = models.ForeignKey(
        Label,
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="feedback",
        help_text=_("what it shows instead, where the user said wrong"),
    )
    # It goes with its face, and so does this.
    prediction = models.ForeignKey(
        Prediction, on_delete=models.SET_NULL, null=True, related_name="+", help_text=_("what it was said of")
    )
    given_at = models.DateTimeField(default=timezone.now, help_text=_("when it was last changed"))

    class Meta:
        verbose_name_plural = _("feedback")
        constraints = [
            models.UniqueConstraint(fields=["face", "label_set", "user"], name="one_feedback_each"),
            models.CheckConstraint(
                condition=Q(said="wrong", label__isnull=False) | (~Q(said="wrong") & Q(label__isnull=True)),
                name="only_wrong_names_a_label",
                violation_error_message=_("“Wrong” says which label is right; nothing else names one."),
            ),
        ]

    def __str__(self) -> str:
        return f"wrong: it is {self.label}" if self.label else self.get_said_display()


class Decision(models.Model):
    """What labelers settled about a face, for its owner to see. The return half writes it."""

    # Its index is that of one_decision.
    face = models.ForeignKey(Face, on_delete=models.CASCADE, related_name="decisions", db_index=False)
    label_set = models.ForeignKey(LabelSet, on_delete=models.CASCADE, related_name="decisions")
    label = models.ForeignKey(
        Label,
        on_delete=models.PROTECT,
        null=True,
        related_name="decisions",
        help_text=_("null: not a face, or one that nobody can read"),
    )
    decided_at = models.DateTimeField(default=timezone.now)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["face", "label_set"], name="one_decision")]

    def __str__(self) -> str:
        return str(self.label) if self.label else "no readable face"


class DataExport(WorkerJob):
    """One ZIP of everything a user has here, written by the worker."""

    class State(models.TextChoices):
        WAITING = "waiting", _("waiting")
        RUNNING = "running", _("being written")
        READY = "ready", _("ready")
        FAILED = "failed", _("failed")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="exports")
    state = models.CharField(max_length=10, choices=State, default=State.WAITING)
    done = models.PositiveIntegerField(default=0, help_text=_("uploads written so far"))
    total = models.PositiveIntegerField(default=0)
    archive = models.FileField(upload_to="exports/", max_length=200, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"export of {self.created_at:%Y-%m-%d %H:%M}"
