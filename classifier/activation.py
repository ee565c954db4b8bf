"""Which version was active when: the history that answers "what was in production that day?"."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class Activation(models.Model):
    """A version became the active one of its label set, and is until the next. Nothing here is ever changed.

    Along the history neither the number nor the moment ever falls: see registry.promote.
    """

    label_set = models.ForeignKey(
        "classifier.LabelSet", on_delete=models.PROTECT, related_name="activations", db_index=False
    )
    version = models.ForeignKey(
        "classifier.ModelVersion", on_delete=models.PROTECT, related_name="activations"
    )
    at = models.DateTimeField(default=timezone.now)
    by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        blank=True,
        related_name="+",
        help_text=_("empty: by a command, or an account that is deleted"),
    )
    reason = models.TextField(blank=True)
    forced = models.BooleanField(default=False, help_text=_("although the gate had refused it"))
    restores = models.ForeignKey(
        "self",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="+",
        help_text=_("of a roll back: the activation that it went back to"),
    )

    class Meta:
        ordering = ["-id"]
        indexes = [
            models.Index("label_set", F("at").desc(), F("id").desc(), name="activations_of_label_set"),
        ]

    def __str__(self) -> str:
        return f"{self.version} from {timezone.localtime(self.at):%Y-%m-%d %H:%M:%S}"
