"""What the bundled network has learned to see in a face, as features for classifiers that learn from few.

Its last hidden layer tells expressions apart; the maps before that keep where on the face something is, and
tell people apart too. Yosinski et al., "How Transferable Are Features in Deep Neural Networks?", NIPS 2014.
"""

from __future__ import annotations

from functools import lru_cache
from math import prod
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import helper

from .embedding import Graph
from .features import SIDE
from .fine_tuning import LastLayer

BUNDLED = Path(__file__).parent.parent / "weights" / "expressions-cnn.onnx"
LAYERS = ("maps", "deep maps", "embedding")
"""What is left after the last two times that the picture is shrunk, and what the last layer is given."""
BATCH = 32


def width(layer: str) -> int:
    """How many numbers the layer has."""
    return prod(_shapes()[layer])


def layers_of(faces: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
    """Each of LAYERS as (N, D), of (N, 48 × 48) faces as `crop_features.face` gives them."""
    session = onnxruntime.InferenceSession(_alone(), providers=["CPUExecutionProvider"])
    rows = [
        session.run(None, {"face": faces[start : start + BATCH]})[0] for start in range(0, len(faces), BATCH)
    ]
    ends = np.cumsum([width(layer) for layer in LAYERS])
    return dict(zip(LAYERS, np.split(np.concatenate(rows), ends[:-1], axis=1), strict=True))


def add_layers(graph: Graph, face: str) -> dict[str, str]:
    """Write the network into `graph`; returns the tensors, (N, D), of LAYERS for `face`, (N, 48 × 48).

    It looks at a face and at its mirror image. A layer is the mean of both; those maps of the second are
    turned back before, so that the maps of a face and of its mirror image are mirror images.
    """
    network = onnx.load_from_string(_network())
    picture = graph.constant(np.array([-1, SIDE, SIDE, 1]))
    graph.nodes.append(helper.make_node("Reshape", [face, picture], [network.graph.input[0].name]))
    graph.nodes.extend(network.graph.node)
    graph.weights.extend(network.graph.initializer)
    names = [output.name for output in network.graph.output]
    return {layer: _folded(graph, name, _shapes()[layer]) for layer, name in zip(LAYERS, names, strict=True)}


def _folded(graph: Graph, tensor: str, shape: tuple[int, ...]) -> str:
    """(2 N, …), faces and then their mirror images, to (N, D)."""
    both = graph.add("Reshape", tensor, graph.constant(np.array([2, -1, *shape])))
    seen, mirrored = (graph.add("Gather", both, graph.constant(np.array([side])), axis=0) for side in (0, 1))
    if len(shape) > 1:
        backwards = graph.constant(np.arange(shape[-1])[::-1])
        mirrored = graph.add("Gather", mirrored, backwards, axis=len(shape) + 1)
    mean = graph.add("Mul", graph.add("Add", seen, mirrored), graph.constant(np.float32(0.5)))
    return graph.add("Reshape", mean, graph.constant(np.array([-1, prod(shape)])))


@lru_cache
def _shapes() -> dict[str, tuple[int, ...]]:
    """Of each of LAYERS, for one face: (C, H, W) or (C,)."""
    session = onnxruntime.InferenceSession(_network(), providers=["CPUExecutionProvider"])
    picture = np.zeros((1, SIDE, SIDE, 1), np.float32)
    found = session.run(None, {session.get_inputs()[0].name: picture})
    return {layer: each.shape[1:] for layer, each in zip(LAYERS, found, strict=True)}


@lru_cache
def _alone() -> bytes:
    graph = Graph("layers")
    found = add_layers(graph, "face")
    graph.nodes.append(helper.make_node("Concat", list(found.values()), ["layers"], axis=1))
    return graph.to_bytes(given=("face", SIDE * SIDE), told=("layers", sum(map(width, LAYERS))))


@lru_cache
def _network() -> bytes:
    """The bundled network as far as it is needed; its outputs are LAYERS."""
    model = onnx.load(BUNDLED)
    shrunk = [node.output[0] for node in model.graph.node if node.op_type == "MaxPool"]
    outputs = [*shrunk[-2:], LastLayer.of(model).given]
    needed, nodes = set(outputs), []
    for node in reversed(model.graph.node):
        if needed & set(node.output):
            needed |= set(node.input)
            nodes.append(node)
    weights = [tensor for tensor in model.graph.initializer if tensor.name in needed]
    ends = [helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, None) for name in outputs]
    graph = helper.make_graph(nodes[::-1], "network", [model.graph.input[0]], ends, weights)
    cut = helper.make_model(graph, opset_imports=model.opset_import, ir_version=model.ir_version)
    serialized: bytes = cut.SerializeToString()
    return serialized
