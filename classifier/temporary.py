"""Photographs on their way: in memory while they are small, then on the disk that is made for them."""

from __future__ import annotations

from tempfile import SpooledTemporaryFile

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile


def temporary_file() -> SpooledTemporaryFile[bytes]:
    return SpooledTemporaryFile(
        max_size=settings.FILE_UPLOAD_MAX_MEMORY_SIZE, dir=str(settings.FILE_UPLOAD_TEMP_DIR)
    )


def as_upload(file: SpooledTemporaryFile[bytes], name: str) -> UploadedFile:
    """`file`, written to its end, as Django has files that came in a form."""
    size = file.tell()
    file.seek(0)
    return UploadedFile(file, name, size=size)
