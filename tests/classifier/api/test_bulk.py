"""A ZIP of photographs: taken in at once, read by a real worker, and safe against archives that mean harm."""

from __future__ import annotations

import io
import struct
import zipfile
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import timezone
from pytest_django import Settings

from classifier.accounts import erase_account
from classifier.api import bulk as bulks
from classifier.api.bulk import run_bulk
from classifier.api.models import Bulk, BulkFile
from classifier.models import ModelVersion, Upload, User
from classifier.serving import NoActiveModelError
from tests.classifier.api.conftest import Work
from tests.factories import make_active_model
from tests.photographs import astronaut, grace_hopper

BULK = "/api/v1/bulk/"
pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def model(db: None) -> None:
    make_active_model()


def zip_of(files: dict[str, bytes]) -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as opened:
        for name, content in files.items():
            opened.writestr(name, content)
    return archive.getvalue()


def send(api: Client, archive: bytes, **fields: Any) -> Any:
    return api.post(BULK, {"archive": SimpleUploadedFile("a.zip", archive), **fields})


def archives_kept(settings: Settings) -> list[Path]:
    return list((Path(settings.MEDIA_ROOT) / "bulks").glob("*"))


HOLIDAY = {"summer/collins.jpg": astronaut(), "letter.txt": b"Dear Ada,", "hopper.jpg": grace_hopper()}


# A worker closes its connection, and what was not committed with it.
@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_a_worker_reads_what_was_sent(api: Client, ada: User, work: Work, settings: Settings) -> None:
    answer = send(api, zip_of(HOLIDAY), consent="true")
    assert answer.status_code == 202
    said = answer.json()
    assert (said["state"], said["total"], said["done"], said["files"]) == ("waiting", 3, 0, [])
    assert len(archives_kept(settings)) == 1
    work()
    said = api.get(answer["Location"]).json()
    assert (said["state"], said["done"]) == ("done", 3)
    collins, letter, hopper = said["files"]
    assert (collins["name"], letter["name"], hopper["name"]) == ("collins.jpg", "letter.txt", "hopper.jpg")
    assert letter["upload"] is None
    assert letter["error"].startswith("This file is not a picture.")
    assert archives_kept(settings) == []
    results = api.get(said["results"]).json()["results"]
    assert {result["id"] for result in results} == {collins["upload"], hopper["upload"]}
    assert all(upload.owner == ada and upload.consent for upload in Upload.objects.all())


def test_what_systems_add_to_archives_is_left_out(api: Client) -> None:
    files = {"__MACOSX/._a.jpg": b"x", ".DS_Store": b"x", "folder/": b"", "a.jpg": astronaut()}
    said = api.get(send(api, zip_of(files))["Location"]).json()
    assert [file["name"] for file in said["files"]] == ["a.jpg"]


def test_an_upload_that_is_deleted_is_no_longer_listed(api: Client) -> None:
    address = send(api, zip_of({"a.jpg": astronaut()}))["Location"]
    [file] = api.get(address).json()["files"]
    api.delete(f"/api/v1/uploads/{file['upload']}/")
    assert api.get(address).json()["files"] == []


def packed(how: int, content: bytes) -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", how) as opened:
        opened.writestr("a.jpg", content)
    return archive.getvalue()


def named_in_no_encoding(archive: bytes) -> bytes:
    """Its own header says that its name is UTF-8, which it is not."""
    flags = struct.pack("<H", 1 << 11)
    return archive[:6] + flags + archive[8:30] + b"\xff" + archive[31:]


def with_false_size(archive: bytes) -> bytes:
    """Says of its file that it has ten bytes."""
    at = archive.index(b"PK\x01\x02")
    return archive[: at + 24] + struct.pack("<L", 10) + archive[at + 28 :]


def encrypted(archive: bytes) -> bytes:
    at = archive.index(b"PK\x01\x02")
    changed = bytearray(archive)
    changed[at + 8] |= 1
    changed[6] |= 1
    return bytes(changed)


def with_a_huge_directory(archive: bytes) -> bytes:
    at = archive.rindex(b"PK\x05\x06")
    return archive[: at + 12] + struct.pack("<L", 500_000_000) + archive[at + 16 :]


def as_zip64(archive: bytes) -> bytes:
    at = archive.rindex(b"PK\x05\x06")
    return archive[:at] + b"PK\x06\x07" + bytes(16) + archive[at:]


ONE = zip_of({"a.jpg": astronaut()})


