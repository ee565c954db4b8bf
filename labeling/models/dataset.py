"""What came of the labelers' work, and of imports: the examples, and what was frozen of them."""

from __future__ import annotations

import uuid
from typing import Any

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from classifier.models import Face, Label, LabelSet, Upload
from classifier.worker_job import WorkerJob


class Split(models.TextChoices):
    """What an example is for: learning, choosing, or measuring alone."""

    TRAIN = "train", _("train")
    VALIDATION = "validation", _("validation")
    TEST = "test", _("test")


class ExampleQuerySet(models.QuerySet["Example"]):
    def kept(self) -> ExampleQuerySet:
        """Without those that were withdrawn: what the curated dataset is."""
        return self.filter(withdrawn="")

    def doubtful(self) -> ExampleQuerySet:
        """Those that look mislabelled, worst first."""
        return self.filter(suspicion__isnull=False).order_by("-suspicion", "-id")


def _hash_band(number: int) -> models.GeneratedField:
    """13 of the hash's 64 bits, which near hashes are looked for by: see labeling.neighbours."""
    return models.GeneratedField(
        expression=F("perceptual_hash").bitrightshift(13 * number).bitand(0x1FFF),
        output_field=models.IntegerField(),
        db_persist=True,
    )


class Example(models.Model):
    """One labelled crop of the curated dataset, from a settled review or from an import.

    Near-duplicates, and faces of one photograph, are one group, and a group is in one split.
    """

    class Source(models.TextChoices):
        REVIEW = "review", _("review on this site")
        FER2013 = "fer2013", _("FER2013")
        FOLDER = "folder", _("a folder of crops")
        PHOTOGRAPHS = "photographs", _("a folder of photographs")
        TABLE = "table", _("a table of labels and pixels")

    class Withdrawn(models.TextChoices):
        REVIEW = "review", _("labelers call it unusable")
        CURATOR = "curator", _("withdrawn by a curator")
        LEAK = "leak", _("too near to an example of another split")

    label_set = models.ForeignKey(LabelSet, on_delete=models.PROTECT, related_name="examples", db_index=False)
    label = models.ForeignKey(Label, on_delete=models.PROTECT, related_name="examples")
    face = models.ForeignKey(
        Face,
        on_delete=models.CASCADE,
        null=True,
        blank=True,
        related_name="examples",
        help_text=_("of an upload, which takes its examples with it; null: imported"),
    )
    source = models.CharField(max_length=20, choices=Source)
    origin = models.CharField(max_length=300, blank=True, help_text=_("the file and line of an import"))
    added_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    crop = models.BinaryField(help_text=_("PNG: an imported crop as it was, else the aligned 112 × 112 crop"))
    digest = models.CharField(
        max_length=64, help_text=_("SHA-256 of the crop's 48 × 48 gray values: equal for duplicates")
    )
    perceptual_hash = models.BigIntegerField(help_text=_("see classifier.vision.similar; 64 bits, signed"))
    band_0 = _hash_band(0)
    band_1 = _hash_band(1)
    band_2 = _hash_band(2)
    band_3 = _hash_band(3)
    band_4 = _hash_band(4)
    votes = models.JSONField(
        default=dict,
        blank=True,
        help_text=_("how many annotators said what: labels, or words that are no label of the set"),
    )
    agreement = models.FloatField(
        null=True, blank=True, help_text=_("share of the votes that are for the label; null: no votes")
    )
    group = models.CharField(
        max_length=16, help_text=_("near-duplicates, and faces of one photograph, share it")
    )
    split = models.CharField(max_length=10, choices=Split)
    withdrawn = models.CharField(max_length=10, choices=Withdrawn, blank=True)
    withdrawn_reason = models.CharField(max_length=300, blank=True)
    suspicion = models.FloatField(
        null=True, blank=True, help_text=_("that the label is wrong, 0 to 1; null: not suspected")
    )
    created_at = models.DateTimeField(default=timezone.now)
    changed_at = models.DateTimeField(default=timezone.now)

    objects = ExampleQuerySet.as_manager()

    class Meta:
        permissions = [
            ("import_examples", "Can add examples from files"),
            ("export_examples", "Can take the examples out as files"),
        ]
        indexes = [
            models.Index("label_set", F("id").desc(), name="examples_newest"),
            models.Index(fields=["label_set", "digest"], name="examples_by_digest"),
            models.Index(fields=["label_set", "group"], name="examples_by_group"),
            models.Index(
                "label_set",
                F("suspicion").desc(),
                F("id").desc(),
                name="examples_doubtful",
                condition=Q(suspicion__isnull=False),
            ),
            *(
                models.Index(fields=["label_set", f"band_{number}"], name=f"examples_by_band_{number}")
                for number in range(5)
            ),
        ]
        constraints = [
            models.UniqueConstraint(fields=["face", "label_set"], name="one_example_of_a_face"),
            models.UniqueConstraint(
                fields=["label_set", "digest"],
                condition=Q(face__isnull=True),
                name="imported_once",
                violation_error_message=_("This very picture is in the dataset already."),
            ),
            models.CheckConstraint(
                condition=Q(withdrawn="", withdrawn_reason="") | (~Q(withdrawn="") & ~Q(withdrawn_reason="")),
                name="withdrawn_with_a_reason",
                violation_error_message=_("Say why the example is withdrawn."),
            ),
            models.CheckConstraint(condition=Q(suspicion__gte=0, suspicion__lte=1), name="suspicion_0_to_1"),
            models.CheckConstraint(condition=Q(agreement__gte=0, agreement__lte=1), name="agreement_0_to_1"),
        ]

    def __str__(self) -> str:
        return f"example {self.pk}: {self.label}"


