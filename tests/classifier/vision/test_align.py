"""The crop shows the face level, centred and as large as the training faces are, and poor faces are named."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from classifier.vision.align import CROP_SIDE, EYES_APART, EYES_X, EYES_Y, align_face, measure_quality
from classifier.vision.detect import Detection, make_detector
from classifier.vision.image import decode_photograph
from tests.photographs import astronaut

# Eyes, nose and mouth corners of a frontal face in a frame of 100 × 100, as in the canonical crop.
FRONTAL = np.array([[31.3, 38.1], [68.7, 38.1], [50, 58], [35, 75.8], [65, 75.8]], np.float32)


def face(landmarks: np.ndarray) -> Detection:
    low, high = landmarks.min(axis=0), landmarks.max(axis=0)
    x, y = (float(v) for v in low - (high - low) * 0.4)
    w, h = (float(v) for v in (high - low) * 1.8)
    return Detection((x, y, w, h), 0.9, landmarks.astype(np.float32))


def placed(scale: float, degrees: float, x: float, y: float) -> np.ndarray:
    turn = np.radians(degrees)
    matrix = np.array([[np.cos(turn), np.sin(turn)], [-np.sin(turn), np.cos(turn)]])
    return ((FRONTAL - 50) @ matrix * scale + [x, y]).astype(np.float32)


def with_dots(landmarks: np.ndarray, size: tuple[int, int] = (1000, 1000)) -> np.ndarray:
    """A gray picture with a white dot at either eye, as large as an iris."""
    picture = np.full((*size, 3), 40, np.uint8)
    radius = max(2, round(float(np.hypot(*(landmarks[1] - landmarks[0]))) / 8))
    for x, y in landmarks[:2]:
        cv2.circle(picture, (round(float(x) - 0.5), round(float(y) - 0.5)), radius, (255, 255, 255), -1)
    return picture


def dots(crop: np.ndarray) -> np.ndarray:
    """(2, 2): x, y of the two bright spots, from the crop's corner, left one first."""
    _, _, _, middles = cv2.connectedComponentsWithStats((crop[:, :, 0] > 140).astype(np.uint8))
    assert len(middles) == 3
    return np.array(sorted(middles[1:].tolist())) + 0.5


@pytest.mark.parametrize("scale", [0.4, 1.12, 2.5, 6.0])
@pytest.mark.parametrize("degrees", [0, 25, -40])
def test_eyes_land_where_the_training_faces_have_them(scale: float, degrees: float) -> None:
    landmarks = placed(scale, degrees, 480.0, 510.0)
    crop = align_face(with_dots(landmarks), face(landmarks))
    assert crop.shape == (CROP_SIDE, CROP_SIDE, 3)
    assert crop.dtype == np.uint8
    right, left = dots(crop) / CROP_SIDE
    assert (right + left) / 2 == pytest.approx([EYES_X, EYES_Y], abs=0.015)
    assert left - right == pytest.approx([EYES_APART, 0], abs=0.02)


def test_a_turned_face_is_not_cut_closer() -> None:
    landmarks = placed(2.0, 0, 500.0, 500.0)
    landmarks[:, 0] = 500 + (landmarks[:, 0] - 500) * 0.5
    right, left = dots(align_face(with_dots(landmarks), face(landmarks))) / CROP_SIDE
    assert left[0] - right[0] == pytest.approx(EYES_APART / 2, abs=0.02)


def test_large_faces_are_averaged_down() -> None:
    """A fine black and white grid turns gray; sampled without averaging it would stay black and white."""
    grid = np.zeros((1200, 1200, 3), np.uint8)
    grid[::2] = 255
    crop = align_face(grid, face(placed(9.0, 10, 600.0, 600.0)))
    inside = crop[20:-20, 20:-20]
    assert inside.min() > 100
    assert inside.max() < 155


def test_beyond_the_edge_the_edge_goes_on() -> None:
    picture = np.full((200, 200, 3), 180, np.uint8)
    for x, y in ((0.0, 0.0), (200.0, 200.0), (-300.0, 900.0)):
        assert align_face(picture, face(placed(1.0, 0, x, y))).min() == 180


@pytest.mark.parametrize("shape", [(1, 1), (1, 500), (500, 1)])
def test_the_smallest_pictures_are_cropped_too(shape: tuple[int, int]) -> None:
    picture = np.full((*shape, 3), 77, np.uint8)
    assert np.all(align_face(picture, Detection((0.0, 0.0, 1.0, 1.0), 0.5)) == 77)
    assert np.all(align_face(picture, face(np.zeros((5, 2), np.float32))) == 77)


