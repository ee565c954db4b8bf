"""A detected face becomes the canonical crop, and a judgement whether it can be read at all.

The geometry is that of the training faces (FER2013, by measurement): the eyes' midpoint at (0.494, 0.381) of
the frame, the eyes 0.374 of the frame apart, the mouth 0.377 of the frame below them.

A turned face brings the eyes together without being smaller, so the eyes alone would cut it too close: over
4,464 faces of FER2013, the frame so found varies by 23 % (standard deviation), and beyond 40 degrees of yaw
it is half of what it should be. The eyes-to-mouth distance, or the larger of both, varies by 17 % and is 0.92
there. The larger is used, since a nod shortens the other one.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import atan, atan2, ceil, degrees
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from classifier.vision.detect import Detection
from classifier.vision.image import Pixels

CROP_SIDE = 112
EYES_X, EYES_Y = 0.494, 0.381
EYES_APART = 0.374
EYES_TO_MOUTH = 0.377

Unreadable = Literal["", "too_small", "too_blurred", "turned_away"]

# Deliberately low bars: under them people fail too. A photograph shrunk until the face is 10 pixels wide and
# enlarged again has a sharpness of 0.04; the least among 370 photographs from the web is 0.08.
SMALLEST_FACE = 18.0
LEAST_SHARPNESS = 0.04
LARGEST_YAW = 60.0
# Distance of the pupils over the depth of the nose tip before them, in an average adult face.
_EYES_OVER_NOSE = 1.65


@dataclass(frozen=True)
class FaceQuality:
    """`size`: shorter side of the box in pixels of the photograph as sent. `sharpness`: from 0, see
    `_sharpness`. `yaw`, `roll`: degrees, positive towards the viewer's right and clockwise, None without
    landmarks. `unreadable`: why an expression can't be read off this face, or "".
    """

    size: float
    sharpness: float
    yaw: float | None
    roll: float | None
    unreadable: Unreadable


@dataclass(frozen=True)
class _Frame:
    """The square to cut out: the eyes' midpoint, the side in pixels, the tilt in radians."""

    x: float
    y: float
    side: float
    roll: float


def align_face(pixels: Pixels, detection: Detection) -> Pixels:
    """uint8 (112, 112, 3) RGB: the face level, centred and scaled as the training faces are.

    Outside the photograph its edge pixels are repeated. Large faces are averaged down, not sampled.
    """
    frame = _frame(detection)
    shrunk, ratio, left, top = _cut_and_shrink(pixels, frame)
    scale = CROP_SIDE / (frame.side * ratio)
    cos, sin = np.cos(-frame.roll) * scale, np.sin(-frame.roll) * scale
    # Coordinates count from the picture's corner, OpenCV's from the middle of its first pixel.
    x, y = (frame.x - left) * ratio - 0.5, (frame.y - top) * ratio - 0.5
    to_x, to_y = EYES_X * CROP_SIDE - 0.5, EYES_Y * CROP_SIDE - 0.5
    matrix = np.array([[cos, -sin, to_x - cos * x + sin * y], [sin, cos, to_y - sin * x - cos * y]])
    warped = cv2.warpAffine(
        shrunk, matrix, (CROP_SIDE, CROP_SIDE), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE
    )
    return np.asarray(warped, np.uint8)


def measure_quality(crop: Pixels, detection: Detection, *, scale: float = 1.0) -> FaceQuality:
    """`crop`: what `align_face` made of `detection`. `scale`: pixels searched per pixel as sent."""
    size = min(detection.box[2:]) / scale
    sharpness = _sharpness(crop)
    yaw = roll = None
    if detection.landmarks is not None:
        yaw, roll = _yaw(detection.landmarks), degrees(_frame(detection).roll)
    unreadable: Unreadable = ""
    if size < SMALLEST_FACE:
        unreadable = "too_small"
    elif yaw is not None and abs(yaw) > LARGEST_YAW:
        unreadable = "turned_away"
    elif sharpness < LEAST_SHARPNESS:
        unreadable = "too_blurred"
    return FaceQuality(size=size, sharpness=sharpness, yaw=yaw, roll=roll, unreadable=unreadable)


