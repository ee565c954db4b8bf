"""A tiny real ONNX artifact that gives every face the same answer: enough for all but the network."""

from __future__ import annotations

from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from classifier.ml import artifact as artifacts
from classifier.ml.dataset import EXPRESSIONS
from classifier.ml.preprocessing import Preprocessing


def tiny_artifact(
    *,
    favourite: str = "happy",
    confidence: float = 0.9,
    labels: tuple[str, ...] = EXPRESSIONS,
    threshold: float = 0.5,
    label_set: str = "expressions",
) -> tuple[bytes, dict[str, Any]]:
    """An artifact and its card: `favourite` gets `confidence`, the other labels share the rest."""
    answer = np.full(len(labels), (1 - confidence) / (len(labels) - 1), np.float32)
    answer[labels.index(favourite)] = confidence
    artifact, card = artifact_answering(np.log(answer), labels=labels, threshold=threshold)
    return artifact, card | {"label_set": label_set}


def artifact_answering(
    logits: np.ndarray,
    *,
    labels: tuple[str, ...] = EXPRESSIONS,
    threshold: float = 0.5,
    pixels: np.ndarray | None = None,
) -> tuple[bytes, dict[str, Any]]:
    """`pixels`: (48 × 48, K), what each pixel adds to the logits; nothing unless given."""
    side = Preprocessing().side
    nodes = [
        helper.make_node("Flatten", ["image"], ["flat"]),
        helper.make_node("MatMul", ["flat", "pixels"], ["seen"]),
        helper.make_node("Add", ["seen", "logits"], ["scores"]),
        helper.make_node("Softmax", ["scores"], ["probabilities"]),
    ]
    weights = {
        "pixels": np.zeros((side * side, len(labels)), np.float32) if pixels is None else pixels,
        "logits": logits.astype(np.float32),
    }
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, [None, side, side, 1])],
        [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, [None, len(labels)])],
        [numpy_helper.from_array(value, name) for name, value in weights.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    artifact = artifacts.with_labels(model.SerializeToString(), labels)
    return artifact, {
        "format": artifacts.CARD_FORMAT,
        "sha256": artifacts.sha256(artifact),
        "label_set": "expressions",
        "labels": list(labels),
        "estimator": "constant",
        "preprocessing": Preprocessing().to_card(),
        "threshold": threshold,
    }


def artifact_looking_at(row: int, column: int, *, radius: int, label: str) -> tuple[bytes, dict[str, Any]]:
    """Says `label` the more, the brighter the pixels of 48 × 48 within `radius` of one place."""
    side = Preprocessing().side
    pixels = np.zeros((side, side, len(EXPRESSIONS)), np.float32)
    place = slice(row - radius, row + radius + 1), slice(column - radius, column + radius + 1)
    pixels[*place, EXPRESSIONS.index(label)] = 1 / (2 * radius + 1) ** 2
    return artifact_answering(np.zeros(len(EXPRESSIONS)), pixels=pixels.reshape(side**2, -1))
