"""Pictures that are nearly the same have hashes that are, and others don't."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from classifier.vision.image import Pixels, decode_photograph, encode_jpeg
from classifier.vision.similar import NEARLY_SAME, hash_distance, perceptual_hash
from tests.photographs import astronaut, grace_hopper


@pytest.fixture(scope="module")
def picture() -> Pixels:
    return decode_photograph(astronaut()).pixels


def test_a_picture_keeps_its_hash_recompressed_resized_or_in_gray(picture: Pixels) -> None:
    code = perceptual_hash(picture)
    small = np.asarray(cv2.resize(picture, None, fx=0.4, fy=0.4, interpolation=cv2.INTER_AREA), np.uint8)
    gray = np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), np.uint8)
    worse = decode_photograph(encode_jpeg(picture, quality=30)).pixels
    brighter = np.clip(picture.astype(int) + 12, 0, 255).astype(np.uint8)
    for same in (small, gray, worse, brighter):
        assert hash_distance(code, perceptual_hash(same)) <= 3


def test_another_picture_has_another_hash(picture: Pixels) -> None:
    other = decode_photograph(grace_hopper()).pixels
    assert hash_distance(perceptual_hash(picture), perceptual_hash(other)) > 2 * NEARLY_SAME


def test_a_hash_fits_a_signed_column_of_64_bits() -> None:
    random = np.random.default_rng(0)
    codes = [perceptual_hash(random.integers(0, 256, (40, 40), dtype=np.uint8)) for _ in range(50)]
    assert all(-(2**63) <= code < 2**63 for code in codes)
    assert len(set(codes)) == 50


@pytest.mark.parametrize(
    ("one", "other", "distance"), [(0, 0, 0), (0, -1, 64), (-1, -2, 1), (5, 6, 2), (-(2**63), 2**63 - 1, 64)]
)
def test_the_distance_counts_bits_whatever_the_sign(one: int, other: int, distance: int) -> None:
    assert hash_distance(one, other) == hash_distance(other, one) == distance


def test_an_even_picture_has_a_hash_too() -> None:
    assert perceptual_hash(np.full((48, 48), 127, np.uint8)) == perceptual_hash(
        np.full((9, 9), 127, np.uint8)
    )
