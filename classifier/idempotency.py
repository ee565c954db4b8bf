"""A request that is sent again, because its answer was lost, finds the upload that it made the first time."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import IO, Any

from django.db import IntegrityError

from .models import Upload, User
from .pipeline import store_photograph

CHUNK_BYTES = 65_536


class KeyReusedError(ValueError):
    """The key came before, with another photograph or other options."""


@dataclass(frozen=True)
class Key:
    """What `owner` calls one request, and a digest of what was sent in it."""

    owner: User
    name: str
    digest: str

    def find(self) -> Upload | None:
        """The upload that the request made before. Raises KeyReusedError."""
        known = Upload.objects.filter(owner=self.owner, idempotency_key=self.name).first()
        if known and known.idempotency_digest != self.digest:
            raise KeyReusedError
        return known

    def store_once(self, **how: Any) -> Upload:
        """`store_photograph`, or the upload that another request with this key has made meanwhile.

        Two requests at the same moment may both read the photograph; one of them keeps it, and both answer
        with that. Raises KeyReusedError, and what `store_photograph` raises.
        """
        try:
            return store_photograph(
                owner=self.owner, idempotency_key=self.name, idempotency_digest=self.digest, **how
            )
        except IntegrityError:
            if (known := self.find()) is not None:
                return known
            raise


def digest_of(photograph: IO[bytes] | str, *, consent: bool, label_sets: Sequence[str]) -> str:
    """Of a photograph and how it is to be read. One that is named by its address is that address."""
    options = {"consent": consent, "label_sets": sorted(label_sets)}
    digest = hashlib.sha256(repr(sorted(options.items())).encode())
    if isinstance(photograph, str):
        digest.update(photograph.encode())
        return digest.hexdigest()
    while chunk := photograph.read(CHUNK_BYTES):
        digest.update(chunk)
    photograph.seek(0)
    return digest.hexdigest()
