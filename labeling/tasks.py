"""What the worker does for this app."""

from __future__ import annotations

import uuid

from django_tasks import task

from .jobs import run_job
from .models import TrainingRun
from .retraining import retrain


@task()
def run_dataset_job(job_id: str) -> None:
    run_job(uuid.UUID(job_id))


@task()
def train(run_id: int) -> None:
    retrain(TrainingRun.objects.select_related("label_set", "started_by").get(pk=run_id))
