"""From a canonical aligned crop to a network's input tensor: one function for training and for serving.

The model card names the recipe (`Preprocessing`), so that an artifact carries its own.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

CROP_SIDE = 112
"""Side of the canonical crop, in pixels, that `vision.align` makes."""

# A flat crop has no contrast to normalise; this keeps it near zero instead of amplifying its noise.
MIN_STD = 4.0


@dataclass(frozen=True)
class Preprocessing:
    """Gray, shrunk to `side` × `side` by area, each image standardised to mean 0 and deviation 1."""

    side: int = 48

    def to_card(self) -> dict[str, Any]:
        return asdict(self) | {"color": "gray", "normalize": "per-image"}

    @classmethod
    def from_card(cls, card: dict[str, Any]) -> Preprocessing:
        """Raises ValueError for a recipe that this code does not know."""
        if card.get("color") != "gray" or card.get("normalize") != "per-image":
            raise ValueError(f"This preprocessing is not known here: {card}")
        return cls(side=int(card["side"]))

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
        """(N, S, S, 3) or (N, S, S) uint8 to (N, side, side, 1) float32."""
        return self.standardize(self.gray(crops))
