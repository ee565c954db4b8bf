"""What a user may take away, and what is erased when they ask."""

from __future__ import annotations

import json
import tempfile
import uuid
import zipfile
from collections.abc import Callable, Iterable, Iterator
from datetime import timedelta
from itertools import chain
from pathlib import PurePosixPath
from typing import IO

from django.conf import settings
from django.core.files import File
from django.core.files.storage import default_storage
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from .api.models import Token
from .handover import take_back
from .history import batches_of
from .models import DataExport, Prediction, Upload, User
from .results import describe_upload

ERASE_AT_ONCE = 200
EXPORT_AT_ONCE = 200
EXPORT_KEPT_FOR = timedelta(days=7)
FRESH_FOR = timedelta(minutes=10)


def delete_uploads(user: User, ids: Iterable[uuid.UUID]) -> int:
    """Delete those of the user's uploads, files and rows together. Returns how many there were.

    The user's exports go too: what was deleted must not be left in an archive.
    """
    chosen = list(ids)
    deleted = 0
    for start in range(0, len(chosen), ERASE_AT_ONCE):
        with transaction.atomic():
            uploads = Upload.objects.owned_by(user).filter(pk__in=chosen[start : start + ERASE_AT_ONCE])
            files = _files_of(uploads)
            deleted += len(files) // 2
            take_back(uploads)
            uploads.delete()
            if files:
                files += _forget_exports(user.exports.all())
            # Before the commit: should a file refuse to go, its row stays, and can be deleted again.
            _delete_files(files)
    return deleted


def erase_account(user: User) -> None:
    """Delete the user with everything of theirs: uploads, faces, predictions, exports, files.

    Should it be stopped half-way, the account still stands, and the same call goes on.
    """
    while ids := list(Upload.objects.owned_by(user).values_list("pk", flat=True)[:ERASE_AT_ONCE]):
        delete_uploads(user, ids)
    with transaction.atomic():
        # From here on a new upload has to wait for this row, and will find no owner.
        User.objects.select_for_update().get(pk=user.pk)
        files = _files_of(user.uploads.all()) + _forget_exports(user.exports.all())
        files += user.bulks.values_list("archive", flat=True)
        take_back(user.uploads.all())
        user.delete()
        _delete_files(files)


def request_export(user: User) -> DataExport:
    """Ask the worker for a ZIP of everything; while one is being written, that one is returned."""
    from .tasks import write_export

    with transaction.atomic():
        # The user's row is the lock: two clicks make one export.
        User.objects.select_for_update().get(pk=user.pk)
        newest = user.exports.first()
        if newest and state_of(newest) in {DataExport.State.WAITING, DataExport.State.RUNNING}:
            return newest
        old = _forget_exports(user.exports.all())
        export = DataExport.objects.create(owner=user, total=user.uploads.count())
        write_export.enqueue(str(export.pk))
        transaction.on_commit(lambda: _delete_files(old))
    return export


def fresh_export(user: User) -> DataExport:
    """An archive that was finished just now, or else the one that the worker is asked for."""
    newest = user.exports.first()
    finished = newest and newest.state == DataExport.State.READY
    if newest and finished and newest.progress_at > timezone.now() - FRESH_FOR:
        return newest
    return request_export(user)


def state_of(export: DataExport) -> DataExport.State:
    """Its state, for whoever waits for it: one whose worker died has failed, whatever its row still says."""
    return DataExport.State.FAILED if export.lost else DataExport.State(export.state)


def run_export(export_id: uuid.UUID) -> None:
    """Write the archive of a waiting export. Does nothing when another worker has it, or it is gone.

    Archives of a week ago go, whoever they belong to.
    """
    forgotten = DataExport.objects.filter(created_at__lt=timezone.now() - EXPORT_KEPT_FOR)
    _delete_files(_forget_exports(forgotten))
    waiting = DataExport.objects.filter(pk=export_id, state=DataExport.State.WAITING)
    if not waiting.update(state=DataExport.State.RUNNING, progress_at=timezone.now()):
        return
    export = DataExport.objects.select_related("owner").get(pk=export_id)
    try:
        with tempfile.TemporaryFile(dir=settings.FILE_UPLOAD_TEMP_DIR) as temporary:
            _write_archive(temporary, export.owner, progress=_progress_of(export))
            temporary.seek(0)
            name = default_storage.save(_archive_name(export.pk), File(temporary))
    except BaseException:
        DataExport.objects.filter(pk=export_id).update(state=DataExport.State.FAILED)
        raise
    ready = DataExport.objects.filter(pk=export_id).update(
        state=DataExport.State.READY, archive=name, progress_at=timezone.now()
    )
    if not ready:  # the account was erased meanwhile
        default_storage.delete(name)


