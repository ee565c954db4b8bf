from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from PIL import Image

from classifier.ml.dataset import FaceSet, read_folder
from classifier.ml.preprocessing import Preprocessing
from classifier.ml.realign import aligned_crops, realigned
from classifier.vision.align import align_face
from classifier.vision.detect import make_detector
from classifier.vision.image import decode_photograph
from tests.photographs import astronaut, grace_hopper


def loosely_cut(data: bytes, *, turned: float, moved: float) -> np.ndarray:
    """(48, 48) uint8: the face as another detector might have cut it out."""
    pixels = decode_photograph(data, max_pixels=10**6, long_side=1000).pixels
    x, y, w, h = make_detector("yunet").detect(pixels)[0].box
    middle = (x + w / 2 + moved * w, y + h / 2)
    matrix = cv2.getRotationMatrix2D(middle, turned, 48 / (1.15 * h))
    matrix[:, 2] += 24 - np.array(middle)
    return cv2.cvtColor(cv2.warpAffine(pixels, matrix, (48, 48), flags=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)


def as_the_site_cuts(data: bytes) -> np.ndarray:
    pixels = decode_photograph(data, max_pixels=10**6, long_side=1000).pixels
    crop = align_face(pixels, make_detector("yunet").detect(pixels)[0])
    return cv2.resize(cv2.cvtColor(crop, cv2.COLOR_RGB2GRAY), (48, 48), interpolation=cv2.INTER_AREA)


def alike(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.corrcoef(one.ravel(), other.ravel())[0, 1])


def set_of(*images: np.ndarray) -> FaceSet:
    count = len(images)
    return FaceSet(
        np.array(images, np.uint8).reshape(-1, 48, 48),
        np.arange(count),
        np.zeros((count, 2), np.float32),
        ("a", "b"),
    )


@pytest.mark.parametrize(("turned", "moved"), [(12, 0), (-10, 0.08), (0, -0.1)])
@pytest.mark.parametrize("photograph", [astronaut, grace_hopper])
def test_a_face_that_was_cut_loosely_comes_to_look_as_the_site_cuts_it(
    photograph: object, turned: float, moved: float
) -> None:
    data = photograph()  # type: ignore[operator]
    cut, wanted = loosely_cut(data, turned=turned, moved=moved), as_the_site_cuts(data)
    aligned = realigned(set_of(cut)).images[0]
    assert alike(aligned, wanted) > alike(cut, wanted) + 0.1


def test_a_face_is_the_same_from_a_table_and_from_a_folder(tmp_path: Path) -> None:
    cut = loosely_cut(astronaut(), turned=8, moved=0.05)
    (tmp_path / "a").mkdir()
    Image.fromarray(cut).save(tmp_path / "a" / "1.png")
    of_folder = realigned(read_folder(tmp_path, names=("a", "b"), side=112))
    gray = Preprocessing().gray
    assert (gray(of_folder.crops) == realigned(set_of(cut)).images).all()


def test_a_crop_without_eyes_stays_as_it_is() -> None:
    noise = np.random.default_rng(0).integers(0, 256, (48, 48), dtype=np.uint8)
    assert (realigned(set_of(noise)).images[0] == noise).all()


def test_faces_keep_their_order_labels_and_size() -> None:
    cut = [loosely_cut(data(), turned=5, moved=0) for data in (astronaut, grace_hopper)]
    faces = realigned(set_of(*cut))
    wanted = [as_the_site_cuts(data()) for data in (astronaut, grace_hopper)]
    assert faces.images.shape == (2, 48, 48)
    assert faces.labels.tolist() == [0, 1]
    assert [max(range(2), key=lambda of: alike(face, wanted[of])) for face in faces.images] == [0, 1]


def test_no_faces_at_all_are_none() -> None:
    assert len(realigned(set_of())) == 0


def test_colour_is_kept_where_there_is_some() -> None:
    gray = loosely_cut(astronaut(), turned=0, moved=0)
    red = np.stack([gray, gray // 2, gray // 2], axis=-1)
    (crop,) = aligned_crops([red])
    assert crop.shape == (112, 112, 3)
    assert crop[..., 0].mean() > 1.8 * crop[..., 1].mean()
