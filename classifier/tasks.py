"""What the worker does for this app."""

from __future__ import annotations

import uuid

from django_tasks import task

from .accounts import run_export
from .rescoring import rescore, unfinished


@task()
def write_export(export_id: str) -> None:
    run_export(uuid.UUID(export_id))


@task()
def rescore_faces(version_id: int) -> int:
    return rescore(version_id)


def resume_rescoring() -> None:
    """Go on with what a worker that was killed has left."""
    for version in unfinished():
        rescore_faces.enqueue(version.pk)
