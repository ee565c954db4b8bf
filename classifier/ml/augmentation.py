"""Changed copies of a face that show the same expression."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray


def moved(
    image: NDArray[np.uint8],
    rng: np.random.Generator,
    *,
    turn: float = 8,
    scale: float = 0.08,
    shift: float = 0.05,
) -> NDArray[np.uint8]:
    """An (S, S) uint8 gray face as another detector might have cut it out, every other time mirrored.

    turn: up to so many degrees. scale, shift: up to that share of the face.
    """
    side = image.shape[0]
    middle = (side - 1) / 2
    matrix = cv2.getRotationMatrix2D(
        (middle, middle), rng.uniform(-turn, turn), rng.uniform(1 - scale, 1 + scale)
    )
    matrix[:, 2] += rng.uniform(-shift, shift, 2) * side
    if rng.random() < 0.5:
        matrix = matrix @ np.array([[-1, 0, side - 1], [0, 1, 0], [0, 0, 1]])
    out = cv2.warpAffine(image, matrix, (side, side), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
    return out.astype(np.uint8, copy=False)


def augment(image: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """One changed copy of an (S, S) uint8 gray face: nothing here changes the expression.

    Moved; gamma and blur (what a camera does); and one erased rectangle (DeVries & Taylor, "Cutout", 2017).
    """
    side = image.shape[0]
    out: NDArray[Any] = moved(image, rng, turn=15, scale=0.15, shift=0.08)
    if rng.random() < 0.3:
        out = cv2.LUT(out, _gamma_table(rng.uniform(0.6, 1.6)))
    if rng.random() < 0.2:
        out = cv2.GaussianBlur(out, (0, 0), rng.uniform(0.4, 1.2))
    if rng.random() < 0.5:
        h, w = rng.integers(side // 6, side // 3, 2)
        y, x = rng.integers(0, side - h), rng.integers(0, side - w)
        out[y : y + h, x : x + w] = rng.integers(0, 256)
    return out.astype(np.uint8, copy=False)


def _gamma_table(gamma: float) -> NDArray[np.uint8]:
    return (255 * (np.arange(256) / 255) ** gamma).round().astype(np.uint8)
