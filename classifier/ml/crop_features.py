"""Hand-crafted features of the whole crop, in colour: among these is chosen where examples are few.

Each function takes crops of any size, uint8 RGB (S, S, 3) or gray (S, S), and returns (N, D) float32. Nothing
here is learned.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import Any

import cv2
import numpy as np
import pywt
from numpy.typing import NDArray

from .features import SIDE, histograms, orientation_maps, standardized

PICTURE_SIDE = 32
HOG_SIDE = 96
HOG_CELLS = (8, 12, 16)
WAVELET = "db1"

Crops = Iterable[NDArray[np.uint8]]


def colors(crops: Crops) -> NDArray[np.float32]:
    """The crop at 32 × 32 in RGB, from 0 to 1: hair and skin have colours that edges don't."""
    small = np.stack([_shrunk(_in_color(crop), PICTURE_SIDE) for crop in crops])
    return small.reshape(len(small), -1).astype(np.float32) / np.float32(255)


def haar(crops: Crops) -> NDArray[np.float32]:
    """All details of the gray 32 × 32 crop in Haar's wavelets: what the picture is but for its brightness."""
    small = np.stack([_shrunk(_in_gray(crop), PICTURE_SIDE) for crop in crops]).astype(np.float32) / 255
    _brightness, *levels = pywt.wavedec2(small, WAVELET, mode="periodization")
    details = [part.reshape(len(small), -1) for level in levels for part in level]
    return np.concatenate(details, axis=1)


def hog(crops: Crops) -> NDArray[np.float32]:
    """Histograms of oriented gradients, as in `features`, of the gray 96 × 96 crop."""
    small = (_shrunk(_in_gray(crop), HOG_SIDE) for crop in crops)
    return np.stack([histograms(orientation_maps(face), HOG_CELLS) for face in small])


def face(crops: Crops) -> NDArray[np.float32]:
    """The gray 48 × 48 crop with mean 0 and deviation 1, row by row: what the bundled network takes."""
    small = np.stack([_shrunk(_in_gray(crop), SIDE) for crop in crops])
    return standardized(small).reshape(len(small), -1)


FEATURES: dict[str, Callable[[Crops], NDArray[np.float32]]] = {
    "colors": colors,
    "haar": haar,
    "hog": hog,
    "face": face,
}


def extract(crops: Sequence[NDArray[np.uint8]] | NDArray[Any], names: Sequence[str]) -> NDArray[np.float32]:
    """(N, D) float32: the named features side by side."""
    return np.concatenate([FEATURES[name](crops) for name in names], axis=1)


@cache
def width(name: str) -> int:
    """How many numbers the feature has."""
    return FEATURES[name]([np.zeros((SIDE, SIDE), np.uint8)]).shape[1]


def _in_color(crop: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return crop if crop.ndim == 3 else np.asarray(cv2.cvtColor(crop, cv2.COLOR_GRAY2RGB), np.uint8)


def _in_gray(crop: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.asarray(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY), np.uint8) if crop.ndim == 3 else crop


def _shrunk(crop: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    return np.asarray(cv2.resize(crop, (side, side), interpolation=cv2.INTER_AREA), np.uint8)
