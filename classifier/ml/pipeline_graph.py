"""A fitted scikit-learn pipeline becomes what is served: an ONNX graph, its large matrices in 8 bits."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import compose, helper
from onnxruntime.quantization import QuantType, quantize_dynamic
from sklearn.base import ClassifierMixin
from sklearn.pipeline import Pipeline

from .embedding import OPSET, Graph
from .kernel_machine import LEAST, SOFTNESS, KernelMachine
from .support_vectors import SupportVectorMachine

# Matrices of so many numbers are stored, and multiplied by, in 8 bits.
LARGE = 50_000


def scores_of(classifier: ClassifierMixin, X: NDArray[np.float32]) -> NDArray[np.float32]:
    """(N, K): what, divided by a temperature, softmax turns into probabilities; in the graph, `scores`."""
    if isinstance(classifier, KernelMachine):
        return classifier.log_shares(X)
    if isinstance(classifier, SupportVectorMachine):
        return classifier.decision_function(X)
    return np.log(np.maximum(classifier.predict_proba(X), LEAST)).astype(np.float32)


def export_onnx(
    pipeline: Pipeline,
    *,
    temperature: float | NDArray[np.float32],
    bias: float | NDArray[np.float32] = 0.0,
    mirrored: bool = False,
) -> bytes:
    """From the features, as the model card's preprocessing gives them, to probabilities.

    temperature, bias: one for all classes or (K,); softmax(scores / temperature + bias) is told. mirrored:
    the features are followed by those of the mirror image, and the mean of both scores counts.
    """
    embedding, classifier = pipeline["embedding"], pipeline["classifier"]
    classes = len(classifier.classes_)
    whole = onnx.load_from_string(embedding.graph())
    if mirrored:
        whole = _joined(_both_sides(whole), whole.SerializeToString(), "features")
    whole = _joined(whole, _head(classifier, embedding.width_), "embedding")
    end = Graph("softmax")
    scores = "scores"
    if mirrored:
        sides = end.add("Reshape", scores, end.constant(np.array([-1, 2, classes])))
        scores = end.add("ReduceMean", sides, end.constant(np.array([1])), keepdims=0)
    told = end.add("Mul", scores, end.constant(np.float32(1) / np.asarray(temperature, np.float32)))
    told = end.add("Add", told, end.constant(np.asarray(bias, np.float32)))
    end.nodes.append(helper.make_node("Softmax", [told], ["answer"], axis=1))
    tail = end.to_bytes(given=("scores", classes), told=("answer", classes))
    return _in_bytes(_joined(whole, tail, "scores"))


def _both_sides(embedding: onnx.ModelProto) -> onnx.ModelProto:
    """From the features of a face and its mirror image, side by side, to `features`, one below the other."""
    width = embedding.graph.input[0].type.tensor_type.shape.dim[1].dim_value
    graph = Graph("sides")
    shape = graph.constant(np.array([-1, width]))
    graph.nodes.append(helper.make_node("Reshape", ["sides", shape], ["features"]))
    return onnx.load_from_string(graph.to_bytes(given=("sides", 2 * width), told=("features", width)))


def _head(classifier: ClassifierMixin, width: int) -> bytes:
    """From `embedding` to `scores`: `scores_of`."""
    if isinstance(classifier, SupportVectorMachine) and classifier.gamma_ is None:
        return _linear_graph(classifier)
    if isinstance(classifier, KernelMachine | SupportVectorMachine):
        return _kernel_graph(classifier)
    return _scikit_learn_graph(classifier, width)


def _linear_graph(machine: SupportVectorMachine) -> bytes:
    graph = Graph("linear")
    answer = graph.add("MatMul", "embedding", graph.constant(machine.weights_))
    graph.nodes.append(helper.make_node("Add", [answer, graph.constant(machine.intercept_)], ["scores"]))
    return graph.to_bytes(given=("embedding", len(machine.weights_)), told=("scores", len(machine.classes_)))


def _kernel_graph(machine: KernelMachine | SupportVectorMachine) -> bytes:
    graph = Graph("kernel")
    centres, rows = machine.centres_, "embedding"
    if isinstance(machine, KernelMachine):
        # No MatMul, which may be put into 8 bits: so many errors would add up in each distance.
        rows = graph.add("Gemm", rows, graph.constant(machine.metric_))
    products = graph.add("MatMul", rows, graph.constant(-2 * centres.T))
    lengths = graph.add("ReduceSumSquare", rows, graph.constant(np.array([1])), keepdims=1)
    squared = graph.add("Add", graph.add("Add", products, lengths), graph.constant((centres**2).sum(axis=1)))
    gamma = graph.constant(np.float32(machine.gamma_ or 0))
    near = graph.add("Neg", graph.add("Mul", graph.add("Relu", squared), gamma))
    # No MatMul, which may be put into 8 bits: these weights cancel each other.
    weights = [graph.constant(machine.coef_), graph.constant(machine.intercept_)]
    scores = graph.add("Gemm", graph.add("Exp", near), *weights)
    if isinstance(machine, KernelMachine):
        soft = graph.add("Softplus", graph.add("Div", scores, graph.constant(np.float32(SOFTNESS))))
        scores = graph.add("Log", graph.add("Max", soft, graph.constant(np.float32(LEAST))))
    graph.nodes.append(helper.make_node("Identity", [scores], ["scores"]))
    return graph.to_bytes(given=("embedding", centres.shape[1]), told=("scores", len(machine.classes_)))


def _scikit_learn_graph(classifier: ClassifierMixin, width: int) -> bytes:
    from skl2onnx import to_onnx
    from skl2onnx.common.data_types import FloatTensorType

    model = to_onnx(
        classifier,
        initial_types=[("embedding", FloatTensorType([None, width]))],
        options={id(classifier): {"zipmap": False}},
        target_opset={"": OPSET, "ai.onnx.ml": 3},
    )
    graph = Graph("log")
    likely = graph.add("Max", "probabilities", graph.constant(np.float32(LEAST)))
    graph.nodes.append(helper.make_node("Log", [likely], ["scores"]))
    classes = len(classifier.classes_)
    log = graph.to_bytes(given=("probabilities", classes), told=("scores", classes))
    return _joined(model, log, "probabilities").SerializeToString()


def _joined(first: onnx.ModelProto, second: bytes, tensor: str) -> onnx.ModelProto:
    """One model: the output `tensor` of the first is the input of that name of the second."""
    other = onnx.load_from_string(second)
    first.ir_version = other.ir_version
    outputs = [output.name for output in other.graph.output]
    joined = compose.merge_models(first, other, [(tensor, tensor)], outputs=outputs)
    versions = {each.domain: each.version for each in joined.opset_import}
    del joined.opset_import[:]
    joined.opset_import.extend(helper.make_opsetid(*each) for each in versions.items())
    onnx.checker.check_model(joined)
    return joined


def _in_bytes(model: onnx.ModelProto) -> bytes:
    """The model with its large matrices in 8 bits, as `quantize_dynamic` does it."""
    sizes = {tensor.name: int(np.prod(tensor.dims)) for tensor in model.graph.initializer}
    large = [
        node.name
        for node in model.graph.node
        if node.op_type == "MatMul" and sizes.get(node.input[1], 0) >= LARGE
    ]
    if not large:
        serialized: bytes = model.SerializeToString()
        return serialized
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        quantize_dynamic(
            model,
            path,
            op_types_to_quantize=["MatMul"],
            nodes_to_quantize=large,
            per_channel=True,
            reduce_range=True,
            weight_type=QuantType.QInt8,
        )
        return path.read_bytes()
