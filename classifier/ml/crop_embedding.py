"""The features of a crop that are chosen among, and what a classifier is given of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from onnx import helper
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.extmath import randomized_svd

from . import crop_features, network_layers
from .embedding import Graph, slice_of
from .network_layers import LAYERS
from .preprocessing import CROP_SIDE, Preprocessing

FACE = "face"
BY_HAND = tuple(name for name in crop_features.FEATURES if name != FACE)
PARTS = (*BY_HAND, *LAYERS)
"""Features that are computed before the graph, and layers of the network, which becomes a piece of it."""

Rows = NDArray[np.float32]
Projection = tuple[Rows, Rows]


def describe(crops: Sequence[NDArray[np.uint8]]) -> Rows:
    """(N, D): all PARTS of each crop, side by side."""
    layers = network_layers.layers_of(crop_features.extract(crops, [FACE]))
    return np.concatenate([crop_features.extract(crops, BY_HAND), *layers.values()], axis=1)


def part_of(rows: Rows, part: str) -> Rows:
    """The columns of what `describe` gives that belong to one of PARTS."""
    before = sum(map(_width, PARTS[: PARTS.index(part)]))
    return rows[:, before : before + _width(part)]


def principal(rows: Rows, components: int) -> Projection:
    """The mean, and a matrix onto the principal components, of variance 1 in all."""
    mean = rows.mean(axis=0)
    count = min(components, len(rows) - 1, rows.shape[1])
    _, lengths, axes = randomized_svd(rows - mean, count, n_iter=3, random_state=0)
    deviation = np.sqrt((lengths**2).sum() / len(rows))
    return mean, (axes.T / max(float(deviation), 1e-6)).astype(np.float32)


def project(rows: Rows, projection: Projection) -> Rows:
    mean, matrix = projection
    return np.asarray((rows - mean) @ matrix, np.float32)


def _width(part: str) -> int:
    return network_layers.width(part) if part in LAYERS else crop_features.width(part)


class CropEmbedding(TransformerMixin, BaseEstimator):
    """What `describe` gives to (N, D) float32: the principal components of some PARTS, of equal variance.

    components: the most that are left of each part.
    """

    def __init__(self, parts: tuple[str, ...] = PARTS, components: int = 150) -> None:
        self.parts = parts
        self.components = components

    def fit(self, X: Rows, y: object = None) -> CropEmbedding:
        self.projections_ = [principal(part_of(X, part), self.components) for part in self.parts]
        return self

    def transform(self, X: Rows) -> Rows:
        pairs = zip(self.parts, self.projections_, strict=True)
        return side_by_side([project(part_of(X, part), projection) for part, projection in pairs])

    @property
    def preprocessing(self) -> Preprocessing:
        """What the graph is to be given."""
        return Preprocessing(CROP_SIDE, self._features, "rgb")

    @property
    def width_(self) -> int:
        return sum(matrix.shape[1] for _mean, matrix in self.projections_)

    @property
    def _features(self) -> tuple[str, ...]:
        face = (FACE,) if set(self.parts) & set(LAYERS) else ()
        return (*(part for part in self.parts if part not in LAYERS), *face)

    def graph(self) -> bytes:
        """From `features`, as `preprocessing` gives them, to `embedding`."""
        graph = Graph("embedding")
        ends = np.cumsum([crop_features.width(name) for name in self._features])
        starts = [0, *ends[:-1]]
        found = {
            name: slice_of(graph, "features", int(start), int(end))
            for name, start, end in zip(self._features, starts, ends, strict=True)
        }
        if FACE in found:
            found |= network_layers.add_layers(graph, found[FACE])
        rows = []
        for part, (mean, matrix) in zip(self.parts, self.projections_, strict=True):
            scaled = matrix / np.sqrt(len(self.parts))
            rows.append(graph.add("MatMul", found[part], graph.constant(scaled)))
            rows[-1] = graph.add("Sub", rows[-1], graph.constant(mean @ scaled))
        graph.nodes.append(helper.make_node("Concat", rows, ["embedding"], axis=1))
        return graph.to_bytes(given=("features", int(ends[-1])), told=("embedding", self.width_))


def side_by_side(parts: Sequence[Rows]) -> Rows:
    """Each with the same share of the whole variance."""
    return np.concatenate(parts, axis=1) / np.float32(np.sqrt(len(parts)))