@pytest.mark.parametrize(
    ("archive", "said"),
    [
        (b"", "no ZIP"),
        (b"Dear Ada,", "no ZIP"),
        (ONE[:-30], "no ZIP"),
        (ONE[:40] + ONE[-22:], "no ZIP"),
        (zip_of({}), "no file"),
        (zip_of({"folder/": b""}), "no file"),
        (zip_of({f"{n}.jpg": b"" for n in range(9)}), "has 9 files; at most 5"),
        (with_a_huge_directory(ONE), "more files than"),
        (as_zip64(ONE), "more files than"),
    ],
    # By default their bytes, with the time in them, which may differ between pytest-xdist's workers.
    ids=[
        "empty",
        "text",
        "cut off",
        "without middle",
        "no file",
        "folder",
        "too many",
        "huge",
        "zip64",
    ],
)
def test_an_archive_that_cannot_be_read_is_refused_at_once(
    archive: bytes, said: str, api: Client, settings: Settings
) -> None:
    settings.MAX_BULK_FILES = 5
    answer = send(api, archive)
    assert (answer.status_code, answer.json()["type"]) == (400, "/api/problems/#invalid")
    [error] = answer.json()["errors"]
    assert error["field"] == "archive"
    assert said in error["detail"]
    assert not Bulk.objects.exists()
    assert archives_kept(settings) == []


@pytest.mark.parametrize(
    ("archive", "said"),
    [
        (zip_of({"bomb.jpg": bytes(3_000_000)}), "larger than 1 MB"),
        (with_false_size(zip_of({"bomb.jpg": bytes(3_000_000)})), "damaged"),
        (encrypted(ONE), "encrypted"),
        (ONE[:3000] + bytes(50) + ONE[3050:], "damaged"),
        (packed(zipfile.ZIP_BZIP2, astronaut()), "packed in a way that is not read"),
        (packed(zipfile.ZIP_LZMA, astronaut()), "packed in a way that is not read"),
        (named_in_no_encoding(ONE), "damaged"),
    ],
    ids=range(7),
)
def test_a_file_that_means_harm_does_not_take_the_others_with_it(
    archive: bytes, said: str, api: Client, settings: Settings
) -> None:
    settings.MAX_UPLOAD_BYTES, settings.MAX_UPLOAD_MB = 1_000_000, 1
    state = api.get(send(api, archive)["Location"]).json()
    assert state["state"] == "done"
    assert said in state["files"][0]["error"]


def test_an_archive_may_be_larger_than_a_photograph_but_not_without_end(
    api: Client, settings: Settings
) -> None:
    settings.MAX_UPLOAD_BYTES, settings.MAX_UPLOAD_MB = 100_000, 1
    settings.MAX_BULK_BYTES, settings.MAX_BULK_MB = 3_000_000, 3
    padded = io.BytesIO(ONE)
    with zipfile.ZipFile(padded, "a", zipfile.ZIP_STORED) as archive:
        archive.writestr("noise", bytes(2_000_000))
    assert send(api, padded.getvalue()).status_code == 202
    too_large = send(api, bytes(3_050_000))
    assert (too_large.status_code, too_large.json()["type"]) == (413, "/api/problems/#too-large")
    assert "archive may have" in too_large.json()["detail"]


def test_an_archive_is_read_once(api: Client, queued: None) -> None:
    send(api, ONE)
    [bulk] = Bulk.objects.all()
    run_bulk(bulk.pk)
    run_bulk(bulk.pk)
    assert Upload.objects.count() == 1


def test_an_archive_whose_worker_died_has_failed(api: Client, queued: None, settings: Settings) -> None:
    address = send(api, ONE)["Location"]
    long_ago = timezone.now() - Bulk.LOST_AFTER - timedelta(seconds=1)
    Bulk.objects.update(progress_at=long_ago)
    assert api.get(address).json()["state"] == "waiting", "a worker may be busy for hours"
    Bulk.objects.update(state="running")
    assert api.get(address).json()["state"] == "failed"
    assert len(archives_kept(settings)) == 1
    send(api, ONE)
    run_bulk(Bulk.objects.latest("created_at").pk)
    assert archives_kept(settings) == []
    assert Bulk.objects.earliest("created_at").state == "failed"


def test_an_archive_that_no_model_can_read_has_failed(api: Client, queued: None, settings: Settings) -> None:
    address = send(api, ONE)["Location"]
    ModelVersion.objects.update(active=False)
    with pytest.raises(NoActiveModelError):
        run_bulk(Bulk.objects.get().pk)
    assert api.get(address).json()["state"] == "failed"
    assert archives_kept(settings) == []


def test_an_erased_account_leaves_no_archive(
    api: Client, ada: User, queued: None, settings: Settings
) -> None:
    send(api, ONE)
    [bulk] = Bulk.objects.all()
    erase_account(ada)
    assert archives_kept(settings) == []
    run_bulk(bulk.pk)
    assert not BulkFile.objects.exists()
    assert not Upload.objects.exists()


def test_an_account_that_is_erased_while_its_archive_is_read_keeps_nothing(
    api: Client, ada: User, queued: None, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    send(api, zip_of({"a.jpg": astronaut(), "b.jpg": astronaut()}))
    store = bulks.store_photograph

    def store_then_erase(**photograph: Any) -> Upload:
        upload = store(**photograph)
        erase_account(ada)
        return upload

    monkeypatch.setattr(bulks, "store_photograph", store_then_erase)
    run_bulk(Bulk.objects.get().pk)
    assert not Upload.objects.exists()
    left = [path for path in Path(settings.MEDIA_ROOT).rglob("*") if path.suffix in {".jpg", ".zip"}]
    assert left == []
