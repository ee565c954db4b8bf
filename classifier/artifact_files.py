"""Artifacts in the storage: the whole of a file or none of it, under the name of its digest."""

from __future__ import annotations

import os
import secrets
import time
from pathlib import Path

from django.core.files.base import ContentFile
from django.core.files.storage import FileSystemStorage, default_storage

from .ml.artifact import ArtifactError, sha256

FOLDER = "artifacts"
TEMPORARY = ".tmp"
LEFT_BEHIND_S = 24 * 60 * 60


def store_artifact(artifact: bytes, digest: str, *, name: str = "") -> str:
    """Keep the bytes, in place of whatever else has that name. Returns the name.

    A process that is killed meanwhile leaves a temporary file, or a whole one that no version has yet: the
    next registration of the same artifact takes it. Raises ArtifactError where the storage refuses.
    """
    name = name or f"{FOLDER}/{digest}.onnx"
    try:
        return name if _holds(name, digest) else _write(name, artifact)
    except OSError as error:
        raise ArtifactError(f"The artifact can't be stored: {error}") from error


def _holds(name: str, digest: str) -> bool:
    if not default_storage.exists(name):
        return False
    with default_storage.open(name) as file:
        return sha256(file.read()) == digest


def _write(name: str, artifact: bytes) -> str:
    # FileSystemStorage.save() writes under the final name, piece by piece; others put a file there at once.
    if not isinstance(default_storage, FileSystemStorage):
        default_storage.delete(name)
        return default_storage.save(name, ContentFile(artifact))
    temporary = f"{name}.{secrets.token_hex(4)}{TEMPORARY}"
    try:
        default_storage.save(temporary, ContentFile(artifact))
        written, place = Path(default_storage.path(temporary)), Path(default_storage.path(name))
        _flush(written)
        written.replace(place)
        _flush(place.parent)
    except BaseException:
        default_storage.delete(temporary)
        raise
    return name


def _flush(path: Path) -> None:
    """Have the disk hold a file, or the names in a folder: a row must not outlive its file in a power cut."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def clear_temporary() -> None:
    """Remove what registrations left that were killed a day ago or earlier."""
    if not isinstance(default_storage, FileSystemStorage):
        return
    for path in Path(default_storage.path(FOLDER)).glob(f"*{TEMPORARY}"):
        if path.stat().st_mtime < time.time() - LEFT_BEHIND_S:
            path.unlink(missing_ok=True)
