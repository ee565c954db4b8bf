"""What the worker does for this app."""

from __future__ import annotations

import uuid

from django_tasks import task

from .jobs import run_job


@task()
def run_dataset_job(job_id: str) -> None:
    run_job(uuid.UUID(job_id))
