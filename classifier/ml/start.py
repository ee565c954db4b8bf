"""A network to be trained goes on from what a served artifact has learned."""

from __future__ import annotations

import keras
import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import numpy_helper

Layer = tuple[NDArray[np.float32], NDArray[np.float32]]
BATCH = 128


def start_from(network: keras.Model, artifact: bytes, tensors: NDArray[np.float32]) -> None:
    """Give `network`, as `build_network` makes it, the weights of an ONNX artifact of the same shape.

    In the artifact the normalizations are part of the convolutions. They are parted again by what the
    convolutions see of tensors, (N, S, S, 1) float32, so that batches of such are normalized in training to
    what the artifact computes. Raises ValueError where the artifact is of another shape.
    """
    layers = _layers_of(onnx.load_from_string(artifact))
    found = [layer for layer in network.layers if isinstance(layer, keras.layers.Conv2D)]
    shapes = [tuple(layer.kernel.shape) for layer in found]
    last = network.get_layer("logits")
    if [kernel.shape for kernel, _ in layers] != [*shapes, tuple(last.kernel.shape)]:
        raise ValueError(f"The artifact to start from is no network of the shape of {network.name}")
    *convolutions, (kernel, bias) = layers
    for layer, (weights, _) in zip(found, convolutions, strict=True):
        layer.set_weights([weights])
    last.set_weights([kernel, bias])
    normalizations = [layer for layer in network.layers if isinstance(layer, keras.layers.BatchNormalization)]
    for layer, (_, offset) in zip(normalizations, convolutions, strict=True):
        ones = np.ones_like(offset)
        layer.set_weights([ones, offset, 0 * ones, (1 - layer.epsilon) * ones])
    seen = keras.Model(network.input, [keras.ops.stack(_moments(layer.output)) for layer in found])
    for layer, moments, (_, offset) in zip(
        normalizations, _means_by_batch(seen, tensors), convolutions, strict=True
    ):
        mean, variance = moments[0], moments[1] - moments[0] ** 2
        layer.set_weights([np.sqrt(variance + layer.epsilon), offset + mean, mean, variance])


def _moments(maps: keras.KerasTensor) -> list[keras.KerasTensor]:
    maps = keras.ops.cast(maps, "float32")
    return [keras.ops.mean(power, axis=(0, 1, 2)) for power in (maps, maps**2)]


def _means_by_batch(seen: keras.Model, tensors: NDArray[np.float32]) -> list[NDArray[np.float32]]:
    whole = range(0, max(len(tensors) - BATCH, 0) + 1, BATCH)
    batches = [seen(tensors[start : start + BATCH], training=False) for start in whole]
    return [
        np.mean([keras.ops.convert_to_numpy(moments) for moments in layer], axis=0)
        for layer in zip(*batches, strict=True)
    ]


def _layers_of(model: onnx.ModelProto) -> list[Layer]:
    """(kernel, bias) of each convolution, (H, W, C, D), and of the last dense layer, (D, K), as they come."""
    arrays = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "DequantizeLinear" and set(node.input) <= arrays.keys():
            weights, scale, zero = (arrays[name] for name in node.input)
            along = (-1, *(1 for _ in weights.shape[1:]))
            arrays[node.output[0]] = (weights.astype(np.float32) - zero.reshape(along)) * scale.reshape(along)
    layers = []
    for node in model.graph.node:
        known = [arrays[name] for name in node.input[1:] if name in arrays]
        if node.op_type in {"Conv", "Gemm"} and len(known) == 2:
            kernel, bias = known
            layers.append((kernel.transpose(2, 3, 1, 0) if kernel.ndim == 4 else kernel, bias))
    return layers
