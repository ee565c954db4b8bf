"""What is asked for in the admin is done by the worker, with its progress and its end on a row."""

from __future__ import annotations

import io
import zipfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import timezone
from pytest_django import Settings

from classifier.handover import set_consent
from classifier.models import Label, LabelSet, User
from classifier.vision.image import encode_png
from labeling import jobs
from labeling.curation import settle_example
from labeling.jobs import JobRefusedError, confirm_import, request_job, run_job
from labeling.models import DatasetJob, DatasetVersion, Example
from tests.crops import crop, face_showing
from tests.labeling.files import fer_file, fer_rows

pytestmark = pytest.mark.django_db

Kind, State = DatasetJob.Kind, DatasetJob.State


@pytest.fixture
def label_set(db: None) -> LabelSet:
    return LabelSet.objects.get(slug="expressions")


def sent(path: Path, name: str = "") -> SimpleUploadedFile:
    return SimpleUploadedFile(name or path.name, path.read_bytes())


def ask(kind: DatasetJob.Kind, by: User, **options: Any) -> DatasetJob:
    job = request_job(kind, LabelSet.objects.get(slug="expressions"), by=by, **options)
    job.refresh_from_db()
    return job


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    return fer_file(tmp_path / "fer.csv", fer_rows(range(9)))


def test_an_import_is_planned_first_and_added_once_confirmed(rows: Path, root: User) -> None:
    job = ask(Kind.IMPORT, root, given=sent(rows), dry_run=True)
    assert (job.state, job.report["added"], Example.objects.count()) == (State.PLANNED, 9, 0)
    confirm_import(job)
    job.refresh_from_db()
    assert (job.state, job.report["added"], Example.objects.count()) == (State.DONE, 9, 9)
    assert set(Example.objects.values_list("origin", "added_by__username")) >= {("fer.csv, line 2", "root")}
    with pytest.raises(JobRefusedError):
        confirm_import(job)


def test_the_files_that_were_sent_go_once_the_import_has_ended(rows: Path, root: User) -> None:
    job = ask(Kind.IMPORT, root, given=sent(rows), dry_run=True)
    name = str(job.given.name)
    assert default_storage.exists(name)
    confirm_import(job)
    assert not default_storage.exists(name)


def test_a_refused_import_says_why(root: User, tmp_path: Path) -> None:
    damaged = fer_file(tmp_path / "fer.csv", [*fer_rows(range(5)), "3,1 2,Training"])
    job = ask(Kind.IMPORT, root, given=sent(damaged), dry_run=True)
    assert (job.state, job.report["refused"]) == (State.REFUSED, 1)
    assert "line 7" in job.report["sentence"]
    job = ask(Kind.IMPORT, root, given=SimpleUploadedFile("x.csv", b"hello"), dry_run=True)
    assert (job.state, "no known format" in job.report["sentence"]) == (State.REFUSED, True)


def test_an_archive_of_folders_is_unpacked_within_its_place(root: User) -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("faces/happy/one.png", encode_png(crop(1)))
        archive.writestr("../../sad/two.png", encode_png(crop(2)))
        archive.writestr("__MACOSX/faces/happy/._one.png", b"")
        archive.writestr("../escaped.png", encode_png(crop(3)))
    job = ask(Kind.IMPORT, root, given=SimpleUploadedFile("faces.zip", file.getvalue()), dry_run=False)
    assert (job.state, job.report["added"]) == (State.DONE, 2), job.report
    assert set(Example.objects.values_list("label__slug", flat=True)) == {"happy", "sad"}


def test_files_of_one_name_in_different_places_of_an_archive_are_all_read(root: User) -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("one/happy/1.png", encode_png(crop(1)))
        archive.writestr("two/happy/1.png", encode_png(crop(2)))
    job = ask(Kind.IMPORT, root, given=SimpleUploadedFile("faces.zip", file.getvalue()), dry_run=False)
    assert (job.state, job.report["added"]) == (State.DONE, 2), job.report


