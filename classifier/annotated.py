"""A photograph with its faces drawn in, for download."""

from __future__ import annotations

import hashlib
import unicodedata
from typing import Literal

from django.conf import settings
from django.utils.translation import gettext as _

from .cards import FaceCard, ResultCard
from .models import Label
from .pipeline import TURN, FaceReading, Reading
from .templatetags.expressions import percent
from .vision.annotate import annotate
from .vision.detect import Box
from .vision.image import Pixels, decode_photograph, encode_jpeg, encode_png

UNSURE_COLOR = "#c9cfc6"
ENCODERS = {"JPEG": encode_jpeg, "PNG": encode_png}


def annotated_picture(card: ResultCard, kind: Literal["JPEG", "PNG"] = "JPEG") -> bytes:
    """The stored copy, a box and a caption per face that was read."""
    with TURN:
        return ENCODERS[kind](_draw(card))


def _draw(card: ResultCard) -> Pixels:
    width, height = card.upload.width, card.upload.height
    with card.upload.photo.open("rb") as file:
        # No copy is larger than what was sent, whatever the limit may be by now.
        photograph = decode_photograph(
            file.read(), max_pixels=width * height, long_side=settings.STORED_LONG_SIDE
        )
    scale = max(photograph.pixels.shape[:2]) / max(width, height)
    return annotate(photograph.pixels, _marks(card, scale))


def annotated_reading(reading: Reading) -> bytes:
    """A photograph that was read and not stored, as JPEG, drawn as `annotated_picture` draws."""
    scale = reading.photograph.scale
    numbered = len(reading.faces) > 1
    marks = [
        _mark_of(face, f"{n} " if numbered else "", scale) for n, face in enumerate(reading.faces, start=1)
    ]
    with TURN:
        return encode_jpeg(annotate(reading.photograph.pixels, marks))


def annotated_version(card: ResultCard) -> str:
    """Changes whenever the drawn picture would: with any face's box, caption or color."""
    marks = _marks(card, scale=1)
    return hashlib.sha256(f"{card.upload.pk} {settings.STORED_LONG_SIDE} {marks}".encode()).hexdigest()[:32]


def _marks(card: ResultCard, scale: float) -> list[tuple[Box, str, str]]:
    numbered = len(card.faces) > 1
    return [(_box(face, scale), _caption(face, numbered=numbered), _color(face)) for face in card.faces]


def _mark_of(face: FaceReading, number: str, scale: float) -> tuple[Box, str, str]:
    """Of what is read under the first label set."""
    box, answer = _scaled(face.detection.box, scale), face.answers[0]
    if answer.unsure:
        return box, f"{number}{_('Unsure')}", UNSURE_COLOR
    best = int(answer.probabilities.argmax())
    label = answer.model.labels[best]
    return box, number + _named(label, float(answer.probabilities[best])), label.color


def _box(face: FaceCard, scale: float) -> Box:
    return _scaled((face.face.x, face.face.y, face.face.w, face.face.h), scale)


def _scaled(box: Box, scale: float) -> Box:
    x, y, w, h = box
    return (x * scale, y * scale, w * scale, h * scale)


def _caption(face: FaceCard, *, numbered: bool) -> str:
    number = f"{face.number} " if numbered else ""
    answer = face.answers[0] if face.answers else None
    if answer is None or answer.unsure:
        return f"{number}{face.name}"
    return number + _named(answer.prediction.label, answer.prediction.confidence)


def _named(label: Label, confidence: float) -> str:
    """Pillow's own font has the letters of ASCII: accents go, and a name in another script is left out."""
    letters = unicodedata.normalize("NFKD", label.name.replace("’", "'"))
    name = "".join(letter for letter in letters if not unicodedata.combining(letter))
    return f"{name} {percent(confidence)}" if name.isascii() else percent(confidence)


def _color(face: FaceCard) -> str:
    answer = face.answers[0] if face.answers else None
    return UNSURE_COLOR if answer is None or answer.unsure else answer.prediction.label.color
