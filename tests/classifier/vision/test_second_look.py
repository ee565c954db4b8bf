"""What a detector overlooks is found when it is shown the picture otherwise, and where it really is."""

from __future__ import annotations

import io

import cv2
import numpy as np
import pytest
from PIL import Image

from classifier.vision.detect import Detection, YuNetDetector
from classifier.vision.second_look import look_again
from tests.photographs import astronaut, no_face


class Strict:
    """Finds what YuNet finds, but in lively pictures alone, and nothing that is small for its picture."""

    name = "strict"

    def __init__(self, *, narrowest: float = 0.0, liveliest: float = 0.0) -> None:
        self.narrowest, self.liveliest = narrowest, liveliest
        self._yunet = YuNetDetector()

    def detect(self, pixels: np.ndarray) -> list[Detection]:
        if pixels.std() < self.liveliest:
            return []
        return [one for one in self._yunet.detect(pixels) if one.box[2] >= self.narrowest * max(pixels.shape)]


@pytest.fixture
def photograph() -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(astronaut())).convert("RGB"))


def eyes(found: list[Detection]) -> np.ndarray:
    assert found[0].landmarks is not None
    return found[0].landmarks[:2]


def test_a_face_in_the_distance_is_found_where_it_is(photograph: np.ndarray) -> None:
    wide = np.full((1500, 2000, 3), 200, np.uint8)
    wide[700:1212, 900:1412] = photograph
    (known,) = YuNetDetector().detect(photograph)
    found = look_again(Strict(narrowest=0.06), wide)
    assert len(found) == 1, "the tiles overlap, and it is in several"
    assert Strict(narrowest=0.06).detect(wide) == []
    assert np.abs(eyes(found) - (eyes([known]) - np.array([-900, -700]))).max() < 8


def test_a_turned_face_is_found_where_it_is(photograph: np.ndarray) -> None:
    (known,) = YuNetDetector().detect(photograph)
    turned = np.ascontiguousarray(np.rot90(photograph))
    sure = YuNetDetector(score=0.9)
    assert sure.detect(turned) == []
    found = look_again(sure, turned)
    # A quarter turn to the left takes (x, y) to (y, width - x).
    there = np.stack([eyes([known])[:, 1], 512 - eyes([known])[:, 0]], axis=1)
    assert np.abs(eyes(found) - there).max() < 6
    x, y, w, h = found[0].box
    assert (there > (x, y)).all()
    assert (there < (x + w, y + h)).all()


def test_a_face_in_flat_light_is_found(photograph: np.ndarray) -> None:
    flat = (photograph * 0.1 + 110).astype(np.uint8)
    strict = Strict(liveliest=12.0)
    assert strict.detect(flat) == []
    assert len(look_again(strict, flat)) == 1


def test_no_face_is_none_however_it_is_shown() -> None:
    for pixels in (cv2.imdecode(np.frombuffer(no_face(), np.uint8), 1), np.zeros((3, 5, 3), np.uint8)):
        assert look_again(YuNetDetector(), np.asarray(pixels, np.uint8)) == []
