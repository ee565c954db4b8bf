"""Photographs that an import set aside: a person rescues or drops each."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from classifier.models import Label, LabelSet


class SetAsidePictureQuerySet(models.QuerySet["SetAsidePicture"]):
    def waiting(self) -> SetAsidePictureQuerySet:
        return self.filter(state=SetAsidePicture.State.WAITING)


class SetAsidePicture(models.Model):
    """A photograph of an import in which there was not exactly one usable face.

    While it waits it is kept as a small copy, with the crops of its faces. Once a person has settled it both
    are gone; the row stays, so that the next import of the same file asks nobody again.
    """

    class Reason(models.TextChoices):
        NO_FACE = "no_face", _("no face was found")
        SEVERAL_FACES = "several_faces", _("several faces")
        TOO_SMALL = "too_small", _("the face is too small")
        TOO_BLURRED = "too_blurred", _("the face is too blurred")
        EYES_NOT_FOUND = "eyes_not_found", _("not exactly two eyes were found")

    class State(models.TextChoices):
        WAITING = "waiting", _("waiting")
        RESCUED = "rescued", _("rescued")
        DROPPED = "dropped", _("dropped")

    # Its index is that of set_aside_waiting.
    label_set = models.ForeignKey(
        LabelSet, on_delete=models.CASCADE, related_name="set_aside", db_index=False
    )
    label = models.ForeignKey(
        Label, on_delete=models.CASCADE, related_name="+", db_index=False, help_text=_("of its folder")
    )
    reason = models.CharField(max_length=20, choices=Reason)
    origin = models.CharField(max_length=300, help_text=_("the folder and file of the import"))
    digest = models.CharField(max_length=64, help_text=_("SHA-256 of the file"))
    copy = models.BinaryField(null=True, help_text=_("JPEG, upright, without metadata; null: settled"))
    width = models.PositiveIntegerField(help_text=_("of the copy, in pixels"))
    height = models.PositiveIntegerField()
    state = models.CharField(max_length=10, choices=State, default=State.WAITING)
    settled_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    created_at = models.DateTimeField(default=timezone.now)

    objects = SetAsidePictureQuerySet.as_manager()

    class Meta:
        ordering = ["pk"]
        verbose_name = _("photograph set aside")
        verbose_name_plural = _("photographs set aside")
        indexes = [models.Index(fields=["label_set", "state", "id"], name="set_aside_waiting")]
        constraints = [
            models.UniqueConstraint(fields=["label", "digest"], name="set_aside_once"),
            models.CheckConstraint(
                condition=Q(state="waiting", copy__isnull=False) | (~Q(state="waiting") & Q(copy=None)),
                name="copies_go_once_settled",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.origin}: {self.get_reason_display()}"


class FoundFace(models.Model):
    """A face of such a photograph, that it can be rescued by. Its box is in shares of the picture's sides."""

    picture = models.ForeignKey(
        SetAsidePicture, on_delete=models.CASCADE, related_name="faces", db_index=False
    )
    position = models.PositiveSmallIntegerField(help_text=_("0: the largest"))
    x = models.FloatField()
    y = models.FloatField()
    w = models.FloatField()
    h = models.FloatField()
    size = models.FloatField(help_text=_("shorter side of its box, in pixels of the photograph as sent"))
    crop = models.BinaryField(help_text=_("PNG: the aligned 112 × 112 crop"))

    class Meta:
        ordering = ["picture", "position"]
        constraints = [models.UniqueConstraint(fields=["picture", "position"], name="found_face_position")]

    def __str__(self) -> str:
        return f"face {self.position + 1} of {self.picture_id}"
