"""Programs of the cast: each comes with a token of its own."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.test import Client
from pytest_django import Settings

from classifier.api.tokens import make_token
from classifier.management.commands import run_worker
from classifier.models import User

ApiOf = Callable[[User], Client]
Work = Callable[[], str]


def bearer(user: User) -> dict[str, str]:
    _, secret = make_token(owner=user, name="a program", lasts=timedelta(days=30))
    return {"Authorization": f"Bearer {secret}"}


@pytest.fixture
def api_of(db: None) -> ApiOf:
    return lambda user: Client(headers=bearer(user))


@pytest.fixture
def api(ada: User, api_of: ApiOf) -> Client:
    """Ada's program."""
    return api_of(ada)


@pytest.fixture
def bobs_api(bob: User, api_of: ApiOf) -> Client:
    return api_of(bob)


@pytest.fixture
def queued(settings: Settings) -> None:
    """Tasks wait for a worker, as on a real site."""
    settings.TASKS = {"default": {"BACKEND": "django_tasks_db.DatabaseBackend"}}


@pytest.fixture
def work(queued: None, monkeypatch: pytest.MonkeyPatch) -> Work:
    """A call has a real worker do all tasks that wait.

    It gives no sign of life: of SQLite in memory, one thread does not wait until another has written.
    """
    monkeypatch.setattr(run_worker, "keep_beating", lambda stop: None)
    return lambda: call_command("run_worker", batch=True, verbosity=0, startup_delay=False, interval=0)
