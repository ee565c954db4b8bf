"""How a web process knows that a worker is there: every few seconds the worker writes a row."""

from __future__ import annotations

import logging
import threading

from django.db import Error, connection
from django.utils import timezone

from .models import Heartbeat

WORKER = "worker"

logger = logging.getLogger(__name__)


def beat() -> None:
    Heartbeat.objects.update_or_create(name=WORKER, defaults={"beat_at": timezone.now()})


def seen_lately() -> bool:
    since = timezone.now() - Heartbeat.MISSED_AFTER
    return Heartbeat.objects.filter(name=WORKER, beat_at__gt=since).exists()


def keep_beating(stop: threading.Event) -> None:
    """In a thread of its own, so that the heart beats through a task that takes hours."""
    while True:
        try:
            beat()
        except Error as error:
            logger.warning("The worker's sign of life was not written: %s", error)
        finally:
            connection.close()
        if stop.wait(Heartbeat.EVERY.total_seconds()):
            return
