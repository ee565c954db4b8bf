from __future__ import annotations

import numpy as np
import pytest
import pywt

from classifier.ml import features


@pytest.fixture
def faces() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (3, 48, 48), dtype=np.uint8)


@pytest.mark.parametrize("name", features.FEATURES)
def test_a_face_has_the_same_features_alone_and_among_others(name: str, faces: np.ndarray) -> None:
    together = features.extract(faces, [name])
    assert together.shape == (3, features.width(name))
    assert together.dtype == np.float32
    for face, row in zip(faces, together, strict=True):
        np.testing.assert_allclose(features.extract(face[None], [name])[0], row, atol=1e-6)


@pytest.mark.parametrize("name", features.FEATURES)
def test_a_flat_face_gives_finite_numbers(name: str) -> None:
    assert np.isfinite(features.extract(np.full((1, 48, 48), 200, np.uint8), [name])).all()


@pytest.mark.parametrize("name", ["descriptors", "hog", "lbp"])
def test_brightness_makes_no_difference(name: str, faces: np.ndarray) -> None:
    darker = faces // 2
    np.testing.assert_allclose(
        features.extract(darker, [name]), features.extract(darker + 90, [name]), atol=1e-4
    )


def test_an_edge_is_found_in_the_direction_in_which_it_brightens() -> None:
    face = np.zeros((48, 48), np.uint8)
    face[:, 24:] = 200
    maps = features.orientation_maps(face)
    assert maps.sum(axis=(0, 1)).argmax() == 0, "0: to the right"
    assert features.orientation_maps(face.T).sum(axis=(0, 1)).argmax() == 2, "2: downwards"
    assert not maps[:, :20].any()


def test_a_direction_between_two_is_shared_by_them() -> None:
    slope = np.add.outer(np.arange(48) * 2, np.arange(48) * 4).astype(np.uint8)
    shares = features.orientation_maps(slope)[20, 20]
    turn = np.degrees(np.arctan2(2, 4)) / 45
    np.testing.assert_allclose(shares / shares.sum(), [1 - turn, turn, 0, 0, 0, 0, 0, 0], atol=0.01)


def test_there_are_59_uniform_patterns_and_their_shares_sum_to_about_one(faces: np.ndarray) -> None:
    shares = features.lbp(faces).reshape(3, features.LBP_GRID**2, -1) ** 2
    assert shares.shape[-1] == 59
    # 46 pixels are no six equal parts: some have seven rows or columns.
    np.testing.assert_allclose(shares.sum(axis=-1), 1, atol=0.2)


def test_wavelets_hold_the_picture_small_and_its_details() -> None:
    gray = np.zeros((1, 48, 48), np.uint8)
    gray[:, :, 20:] = 200
    picture, across, down, both = np.split(features.wavelets(gray)[0].reshape(-1, 12, 12), 4)
    assert picture[0, 5, 1] < 0 < picture[0, 5, 9]
    assert np.abs(picture).max() > np.abs(np.stack([across, down, both])).max() > 0.1


def test_the_wavelet_coefficients_are_those_of_pywavelets(faces: np.ndarray) -> None:
    pixels = features.standardized(faces)
    *levels, _finest = pywt.wavedec2(pixels, features.WAVELET, mode="periodization", level=2)
    picture, details = levels
    expected = np.stack([picture, *details], axis=1).reshape(3, -1)
    np.testing.assert_allclose(features.wavelets(faces), expected, atol=1e-4)


def test_an_unknown_feature_is_named_with_those_that_exist(faces: np.ndarray) -> None:
    with pytest.raises(ValueError, match=r"no features gabor; choose from descriptors, hog"):
        features.extract(faces, ["hog", "gabor"])
