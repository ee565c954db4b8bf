"""From a canonical aligned crop to a network's input tensor: one function for training and for serving.

The model card names the recipe (`Preprocessing`), so that an artifact carries its own.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from . import crop_features
from .features import FEATURES, SIDE, extract, extract_both_sides, standardized

Crops = Sequence[NDArray[np.uint8]] | NDArray[Any]

CROP_SIDE = 112
"""Side of the canonical crop, in pixels, that `vision.align` makes."""


@dataclass(frozen=True)
class Preprocessing:
    """Gray, shrunk to `side` × `side` by area; then what the estimator takes. In RGB, the crop as it is.

    features: names from `features.FEATURES`, of gray faces of 48 × 48, or from `crop_features.FEATURES`, of
    crops in RGB, whose `side` is CROP_SIDE; without any, the pixels, each image standardised to mean 0 and
    deviation 1. mirrored: the features of each gray face are followed by those of its mirror image.
    """

    side: int = 48
    features: tuple[str, ...] = ()
    color: str = "gray"
    mirrored: bool = False

    def to_card(self) -> dict[str, Any]:
        recipe: dict[str, Any] = {"side": self.side, "color": self.color}
        recipe |= {"features": list(self.features)} if self.features else {"normalize": "per-image"}
        return recipe | ({"mirrored": True} if self.mirrored else {})

    @classmethod
    def from_card(cls, card: dict[str, Any]) -> Preprocessing:
        """Raises ValueError for a recipe that this code does not know."""
        known = cls(
            int(card.get("side", 0)),
            tuple(card.get("features", ())),
            str(card.get("color")),
            mirrored=card.get("mirrored") is True,
        )
        if known.to_card() != card or not known._possible:
            raise ValueError(f"This preprocessing is not known here: {card}")
        return known

    @property
    def _possible(self) -> bool:
        if self.color == "rgb":
            side = self.side == CROP_SIDE and not self.mirrored
            return side and bool(self.features) and self._are_among(crop_features.FEATURES)
        sided = self.side == SIDE if self.features else self.side >= 1 and not self.mirrored
        return self.color == "gray" and sided and self._are_among(FEATURES)

    def _are_among(self, known: Container[str]) -> bool:
        return all(name in known for name in self.features)

    @property
    def width(self) -> int:
        """How many numbers a crop becomes."""
        return int(np.prod(self(np.zeros((1, self.side, self.side), np.uint8)).shape))

    def gray(self, crops: Iterable[NDArray[Any]]) -> NDArray[np.uint8]:
        """(N, S, S, 3) uint8 RGB or (N, S, S) uint8 gray, of any S, to (N, side, side) uint8."""
        return np.stack([self._gray_one(crop) for crop in crops])

    def _gray_one(self, crop: NDArray[np.uint8]) -> NDArray[np.uint8]:
        gray = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY) if crop.ndim == 3 else crop
        if gray.shape[0] != self.side:
            gray = cv2.resize(gray, (self.side, self.side), interpolation=cv2.INTER_AREA)
        return gray.astype(np.uint8, copy=False)

    def standardize(self, gray: NDArray[Any]) -> NDArray[np.float32]:
        """(N, side, side), 0 to 255, to (N, side, side, 1) float32."""
        return standardized(gray)[..., None]

    def __call__(self, crops: Crops) -> NDArray[np.float32]:
        """(N, side, side, 1) float32 of N uint8 crops, (S, S, 3) or (S, S); with features, (N, D)."""
        if self.color == "rgb":
            return crop_features.extract(crops, self.features)
        gray = self.gray(crops)
        if not self.features:
            return self.standardize(gray)
        return (extract_both_sides if self.mirrored else extract)(gray, self.features)
