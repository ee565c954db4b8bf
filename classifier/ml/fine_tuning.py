"""A few corrections teach the last layer of a served network; everything before it stays as it is.

Corrections are of faces that the network misreads, so that by themselves they would unlearn what thousands
of faces have taught. The artifact therefore keeps how those looked to its last layer, and a change costs what
it would do to the answers for them: Kirkpatrick et al., "Overcoming Catastrophic Forgetting", PNAS 2017. How
much that counts is decided by cross-validation, in favour of leaving things as they are.
"""

from __future__ import annotations

import base64
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

from .artifact import with_note
from .calibration import fit_temperature
from .dataset import FaceSet, join
from .model_card import calibrated_card, serving_card
from .preprocessing import Preprocessing
from .progress import Tell, silent

# As how many faces the earlier ones count, beside each correction, which counts as one. By
# benchmarks.corrections 3,000 cost less than a point on FER2013, and 1,000 more.
WORTHS = (3_000.0, 10_000.0, 30_000.0)
# Of the faces that a layer in 8 bits is set right by: for as many it stays as it is.
KEPT_SHARE = 0.1
MOMENT = "last_layer_moment"
"""The key of the ONNX file's metadata under which the earlier faces are kept."""
# The log-loss curves by p (1 - p): so much where seven labels are as likely, and half of it for a label of
# FER2013 on the average, so that what was learned is kept rather than not.
CURVATURE = 0.12
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
            if node.op_type == "Gemm" and len(node.input) == 3 and set(node.input[1:]) <= known.keys():
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


def teach(rows: Rows, shares: Rows, weights: Rows, *, moment: Rows, worth: float) -> Rows:
    """The (D + 1, K) weights of least log-loss on (N, D + 1) rows, and on `worth` earlier faces.

    Those are known by their `moment`, the mean of h hᵀ over their rows h: to second order, moving the weights
    by C costs each half the trace of Cᵀ moment C, times the curvature.
    """

    def loss(flat: Rows) -> tuple[float, Rows]:
        change = flat.reshape(weights.shape)
        logits, pull = rows @ (weights + change), worth * CURVATURE * moment @ change
        told = -(shares * log_softmax(logits, axis=1)).sum() + (change * pull).sum() / 2
        return float(told), (rows.T @ (softmax(logits, axis=1) - shares) + pull).ravel()

    found = minimize(loss, np.zeros(weights.size), jac=True, method="L-BFGS-B", options={"maxiter": 500})
    return weights + found.x.reshape(weights.shape)


def answering_as(graph: bytes, tensors: NDArray[np.float32], answers: NDArray[np.float32]) -> bytes:
    """The graph with its last layer moved to where its answers for these inputs come nearest to `answers`.

    answers: (N, K) probabilities, of the network before it was put into 8 bits. Those shift a little what the
    last layer is given, and not only at random.
    """
    model = onnx.load_from_string(graph)
    layer = LastLayer.of(model)
    rows = features_of(model, layer, tensors)
    moment, worth = rows.T @ rows / len(rows), KEPT_SHARE * len(rows)
    shares = answers.astype(np.float64)
    return layer.changed(model, teach(rows, shares, layer.weights, moment=moment, worth=worth))


def with_moment(graph: bytes, tensors: NDArray[np.float32]) -> bytes:
    """The graph with a record of these faces, as its last layer sees them: 90 kB of text."""
    model = onnx.load_from_string(graph)
    rows = features_of(model, LastLayer.of(model), tensors)
    moment = rows.T @ rows / len(rows)
    kept = moment[np.triu_indices(len(moment))].astype("<f2")
    return with_note(graph, MOMENT, base64.b64encode(kept.tobytes()).decode())


def _moment_of(model: onnx.ModelProto, width: int) -> Rows:
    """Raises ValueError where the artifact has no such record."""
    notes = {note.key: note.value for note in model.metadata_props}
    if MOMENT not in notes:
        raise ValueError("The active model keeps no record of what it learned from; train one from scratch.")
    moment = np.zeros((width, width))
    moment[np.triu_indices(width)] = np.frombuffer(base64.b64decode(notes[MOMENT]), "<f2")
    return moment + np.triu(moment, 1).T


def calibrated(graph: bytes, tensors: NDArray[np.float32], labels: NDArray[np.int64]) -> tuple[bytes, float]:
    """The graph with the temperature in its last layer that fits these faces' labels; and the temperature."""
    model = onnx.load_from_string(graph)
    layer = LastLayer.of(model)
    temperature = fit_temperature(features_of(model, layer, tensors) @ layer.weights, labels)
    return layer.changed(model, layer.weights / temperature), temperature


