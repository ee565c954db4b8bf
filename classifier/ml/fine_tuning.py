"""A few corrections teach the last layer of a served network; everything before it stays as it is.

What is learned is a change of that layer, and the more it changes the more it costs. How much is decided by
cross-validation, in favour of leaving things as they are: a few dozen corrections must not unlearn what
thousands of faces have taught.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import onnxruntime
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from scipy.optimize import minimize
from scipy.special import log_softmax, softmax
from sklearn.model_selection import GroupKFold

from .calibration import fit_temperature
from .dataset import FaceSet
from .model_card import calibrated_card
from .preprocessing import Preprocessing
from .progress import Tell, silent

# What a change costs: from hardly anything to so much that nothing moves.
STRENGTHS = (0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0)
FOLDS = 5
BATCH = 64
# Faces from which a temperature, and a threshold, can be read.
ENOUGH = 100

Rows = NDArray[np.float64]


@dataclass(frozen=True)
class LastLayer:
    """weights: (D + 1, K) float64, the last row the bias. The names are those of tensors in the graph."""

    weights: Rows
    given: str
    kernel: str
    bias: str

    @classmethod
    def of(cls, model: onnx.ModelProto) -> LastLayer:
        """Raises ValueError where the graph does not end in a dense layer of numbers that can change."""
        known = {tensor.name: tensor for tensor in model.graph.initializer}
        for node in reversed(model.graph.node):
            if node.op_type == "Gemm" and set(node.input[1:]) <= known.keys():
                given, kernel, bias = node.input
                layer = np.vstack([numpy_helper.to_array(known[name]) for name in (kernel, bias)])
                return cls(layer.astype(np.float64), given, kernel, bias)
        raise ValueError("The active model has no last layer that could learn; train one from scratch.")

    def changed(self, model: onnx.ModelProto, weights: Rows) -> bytes:
        """The model with other weights in this layer."""
        copy = onnx.ModelProto()
        copy.CopyFrom(model)
        new = {self.kernel: weights[:-1], self.bias: weights[-1]}
        for tensor in copy.graph.initializer:
            if tensor.name in new:
                array = new[tensor.name].astype(np.float32)
                tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))
        serialized: bytes = copy.SerializeToString()
        return serialized


def features_of(model: onnx.ModelProto, layer: LastLayer, tensors: NDArray[np.float32]) -> Rows:
    """(N, D + 1): what the last layer is given of each face, and a 1 for the bias.

    Where the graph looks at a face and its mirror image, the mean of both.
    """
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    copy.graph.output.append(helper.make_tensor_value_info(layer.given, TensorProto.FLOAT, None))
    session = onnxruntime.InferenceSession(copy.SerializeToString(), providers=["CPUExecutionProvider"])
    name, parts = session.get_inputs()[0].name, []
    for start in range(0, len(tensors), BATCH):
        batch = tensors[start : start + BATCH]
        (found,) = session.run([layer.given], {name: batch})
        parts.append(found.reshape(-1, len(batch), found.shape[-1]).mean(axis=0))
    rows = np.concatenate(parts).astype(np.float64)
    return np.hstack([rows, np.ones((len(rows), 1))])


def teach(rows: Rows, shares: Rows, weights: Rows, *, strength: float) -> Rows:
    """The (D + 1, K) weights of least log-loss on (N, D + 1) rows, less what the change from `weights` costs.

    The cost is of the squared change, in units of the rows' mean squared length: an elastic anchor, as in
    Li et al., "Explicit Inductive Bias for Transfer Learning", ICML 2018 (L2-SP).
    """
    cost = strength * float((rows**2).sum(axis=1).mean())

    def loss(flat: Rows) -> tuple[float, Rows]:
        change = flat.reshape(weights.shape)
        logits = rows @ (weights + change)
        told = -(shares * log_softmax(logits, axis=1)).sum(axis=1).mean()
        slope = rows.T @ (softmax(logits, axis=1) * shares.sum(axis=1, keepdims=True) - shares) / len(rows)
        return told + cost / 2 * float((change**2).sum()), (slope + cost * change).ravel()

    found = minimize(loss, np.zeros(weights.size), jac=True, method="L-BFGS-B", options={"maxiter": 500})
    return weights + found.x.reshape(weights.shape)


def calibrated(graph: bytes, tensors: NDArray[np.float32], labels: NDArray[np.int64]) -> tuple[bytes, float]:
    """The graph with the temperature in its last layer that fits these faces' labels; and the temperature."""
    model = onnx.load_from_string(graph)
    layer = LastLayer.of(model)
    temperature = fit_temperature(features_of(model, layer, tensors) @ layer.weights, labels)
    return layer.changed(model, layer.weights / temperature), temperature