def _frame(detection: Detection) -> _Frame:
    if detection.landmarks is None:
        return _frame_from_box(detection)
    points = detection.landmarks.astype(float)
    eyes, mouth = points[:2].mean(axis=0), points[3:].mean(axis=0)
    across, down = points[1] - points[0], mouth - eyes
    # A quarter turn takes the line down the face to the line across it. Their sum leans on the longer one:
    # in a face turned aside the eyes come together and their line says little.
    lean = across + np.array([down[1], -down[0]])
    # Turning aside shortens one distance, nodding the other, nothing lengthens them: the larger is right.
    side = float(max(np.hypot(*across) / EYES_APART, np.hypot(*down) / EYES_TO_MOUTH))
    return _Frame(float(eyes[0]), float(eyes[1]), max(side, 1.0), atan2(float(lean[1]), float(lean[0])))


def _frame_from_box(detection: Detection) -> _Frame:
    """FER2013's own frames are boxes of a Haar cascade, so its box is the frame."""
    x, y, w, h = detection.box
    side = max((w + h) / 2, 1.0)
    left, top = x + w / 2 - side / 2, y + h / 2 - side / 2
    return _Frame(left + EYES_X * side, top + EYES_Y * side, side, 0.0)


def _cut_and_shrink(pixels: Pixels, frame: _Frame) -> tuple[Pixels, float, float, float]:
    """The surroundings of the frame, averaged down to between one and two times the crop's scale.

    Returns (pixels, pixels per pixel before, left, top).
    """
    reach = frame.side * 1.1 + 2
    height, width = pixels.shape[:2]
    left, right = _span(frame.x, reach, width)
    top, bottom = _span(frame.y, reach, height)
    cut = pixels[top:bottom, left:right]
    step = int(frame.side // CROP_SIDE)
    if step < 2:
        return np.ascontiguousarray(cut), 1.0, float(left), float(top)
    # Whole steps only, so that one ratio holds for both axes; the last partial step repeats its edge.
    padded = cv2.copyMakeBorder(cut, 0, -cut.shape[0] % step, 0, -cut.shape[1] % step, cv2.BORDER_REPLICATE)
    size = (padded.shape[1] // step, padded.shape[0] // step)
    small = np.asarray(cv2.resize(padded, size, interpolation=cv2.INTER_AREA), np.uint8)
    return small, 1.0 / step, float(left), float(top)


def _span(middle: float, reach: float, length: int) -> tuple[int, int]:
    """From, to: never empty, even for a face whose landmarks lie outside the picture."""
    first = min(max(int(middle - reach), 0), length - 1)
    return first, max(min(ceil(middle + reach), length), first + 1)


def _sharpness(crop: Pixels) -> float:
    """Variance of the Laplacian over that of the gray values: 0.1 to 1, whatever the contrast.

    At 40 × 40, where a face of 20 pixels, which can be read, is not yet called blurred, and where noise and
    compression are averaged out.
    """
    gray = cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY)
    small = cv2.resize(gray, (40, 40), interpolation=cv2.INTER_AREA).astype(np.float32)
    # One squared gray level keeps an even crop from dividing by 0.
    return float(cv2.Laplacian(small, cv2.CV_32F).var()) / (float(small.var()) + 1.0)


def _yaw(landmarks: NDArray[np.float32]) -> float:
    """Degrees from how far the nose tip stands off the middle line of the face.

    The nose moves by its depth times the sine, the eyes close in by the cosine of the turn.
    """
    points = landmarks.astype(float)
    eyes, mouth = points[:2].mean(axis=0), points[3:].mean(axis=0)
    across, down = points[1] - points[0], mouth - eyes
    length = max(float(np.hypot(*down)), 1e-6)
    nose = points[2] - eyes
    offset = float(down[1] * nose[0] - down[0] * nose[1]) / length
    return degrees(atan(offset / max(float(np.hypot(*across)), 1e-6) * _EYES_OVER_NOSE))
