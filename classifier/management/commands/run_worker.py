"""django-tasks-db's worker, which also says that it is alive."""

from __future__ import annotations

import threading
from typing import Any

from django_tasks_db.management.commands import db_worker

from classifier.api.heartbeat import keep_beating


class Command(db_worker.Command):
    help = "Run tasks: exports, archives, training. GET /health/ready tells whether one of these runs."

    def handle(self, **options: Any) -> None:
        stop = threading.Event()
        threading.Thread(target=keep_beating, args=[stop], daemon=True).start()
        try:
            super().handle(**options)
        finally:
            stop.set()
