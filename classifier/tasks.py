"""What the worker does for this app."""

from __future__ import annotations

import uuid

from django_tasks import task

from .accounts import run_export


@task()
def write_export(export_id: str) -> None:
    run_export(uuid.UUID(export_id))
