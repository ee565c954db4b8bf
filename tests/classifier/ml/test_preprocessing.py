from __future__ import annotations

import numpy as np
import pytest

from classifier.ml.features import FEATURES
from classifier.ml.preprocessing import Preprocessing


def test_a_colour_crop_becomes_a_standardised_gray_tensor() -> None:
    crops = np.random.default_rng(0).integers(0, 256, (3, 112, 112, 3), dtype=np.uint8)
    tensor = Preprocessing()(crops)
    assert tensor.shape == (3, 48, 48, 1)
    assert tensor.dtype == np.float32
    np.testing.assert_allclose(tensor.mean(axis=(1, 2, 3)), 0, atol=1e-5)
    np.testing.assert_allclose(tensor.std(axis=(1, 2, 3)), 1, atol=1e-3)


def test_brightness_and_contrast_make_no_difference() -> None:
    image = np.random.default_rng(0).integers(50, 100, (1, 48, 48), dtype=np.uint8)
    np.testing.assert_allclose(Preprocessing()(image), Preprocessing()(image * 2 + 20), atol=1e-4)


def test_a_flat_crop_gives_zeros_and_no_nan() -> None:
    assert not Preprocessing()(np.full((1, 48, 48), 9, np.uint8)).any()


def test_a_card_gives_the_same_recipe_back() -> None:
    assert Preprocessing.from_card(Preprocessing(side=64).to_card()) == Preprocessing(side=64)


def test_the_features_of_the_whole_crop_keep_its_colours_and_are_on_the_card() -> None:
    recipe = Preprocessing(112, ("colors", "hog"), "rgb")
    assert Preprocessing.from_card(recipe.to_card()) == recipe
    red, blue = np.zeros((2, 112, 112, 3), np.uint8)
    red[..., 0], blue[..., 2] = 200, 200
    told = recipe([red, blue])
    assert told.shape == (2, recipe.width)
    assert told[0, 0] > 0.7 > 0.1 > told[1, 0], "the first number is how red the first corner is"


def test_the_features_of_the_mirror_image_follow_those_of_the_face() -> None:
    names = tuple(FEATURES)
    recipe = Preprocessing(features=names, mirrored=True)
    assert Preprocessing.from_card(recipe.to_card()) == recipe
    faces = np.random.default_rng(0).integers(0, 256, (2, 48, 48), dtype=np.uint8)
    face, mirror_image = np.split(recipe(faces), 2, axis=1)
    alone = Preprocessing(features=names)
    np.testing.assert_allclose(face, alone(faces), atol=1e-5)
    np.testing.assert_allclose(mirror_image, alone(faces[:, :, ::-1]), atol=1e-5)


@pytest.mark.parametrize(
    "recipe",
    [
        Preprocessing(48, mirrored=True),
        Preprocessing(48, ("colors",), "rgb"),
        Preprocessing(112, (), "rgb"),
        Preprocessing(112, ("lbp",), "rgb"),
        Preprocessing(48, ("colors",)),
        Preprocessing(48, (), "lab"),
    ],
)
def test_features_of_another_kind_of_crop_are_refused(recipe: Preprocessing) -> None:
    with pytest.raises(ValueError, match="not known"):
        Preprocessing.from_card(recipe.to_card())


@pytest.mark.parametrize("change", [{"color": "rgb"}, {"normalize": "none"}])
def test_a_recipe_that_is_not_known_is_refused(change: dict[str, str]) -> None:
    with pytest.raises(ValueError, match="not known"):
        Preprocessing.from_card(Preprocessing().to_card() | change)
