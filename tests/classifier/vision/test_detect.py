"""One face is one detection, large or small, whichever thread asks."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from PIL import Image

from classifier.vision.detect import DETECTORS, Detection, YuNetDetector, make_detector
from classifier.vision.image import decode_photograph, encode_jpeg
from tests.photographs import astronaut, grace_hopper, no_face

YUNET = make_detector("yunet")


def resized(pixels: np.ndarray, long_side: int) -> np.ndarray:
    ratio = long_side / max(pixels.shape[:2])
    size = (round(pixels.shape[1] * ratio), round(pixels.shape[0] * ratio))
    return np.asarray(Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC))


def portrait() -> np.ndarray:
    """The astronaut's face, filling the picture, at 120 × 120."""
    return decode_photograph(astronaut()).pixels[55:175, 160:280]


def has_the_astronaut(found: Detection, scale: float, left: float = 0, top: float = 0) -> bool:
    """Whether the box holds her nose, which is at (224, 130), and is about as wide as her face."""
    x, y, w, h = found.box
    nose_x, nose_y = left + 224 * scale, top + 130 * scale
    return x < nose_x < x + w and y < nose_y < y + h and 60 * scale < w < 130 * scale


def test_one_face_is_found_once_with_its_landmarks() -> None:
    for data in (astronaut(), grace_hopper()):
        found = YUNET.detect(decode_photograph(data).pixels)
        assert len(found) == 1
        assert found[0].score > 0.8
        assert found[0].landmarks is not None
        right_eye, left_eye, nose, right_mouth, left_mouth = found[0].landmarks
        assert right_eye[0] < nose[0] < left_eye[0]
        assert right_mouth[0] < left_mouth[0]
        assert right_eye[1] < nose[1] < right_mouth[1]
        assert found[0].landmarks.dtype == np.float32


def test_the_astronauts_face_is_where_it_is() -> None:
    (found,) = YUNET.detect(decode_photograph(astronaut()).pixels)
    assert has_the_astronaut(found, 1.0)


@pytest.mark.parametrize("long_side", [40, 100, 350, 600, 1000, 2000, 4000])
def test_a_face_that_fills_the_picture_is_found_once_at_every_size(long_side: int) -> None:
    (found,) = YUNET.detect(resized(portrait(), long_side))
    assert found.box[2] > 0.4 * long_side


def test_faces_of_2_5_percent_are_found_in_12_megapixels() -> None:
    pixels = decode_photograph(astronaut()).pixels
    scale = 100 / 84  # her face is 84 pixels wide
    small = resized(pixels, round(512 * scale))
    canvas = np.full((3000, 4000, 3), 120, np.uint8)
    corners = [(100, 100), (1500, 900), (3300, 2300)]
    for left, top in corners:
        canvas[top : top + small.shape[0], left : left + small.shape[1]] = small
    photograph = decode_photograph(encode_jpeg(canvas))
    found = YUNET.detect(photograph.pixels)
    assert len(found) == 3
    for left, top in corners:
        assert any(
            has_the_astronaut(one, scale * photograph.scale, left * photograph.scale, top * photograph.scale)
            for one in found
        )


def test_a_small_face_beside_a_large_one_is_found_and_comes_second() -> None:
    canvas = np.full((1200, 1600, 3), 120, np.uint8)
    canvas[:, 400:] = resized(portrait(), 1200)
    canvas[20:276, 20:276] = resized(decode_photograph(astronaut()).pixels, 256)
    first, second = YUNET.detect(canvas)
    assert first.box[2] > 400
    assert has_the_astronaut(second, 0.5, 20, 20)


def test_no_face_is_an_empty_list() -> None:
    assert YUNET.detect(decode_photograph(no_face()).pixels) == []


@pytest.mark.parametrize("name", DETECTORS)
@pytest.mark.parametrize("shape", [(1, 1), (1, 2048), (2048, 1), (7, 900), (3, 3)])
def test_odd_shapes_hold_no_face_and_do_no_harm(name: str, shape: tuple[int, int]) -> None:
    assert make_detector(name).detect(np.full((*shape, 3), 90, np.uint8)) == []


@pytest.mark.parametrize("shape", [(1, 1), (7, 900), (900, 7)])
def test_no_network_is_as_narrow_as_makes_opencv_read_stray_memory(shape: tuple[int, int]) -> None:
    detector = YuNetDetector()
    detector.detect(np.full((*shape, 3), 90, np.uint8))
    assert min(min(size) for size in detector._networks) >= 64


def test_boxes_stay_within_the_picture() -> None:
    pixels = decode_photograph(astronaut()).pixels[90:, 200:]
    (found,) = YUNET.detect(np.ascontiguousarray(pixels))
    x, y, w, h = found.box
    assert min(x, y) >= 0
    assert x + w <= pixels.shape[1]
    assert y + h <= pixels.shape[0]


def test_threads_share_a_detector_without_mixing_their_pictures() -> None:
    pictures = [resized(decode_photograph(astronaut()).pixels, size) for size in (300, 420, 512, 700, 900)]
    alone = [YUNET.detect(picture)[0].box for picture in pictures]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda picture: YUNET.detect(picture)[0].box, pictures * 4))
    assert together == alone * 4


def test_more_picture_sizes_than_networks_are_kept_change_nothing() -> None:
    pixels = decode_photograph(astronaut()).pixels
    before = YUNET.detect(pixels)[0].box
    for height in range(200, 500, 20):
        YUNET.detect(pixels[:height])
    assert YUNET.detect(pixels)[0].box == before


def test_the_cascade_finds_the_astronaut_without_landmarks() -> None:
    found = make_detector("haar").detect(decode_photograph(astronaut()).pixels)
    assert any(has_the_astronaut(one, 1.0) for one in found)
    assert all(one.landmarks is None and 0 <= one.score <= 1 for one in found)


def test_the_two_eyes_rule_drops_faces_without_two_eyes() -> None:
    pixels = decode_photograph(astronaut()).pixels.copy()
    pixels[95:125, 185:222] = pixels[80, 200]  # one eye painted over
    plain = [one.box for one in make_detector("haar").detect(pixels)]
    strict = [one.box for one in make_detector("haar-two-eyes").detect(pixels)]
    assert any(has_the_astronaut(Detection(box, 1.0), 1.0) for box in plain)
    assert not any(has_the_astronaut(Detection(box, 1.0), 1.0) for box in strict)


def test_names_lead_to_detectors_and_an_unknown_one_lists_them() -> None:
    assert [make_detector(name).name for name in DETECTORS] == ["yunet", "haar", "haar-two-eyes"]
    with pytest.raises(ValueError, match="yunet, haar, haar-two-eyes"):
        make_detector("mtcnn")


def test_faces_in_the_group_photographs(shared_data) -> None:
    for name, least, most in (("selfie", 6, 7), ("street", 15, 22)):
        photograph = decode_photograph((shared_data / "groups" / f"{name}.jpg").read_bytes())
        assert least <= len(YUNET.detect(photograph.pixels)) <= most


def test_a_face_in_97_of_100_photographs(shared_data) -> None:
    paths = sorted((shared_data / "photos" / "images").iterdir())[::4]
    found = [bool(YUNET.detect(decode_photograph(path.read_bytes()).pixels)) for path in paths]
    assert len(found) > 90
    assert np.mean(found) >= 0.97
