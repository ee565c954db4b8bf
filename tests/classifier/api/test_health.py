"""What load balancers are told."""

from __future__ import annotations

import threading
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import DatabaseError
from django.test import Client
from django.utils import timezone
from pytest_django import DjangoAssertNumQueries, Settings

from classifier import serving
from classifier.api import heartbeat
from classifier.api.models import Heartbeat
from classifier.api.views import health
from classifier.models import ModelVersion
from tests.factories import make_active_model

READY = "/health/ready"


def test_a_live_process_needs_no_database(client: Client) -> None:
    assert client.get("/health/live").json() == {"status": "ok"}


@pytest.mark.django_db
class TestReady:
    @pytest.fixture(autouse=True)
    def whole(self) -> None:
        make_active_model()
        heartbeat.beat()

    def test_a_broken_model_that_this_process_can_do_without_is_told_but_takes_nobody_out(
        self, client: Client
    ) -> None:
        whole = {"database": "ok", "storage": "ok", "model": "ok", "worker": "ok"}
        assert client.get(READY).json() == {"status": "ok", "checks": whole}
        version = ModelVersion.objects.get(active=True)
        version.artifact.delete(save=False)
        answer = client.get(READY)
        assert answer.status_code == 200
        assert answer.json() == {"status": "degraded", "checks": whole | {"model": "degraded"}}
        serving.forget()  # as a process that starts now
        assert self.failed(client) == ["model"]

    def failed(self, client: Client) -> list[str]:
        answer = client.get(READY)
        said = answer.json()
        failed = [name for name, state in said["checks"].items() if state == "failed"]
        assert (answer.status_code, said["status"]) == ((503, "unavailable") if failed else (200, "ok"))
        return failed

    def test_a_whole_site_is_ready(self, client: Client, settings: Settings) -> None:
        assert self.failed(client) == []
        assert [path for path in Path(settings.MEDIA_ROOT).rglob("probe*") if path.is_file()] == []

    def test_a_worker_that_is_silent_is_missed(self, client: Client) -> None:
        Heartbeat.objects.update(beat_at=timezone.now() - Heartbeat.MISSED_AFTER - timedelta(seconds=1))
        assert self.failed(client) == ["worker"]
        heartbeat.beat()
        assert self.failed(client) == []

    def test_a_model_that_cannot_be_loaded_is_missed(self, client: Client) -> None:
        version = make_active_model(favourite="sad", confidence=0.61)
        version.artifact.delete(save=False)
        assert self.failed(client) == ["model"]
        ModelVersion.objects.update(active=False)
        assert self.failed(client) == ["model"]

    def test_a_storage_that_takes_nothing_is_missed(self, client: Client, settings: Settings) -> None:
        Path(settings.MEDIA_ROOT, "health").write_text("in the way")
        assert self.failed(client) == ["storage"]

    def test_a_database_that_is_away_is_missed_and_nothing_is_said_of_it(
        self, client: Client, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def away() -> None:
            raise DatabaseError("password of the database")

        monkeypatch.setitem(health.CHECKS, "database", away)
        assert self.failed(client) == ["database"]
        assert b"password" not in client.get(READY).content

    def test_load_balancers_ask_by_plain_http(self, client: Client, settings: Settings) -> None:
        settings.SECURE_SSL_REDIRECT = True
        assert client.get("/health/live").status_code == 200
        assert client.get("/about/").status_code == 301

    def test_asking_costs_little(
        self, client: Client, django_assert_num_queries: DjangoAssertNumQueries
    ) -> None:
        client.get(READY)
        with django_assert_num_queries(3):
            client.get(READY)


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_a_worker_beats_until_it_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Heartbeat, "EVERY", timedelta(seconds=0.01))
    stop = threading.Event()
    beats: list[None] = []

    def third_time_fails() -> None:
        beats.append(None)
        if len(beats) == 3:
            raise DatabaseError("away for a moment")
        if len(beats) == 5:
            stop.set()

    monkeypatch.setattr(heartbeat, "beat", third_time_fails)
    heartbeat.keep_beating(stop)
    assert len(beats) == 5
