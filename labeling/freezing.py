"""The examples of one moment become a version: a file that is named by its digest, and never changes."""

from __future__ import annotations

import hashlib
import tempfile
from collections import Counter
from typing import IO

from django.conf import settings
from django.core.files import File
from django.core.files.storage import default_storage
from django.db import transaction

from classifier.models import LabelSet, User

from .exporting import Written, silent, write_parquet
from .import_plan import Progress
from .models import DatasetVersion, Example

TRIES = 3
ROWS_AT_ONCE = 500


class NothingToFreezeError(ValueError):
    """The label set has no examples."""


class TakenBackError(RuntimeError):
    """A user took back a face of the file that was being written."""


def freeze_dataset(
    label_set: LabelSet, *, by: User | None = None, progress: Progress = silent
) -> DatasetVersion:
    """Write the label set's examples as a version; the same examples give the version that is there already.

    Should a user take a face back meanwhile, it is written anew. Raises NothingToFreezeError, and
    TakenBackError after the last of TRIES.
    """
    for _attempt in range(TRIES - 1):
        try:
            return _freeze(label_set, by, progress)
        except TakenBackError:
            continue
    return _freeze(label_set, by, progress)


def _freeze(label_set: LabelSet, by: User | None, progress: Progress) -> DatasetVersion:
    with tempfile.TemporaryFile(dir=settings.FILE_UPLOAD_TEMP_DIR) as file:
        written = write_parquet(file, label_set, progress)
        if not written:
            raise NothingToFreezeError(f"The dataset of {label_set.slug} has no examples yet.")
        file.flush()
        return _keep(file, written, label_set, by)


@transaction.atomic
def _keep(file: IO[bytes], written: list[Written], label_set: LabelSet, by: User | None) -> DatasetVersion:
    # Who takes faces back holds this row too: either they find this version, or their faces are missed here.
    LabelSet.objects.select_for_update(no_key=True).get(pk=label_set.pk)
    of_users = {one.id: one.face_id for one in written if one.face_id}
    if Example.objects.only("pk").in_bulk(of_users).keys() != of_users.keys():
        raise TakenBackError("Faces in this dataset were taken back while it was being frozen: try again.")
    size = file.seek(0, 2)
    file.seek(0)
    digest = hashlib.file_digest(file, "sha256").hexdigest()  # type: ignore[arg-type]
    known = DatasetVersion.objects.filter(digest=digest, erased_at__isnull=True).first()
    if known and known.file.storage.exists(str(known.file.name)):
        return known
    name = f"datasets/{digest}.parquet"
    # A file of this name is left of a version that was not kept.
    default_storage.delete(name)
    name = default_storage.save(name, File(file))
    try:
        return _row(digest, name, size, written, label_set, by)
    except BaseException:
        default_storage.delete(name)
        raise


def _row(
    digest: str, name: str, size: int, written: list[Written], label_set: LabelSet, by: User | None
) -> DatasetVersion:
    version, _made = DatasetVersion.objects.update_or_create(
        digest=digest,
        defaults={"file": name, "erased_at": None},
        create_defaults={
            "file": name,
            "label_set": label_set,
            "size": size,
            "examples": len(written),
            "counts": _count(written),
            "created_by": by,
        },
    )
    held = DatasetVersion.faces.through
    held.objects.bulk_create(
        (held(datasetversion=version, face_id=one.face_id) for one in written if one.face_id),
        batch_size=ROWS_AT_ONCE,
        ignore_conflicts=True,
    )
    return version


def _count(written: list[Written]) -> dict[str, dict[str, int]]:
    counted: dict[str, Counter[str]] = {}
    for one in written:
        counted.setdefault(one.split, Counter())[one.label] += 1
    return {split: dict(sorted(labels.items())) for split, labels in sorted(counted.items())}
