from __future__ import annotations

from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command
from pytest_django import Settings

from classifier.models import ModelVersion, User

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def own_static(settings: Settings, tmp_path: Path) -> None:
    settings.STATIC_ROOT = tmp_path / "static"


def prepare() -> str:
    out = StringIO()
    call_command("prepare_site", stdout=out)
    return out.getvalue()


def test_the_first_start_prints_a_password_that_works_and_the_second_changes_nothing() -> None:
    said = prepare()
    password = said.split("password ")[1].split()[0]
    root = User.objects.get(is_superuser=True)
    assert root.check_password(password)
    versions = list(ModelVersion.objects.values_list("digest", "active"))
    assert "password" not in prepare()
    assert User.objects.get() == root
    assert list(ModelVersion.objects.values_list("digest", "active")) == versions


def test_the_password_can_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUPERUSER_PASSWORD", "a long enough secret")
    monkeypatch.setenv("SUPERUSER_USERNAME", "grace")
    assert "a long enough secret" not in prepare()
    assert User.objects.get(username="grace").check_password("a long enough secret")


def test_after_it_the_site_has_one_active_model() -> None:
    prepare()
    assert ModelVersion.objects.filter(active=True).count() == 1
