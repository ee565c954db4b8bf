"""Taking data out, and erasing it."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path, PurePosixPath

import pytest
from django.core.files.storage import default_storage
from django.db import connection, connections
from django.db.models import QuerySet
from django.test import TestCase
from django.utils import timezone
from django_tasks.backends.dummy import DummyBackend
from PIL import Image
from pytest_django import Settings

from classifier import accounts
from classifier.accounts import delete_uploads, erase_account, request_export, run_export
from classifier.feedback import give_feedback
from classifier.models import DataExport, Face, Label, Prediction, Upload, User
from classifier.results import describe_upload
from tests.factories import make_upload

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def worker_that_waits(settings: Settings) -> None:
    """Tasks are queued and not run: the tests call what the worker would."""
    settings.TASKS = {"default": {"BACKEND": "django_tasks.backends.dummy.DummyBackend"}}


def files(settings: Settings) -> set[str]:
    media = Path(settings.MEDIA_ROOT)
    return {str(path.relative_to(media)) for path in media.rglob("*") if path.is_file()}


@pytest.fixture
def shared_database(db: None, tmp_path: Path) -> Iterator[None]:
    """One that other connections can write to: on SQLite a file, of which the test's own is in memory."""
    if connection.vendor != "sqlite":
        yield
        return
    in_memory = connections["default"]
    in_file = in_memory.copy()
    in_file.settings_dict["NAME"] = tmp_path / "db.sqlite3"
    in_file.ensure_connection()
    with in_file.constraint_checks_disabled():
        in_file.connection.executescript("".join(in_memory.connection.iterdump()))
    connections["default"] = in_file
    yield
    in_file.close()
    connections["default"] = in_memory


def archives(settings: Settings) -> set[str]:
    return {name for name in files(settings) if name.startswith("exports")}


def test_deleting_takes_files_and_rows_and_only_what_was_asked(ada: User, settings: Settings) -> None:
    gone, kept = make_upload(ada, shows=["happy", "sad"]), make_upload(ada)
    assert delete_uploads(ada, [gone.pk]) == 1
    assert list(Upload.objects.all()) == [kept]
    assert Face.objects.count() == Prediction.objects.count() == 1
    assert {name for name in files(settings) if "uploads" in name} == {kept.photo.name, kept.thumbnail.name}


def test_nobody_deletes_what_is_not_theirs(ada: User, bob: User) -> None:
    upload = make_upload(ada)
    assert delete_uploads(bob, [upload.pk]) == 0
    assert default_storage.exists(str(upload.photo.name))


