"""A user's uploads as pages, narrowed by expression and date. Paging costs the same at any depth."""

from __future__ import annotations

import base64
import binascii
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from django.db.models import Exists, OuterRef, Q

from classifier.models import Label, LabelSetQuerySet, Prediction, Upload, UploadQuerySet, User

PAGE_SIZE = 24
UNSURE = "unsure"
NO_FACE = "no-face"


@dataclass(frozen=True)
class Cursor:
    """A place between two uploads. Keyset paging: an offset would read every row before it."""

    created_at: datetime
    id: uuid.UUID

    def encode(self) -> str:
        return (
            base64.urlsafe_b64encode(f"{self.created_at.isoformat()}|{self.id}".encode()).decode().rstrip("=")
        )

    @classmethod
    def decode(cls, text: str) -> Cursor | None:
        """None for anything that `encode` has not written."""
        try:
            moment, _, key = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode().partition("|")
            created_at = datetime.fromisoformat(moment)
            # A moment can be so near either end of the calendar that UTC has no date for it.
            return cls(created_at.astimezone(UTC), uuid.UUID(key)) if created_at.tzinfo else None
        except (ValueError, OverflowError, binascii.Error):
            return None

    @classmethod
    def at(cls, upload: Upload) -> Cursor:
        return cls(upload.created_at, upload.id)


@dataclass(frozen=True)
class Page:
    """Uploads newest first; `newer` and `older` are cursors for the pages beside it, or empty."""

    uploads: list[Upload]
    newer: str = ""
    older: str = ""


def page_of(
    found: UploadQuerySet, *, reader: User, before: str = "", after: str = "", size: int = PAGE_SIZE
) -> Page:
    """The page of `found` older than the cursor `before` or newer than `after`; else the first.

    With what is read under the label sets that `reader` may read with.
    """
    if after and (cursor := Cursor.decode(after)):
        return _page_after(found, cursor, size, reader)
    cursor = Cursor.decode(before) if before else None
    narrowed = found.filter(_older_than(cursor)) if cursor else found
    rows = list(narrowed.newest_first().with_results(reader=reader)[: size + 1])
    if cursor and not rows:
        # Past the end, as after what was older has been deleted.
        return page_of(found, reader=reader, size=size)
    uploads = rows[:size]
    return Page(
        uploads,
        newer=Cursor.at(uploads[0]).encode() if cursor else "",
        older=Cursor.at(uploads[-1]).encode() if len(rows) > size else "",
    )


def batches_of(found: UploadQuerySet, *, size: int) -> Iterator[list[Upload]]:
    """All of `found` newest first, a list at a time.

    Unlike `iterator()` it leaves no cursor open in between, which on SQLite would be a snapshot of the
    database: as soon as anybody else writes, nothing more could be written from within it.
    """
    newest = found.newest_first().with_results()
    batch = list(newest[:size])
    while batch:
        yield batch
        batch = list(newest.filter(_older_than(Cursor.at(batch[-1])))[:size])


def _page_after(found: UploadQuerySet, cursor: Cursor, size: int, reader: User) -> Page:
    newer = found.filter(_newer_than(cursor)).order_by("created_at", "id").with_results(reader=reader)
    rows = list(newer[: size + 1])
    if len(rows) <= size:
        # So near the top that a page from here would not be full: the first page shows them all.
        return page_of(found, reader=reader, size=size)
    uploads = rows[size - 1 :: -1]
    return Page(uploads, newer=Cursor.at(uploads[0]).encode(), older=Cursor.at(uploads[-1]).encode())


def _older_than(cursor: Cursor) -> Q:
    # The first half alone is what the index on (owner, created_at, id) can seek by.
    return Q(created_at__lte=cursor.created_at) & (Q(created_at__lt=cursor.created_at) | Q(id__lt=cursor.id))


def _newer_than(cursor: Cursor) -> Q:
    return Q(created_at__gte=cursor.created_at) & (Q(created_at__gt=cursor.created_at) | Q(id__gt=cursor.id))


def showing(
    found: UploadQuerySet, choice: str, label: Label | None, label_sets: LabelSetQuerySet
) -> UploadQuerySet:
    """Narrows to one of the filter's choices: a label, "unsure", "no-face", or nothing in particular.

    `label_sets`: those under which a face may be unsure.
    """
    if choice == NO_FACE:
        return found.filter(faces_found=0)
    if choice == UNSURE:
        unsure = Prediction.objects.filter(face__upload=OuterRef("pk"), shown=True, unsure=True)
        return found.filter(Exists(unsure.filter(label_set__in=label_sets)))
    return found.showing(label) if label else found
