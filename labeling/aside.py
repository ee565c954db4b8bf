"""Photographs without exactly one usable face are kept for a while, small, for a person to look at."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from io import BytesIO
from typing import IO

from django.db import transaction
from django.utils import timezone
from PIL import Image

from classifier.models import Label, LabelSet
from classifier.vision.image import encode_png

from .models import FoundFace, SetAsidePicture
from .rows import Unclear

State = SetAsidePicture.State
KEPT_FOR = timedelta(days=30)
# In each label set: at about 100 KB each, crops and all, 200 MB.
MOST_WAITING = 2000
ROWS_AT_ONCE = 100


class Spool:
    """Bytes that wait in a file: those of a large folder would fill the memory."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._ends = [0]

    def append(self, content: bytes) -> int:
        """Its number."""
        self._ends.append(self._ends[-1] + self._file.write(content))
        return len(self._ends) - 2

    def read(self, number: int) -> bytes:
        self._file.seek(self._ends[number])
        return self._file.read(self._ends[number + 1] - self._ends[number])


@dataclass(frozen=True)
class _Waiting:
    """A photograph whose copy and crops are in the spool, by number."""

    where: str
    label: str
    digest: str
    reason: str
    copy: int
    faces: tuple[tuple[tuple[float, float, float, float], float, int], ...]


class Aside:
    """Those of one import, until it is known that it is not refused. At most `room` are kept."""

    def __init__(self, spool: Spool, room: int) -> None:
        self._spool = spool
        self._room = room
        self._waiting: list[_Waiting] = []

    def add(self, row: Unclear) -> bool:
        """Whether there was room."""
        if len(self._waiting) >= self._room:
            return False
        faces = [
            (face.box, face.size, self._spool.append(encode_png(face.crop))) for face in row.judged.faces
        ]
        copy = self._spool.append(row.copy)
        reason = str(row.judged.reason)
        self._waiting.append(_Waiting(row.where, row.label, row.digest, reason, copy, tuple(faces)))
        return True

    def keep(self, label_set: LabelSet, *, source: str) -> None:
        """As rows. `source`: what comes before a photograph's place in its origin."""
        labels = {label.slug: label for label in label_set.labels.all()}
        for start in range(0, len(self._waiting), ROWS_AT_ONCE):
            some = self._waiting[start : start + ROWS_AT_ONCE]
            with transaction.atomic():
                # Whoever holds this row is the only one who adds.
                LabelSet.objects.select_for_update(no_key=True).get(pk=label_set.pk)
                known = SetAsidePicture.objects.filter(
                    label_set=label_set, digest__in=[one.digest for one in some]
                )
                known.waiting().delete()
                settled = set(known.values_list("label__slug", "digest"))
                some = [one for one in some if (one.label, one.digest) not in settled]
                pictures = SetAsidePicture.objects.bulk_create(
                    self._picture(one, labels[one.label], f"{source}{one.where}") for one in some
                )
                FoundFace.objects.bulk_create(
                    face
                    for picture, one in zip(pictures, some, strict=True)
                    for face in self._faces(picture, one)
                )

    def _picture(self, one: _Waiting, label: Label, origin: str) -> SetAsidePicture:
        copy = self._spool.read(one.copy)
        width, height = Image.open(BytesIO(copy)).size
        return SetAsidePicture(
            label_set_id=label.label_set_id,
            label=label,
            reason=one.reason,
            origin=origin[:300],
            digest=one.digest,
            copy=copy,
            width=width,
            height=height,
        )

    def _faces(self, picture: SetAsidePicture, one: _Waiting) -> Iterator[FoundFace]:
        for position, ((x, y, w, h), size, crop) in enumerate(one.faces):
            yield FoundFace(
                picture=picture,
                position=position,
                x=x,
                y=y,
                w=w,
                h=h,
                size=size,
                crop=self._spool.read(crop),
            )


def room_in(label_set: LabelSet | None) -> int:
    if label_set is None:
        return MOST_WAITING
    return max(MOST_WAITING - SetAsidePicture.objects.filter(label_set=label_set).waiting().count(), 0)


def settled_in(label_set: LabelSet | None) -> dict[tuple[str, str], str]:
    """By label and digest of its file: what a person made of a photograph that was set aside."""
    settled = SetAsidePicture.objects.filter(label_set=label_set).exclude(state=State.WAITING)
    rows = settled.values_list("label__slug", "digest", "state")
    return {(slug, digest): str(State(state).label) for slug, digest, state in rows}


def forget_old() -> None:
    """Those that nobody has settled within KEPT_FOR go, with their copies and crops."""
    SetAsidePicture.objects.waiting().filter(created_at__lt=timezone.now() - KEPT_FOR).delete()


def forget_added(label_set: LabelSet, digests: set[str]) -> None:
    """What is an example by now waits no longer."""
    SetAsidePicture.objects.waiting().filter(label_set=label_set, digest__in=digests).delete()