def test_a_file_that_will_not_go_keeps_its_row(ada: User, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(name: str) -> None:
        raise OSError("read-only")

    upload = make_upload(ada)
    monkeypatch.setattr(default_storage, "delete", refuse)
    with pytest.raises(OSError, match="read-only"):
        delete_uploads(ada, [upload.pk])
    assert Upload.objects.filter(pk=upload.pk).exists()


def test_many_uploads_are_erased_in_batches(ada: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accounts, "ERASE_AT_ONCE", 2)
    for _ in range(5):
        make_upload(ada, shows=[])
    assert delete_uploads(ada, list(ada.uploads.values_list("pk", flat=True))) == 5


def test_erasing_an_account_leaves_nothing_of_it_and_all_of_others(
    ada: User, bob: User, settings: Settings
) -> None:
    others = make_upload(bob)
    make_upload(ada)
    run_export(request_export(ada).pk)
    erase_account(ada)
    assert list(User.objects.all()) == [bob]
    assert list(Upload.objects.all()) == [others]
    assert not DataExport.objects.exists()
    left = {name for name in files(settings) if not name.startswith("artifacts")}
    assert left == {others.photo.name, others.thumbnail.name}


def test_an_export_holds_everything(ada: User, bob: User) -> None:
    make_upload(bob, name="not-yours.jpg")
    upload = make_upload(ada, shows=["happy", "sad"], name="../été 😀.png")
    fear = Label.objects.get(slug="fear")
    face = upload.faces.get(position=0)
    give_feedback(face=face, label_set=fear.label_set, user=ada, said="wrong", label=fear)
    export = request_export(ada)
    run_export(export.pk)
    export.refresh_from_db()
    assert (export.state, export.total) == ("ready", 1)
    with export.archive.open("rb") as file:
        archive = zipfile.ZipFile(io.BytesIO(file.read()))
    folder = f"uploads/{upload.created_at:%Y-%m-%d}-{upload.pk.hex[:12]}"
    assert sorted(archive.namelist()) == [
        "account.json",
        *(f"{folder}/{name}" for name in ("face-1.png", "face-2.png", "photo.jpg", "result.json")),
    ]
    account = json.loads(archive.read("account.json"))
    assert account["username"] == "ada"
    (said,) = account["feedback"]
    assert (said["upload"], said["face"], said["said"], said["label"]) == (str(upload.pk), 1, "wrong", "fear")
    result = json.loads(archive.read(f"{folder}/result.json"))
    assert result["name"] == "../été 😀.png"
    assert [face["label"] for face in result["faces"]] == ["happy", "sad"]
    assert Image.open(io.BytesIO(archive.read(f"{folder}/face-1.png"))).size == (112, 112)


def test_an_export_of_many_goes_on_while_others_write(
    shared_database: None, ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def somebody_else_writes(upload: Upload) -> dict[str, object]:
        with other.cursor() as cursor:
            cursor.execute("UPDATE django_migrations SET applied = CURRENT_TIMESTAMP")
        return describe_upload(upload)

    uploads = [make_upload(ada, shows=()) for _ in range(25)]
    monkeypatch.setattr(accounts, "EXPORT_AT_ONCE", 22)
    monkeypatch.setattr(accounts, "describe_upload", somebody_else_writes)
    export = request_export(ada)
    with closing(connection.copy()) as other:
        run_export(export.pk)
    export.refresh_from_db()
    assert (export.state, export.done) == ("ready", 20)
    with export.archive.open("rb") as file:
        names = [PurePosixPath(name) for name in zipfile.ZipFile(io.BytesIO(file.read())).namelist()]
    written = [path.parent.name[-12:] for path in names if path.name == "photo.jpg"]
    assert written == [upload.pk.hex[:12] for upload in reversed(uploads)]


def test_asking_twice_makes_one_export(ada: User) -> None:
    assert request_export(ada) == request_export(ada)
    assert DataExport.objects.count() == 1


def test_a_new_export_replaces_the_old_archive(ada: User, settings: Settings) -> None:
    first = request_export(ada)
    run_export(first.pk)
    with TestCase.captureOnCommitCallbacks(execute=True):
        second = request_export(ada)
    run_export(second.pk)
    assert list(DataExport.objects.all()) == [second]
    assert archives(settings) == {f"exports/{second.pk.hex}.zip"}


def test_an_export_that_cannot_be_queued_leaves_the_old_one(
    ada: User, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*arguments: object) -> None:
        raise RuntimeError("no queue")

    first = request_export(ada)
    run_export(first.pk)
    monkeypatch.setattr(DummyBackend, "enqueue", refuse)
    with pytest.raises(RuntimeError, match="no queue"):
        request_export(ada)
    assert list(DataExport.objects.all()) == [first]
    assert archives(settings) == {f"exports/{first.pk.hex}.zip"}


def test_what_is_deleted_is_in_no_archive_either(ada: User, settings: Settings) -> None:
    upload = make_upload(ada)
    run_export(request_export(ada).pk)
    delete_uploads(ada, [upload.pk])
    assert not DataExport.objects.exists()
    assert not archives(settings)


def test_an_archive_of_last_week_goes_when_the_next_is_written(
    ada: User, bob: User, settings: Settings
) -> None:
    old = request_export(ada)
    run_export(old.pk)
    DataExport.objects.update(created_at=timezone.now() - timedelta(days=8))
    new = request_export(bob)
    run_export(new.pk)
    assert archives(settings) == {f"exports/{new.pk.hex}.zip"}


def test_an_export_lost_with_its_worker_can_be_asked_for_again(ada: User) -> None:
    lost = request_export(ada)
    DataExport.objects.update(state="running", progress_at=timezone.now() - timedelta(minutes=11))
    assert request_export(ada) != lost


def test_a_photograph_without_its_file_does_not_stop_the_export(ada: User) -> None:
    upload = make_upload(ada)
    default_storage.delete(str(upload.photo.name))
    export = request_export(ada)
    run_export(export.pk)
    export.refresh_from_db()
    assert export.state == "ready"
    with export.archive.open("rb") as file:
        names = [PurePosixPath(name).name for name in zipfile.ZipFile(io.BytesIO(file.read())).namelist()]
    assert sorted(names) == ["account.json", "face-1.png", "photo-is-missing.txt", "result.json"]


def test_an_export_that_fails_says_so_and_leaves_no_archive(
    ada: User, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: object) -> None:
        raise OSError("disk full")

    export = request_export(ada)
    monkeypatch.setattr(default_storage, "save", fail)
    with pytest.raises(OSError, match="disk full"):
        run_export(export.pk)
    export.refresh_from_db()
    assert export.state == "failed"
    assert not archives(settings)


def test_two_workers_write_one_export_once(ada: User, settings: Settings) -> None:
    export = request_export(ada)
    run_export(export.pk)
    run_export(export.pk)
    assert len(archives(settings)) == 1


def test_an_erasure_that_fails_can_be_asked_for_again(
    ada: User, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(name: str) -> None:
        raise OSError("read-only")

    make_upload(ada)
    with monkeypatch.context() as failing:
        failing.setattr(default_storage, "delete", refuse)
        with pytest.raises(OSError, match="read-only"):
            erase_account(ada)
    assert User.objects.get(pk=ada.pk).is_active
    erase_account(ada)
    assert not User.objects.filter(username="ada").exists()


def test_a_photograph_that_arrives_during_the_erasure_goes_too(
    ada: User, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def late() -> QuerySet[User]:
        make_upload(ada)
        return lock()

    lock = User.objects.select_for_update
    monkeypatch.setattr(User.objects, "select_for_update", late)
    erase_account(ada)
    assert not Upload.objects.exists()
    assert not [name for name in files(settings) if name.startswith("uploads")]