def test_an_archive_that_unpacks_to_too_much_is_refused(root: User, settings: Settings) -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("faces/happy/1.png", bytes(5_000_000))
    settings.MAX_IMPORT_BYTES = 1_000_000
    job = ask(Kind.IMPORT, root, given=SimpleUploadedFile("faces.zip", file.getvalue()), dry_run=False)
    assert job.state == State.REFUSED
    assert "would unpack to more than 4 MB" in job.report["sentence"]


@pytest.mark.parametrize("format_name", ["csv", "folders", "parquet"])
def test_an_export_is_a_file(format_name: str, rows: Path, root: User) -> None:
    ask(Kind.IMPORT, root, given=sent(rows), dry_run=False)
    job = ask(Kind.EXPORT, root, format_name=format_name)
    assert (job.state, job.report) == (State.DONE, {"examples": 9})
    assert job.file.size > 1000


def test_a_freeze_is_a_version(rows: Path, root: User) -> None:
    assert ask(Kind.FREEZE, root).state == State.REFUSED
    ask(Kind.IMPORT, root, given=sent(rows), dry_run=False)
    job = ask(Kind.FREEZE, root)
    assert (job.state, job.report["digest"]) == (State.DONE, DatasetVersion.objects.get().digest)


def test_a_second_job_of_a_kind_waits_until_the_first_is_done_or_lost(
    label_set: LabelSet, root: User
) -> None:
    first = DatasetJob.objects.create(kind=Kind.FREEZE, label_set=label_set, state=State.RUNNING)
    with pytest.raises(JobRefusedError, match="not done yet"):
        request_job(Kind.FREEZE, label_set, by=root)
    request_job(Kind.DOUBTS, label_set, by=root)
    DatasetJob.objects.filter(pk=first.pk).update(progress_at=timezone.now() - timedelta(minutes=11))
    assert request_job(Kind.FREEZE, label_set, by=root)


def test_what_fails_unforeseen_is_marked_so(
    label_set: LabelSet, root: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*arguments: Any) -> Any:
        raise OSError("disk full")

    monkeypatch.setitem(jobs._DO, Kind.FREEZE, broken)
    job = DatasetJob.objects.create(kind=Kind.FREEZE, label_set=label_set, requested_by=root)
    with pytest.raises(OSError, match="disk full"):
        run_job(job.pk)
    job.refresh_from_db()
    assert job.state == State.FAILED


def test_taking_a_photograph_back_removes_exports_and_stops_one_that_is_being_written(
    label_set: LabelSet, ada: User, root: User
) -> None:
    face = face_showing(crop(1), ada)
    happy = Label.objects.get(label_set=label_set, slug="happy")
    settle_example(face=face, label_set=label_set, label=happy, votes={}, labeler=root)
    done = ask(Kind.EXPORT, root, format_name="csv")
    running = DatasetJob.objects.create(kind=Kind.EXPORT, label_set=label_set, state=State.RUNNING)
    name = str(done.file.name)
    set_consent(face.upload, False)
    for job in (done, running):
        job.refresh_from_db()
    assert (done.file.name, default_storage.exists(name)) == ("", False)
    late = default_storage.save("datasets/exports/late.csv", ContentFile(b"label,pixels"))
    jobs._end(running, State.DONE, file=late)
    running.refresh_from_db()
    assert (running.state, running.file.name, default_storage.exists(late)) == (State.FAILED, "", False)


def test_files_of_a_week_ago_go_with_the_next_job(rows: Path, root: User) -> None:
    ask(Kind.IMPORT, root, given=sent(rows), dry_run=False)
    export = ask(Kind.EXPORT, root, format_name="csv")
    planned = ask(Kind.IMPORT, root, given=sent(rows, "again.csv"), dry_run=True)
    assert planned.state == State.DONE, "nothing to add, nothing to confirm"
    DatasetJob.objects.update(created_at=timezone.now() - timedelta(days=8))
    ask(Kind.FREEZE, root)
    assert not default_storage.exists(str(export.file.name))
    assert not DatasetJob.objects.exclude(file="").exists()