def choose_strength(
    artifact: bytes,
    card: dict[str, Any],
    faces: FaceSet,
    *,
    groups: NDArray[np.str_],
    tell: Tell = silent,
) -> tuple[float, list[dict[str, Any]]]:
    """The largest of STRENGTHS that is as good as the best, and a table like that of a grid search.

    As good: its log-loss on faces of groups left out is within one standard error of the least, the rule of
    Breiman et al., "Classification and Regression Trees", 1984. Infinity (in the table, None) where leaving
    the layer as it is does as well. Raises ValueError for an artifact that can't be taught.
    """
    model, layer = _read(artifact, card, faces)
    rows = features_of(model, layer, Preprocessing.from_card(card["preprocessing"])(faces.images))
    shares = np.eye(len(faces.names))[faces.labels]
    count = min(FOLDS, len(np.unique(groups)))
    folds = list(GroupKFold(count).split(rows, faces.labels, groups)) if count > 1 else []
    losses: dict[float, Rows] = {}
    table: list[dict[str, Any]] = []
    for done, strength in enumerate((*STRENGTHS, np.inf), start=1):
        told = rows @ layer.weights
        for learn, left in folds:
            told[left] = rows[left] @ _taught(rows[learn], shares[learn], layer.weights, strength)
        losses[strength] = -(shares * log_softmax(told, axis=1)).sum(axis=1)
        right = [(told[left].argmax(axis=1) == faces.labels[left]).mean() for _, left in folds]
        table.append(
            {
                "estimator": "cnn",
                "parameters": {"start": "active", "strength": None if np.isinf(strength) else strength},
                "accuracy": round(float(np.mean(right)), 4),
                "deviation": round(float(np.std(right)), 4),
            }
        )
        best = max(row["accuracy"] for row in table)
        tell(stage="search", done=done, total=len(STRENGTHS) + 1, score=best)
    least = min(losses.values(), key=lambda each: float(each.mean()))
    within = least.mean() + least.std() / np.sqrt(len(rows))
    return max(s for s, each in losses.items() if each.mean() <= within), table


def fine_tune(
    artifact: bytes, card: dict[str, Any], learning: FaceSet, *, held: FaceSet, strength: float
) -> tuple[bytes, dict[str, Any]]:
    """The artifact with its last layer taught by the labels of `learning`, and calibrated on `held`.

    With fewer than ENOUGH faces there, it keeps the calibration that it has.
    """
    model, layer = _read(artifact, card, learning)
    preprocessing = Preprocessing.from_card(card["preprocessing"])
    shares = np.eye(len(learning.names))[learning.labels]
    rows = features_of(model, layer, preprocessing(learning.images))
    weights = _taught(rows, shares, layer.weights, strength)
    temperature = 1.0
    if len(held) >= ENOUGH:
        logits = features_of(model, layer, preprocessing(held.images)) @ weights
        temperature = fit_temperature(logits, held.labels)
    taught = layer.changed(model, weights / temperature)
    told = calibrated_card(
        taught,
        label_set=card["label_set"],
        estimator=card["estimator"],
        preprocessing=preprocessing,
        held=held,
        temperature=temperature,
    )
    if len(held) < ENOUGH:
        told |= {key: card[key] for key in ("threshold", "calibration")}
    return taught, told | {"input": card["input"]}


def _read(artifact: bytes, card: dict[str, Any], faces: FaceSet) -> tuple[onnx.ModelProto, LastLayer]:
    if tuple(card["labels"]) != faces.names:
        raise ValueError(
            f"The active model tells {', '.join(card['labels'])}; the label set has {', '.join(faces.names)}."
        )
    model = onnx.load_from_string(artifact)
    return model, LastLayer.of(model)


def _taught(rows: Rows, shares: Rows, weights: Rows, strength: float) -> Rows:
    return weights if np.isinf(strength) else teach(rows, shares, weights, strength=strength)
