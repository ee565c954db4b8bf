"""django-tasks-db's worker, which also says that it is alive."""

from __future__ import annotations

import logging
import threading
from typing import Any

from django.db import Error
from django_tasks_db.management.commands import db_worker

from classifier import handover
from classifier.api.heartbeat import keep_beating
from classifier.tasks import resume_rescoring

logger = logging.getLogger(__name__)


class Command(db_worker.Command):
    help = "Run tasks: exports, archives, training. GET /health/ready tells whether one of these runs."

    def handle(self, **options: Any) -> None:
        stop = threading.Event()
        threading.Thread(target=keep_beating, args=[stop], daemon=True).start()
        try:
            _clear_up()
            super().handle(**options)
        finally:
            stop.set()


def _clear_up() -> None:
    """What a worker that was killed has left. Where there is no database, the worker itself says so next."""
    try:
        handover.tell_worker_started()
        resume_rescoring()
    except Error as error:
        logger.warning("What the last worker left was not cleared up: %s", error)
