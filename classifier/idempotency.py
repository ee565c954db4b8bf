"""A request that is sent again, because its answer was lost, finds the upload that it made the first time."""

from __future__ import annotations

import hashlib
from typing import IO, Any

from django.db import IntegrityError

from .models import Upload, User
from .pipeline import store_photograph

CHUNK_BYTES = 65_536


class KeyReusedError(ValueError):
    """The key came before, with another photograph or other options."""


def store_once(*, owner: User, key: str, file: IO[bytes], **how: Any) -> Upload:
    """`store_photograph`, or the upload that `owner` made with the same `key`, photograph and options before.

    Two requests at the same moment may both read the photograph; one of them keeps it, and both answer with
    that. Raises KeyReusedError, and what `store_photograph` raises.
    """
    digest = _digest(file, how)
    if (known := _known(owner, key, digest)) is not None:
        return known
    try:
        return store_photograph(owner=owner, file=file, idempotency_key=key, idempotency_digest=digest, **how)
    except IntegrityError:
        if (known := _known(owner, key, digest)) is not None:
            return known
        raise


def _known(owner: User, key: str, digest: str) -> Upload | None:
    known = Upload.objects.filter(owner=owner, idempotency_key=key).first()
    if known and known.idempotency_digest != digest:
        raise KeyReusedError
    return known


def _digest(file: IO[bytes], how: dict[str, Any]) -> str:
    options = {"consent": how["consent"], "label_sets": sorted(how["label_sets"])}
    digest = hashlib.sha256(repr(sorted(options.items())).encode())
    while chunk := file.read(CHUNK_BYTES):
        digest.update(chunk)
    file.seek(0)
    return digest.hexdigest()
