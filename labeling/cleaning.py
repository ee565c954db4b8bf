"""Which face of a photograph an import takes, or why it takes none.

Faces that are clearly narrower than the largest are bystanders' and do not count: people who are known are
seldom photographed alone. Of those that count, exactly one has to be usable: large and sharp enough.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from classifier.vision.align import LEAST_SHARPNESS, SMALLEST_FACE, align_face, measure_quality
from classifier.vision.detect import Detection, Detector, HaarDetector
from classifier.vision.image import Photograph
from classifier.vision.second_look import look_again

from .models import SetAsidePicture

Reason = SetAsidePicture.Reason

BYSTANDER = 0.75
# Of a crowd a person is shown these, the largest.
MOST_FACES = 8
EYES = HaarDetector()


@dataclass(frozen=True)
class Cleaning:
    """What is asked of a face. `min_face`: pixels of the photograph as sent, the shorter side of the box.

    `min_sharpness`: as `measure_quality` measures it, from 0. `bystander`: a face narrower than this share of
    the largest does not count; 0: every face does. `require_two_eyes`: the classical rule that OpenCV's Haar
    cascade finds exactly two in it.
    """

    min_face: float = SMALLEST_FACE
    min_sharpness: float = LEAST_SHARPNESS
    bystander: float = BYSTANDER
    require_two_eyes: bool = False


@dataclass(frozen=True)
class FaceFound:
    """`box`: x, y, w, h as shares of the photograph's sides. `size`: as `Cleaning.min_face`."""

    box: tuple[float, float, float, float]
    size: float
    crop: NDArray[np.uint8]
    reason: Reason | None
    """Why it is not usable."""


@dataclass(frozen=True)
class Judged:
    """The faces of a photograph, largest first, and the only usable one or the reason why there is none."""

    faces: tuple[FaceFound, ...]
    chosen: FaceFound | None = None
    reason: Reason | None = None


def judge(photograph: Photograph, detector: Detector, cleaning: Cleaning) -> Judged:
    found = detector.detect(photograph.pixels) or look_again(detector, photograph.pixels)
    faces = tuple(_measured(photograph, found[:MOST_FACES], cleaning))
    if not faces:
        return Judged(faces, reason=Reason.NO_FACE)
    counted = [face for face in faces if face.size >= cleaning.bystander * faces[0].size]
    usable = [face for face in counted if not face.reason]
    if len(usable) == 1:
        return Judged(faces, chosen=usable[0])
    return Judged(faces, reason=Reason.SEVERAL_FACES if usable else faces[0].reason)


def _measured(photograph: Photograph, found: list[Detection], cleaning: Cleaning) -> Iterator[FaceFound]:
    height, width = photograph.pixels.shape[:2]
    for one in found:
        crop = align_face(photograph.pixels, one)
        quality = measure_quality(crop, one, scale=photograph.scale)
        reason = None
        if quality.size < cleaning.min_face:
            reason = Reason.TOO_SMALL
        elif quality.sharpness < cleaning.min_sharpness:
            reason = Reason.TOO_BLURRED
        elif cleaning.require_two_eyes and EYES.count_eyes(photograph.pixels, one.box) != 2:
            reason = Reason.EYES_NOT_FOUND
        x, y, w, h = one.box
        yield FaceFound((x / width, y / height, w / width, h / height), quality.size, crop, reason)
