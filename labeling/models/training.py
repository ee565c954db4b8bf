"""Runs of training: what was asked for, how far it is, what came of it, and which versions it made."""

from __future__ import annotations

from datetime import timedelta
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from classifier.models import LabelSet, ModelVersion
from classifier.worker_job import WorkerJob

from .dataset import DatasetVersion

UNFINISHED = ("waiting", "running")


class TrainingRunQuerySet(models.QuerySet["TrainingRun"]):
    def unfinished(self) -> TrainingRunQuerySet:
        return self.filter(state__in=UNFINISHED)

    def on_erased_data(self) -> TrainingRunQuerySet:
        """Those whose dataset held a face that its user has taken back since."""
        return self.filter(dataset__erased_at__isnull=False)


class TrainingRun(WorkerJob):
    """One run of training on a frozen dataset, from the command or from the admin."""

    class Estimator(models.TextChoices):
        SVM = "svm", _("support vector machine")
        CNN = "cnn", _("convolutional network")
        FOREST = "forest", _("random forest")
        LOGISTIC = "logistic", _("logistic regression")
        AUTO = "auto", _("whichever is best by cross-validation")

    class State(models.TextChoices):
        WAITING = "waiting", _("waiting")
        RUNNING = "running", _("running")
        DONE = "done", _("done")
        CANCELLED = "cancelled", _("cancelled")
        FAILED = "failed", _("failed")

    class Outcome(models.TextChoices):
        PROMOTED = "promoted", _("promoted")
        REFUSED = "refused", _("refused by the gate")
        REGISTERED = "registered", _("registered, not promoted")
        NOTHING = "nothing", _("nothing to train on")
        CANCELLED = "cancelled", _("cancelled")
        FAILED = "failed", _("failed")

    LOST_AFTER = timedelta(minutes=5)
    # A run may wait for hours behind another: only the silence of one that runs tells anything.
    MAY_BE_LOST: ClassVar[frozenset[str]] = frozenset({"running"})

    label_set = models.ForeignKey(LabelSet, on_delete=models.PROTECT, related_name="training_runs")
    estimator = models.CharField(max_length=10, choices=Estimator)
    parameters = models.JSONField(
        default=dict, help_text=_("start, epochs, grid, seed, dask, no_promote, force, reason")
    )
    dataset = models.ForeignKey(
        DatasetVersion,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="training_runs",
        help_text=_("null until it is frozen"),
    )
    champion = models.ForeignKey(
        ModelVersion,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="challenges",
        help_text=_("the active version that it is compared with, and goes on from when told so"),
    )
    version = models.ForeignKey(
        ModelVersion,
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="training_runs",
        help_text=_("what it made"),
    )
    state = models.CharField(max_length=10, choices=State, default=State.WAITING)
    outcome = models.CharField(max_length=10, choices=Outcome, blank=True)
    message = models.TextField(blank=True, help_text=_("what came of it, in a sentence"))
    stage = models.CharField(max_length=100, blank=True, help_text=_("what it is doing"))
    stage_at = models.DateTimeField(null=True, blank=True, help_text=_("since when"))
    done = models.PositiveIntegerField(default=0)
    total = models.PositiveIntegerField(default=0)
    score = models.FloatField(null=True, blank=True, help_text=_("the last one told"))
    log = models.TextField(blank=True, help_text=_("its end"))
    curves = models.JSONField(default=list, help_text=_("for each epoch its figures"))
    metrics = models.JSONField(default=dict, help_text=_("on the frozen test split"))
    cross_validation = models.JSONField(default=list)
    gate = models.JSONField(default=dict, help_text=_("each rule, its figures and its verdict"))
    environment = models.JSONField(default=dict)
    started_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, blank=True, related_name="+"
    )
    cancel_asked = models.BooleanField(default=False)
    host = models.CharField(max_length=255, blank=True, help_text=_("the machine that runs it"))
    pid = models.PositiveIntegerField(null=True, blank=True, help_text=_("the process there"))
    created_at = models.DateTimeField(default=timezone.now)
    started_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)

    objects = TrainingRunQuerySet.as_manager()

    class Meta:
        ordering = ["-pk"]
        permissions = [("train_models", "Can train models")]
        constraints = [
            models.UniqueConstraint(
                fields=["label_set"],
                condition=Q(state__in=UNFINISHED),
                name="one_unfinished_run",
                violation_error_message=_("Another training run of this label set is not done yet."),
            ),
            models.CheckConstraint(
                condition=(Q(state__in=UNFINISHED) & Q(outcome="") & Q(ended_at__isnull=True))
                | (~Q(state__in=UNFINISHED) & ~Q(outcome="") & Q(ended_at__isnull=False)),
                name="ended_with_an_outcome",
                violation_error_message=_("A run that has ended says what came of it, and when."),
            ),
        ]

    def __str__(self) -> str:
        return f"run {self.pk} of {self.label_set.slug}"

    @property
    def unfinished(self) -> bool:
        return self.state in UNFINISHED and not self.lost

    @property
    def started_from(self) -> str:
        return str(self.parameters.get("start", "scratch"))

    @property
    def measured_labels(self) -> list[str]:
        """In the order of the confusion matrix: no database need keep that of an object's keys."""
        return list(self.version.card["labels"]) if self.version else []