class KnownPhotograph(models.Model):
    """What the photograph of an example is known by, so that a copy is told however its faces are cut."""

    upload = models.OneToOneField(Upload, on_delete=models.CASCADE, primary_key=True, related_name="+")
    perceptual_hash = models.BigIntegerField(help_text=_("of all of it, made square"))
    band_0 = _hash_band(0)
    band_1 = _hash_band(1)
    band_2 = _hash_band(2)
    band_3 = _hash_band(3)
    band_4 = _hash_band(4)

    class Meta:
        indexes = [
            models.Index(fields=[f"band_{number}"], name=f"photographs_by_band_{number}")
            for number in range(5)
        ]

    def __str__(self) -> str:
        return f"photograph of upload {self.upload_id}"


class ExampleChange(models.Model):
    """What happened to an example once it was added: who changed what, when and why. Append-only."""

    class Kind(models.TextChoices):
        RELABELLED = "relabelled", _("relabelled")
        VOTED = "voted", _("got other votes")
        WITHDRAWN = "withdrawn", _("withdrawn")
        RESTORED = "restored", _("restored")

    example = models.ForeignKey(Example, on_delete=models.CASCADE, related_name="changes")
    kind = models.CharField(max_length=10, choices=Kind)
    before = models.ForeignKey(Label, on_delete=models.PROTECT, related_name="+")
    after = models.ForeignKey(Label, on_delete=models.PROTECT, related_name="+")
    votes = models.JSONField(default=dict, help_text=_("those that held before"))
    reason = models.CharField(max_length=300)
    changed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    changed_at = models.DateTimeField(default=timezone.now)

    class Meta:
        ordering = ["-pk"]
        constraints = [
            models.CheckConstraint(condition=~Q(reason=""), name="changed_with_a_reason"),
        ]

    def __str__(self) -> str:
        if self.before_id == self.after_id:
            return self.get_kind_display()
        return f"{self.get_kind_display()}: {self.before} → {self.after}"


class DatasetVersion(models.Model):
    """The examples of one moment, frozen as a Parquet file that is named by its SHA-256."""

    label_set = models.ForeignKey(LabelSet, on_delete=models.PROTECT, related_name="dataset_versions")
    digest = models.CharField(max_length=64, unique=True, help_text=_("SHA-256 of the file, hexadecimal"))
    file = models.FileField(upload_to="datasets/", max_length=200, blank=True)
    size = models.PositiveBigIntegerField(help_text=_("of the file, in bytes"))
    examples = models.PositiveIntegerField()
    counts = models.JSONField(help_text=_("examples of each label in each split"))
    faces = models.ManyToManyField(
        Face, related_name="dataset_versions", help_text=_("those of its examples that users sent")
    )
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    created_at = models.DateTimeField(default=timezone.now)
    erased_at = models.DateTimeField(
        null=True,
        blank=True,
        help_text=_("when a user took back one of its faces, and the file was deleted with it"),
    )

    class Meta:
        ordering = ["-pk"]
        permissions = [("freeze_dataset", "Can freeze the dataset")]
        constraints = [
            models.CheckConstraint(
                condition=Q(erased_at__isnull=True) | Q(file=""), name="erased_versions_have_no_file"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.label_set.slug} {self.digest[:12]}"


class DatasetJob(WorkerJob):
    """Long work on the dataset, which the worker does: its progress, and what came of it."""

    class Kind(models.TextChoices):
        IMPORT = "import", _("import")
        EXPORT = "export", _("export")
        FREEZE = "freeze", _("freeze")
        DOUBTS = "doubts", _("search for wrong labels")

    class State(models.TextChoices):
        WAITING = "waiting", _("waiting")
        RUNNING = "running", _("running")
        PLANNED = "planned", _("to be confirmed")
        DONE = "done", _("done")
        REFUSED = "refused", _("refused")
        FAILED = "failed", _("failed")

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    kind = models.CharField(max_length=10, choices=Kind)
    label_set = models.ForeignKey(
        LabelSet,
        on_delete=models.CASCADE,
        null=True,
        related_name="+",
        help_text=_("null: an import that has not made its label set"),
    )
    state = models.CharField(max_length=10, choices=State, default=State.WAITING)
    options = models.JSONField(default=dict, help_text=_("how it was asked for"))
    stage = models.CharField(max_length=100, blank=True, help_text=_("what it is doing"))
    done = models.PositiveIntegerField(default=0)
    total = models.PositiveIntegerField(default=0)
    given = models.FileField(upload_to="imports/", max_length=200, blank=True)
    votes = models.FileField(upload_to="imports/", max_length=200, blank=True)
    file = models.FileField(upload_to="datasets/exports/", max_length=200, blank=True)
    report = models.JSONField(default=dict)
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} of {self.created_at:%Y-%m-%d %H:%M}"

    @property
    def new_label_set(self) -> dict[str, Any]:
        """What the label set is to be that its import makes; empty where it was there, or is by now."""
        return self.options.get("create", {}) if self.label_set_id is None else {}

    @property
    def about(self) -> str:
        """What its label set is called, or will be."""
        if self.label_set:
            return self.label_set.name
        return str(self.new_label_set.get("name") or self.new_label_set.get("slug", ""))
