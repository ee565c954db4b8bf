from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from classifier.ml import artifact as artifacts
from tests.artifacts import tiny_artifact


def test_what_is_written_reads_back(tmp_path: Path) -> None:
    artifact, card = tiny_artifact()
    path = artifacts.write(tmp_path, "tiny", artifact, card)
    assert artifacts.read(path) == (artifact, card)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["tiny.json", "tiny.onnx"]


def test_a_card_of_another_artifact_is_not_written(tmp_path: Path) -> None:
    artifact, _ = tiny_artifact()
    _, other_card = tiny_artifact(favourite="sad")
    with pytest.raises(artifacts.ArtifactError):
        artifacts.write(tmp_path, "tiny", artifact, other_card)
    assert not list(tmp_path.iterdir())


def test_a_damaged_card_is_refused(tmp_path: Path) -> None:
    path = artifacts.write(tmp_path, "tiny", *tiny_artifact())
    path.with_suffix(".json").write_text("{")
    with pytest.raises(artifacts.ArtifactError, match="not JSON"):
        artifacts.read(path)


def test_halved_weights_take_half_the_room_and_answer_the_same() -> None:
    import onnxruntime

    rng = np.random.default_rng(0)
    weights = rng.normal(size=(64, 64)).astype(np.float32)
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "product",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 64])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None, 64])],
        [numpy_helper.from_array(weights, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    whole = model.SerializeToString()
    half = artifacts.halve_weights(whole)
    assert len(half) < 0.6 * len(whole)
    x = rng.normal(size=(5, 64)).astype(np.float32)
    exact, rounded = (onnxruntime.InferenceSession(b).run(None, {"x": x})[0] for b in (whole, half))
    np.testing.assert_allclose(exact, rounded, atol=0.05)
    assert not np.array_equal(exact, rounded), "nothing was rounded, so nothing was halved"
    assert onnx.load_from_string(half).graph.output[0].name == "y"
