"""What programs leave behind: the tokens they come with, and the archives they send."""

from __future__ import annotations

import uuid
from datetime import timedelta
from typing import ClassVar

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from classifier.models import LabelSet, Upload
from classifier.worker_job import WorkerJob


class Token(models.Model):
    """Lets a program act as its owner. Of the secret only a digest is kept, so it can be shown only once."""

    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="tokens")
    name = models.CharField(max_length=100, help_text=_("what it is for, such as the program's name"))
    digest = models.CharField(max_length=64, unique=True, help_text=_("SHA-256 of the secret, hexadecimal"))
    hint = models.CharField(max_length=16, help_text=_("how the secret begins"))
    created_at = models.DateTimeField(auto_now_add=True)
    expires_at = models.DateTimeField()
    last_used_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-created_at", "-pk"]

    def __str__(self) -> str:
        return self.name

    @property
    def expired(self) -> bool:
        return self.expires_at <= timezone.now()


class Bulk(WorkerJob):
    """A ZIP of photographs that the worker reads, one after another."""

    class State(models.TextChoices):
        WAITING = "waiting", _("waiting")
        RUNNING = "running", _("being read")
        DONE = "done", _("done")
        FAILED = "failed", _("failed")

    # A worker may be busy for hours before it comes to an archive.
    MAY_BE_LOST: ClassVar[frozenset[str]] = frozenset({"running"})

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="bulks")
    label_sets = models.ManyToManyField(LabelSet, related_name="+")
    consent = models.BooleanField(default=False)
    state = models.CharField(max_length=10, choices=State, default=State.WAITING)
    total = models.PositiveIntegerField(help_text=_("files in the archive"))
    archive = models.FileField(upload_to="bulks/", max_length=200)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"{self.total} files of {self.created_at:%Y-%m-%d %H:%M}"


class BulkFile(models.Model):
    """What became of one file of an archive: an upload, or a sentence that says why not.

    It goes with its upload.
    """

    # Its index is that of one_outcome_each.
    bulk = models.ForeignKey(Bulk, on_delete=models.CASCADE, related_name="files", db_index=False)
    position = models.PositiveIntegerField()
    name = models.CharField(max_length=200)
    upload = models.OneToOneField(Upload, on_delete=models.CASCADE, null=True, related_name="bulk_file")
    error = models.CharField(max_length=500, blank=True)

    class Meta:
        ordering = ["bulk", "position"]
        constraints = [
            models.UniqueConstraint(fields=["bulk", "position"], name="one_outcome_each"),
            models.CheckConstraint(
                condition=models.Q(upload__isnull=False, error="")
                | models.Q(upload__isnull=True) & ~models.Q(error=""),
                name="an_upload_or_an_error",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Heartbeat(models.Model):
    """The last sign of life of a process that others wait for; one row for each kind."""

    EVERY = timedelta(seconds=10)
    MISSED_AFTER = timedelta(seconds=60)

    name = models.CharField(primary_key=True, max_length=20)
    beat_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.name} at {self.beat_at:%H:%M:%S}"
