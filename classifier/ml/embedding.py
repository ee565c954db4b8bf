"""Hand-crafted features, some thousands of numbers, become a few hundred that a kernel can compare."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.cluster import MiniBatchKMeans
from sklearn.utils.extmath import randomized_svd

from . import features
from .features import DESCRIPTORS, SIDE

FEATURES = tuple(features.FEATURES)
OPSET = 18
# So many faces' features, 52,000 numbers each, are held at once.
CHUNK = 64
# Faces that words and principal components are learned from.
SAMPLE = 6000
# Of the mean distance to all words: a word further away than that has no part in a descriptor.
NEAR = 0.93
REGIONS = 4
ONE_SIZE = np.cumsum([0, *(features.descriptors_a_side(cell) ** 2 for cell in DESCRIPTORS)])


class Graph:
    """An ONNX graph that is written node by node; every method returns the name of a tensor.

    prefix: of those names, so that graphs can be joined.
    """

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []

    def constant(self, value: Any) -> str:
        name = f"{self.prefix}/c{len(self.weights)}"
        array = np.asarray(value)
        kept = array.astype(np.float32) if array.dtype == np.float64 else array
        self.weights.append(numpy_helper.from_array(np.ascontiguousarray(kept), name))
        return name

    def add(self, kind: str, *inputs: str, **attributes: Any) -> str:
        name = f"{self.prefix}/t{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [name], name=name, **attributes))
        return name

    def to_bytes(self, *, given: tuple[str, int], told: tuple[str, int]) -> bytes:
        """`given` and `told`: the names of the (N, D) float32 input and output, and their D."""
        ends = [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, width])
            for name, width in (given, told)
        ]
        graph = helper.make_graph(self.nodes, "graph", ends[:1], ends[1:], self.weights)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=9)
        onnx.checker.check_model(model)
        serialized: bytes = model.SerializeToString()
        return serialized


class FaceEmbedding(TransformerMixin, BaseEstimator):
    """(N, 48 × 48) uint8 faces to (N, D) float32, D the sum of `components`.

    The descriptors become a bag of visual words in 4 × 4 regions (Lazebnik et al., "Beyond Bags of
    Features", CVPR 2006; assigned softly as in Coates et al., "An Analysis of Single-Layer Networks",
    AISTATS 2011; `words` of them for each size). That and each other feature is reduced to its principal
    components, half whitened, and given its share of the whole variance.

    components: for each of FEATURES, how many numbers are left of it. shares: of each, summing to 1.
    """

    def __init__(
        self,
        words: int = 256,
        descriptor_components: int = 40,
        components: tuple[int, ...] = (256, 64, 32, 32),
        shares: tuple[float, ...] = (0.5, 0.25, 0.125, 0.125),
        seed: int = 0,
    ) -> None:
        self.words = words
        self.descriptor_components = descriptor_components
        self.components = components
        self.shares = shares
        self.seed = seed

    def fit(self, X: NDArray[np.uint8], y: object = None) -> FaceEmbedding:
        rng = np.random.default_rng(self.seed)
        sample = faces_of(X)[np.sort(rng.permutation(len(X))[:SAMPLE])]
        self.codebooks_ = [self._codebook(sample, size, rng) for size in range(len(DESCRIPTORS))]
        self.projections_: list[tuple[NDArray[np.float32], NDArray[np.float32]]] = []
        for name, components, share in zip(FEATURES, self.components, self.shares, strict=True):
            self.projections_.append(_principal(self._before_projection(sample, name), components, share))
        return self

    def transform(self, X: NDArray[np.uint8]) -> NDArray[np.float32]:
        session = onnxruntime.InferenceSession(self.graph())
        parts = [
            session.run(None, {"features": features.extract(chunk, FEATURES)})[0]
            for chunk in _chunks(faces_of(X))
        ]
        return np.concatenate(parts)

    def graph(self) -> bytes:
        """From `features`, as `features.extract` gives them, to `embedding`."""
        graph = Graph("embedding")
        widths = [features.width(name) for name in FEATURES]
        parts = []
        for name, start, end, (mean, matrix) in zip(
            FEATURES, np.cumsum([0, *widths]), np.cumsum(widths), self.projections_, strict=False
        ):
            part = slice_of(graph, "features", start, end)
            if name == "descriptors":
                part = self._bag(graph, part)
            parts.append(graph.add("MatMul", part, graph.constant(matrix)))
            parts[-1] = graph.add("Sub", parts[-1], graph.constant(mean @ matrix))
        graph.nodes.append(helper.make_node("Concat", parts, ["embedding"], axis=1))
        return graph.to_bytes(given=("features", sum(widths)), told=("embedding", self.width_))

    @property
    def width_(self) -> int:
        return sum(matrix.shape[1] for _, matrix in self.projections_)

    def _codebook(
        self, faces: NDArray[np.uint8], size: int, rng: np.random.Generator
    ) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float32]]:
        """The descriptors' mean, whitened principal components (128, C), and words (K, C) among these."""
        each = max(1, 150_000 // len(faces))
        chosen = []
        for face in faces:
            found = features.dense_descriptors(face)[ONE_SIZE[size] : ONE_SIZE[size + 1]]
            chosen.append(found[rng.permutation(len(found))[:each]])
        rows = np.concatenate(chosen)
        mean = rows.mean(axis=0)
        variances, axes = np.linalg.eigh(np.cov((rows - mean).T))
        best = np.argsort(variances)[::-1][: self.descriptor_components]
        projection = (axes[:, best] / np.sqrt(variances[best] + 1e-3 * variances.max())).astype(np.float32)
        means = MiniBatchKMeans(self.words, batch_size=4096, n_init=1, max_iter=30, random_state=self.seed)
        centres = means.fit((rows - mean) @ projection).cluster_centers_.astype(np.float32)
        return mean, projection, centres

    def _bag(self, graph: Graph, descriptors: str) -> str:
        """From (N, P × 128) to (N, 4 × 4 × K for each size)."""
        bags = []
        for size, (cell, codebook) in enumerate(zip(DESCRIPTORS, self.codebooks_, strict=True)):
            start, end = ONE_SIZE[size] * features.DESCRIPTOR, ONE_SIZE[size + 1] * features.DESCRIPTOR
            rows = slice_of(graph, descriptors, start, end)
            rows = graph.add("Reshape", rows, graph.constant(np.array([0, -1, features.DESCRIPTOR])))
            near = _nearness(graph, rows, *codebook)
            pooled = graph.add("MatMul", graph.constant(_pooling(features.descriptors_a_side(cell))), near)
            bags.append(graph.add("Flatten", graph.add("Sqrt", pooled)))
        return graph.add("Concat", *bags, axis=1)

    def _before_projection(self, faces: NDArray[np.uint8], name: str) -> NDArray[np.float32]:
        if name != "descriptors":
            return np.concatenate([features.extract(chunk, [name]) for chunk in _chunks(faces)])
        graph = Graph("bag")
        bag = self._bag(graph, "features")
        graph.nodes.append(helper.make_node("Identity", [bag], ["bag"]))
        width = REGIONS * REGIONS * self.words * len(DESCRIPTORS)
        session = onnxruntime.InferenceSession(
            graph.to_bytes(given=("features", features.width(name)), told=("bag", width))
        )
        return np.concatenate(
            [session.run(None, {"features": features.extract(chunk, [name])})[0] for chunk in _chunks(faces)]
        )


def faces_of(X: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(N, 48 × 48) rows, as scikit-learn hands them on, to (N, 48, 48)."""
    return X.reshape(-1, SIDE, SIDE)


def _chunks(faces: NDArray[np.uint8]) -> Iterator[NDArray[np.uint8]]:
    for start in range(0, len(faces), CHUNK):
        yield faces[start : start + CHUNK]


def slice_of(graph: Graph, tensor: str, start: int, end: int) -> str:
    """The columns from `start` up to `end`."""
    bounds: Sequence[int] = (start, end, 1)
    return graph.add("Slice", tensor, *(graph.constant(np.array([bound])) for bound in bounds))


def _nearness(
    graph: Graph,
    rows: str,
    mean: NDArray[np.float32],
    projection: NDArray[np.float32],
    centres: NDArray[np.float32],
) -> str:
    """(N, P, 128) descriptors to (N, P, K): how much nearer a word is than NEAR of the mean distance."""
    last = graph.constant(np.array([2]))
    placed = graph.add(
        "Sub", graph.add("MatMul", rows, graph.constant(projection)), graph.constant(mean @ projection)
    )
    products = graph.add("MatMul", placed, graph.constant(-2 * centres.T))
    squares = graph.add("ReduceSumSquare", placed, last, keepdims=1)
    squared = graph.add("Add", graph.add("Add", products, squares), graph.constant((centres**2).sum(axis=1)))
    distances = graph.add("Sqrt", graph.add("Relu", squared))
    reach = graph.add(
        "Mul", graph.add("ReduceMean", distances, last, keepdims=1), graph.constant(np.float32(NEAR))
    )
    return graph.add("Relu", graph.add("Sub", reach, distances))


def _pooling(count: int) -> NDArray[np.float32]:
    """(4 × 4, count × count): the part of each region in each descriptor, interpolated between regions."""
    places = (np.arange(count) + 0.5) / count * REGIONS - 0.5
    line = np.maximum(0, 1 - np.abs(np.clip(places, 0, REGIONS - 1) - np.arange(REGIONS)[:, None]))
    return np.einsum("yi,xj->yxij", line, line).reshape(REGIONS**2, count**2).astype(np.float32)


def _principal(
    rows: NDArray[np.float32], components: int, share: float
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The mean, and a matrix onto the principal components, half whitened, of total variance `share`."""
    mean = rows.mean(axis=0)
    count = min(components, len(rows) - 1, rows.shape[1])
    _, lengths, axes = randomized_svd(rows - mean, count, n_iter=2, random_state=0)
    deviations = np.maximum(lengths / np.sqrt(len(rows)), 1e-6)
    scale = np.sqrt(share / deviations.sum())
    return mean, (axes / np.sqrt(deviations)[:, None] * scale).T.astype(np.float32)