def choose_worth(
    artifact: bytes,
    card: dict[str, Any],
    faces: FaceSet,
    *,
    groups: NDArray[np.str_],
    tell: Tell = silent,
) -> tuple[float, list[dict[str, Any]]]:
    """The largest of WORTHS that is as good as the best, and a table like that of a grid search.

    As good: its log-loss on faces of groups left out is within one standard error of the least, the rule of
    Breiman et al., "Classification and Regression Trees", 1984. Infinity (in the table, None) where leaving
    the layer as it is does as well. Raises ValueError for an artifact that can't be taught.
    """
    model, layer, moment = _read(artifact, card, faces)
    rows = features_of(model, layer, Preprocessing.from_card(card["preprocessing"])(faces.images))
    shares = np.eye(len(faces.names))[faces.labels]
    count = min(FOLDS, len(np.unique(groups)))
    folds = list(GroupKFold(count).split(rows, faces.labels, groups)) if count > 1 else []
    losses: dict[float, Rows] = {}
    table: list[dict[str, Any]] = []
    for done, worth in enumerate((*WORTHS, np.inf), start=1):
        told = rows @ layer.weights
        for learn, left in folds:
            told[left] = rows[left] @ _taught(rows[learn], shares[learn], layer.weights, moment, worth)
        losses[worth] = -(shares * log_softmax(told, axis=1)).sum(axis=1)
        right = [(told[left].argmax(axis=1) == faces.labels[left]).mean() for _, left in folds]
        table.append(
            {
                "estimator": "cnn",
                "parameters": {"start": "active", "worth": worth_told(worth)},
                "accuracy": round(float(np.mean(right)), 4),
                "deviation": round(float(np.std(right)), 4),
            }
        )
        best = max(row["accuracy"] for row in table)
        tell(stage="search", done=done, total=len(WORTHS) + 1, score=best)
    least = min(losses.values(), key=lambda each: float(each.mean()))
    within = least.mean() + least.std() / np.sqrt(len(rows))
    return max(worth for worth, each in losses.items() if each.mean() <= within), table


def worth_told(worth: float) -> float | None:
    """As JSON can hold it: None for infinity."""
    return None if np.isinf(worth) else worth


def fine_tune(
    artifact: bytes, card: dict[str, Any], learning: FaceSet, *, held: FaceSet, worth: float
) -> tuple[bytes, dict[str, Any]]:
    """The artifact with its last layer taught by the labels of `learning`, and calibrated on `held`.

    Where those are fewer than ENOUGH, it learns from them, too, and keeps the calibration that it has. Raises
    ValueError for an artifact that can't be taught, or tells other labels.
    """
    model, layer, moment = _read(artifact, card, learning)
    preprocessing = Preprocessing.from_card(card["preprocessing"])
    calibrates = len(held) >= ENOUGH
    learned = learning if calibrates else join([learning, held])
    rows = features_of(model, layer, preprocessing(learned.images))
    weights = _taught(rows, np.eye(len(learned.names))[learned.labels], layer.weights, moment, worth)
    known: dict[str, Any] = {
        "label_set": card["label_set"],
        "estimator": card["estimator"],
        "preprocessing": preprocessing,
    }
    if not calibrates:
        taught = layer.changed(model, weights)
        told = serving_card(taught, labels=card["labels"], **known)
        return taught, told | {key: card[key] for key in ("threshold", "calibration", "input")}
    temperature = fit_temperature(
        features_of(model, layer, preprocessing(held.images)) @ weights, held.labels
    )
    taught = layer.changed(model, weights / temperature)
    calibration = {"temperature": round(temperature, 4)}
    told = calibrated_card(taught, held=held, calibration=calibration, **known)
    return taught, told | {"input": card["input"]}


def _read(artifact: bytes, card: dict[str, Any], faces: FaceSet) -> tuple[onnx.ModelProto, LastLayer, Rows]:
    if tuple(card["labels"]) != faces.names:
        raise ValueError(
            f"The active model tells {', '.join(card['labels'])}; the label set has {', '.join(faces.names)}."
        )
    model = onnx.load_from_string(artifact)
    layer = LastLayer.of(model)
    return model, layer, _moment_of(model, len(layer.weights))


def _taught(rows: Rows, shares: Rows, weights: Rows, moment: Rows, worth: float) -> Rows:
    return weights if np.isinf(worth) else teach(rows, shares, weights, moment=moment, worth=worth)
