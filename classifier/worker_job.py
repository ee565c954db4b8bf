"""What every row of long work has in common: how whoever waits can tell that nobody is at it any more."""

from __future__ import annotations

from datetime import timedelta
from typing import ClassVar, Self

from django.db import models
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext_lazy as _


class WorkerJob(models.Model):
    """Something that the worker does and others wait for. It has a `state` of its own besides."""

    LOST_AFTER = timedelta(minutes=10)
    MAY_BE_LOST: ClassVar[frozenset[str]] = frozenset({"waiting", "running"})
    """The states in which silence means that its worker was killed, or that there is none."""

    state: models.CharField[str, str]
    progress_at = models.DateTimeField(default=timezone.now, help_text=_("the last sign of life"))

    class Meta:
        abstract = True

    @property
    def lost(self) -> bool:
        """Whether it went silent before it ended, as when its worker was killed."""
        return self.state in self.MAY_BE_LOST and self.progress_at < timezone.now() - self.LOST_AFTER

    @classmethod
    def lost_ones(cls) -> QuerySet[Self]:
        """All that are lost now."""
        silent_since = timezone.now() - cls.LOST_AFTER
        return cls._default_manager.filter(state__in=cls.MAY_BE_LOST, progress_at__lt=silent_since)
