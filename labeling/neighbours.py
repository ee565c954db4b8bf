"""Which crops show the same picture, perhaps recompressed, cut or lit otherwise, or mirrored.

The perceptual hash proposes and the pixels decide. Over FER2013's 32,140 faces the hash alone would chain
1,839 of them together, most of them strangers; it proposes 86 % of what comparing every pair would find.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from classifier.ml.dataset import ALIKE, correlation
from classifier.ml.preprocessing import Preprocessing
from classifier.vision.similar import NEARLY_SAME, perceptual_hash

SIDE = 48
GRAY = Preprocessing(side=SIDE)
# Hashes that differ in at most NEARLY_SAME bits have, among these, a band that differs in at most one:
# to look for those alone is to look at one row in a hundred.
BANDS = 5
BAND_BITS = 13
assert NEARLY_SAME < 2 * BANDS
assert BANDS * BAND_BITS >= 64

# What may have been cut off a picture, as shares of its sides. Of 60 of FER2013's faces less a rim of 3 %, 23
# are found as they are, and all when they are grown again by these; 57 of those less 5 %, 34 less 8 %.
RIMS = (0.03, 0.06, 0.09)
CORNER = 0.05
# As far as a picture that was square may have lost this share of one side.
ONE_SIDE = 0.1

Gray = NDArray[np.uint8]


@dataclass(frozen=True)
class Fingerprint:
    """What a crop is known by. `gray`: (48, 48) uint8, the same however the crop was stored."""

    gray: Gray

    @classmethod
    def of(cls, pixels: NDArray[np.uint8]) -> Fingerprint:
        """`pixels`: a gray (H, W) or RGB (H, W, 3) crop of any size."""
        return cls(GRAY.gray(pixels[None])[0])

    @cached_property
    def digest(self) -> str:
        return hashlib.sha256(self.gray.tobytes()).hexdigest()

    @cached_property
    def hash(self) -> int:
        return perceptual_hash(self.gray)

    @cached_property
    def mirrored_hash(self) -> int:
        return perceptual_hash(np.ascontiguousarray(self.gray[:, ::-1]))


def decode(crop: bytes) -> NDArray[np.uint8]:
    """The pixels of a stored picture, (H, W) gray or (H, W, 3) RGB."""
    with Image.open(io.BytesIO(crop)) as picture:
        return np.asarray(picture if picture.mode == "L" else picture.convert("RGB"), np.uint8)


def as_it_may_have_been(pixels: NDArray[np.uint8]) -> list[Fingerprint]:
    """A picture as it is, and as it may have been before somebody cut a little off its rim.

    What is lacking is filled with the nearest pixels that there are. `pixels`: gray (H, W) or RGB (H, W, 3).
    """
    gray = _in_gray(pixels)
    height, width = gray.shape
    cuts = [(rim, rim, rim, rim) for rim in (0, *RIMS)]
    cuts += [(top, CORNER - top, left, CORNER - left) for top in (0, CORNER) for left in (0, CORNER)]
    tall, wide = max(width / height - 1, 0), max(height / width - 1, 0)
    if 0 < tall + wide <= 1 / (1 - ONE_SIDE) - 1:
        cuts += [(tall * at, tall * (1 - at), wide * at, wide * (1 - at)) for at in (0, 0.5, 1)]
    return [Fingerprint(made_square(_grown(gray, *cut))) for cut in cuts]


def made_square(pixels: NDArray[np.uint8]) -> Gray:
    """(48, 48), whatever its height and width were."""
    return np.asarray(cv2.resize(_in_gray(pixels), (SIDE, SIDE), interpolation=cv2.INTER_AREA), np.uint8)


def _in_gray(pixels: NDArray[np.uint8]) -> Gray:
    return np.asarray(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY) if pixels.ndim == 3 else pixels, np.uint8)


def _grown(gray: Gray, top: float, bottom: float, left: float, right: float) -> Gray:
    height, width = gray.shape
    rims = round(top * height), round(bottom * height), round(left * width), round(right * width)
    return np.asarray(cv2.copyMakeBorder(gray, *rims, cv2.BORDER_REPLICATE), np.uint8)


def same_picture(one: Gray, other: Gray) -> bool:
    """Whether one, or its mirror image, less a rim, is found again in the other, or the other in it."""
    mirrored = np.ascontiguousarray(one[:, ::-1])
    pairs = ((one, other), (other, one), (mirrored, other), (other, mirrored))
    return any(correlation(image, within) >= ALIKE for image, within in pairs)


def band_values(hashes: Iterable[int]) -> list[list[int]]:
    """For each band, every value that it has in a hash which is near to one of `hashes`."""
    near: list[set[int]] = [set() for _ in range(BANDS)]
    for value in hashes:
        for band, bits in zip(near, _bands(np.array([value], np.int64)), strict=True):
            band.update(int(bits[0]) ^ flip for flip in _FLIPS)
    return [sorted(values) for values in near]


def near_pairs(hashes: NDArray[np.int64], others: NDArray[np.int64]) -> NDArray[np.int64]:
    """(P, 2) places in `hashes` and `others`, sorted, of hashes that differ in at most NEARLY_SAME bits.

    Takes time by the number of hashes and of pairs, not by their product: 32,140 against themselves take 2 s.
    """
    found = []
    for mine, theirs in zip(_bands(hashes), _bands(others), strict=True):
        order = np.argsort(theirs, kind="stable")
        found += [_pairs_by_band(mine ^ flip, theirs, order, hashes, others) for flip in _FLIPS]
    return np.unique(np.concatenate(found), axis=0)


_FLIPS = (0, *(1 << bit for bit in range(BAND_BITS)))


def _bands(hashes: NDArray[np.int64]) -> list[NDArray[np.int64]]:
    mask = (1 << BAND_BITS) - 1
    return [(hashes >> (BAND_BITS * number)) & mask for number in range(BANDS)]


def _pairs_by_band(
    mine: NDArray[np.int64],
    theirs: NDArray[np.int64],
    order: NDArray[np.int64],
    hashes: NDArray[np.int64],
    others: NDArray[np.int64],
) -> NDArray[np.int64]:
    """`order`: the places of `theirs`, sorted."""
    first = np.searchsorted(theirs[order], mine, "left")
    count = np.searchsorted(theirs[order], mine, "right") - first
    rows = np.repeat(np.arange(len(mine)), count)
    within = np.arange(count.sum()) - np.repeat(np.cumsum(count) - count, count)
    columns = order[np.repeat(first, count) + within]
    near = np.bitwise_count((hashes[rows] ^ others[columns]).view(np.uint64)) <= NEARLY_SAME
    return np.stack([rows[near], columns[near]], axis=1)
