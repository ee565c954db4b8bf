"""From a canonical aligned crop to a network's input tensor: one function for training and for serving.

The model card names the recipe (`Preprocessing`), so that an artifact carries its own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from .features import FEATURES, SIDE, extract

CROP_SIDE = 112
"""Side of the canonical crop, in pixels, that `vision.align` makes."""

# A flat crop has no contrast to normalise; this keeps it near zero instead of amplifying its noise.
MIN_STD = 4.0


@dataclass(frozen=True)
class Preprocessing:
    """Gray, shrunk to `side` × `side` by area; then what the estimator takes.

    features: names from `features.FEATURES`; without any, the pixels, each image standardised to mean 0 and
    deviation 1. Features are of faces of 48 × 48.
    """

    side: int = 48
    features: tuple[str, ...] = ()

    def to_card(self) -> dict[str, Any]:
        recipe = {"side": self.side, "color": "gray"}
        return recipe | ({"features": list(self.features)} if self.features else {"normalize": "per-image"})

    @classmethod
    def from_card(cls, card: dict[str, Any]) -> Preprocessing:
        """Raises ValueError for a recipe that this code does not know."""
        known = cls(int(card.get("side", 0)), tuple(card.get("features", ())))
        wrong_side = known.side != SIDE if known.features else known.side < 1
        if wrong_side or set(known.features) - set(FEATURES) or known.to_card() != card:
            raise ValueError(f"This preprocessing is not known here: {card}")
        return known

    def gray(self, crops: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """(N, S, S, 3) uint8 RGB or (N, S, S) uint8 gray, of any S, to (N, side, side) uint8."""
        return np.stack([self._gray_one(crop) for crop in crops])

    def _gray_one(self, crop: NDArray[np.uint8]) -> NDArray[np.uint8]:
        gray = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY) if crop.ndim == 3 else crop
        if gray.shape[0] != self.side:
            gray = cv2.resize(gray, (self.side, self.side), interpolation=cv2.INTER_AREA)
        return gray.astype(np.uint8, copy=False)

    def standardize(self, gray: NDArray[Any]) -> NDArray[np.float32]:
        """(N, side, side), 0 to 255, to (N, side, side, 1) float32."""
        images = gray.astype(np.float32)
        mean = images.mean(axis=(1, 2), keepdims=True)
        std = images.std(axis=(1, 2), keepdims=True)
        return ((images - mean) / np.maximum(std, MIN_STD))[..., None]

    def __call__(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(N, S, S, 3) or (N, S, S) uint8 to (N, side, side, 1) float32, or to (N, D) with features."""
        gray = self.gray(crops)
        return extract(gray, self.features) if self.features else self.standardize(gray)
