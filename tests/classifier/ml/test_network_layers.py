"""What the bundled network sees in a face, and in its mirror image."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from skimage.data import astronaut

from classifier.ml.fine_tuning import LastLayer, features_of
from classifier.ml.network_layers import BUNDLED, LAYERS, layers_of, width
from classifier.ml.preprocessing import Preprocessing

SIDES = {"maps": 6, "deep maps": 3}


@pytest.fixture(scope="module")
def tensors() -> NDArray[np.float32]:
    face = astronaut()[20:190, 140:310]
    return Preprocessing()([np.roll(face, 4 * shift, axis=1) for shift in range(5)])


def test_the_maps_of_a_mirror_image_are_mirror_images_and_its_embedding_is_the_same(
    tensors: NDArray[np.float32],
) -> None:
    seen, mirrored = (layers_of(side.reshape(5, -1)) for side in (tensors, tensors[:, :, ::-1]))
    for layer in LAYERS:
        assert seen[layer].shape == (5, width(layer))
        side = SIDES.get(layer, 1)
        turned = mirrored[layer].reshape(5, -1, side, side)[..., ::-1].reshape(5, -1)
        np.testing.assert_allclose(seen[layer], turned, atol=1e-5)
        if side > 1:
            assert np.abs(seen[layer] - mirrored[layer]).max() > 0.1


def test_the_embedding_is_what_the_last_layer_is_given_of_both_sides(tensors: NDArray[np.float32]) -> None:
    model = onnx.load(BUNDLED)
    sides = [features_of(model, LastLayer.of(model), side) for side in (tensors, tensors[:, :, ::-1])]
    expected = np.mean(sides, axis=0)[:, :-1]
    np.testing.assert_allclose(layers_of(tensors.reshape(5, -1))["embedding"], expected, atol=1e-4)