def _progress_of(export: DataExport) -> Callable[[int], None]:
    def note(done: int) -> None:
        if done % 20 == 0:
            DataExport.objects.filter(pk=export.pk).update(done=done, progress_at=timezone.now())

    return note


def _write_archive(target: IO[bytes], user: User, *, progress: Callable[[int], None]) -> None:
    # The photographs are JPEG already: compressing them again only costs time.
    with zipfile.ZipFile(target, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("account.json", _to_json(_describe_account(user)))
        for done, upload in enumerate(_all_uploads(user), start=1):
            folder = PurePosixPath("uploads", f"{upload.created_at:%Y-%m-%d}-{upload.pk.hex[:12]}")
            archive.writestr(str(folder / "result.json"), _to_json(describe_upload(upload)))
            _write_photograph(archive, folder, upload)
            for face in upload.faces.defer(None).order_by("position"):
                archive.writestr(str(folder / f"face-{face.position + 1}.png"), bytes(face.crop))
            progress(done)


def _write_photograph(archive: zipfile.ZipFile, folder: PurePosixPath, upload: Upload) -> None:
    try:
        with upload.photo.open("rb") as photo:
            archive.writestr(str(folder / "photo.jpg"), photo.read())
    except FileNotFoundError:
        archive.writestr(
            str(folder / "photo-is-missing.txt"), "The site no longer has this photograph's file.\n"
        )


def _all_uploads(user: User) -> Iterator[Upload]:
    return chain.from_iterable(batches_of(Upload.objects.owned_by(user), size=EXPORT_AT_ONCE))


def _describe_account(user: User) -> dict[str, object]:
    return {
        "username": user.username,
        "email": user.email,
        "joined": user.date_joined.isoformat(),
        "last_login": user.last_login and user.last_login.isoformat(),
        "training_consent": user.training_consent,
        "feedback": _describe_feedback(user),
        "tokens": [_describe_token(token) for token in user.tokens.all()],
    }


def _describe_token(token: Token) -> dict[str, object]:
    return {
        "name": token.name,
        "begins": token.hint,
        "created_at": token.created_at.isoformat(),
        "expires_at": token.expires_at.isoformat(),
        "last_used_at": token.last_used_at and token.last_used_at.isoformat(),
    }


def _describe_feedback(user: User) -> list[dict[str, object]]:
    of = ("label_set", "label", "face", "prediction__label", "prediction__model_version")
    given = user.feedback.select_related(*of).defer("face__crop", "prediction__model_version__card")
    return [
        {
            "upload": str(one.face.upload_id),
            "face": one.face.position + 1,
            "label_set": one.label_set.slug,
            "said": one.said,
            "label": one.label and one.label.slug,
            "of": one.prediction and _describe_answer(one.prediction),
            "given_at": one.given_at.isoformat(),
        }
        for one in given.order_by("pk")
    ]


def _describe_answer(prediction: Prediction) -> dict[str, object]:
    return {"label": prediction.label.slug, "version": prediction.model_version.number}


def _to_json(words: dict[str, object]) -> str:
    return json.dumps(words, indent=1, ensure_ascii=False)


def _files_of(uploads: QuerySet[Upload]) -> list[str]:
    return [name for pair in uploads.values_list("photo", "thumbnail") for name in pair]


def _archive_name(export_id: uuid.UUID) -> str:
    return f"exports/{export_id.hex}.zip"


def _forget_exports(exports: QuerySet[DataExport]) -> list[str]:
    """Delete the rows; returns their archives, also such as a killed worker wrote and never named."""
    names = [_archive_name(pk) for pk in exports.values_list("pk", flat=True)]
    exports.delete()
    return names


def _delete_files(names: Iterable[str]) -> None:
    for name in names:
        default_storage.delete(name)