def test_without_landmarks_the_box_is_the_frame() -> None:
    picture = np.full((300, 300, 3), 30, np.uint8)
    picture[100:200, 80:180] = 220
    crop = align_face(picture, Detection((80.0, 100.0, 100.0, 100.0), 0.5))
    assert crop[4:-4, 4:-4].min() > 200
    wider = align_face(picture, Detection((70.0, 90.0, 120.0, 120.0), 0.5))
    assert wider[2, 2, 0] < 60


def test_the_astronaut_is_readable_and_nearly_frontal() -> None:
    pixels = decode_photograph(astronaut()).pixels
    (found,) = make_detector("yunet").detect(pixels)
    quality = measure_quality(align_face(pixels, found), found)
    assert quality.unreadable == ""
    assert 75 < quality.size < 95
    assert quality.yaw is not None
    assert abs(quality.yaw) < 25
    assert quality.roll is not None
    assert abs(quality.roll) < 15


def test_size_is_in_pixels_of_the_photograph_as_sent() -> None:
    found = face(placed(0.5, 0, 100.0, 100.0))
    crop = np.random.default_rng(0).integers(0, 255, (CROP_SIDE, CROP_SIDE, 3), dtype=np.uint8)
    assert measure_quality(crop, found, scale=0.25).size == pytest.approx(min(found.box[2:]) * 4)


def test_a_tiny_face_is_too_small_unless_it_was_larger_as_sent() -> None:
    found = face(placed(0.2, 0, 100.0, 100.0))
    crop = np.random.default_rng(0).integers(0, 255, (CROP_SIDE, CROP_SIDE, 3), dtype=np.uint8)
    assert measure_quality(crop, found).unreadable == "too_small"
    assert measure_quality(crop, found, scale=0.25).unreadable == ""


def test_only_a_hopeless_blur_is_too_blurred() -> None:
    pixels = decode_photograph(astronaut()).pixels
    (found,) = make_detector("yunet").detect(pixels)

    def verdict(sigma: float) -> str:
        blurred = np.asarray(cv2.GaussianBlur(pixels, (0, 0), sigma), np.uint8)
        return measure_quality(align_face(blurred, found), found).unreadable

    assert verdict(1.0) == ""
    assert verdict(8.0) == "too_blurred"


def test_sharpness_does_not_depend_on_contrast() -> None:
    pixels = decode_photograph(astronaut()).pixels
    (found,) = make_detector("yunet").detect(pixels)
    dull = (pixels.astype(np.float32) * 0.3 + 80).astype(np.uint8)
    plain, faint = (measure_quality(align_face(p, found), found).sharpness for p in (pixels, dull))
    assert faint == pytest.approx(plain, rel=0.15)


def test_an_even_crop_is_blurred_rather_than_an_error() -> None:
    even = np.full((CROP_SIDE, CROP_SIDE, 3), 128, np.uint8)
    assert measure_quality(even, face(placed(1.0, 0, 200.0, 200.0))).unreadable == "too_blurred"


@pytest.mark.parametrize(
    ("shift", "unreadable"), [(0, ""), (15, ""), (-15, ""), (60, "turned_away"), (-60, "turned_away")]
)
def test_the_nose_tells_how_far_a_face_is_turned(shift: float, unreadable: str) -> None:
    landmarks = FRONTAL.copy()
    landmarks[2, 0] += shift
    crop = np.random.default_rng(0).integers(0, 255, (CROP_SIDE, CROP_SIDE, 3), dtype=np.uint8)
    quality = measure_quality(crop, face(landmarks))
    assert quality.yaw is not None
    assert np.sign(round(quality.yaw)) == np.sign(shift)
    assert quality.unreadable == unreadable


def test_roll_is_the_tilt_of_the_face() -> None:
    crop = np.zeros((CROP_SIDE, CROP_SIDE, 3), np.uint8)
    for degrees in (-30, 0, 20):
        quality = measure_quality(crop, face(placed(1.0, degrees, 200.0, 200.0)))
        assert quality.roll == pytest.approx(degrees, abs=0.5)
        assert quality.yaw == pytest.approx(0, abs=1)


def test_without_landmarks_there_is_no_pose() -> None:
    crop = np.zeros((CROP_SIDE, CROP_SIDE, 3), np.uint8)
    quality = measure_quality(crop, Detection((0.0, 0.0, 50.0, 60.0), 0.5))
    assert (quality.size, quality.yaw, quality.roll) == (50.0, None, None)
