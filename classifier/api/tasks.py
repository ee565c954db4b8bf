"""What the worker does for programs."""

from __future__ import annotations

import uuid

from django_tasks import task

from .bulk import run_bulk


@task()
def read_bulk(bulk_id: str) -> None:
    run_bulk(uuid.UUID(bulk_id))
