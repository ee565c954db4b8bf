"""A photograph with its faces drawn in, for download."""

from __future__ import annotations

import hashlib

from django.conf import settings

from .cards import FaceCard, ResultCard
from .pipeline import TURN
from .templatetags.expressions import percent
from .vision.annotate import annotate
from .vision.detect import Box
from .vision.image import decode_photograph, encode_jpeg

UNSURE_COLOR = "#c9cfc6"


def annotated_jpeg(card: ResultCard) -> bytes:
    """The stored copy as JPEG, a box and a caption per face that was read."""
    with TURN:
        return _draw(card)


def _draw(card: ResultCard) -> bytes:
    width, height = card.upload.width, card.upload.height
    with card.upload.photo.open("rb") as file:
        # No copy is larger than what was sent, whatever the limit may be by now.
        photograph = decode_photograph(
            file.read(), max_pixels=width * height, long_side=settings.STORED_LONG_SIDE
        )
    scale = max(photograph.pixels.shape[:2]) / max(width, height)
    return encode_jpeg(annotate(photograph.pixels, _marks(card, scale)))


def annotated_version(card: ResultCard) -> str:
    """Changes whenever the drawn picture would: with any face's box, caption or color."""
    marks = _marks(card, scale=1)
    return hashlib.sha256(f"{card.upload.pk} {settings.STORED_LONG_SIDE} {marks}".encode()).hexdigest()[:32]


def _marks(card: ResultCard, scale: float) -> list[tuple[Box, str, str]]:
    numbered = len(card.faces) > 1
    return [(_box(face, scale), _caption(face, numbered=numbered), _color(face)) for face in card.faces]


def _box(face: FaceCard, scale: float) -> Box:
    x, y, w, h = face.face.x, face.face.y, face.face.w, face.face.h
    return (x * scale, y * scale, w * scale, h * scale)


def _caption(face: FaceCard, *, numbered: bool) -> str:
    number = f"{face.number} " if numbered else ""
    answer = face.answers[0] if face.answers else None
    if answer is None or answer.unsure:
        return f"{number}{face.name}"
    return f"{number}{answer.name} {percent(answer.prediction.confidence)}"


def _color(face: FaceCard) -> str:
    answer = face.answers[0] if face.answers else None
    return UNSURE_COLOR if answer is None or answer.unsure else answer.prediction.label.color
