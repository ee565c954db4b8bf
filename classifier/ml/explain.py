"""What on a face drove an answer: occlusion sensitivity, on the served graph alone.

M. Zeiler and R. Fergus, "Visualizing and Understanding Convolutional Networks", ECCV 2014: cover one part of
the picture after another, and see how much of the label's probability is lost with it.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from .preprocessing import CROP_SIDE
from .runtime import Classifier

# A covered part is about an eye or half a mouth wide; neighbouring ones overlap by about half.
PATCH = 32
STEPS = 8


def heat_map(classifier: Classifier, crop: NDArray[np.uint8], label: int) -> NDArray[np.float32]:
    """How much each place of a face spoke for `label`, an index into `classifier.labels`.

    crop: (112, 112, 3) uint8 RGB. Returns (112, 112) float32 from 0 to 1, 1 at the place that counted most;
    all 0 when covering nothing made the label less likely. Takes STEPS² + 1 faces' time.
    """
    covers = _covers()
    blurred = np.asarray(cv2.GaussianBlur(crop, (0, 0), PATCH / 4), np.uint8)
    hidden = [_blend(crop, blurred, cover) for cover in covers]
    answers = classifier.predict(np.stack([crop, *hidden]))[:, label]
    lost = np.maximum(_log_odds(answers[:1]) - _log_odds(answers[1:]), 0)
    # Not by BLAS: its threads would go on spinning for as long as all the rest takes.
    heat = np.einsum("n,nhw->hw", lost, covers) / covers.sum(axis=0)
    most = heat.max()
    return np.asarray(heat / most if most > 0 else heat, np.float32)


def _covers() -> NDArray[np.float32]:
    """(STEPS², 112, 112) from 0 to 1: soft-edged spots, so that no edge of a cover is itself a feature."""
    places = np.linspace(PATCH / 4, CROP_SIDE - 1 - PATCH / 4, STEPS)
    axis = np.arange(CROP_SIDE)
    bumps = np.exp(-0.5 * ((axis - places[:, None]) / (PATCH / 2.5)) ** 4)
    spots = bumps[:, None, :, None] * bumps[None, :, None, :]
    return np.asarray(spots.reshape(STEPS**2, CROP_SIDE, CROP_SIDE), np.float32)


def _log_odds(probability: NDArray[np.float32]) -> NDArray[np.float32]:
    """A share lost counts the same near certainty as in doubt."""
    inside = np.clip(probability, 1e-6, 1 - 1e-6)
    return np.asarray(np.log(inside / (1 - inside)), np.float32)


def draw_heat(crop: NDArray[np.uint8], heat: NDArray[np.float32]) -> NDArray[np.uint8]:
    """(112, 112, 3) uint8 RGB: the face in gray, with what counted glowing over it."""
    gray = np.asarray(cv2.cvtColor(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB), np.uint8)
    glow = cv2.cvtColor(
        cv2.applyColorMap((heat * 255).astype(np.uint8), cv2.COLORMAP_INFERNO), cv2.COLOR_BGR2RGB
    )
    return _blend(gray, np.asarray(glow, np.uint8), 0.75 * heat)


def _blend(
    below: NDArray[np.uint8], above: NDArray[np.uint8], share: NDArray[np.float32]
) -> NDArray[np.uint8]:
    """`share`: (H, W), how much of `above` shows, 0 to 1."""
    opaque = share[..., None]
    return (below * (1 - opaque) + above * opaque).round().astype(np.uint8)
