"""A ZIP of photographs: taken in by a web process, read by the worker."""

from __future__ import annotations

import io
import struct
import uuid
import zipfile
import zlib
from collections.abc import Sequence
from pathlib import PurePosixPath
from typing import IO

from django.conf import settings
from django.core.files import File
from django.core.files.storage import default_storage
from django.db import IntegrityError, transaction
from django.utils import timezone

from classifier.models import LabelSet, Upload, User
from classifier.pipeline import store_photograph
from classifier.vision.image import ImageDecodeError

from .models import Bulk, BulkFile

# The end of a ZIP's directory (APPNOTE.TXT 4.3.16), and what stands before it in a ZIP64.
END, END_SIGNATURE, ZIP64_LOCATOR = struct.Struct("<4s4H2LH"), b"PK\x05\x06", b"PK\x06\x07"
LONGEST_COMMENT = 65_535
# Python reads the whole directory into memory, and 46 bytes of it make an object of 500.
DIRECTORY_BYTES_PER_FILE = 400
READ = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
# What Python raises where an entry is not as the directory says, or its name is in no encoding.
DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    RuntimeError,
    NotImplementedError,
    EOFError,
    UnicodeDecodeError,
)


class NoLabelSetError(LookupError):
    """What an archive was to be read under is gone, or no longer for its owner."""


class ArchiveError(ValueError):
    """Not an archive that can be read. `str(error)` is a sentence for whoever sent it."""


def photographs_in(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    """The files that somebody meant to send, without folders and what operating systems add."""
    return [
        entry
        for entry in archive.infolist()
        if not entry.is_dir()
        and not any(part.startswith((".", "__MACOSX")) for part in PurePosixPath(entry.filename).parts)
    ]


def send_bulk(*, owner: User, file: IO[bytes], label_sets: Sequence[LabelSet], consent: bool) -> Bulk:
    """Keep the archive for the worker. Raises ArchiveError when it is none, or too much."""
    from .tasks import read_bulk

    total = _count(file)
    bulk = Bulk(owner=owner, consent=consent, total=total)
    file.seek(0)
    bulk.archive.name = default_storage.save(f"bulks/{bulk.pk.hex}.zip", File(file))
    try:
        with transaction.atomic():
            bulk.save(force_insert=True)
            bulk.label_sets.set(label_sets)
            read_bulk.enqueue(str(bulk.pk))
    except BaseException:
        default_storage.delete(bulk.archive.name)
        raise
    return bulk


def _count(file: IO[bytes]) -> int:
    _check_directory(file)
    try:
        with zipfile.ZipFile(file) as archive:
            total = len(photographs_in(archive))
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise ArchiveError("This is no ZIP archive, or a damaged one.") from error
    if not total:
        raise ArchiveError("There is no file in this archive.")
    if total > settings.MAX_BULK_FILES:
        raise ArchiveError(
            f"This archive has {total} files; at most {settings.MAX_BULK_FILES} can be sent together."
        )
    return total


def _check_directory(file: IO[bytes]) -> None:
    """Looks at how large the directory says it is, before Python reads it whole."""
    size = file.seek(0, io.SEEK_END)
    file.seek(max(0, size - END.size - LONGEST_COMMENT))
    tail = file.read()
    at = tail.rfind(END_SIGNATURE)
    if at < 0 or len(tail) - at < END.size:
        raise ArchiveError("This is no ZIP archive, or a damaged one.")
    directory_bytes = END.unpack_from(tail, at)[5]
    is_zip64 = tail[max(0, at - 20) : at].startswith(ZIP64_LOCATOR)
    if is_zip64 or directory_bytes > settings.MAX_BULK_FILES * DIRECTORY_BYTES_PER_FILE:
        raise ArchiveError(
            f"This archive has more files than can be sent together, which is {settings.MAX_BULK_FILES}."
        )


def run_bulk(bulk_id: uuid.UUID) -> None:
    """Read a waiting archive's photographs. Does nothing when another worker has it, or it is gone.

    Each photograph stands for itself, and what was read of an archive that could not be finished stays.
    """
    _give_up_lost()
    waiting = Bulk.objects.filter(pk=bulk_id, state=Bulk.State.WAITING)
    if not waiting.update(state=Bulk.State.RUNNING, progress_at=timezone.now()):
        return
    bulk = Bulk.objects.select_related("owner").get(pk=bulk_id)
    try:
        label_sets = _label_sets_of(bulk)
        with bulk.archive.open("rb") as file, zipfile.ZipFile(file) as archive:
            for position, entry in enumerate(photographs_in(archive)):
                if not _read_one(bulk, archive, position, entry, label_sets):
                    break
    except BaseException:
        Bulk.objects.filter(pk=bulk_id).update(state=Bulk.State.FAILED)
        raise
    finally:
        default_storage.delete(str(bulk.archive.name))
    Bulk.objects.filter(pk=bulk_id).update(state=Bulk.State.DONE)


def _label_sets_of(bulk: Bulk) -> list[str]:
    """Those that its owner may still read with. Raises NoLabelSetError where none is left."""
    found = LabelSet.objects.readable_by(bulk.owner).filter(pk__in=bulk.label_sets.all())
    if not found:
        raise NoLabelSetError(f"Archive {bulk.pk} was to be read under label sets that are gone.")
    return [label_set.slug for label_set in found]


def _read_one(
    bulk: Bulk, archive: zipfile.ZipFile, position: int, entry: zipfile.ZipInfo, label_sets: Sequence[str]
) -> bool:
    """False when there is no longer anybody to read it for."""
    name = (PurePosixPath(entry.filename).name or "photograph")[:200]
    outcome = BulkFile(bulk=bulk, position=position, name=name)
    try:
        outcome.upload = _store(bulk, archive, entry, name, label_sets)
    except (ImageDecodeError, ArchiveError) as error:
        outcome.error = str(error)
    except IntegrityError:
        return False  # the account was erased meanwhile
    with transaction.atomic():
        if not Bulk.objects.filter(pk=bulk.pk).update(progress_at=timezone.now()):
            return False
        outcome.save()
    return True


def _store(
    bulk: Bulk, archive: zipfile.ZipFile, entry: zipfile.ZipInfo, name: str, label_sets: Sequence[str]
) -> Upload:
    try:
        if entry.compress_type not in READ:
            raise NotImplementedError
        with archive.open(entry) as file:
            # What an entry says of its size is only what it says.
            content = file.read(settings.MAX_UPLOAD_BYTES + 1)
    except DAMAGED as error:
        raise ArchiveError("This file is damaged, encrypted, or packed in a way that is not read.") from error
    if len(content) > settings.MAX_UPLOAD_BYTES:
        raise ArchiveError(f"This file is larger than {settings.MAX_UPLOAD_MB} MB.")
    return store_photograph(
        owner=bulk.owner,
        name=name,
        file=io.BytesIO(content),
        consent=bulk.consent,
        label_sets=label_sets,
    )


def state_of(bulk: Bulk) -> Bulk.State:
    """Its state, for whoever waits for it: one whose worker died has failed, whatever its row still says."""
    return Bulk.State.FAILED if bulk.lost else Bulk.State(bulk.state)


def _give_up_lost() -> None:
    """Archives that a killed worker left behind."""
    for bulk in Bulk.lost_ones():
        default_storage.delete(str(bulk.archive.name))
        Bulk.objects.filter(pk=bulk.pk).update(state=Bulk.State.FAILED)
