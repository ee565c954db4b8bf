from __future__ import annotations

import os
import re
import string
import subprocess
import sys
import time
from datetime import timedelta
from io import StringIO
from pathlib import Path

import pytest
from django.contrib.sessions.models import Session
from django.core.management import CommandError, call_command
from django.db import OperationalError
from django.utils import timezone
from django_tasks_db.models import DBTaskResult
from pytest_django import Settings

from classifier.management.commands import install_models, prepare_site
from classifier.ml import artifact as artifacts
from classifier.models import DataExport, ModelVersion, User
from classifier.tasks import write_export
from tests.artifacts import tiny_artifact
from tests.factories import make_superuser, make_user

pytestmark = pytest.mark.django_db
ROOT = Path(__file__).resolve().parents[2]
DAY_S = 24 * 60 * 60


@pytest.fixture(autouse=True)
def own_folders(settings: Settings, tmp_path: Path) -> None:
    settings.STATIC_ROOT = tmp_path / "static"
    settings.FILE_UPLOAD_TEMP_DIR = tmp_path / "uploads"
    settings.FILE_UPLOAD_TEMP_DIR.mkdir()


@pytest.fixture(autouse=True)
def tasks_in_the_database(settings: Settings) -> None:
    settings.TASKS = {"default": {"BACKEND": "django_tasks_db.DatabaseBackend"}}


@pytest.fixture(autouse=True)
def weights(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A bundle whose models are small."""
    folder = tmp_path / "weights"
    artifacts.write(folder, "expressions-cnn", *tiny_artifact())
    artifacts.write(folder, "expressions-svm", *tiny_artifact(favourite="sad"))
    monkeypatch.setattr(install_models, "BUNDLED", folder)
    return folder


@pytest.fixture(autouse=True)
def no_superuser_is_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SUPERUSER_USERNAME", "SUPERUSER_PASSWORD"):
        monkeypatch.delenv(name, raising=False)


def prepare() -> str:
    out = StringIO()
    call_command("prepare_site", stdout=out)
    return out.getvalue()


def test_the_first_start_prints_a_password_that_works_and_the_second_changes_nothing() -> None:
    said = prepare()
    password = said.split("password ")[1].split()[0]
    root = User.objects.get(is_superuser=True)
    assert root.username == "admin"
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


def test_a_default_label_set_that_does_not_exist_is_told_of(settings: Settings) -> None:
    settings.DEFAULT_LABEL_SET = "names"
    errors = StringIO()
    call_command("prepare_site", stdout=StringIO(), stderr=errors)
    assert "DEFAULT_LABEL_SET=names names a label set that does not exist" in errors.getvalue()
    assert User.objects.exists(), "the site starts, so that somebody can make it"


@pytest.mark.parametrize("nothing", ["", "  "])
def test_a_name_that_is_set_to_nothing_is_not_set(monkeypatch: pytest.MonkeyPatch, nothing: str) -> None:
    monkeypatch.setenv("SUPERUSER_USERNAME", nothing)
    prepare()
    assert User.objects.get().username == "admin"


@pytest.mark.parametrize("taken", ["admin", "Admin"])
def test_a_name_that_somebody_has_stops_it_before_anything_is_made(settings: Settings, taken: str) -> None:
    make_user(taken)
    with pytest.raises(CommandError, match=r"'admin' is not one.*SUPERUSER_USERNAME"):
        prepare()
    assert not User.objects.get().is_superuser
    assert not ModelVersion.objects.exists()
    assert not Path(settings.STATIC_ROOT).exists()


def test_a_name_that_somebody_has_does_not_matter_where_there_is_a_superuser() -> None:
    make_user("admin")
    make_superuser("root")
    prepare()
    assert set(User.objects.filter(is_superuser=True).values_list("username", flat=True)) == {"root"}


def test_after_it_the_site_has_one_active_model() -> None:
    prepare()
    assert ModelVersion.objects.filter(active=True).count() == 1


@pytest.mark.parametrize("command", ["prepare_site", "install_models"])
@pytest.mark.parametrize("name", install_models.FILES)
def test_without_the_bundled_model_it_says_which_file_is_missing(
    weights: Path, settings: Settings, command: str, name: str
) -> None:
    (weights / name).unlink()
    with pytest.raises(CommandError) as caught:
        call_command(command, stdout=StringIO())
    assert str(caught.value).startswith(f"{weights / name} is missing")
    assert "whole repository anew" in str(caught.value)
    model = Path(name).stem
    assert f"there, as {model}.onnx and {model}.json." in str(caught.value)
    assert not Path(settings.STATIC_ROOT).exists()
    assert not ModelVersion.objects.exists()


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("postgres://ada:hunter2@127.0.0.1:1/faces", "Connection refused"),
        ("sqlite:////no/such/folder/db.sqlite3", "unable to open database file"),
    ],
)
def test_a_database_out_of_reach_is_one_sentence(tmp_path: Path, url: str, reason: str) -> None:
    done = subprocess.run(
        [sys.executable, "manage.py", "prepare_site"],
        cwd=ROOT,
        env={
            "ENV_FILE": os.devnull,
            "SECRET_KEY": string.ascii_letters,
            "DATA_DIR": str(tmp_path),
            "DATABASE_URL": url,
        },
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert re.fullmatch(rf"CommandError: The database of DATABASE_URL .*{reason}.*\n", done.stderr)
    assert "hunter2" not in done.stderr


def test_so_is_one_that_can_only_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    def clear_away() -> None:
        raise OperationalError("attempt to write a readonly database")

    monkeypatch.setattr(prepare_site, "clear_away", clear_away)
    with pytest.raises(CommandError, match=r"DATABASE_URL .* readonly"):
        prepare()


def test_expired_sessions_go() -> None:
    for key, days in (("over", -1), ("valid", 1)):
        Session.objects.create(session_key=key, expire_date=timezone.now() + timedelta(days=days))
    prepare()
    assert [session.session_key for session in Session.objects.all()] == ["valid"]


def test_results_of_tasks_that_ended_long_ago_go(ada: User) -> None:
    export = DataExport.objects.create(owner=ada)
    ended = {"long ago": 15, "lately": 1}
    for days in ended.values():
        result = write_export.enqueue(str(export.pk))
        DBTaskResult.objects.filter(pk=result.id).update(
            status="SUCCESSFUL", finished_at=timezone.now() - timedelta(days=days)
        )
    waiting = write_export.enqueue(str(export.pk))
    prepare()
    left = DBTaskResult.objects.all()
    assert {result.finished_at and (timezone.now() - result.finished_at).days for result in left} == {None, 1}
    assert left.filter(pk=waiting.id).exists()


def test_what_a_killed_process_left_of_an_upload_goes(settings: Settings) -> None:
    left, arriving = (settings.FILE_UPLOAD_TEMP_DIR / name for name in ("left.upload", "arriving.upload"))
    for path, age in ((left, DAY_S + 60), (arriving, 60)):
        path.write_bytes(b"x")
        os.utime(path, (time.time() - age,) * 2)
    prepare()
    assert list(settings.FILE_UPLOAD_TEMP_DIR.iterdir()) == [arriving]
