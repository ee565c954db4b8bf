"""The last layer of a network that is served learns, and nothing before it changes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from classifier.ml import artifact as artifacts
from classifier.ml import fine_tuning
from classifier.ml.dataset import FaceSet, read_fer2013
from classifier.ml.model_card import calibrated_card
from classifier.ml.preprocessing import Preprocessing
from classifier.ml.runtime import Classifier

pytest.importorskip("keras")
from classifier.ml import cnn, export

Network = tuple[bytes, dict[str, Any]]


@pytest.fixture(scope="module")
def faces(fer_file: Path) -> FaceSet:
    return read_fer2013(fer_file)["Training"]


@pytest.fixture(scope="module")
def network(faces: FaceSet) -> Network:
    """One that has learned nothing yet."""
    import keras

    keras.utils.set_random_seed(0)
    trunk = cnn.build_network("tiny", side=48, classes=len(faces.names))
    last = trunk.get_layer("logits")
    last.set_weights([last.get_weights()[0], np.linspace(-0.1, 0.1, len(faces.names))])
    graph = export.serving_graph(trunk)
    onnx_bytes = export.export_onnx(graph, Preprocessing()(faces.images[:64]))
    onnx_bytes = fine_tuning.with_moment(onnx_bytes, Preprocessing()(faces.images))
    artifact = artifacts.with_labels(onnx_bytes, faces.names)
    card = calibrated_card(
        artifact,
        label_set="bars",
        estimator="cnn",
        preprocessing=Preprocessing(),
        held=faces.take(np.arange(100)),
        calibration={"temperature": 1.0},
    )
    return artifact, card | {"input": {"shape": [None, 48, 48, 1], "dtype": "float32"}}


def groups_of(faces: FaceSet) -> Any:
    return np.arange(len(faces)).astype(str)


def test_what_the_last_layer_is_given_is_what_it_answers_from(network: Network, faces: FaceSet) -> None:
    artifact, card = network
    model = onnx.load_from_string(artifact)
    layer = fine_tuning.LastLayer.of(model)
    rows = fine_tuning.features_of(model, layer, Preprocessing()(faces.images[:70]))
    logits = rows @ layer.weights
    expected = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(
        Classifier.load(artifact, card).predict(faces.images[:70]), expected, atol=1e-5
    )


def test_it_learns_and_all_before_it_stays(network: Network, faces: FaceSet) -> None:
    artifact, card = network
    learning, left = faces.take(np.arange(200)), faces.take(np.arange(200, len(faces)))
    taught, new_card = fine_tuning.fine_tune(artifact, card, learning, held=left, worth=0.1)
    answers = Classifier.load(taught, new_card).predict(left.images)
    assert (answers.argmax(axis=1) == left.labels).mean() > 0.4, "chance is 0.14"
    before, after = (
        {tensor.name: tensor.SerializeToString() for tensor in onnx.load_from_string(each).graph.initializer}
        for each in (artifact, taught)
    )
    layer = fine_tuning.LastLayer.of(onnx.load_from_string(artifact))
    assert {name for name in before if before[name] != after[name]} == {layer.kernel, layer.bias}


def test_an_endless_cost_changes_no_answer(network: Network, faces: FaceSet) -> None:
    artifact, card = network
    few = faces.take(np.arange(20))
    taught, new_card = fine_tuning.fine_tune(artifact, card, faces, held=few, worth=np.inf)
    np.testing.assert_allclose(
        Classifier.load(taught, new_card).predict(faces.images),
        Classifier.load(artifact, card).predict(faces.images),
        atol=1e-6,
    )
    assert new_card["calibration"] == card["calibration"], "twenty faces are too few to calibrate anew"


def test_what_is_too_little_to_calibrate_by_is_learned_from(network: Network, faces: FaceSet) -> None:
    whole, first, last = (faces.take(np.arange(*part)) for part in ((0, 120), (0, 90), (90, 120)))
    nothing = faces.take(np.arange(0))
    (parted, _), (together, _) = (
        fine_tuning.fine_tune(*network, learning, held=held, worth=0.1)
        for learning, held in ((first, last), (whole, nothing))
    )
    assert parted == together


def test_who_is_right_already_is_left_alone(network: Network, faces: FaceSet) -> None:
    rng = np.random.default_rng(0)
    told = Classifier.load(*network).predict(faces.images).astype(np.float64)
    drawn = np.array([rng.choice(len(row), p=row / row.sum()) for row in told])
    as_it_says = replace(faces, labels=drawn)
    worth, table = fine_tuning.choose_worth(*network, as_it_says, groups=groups_of(faces))
    assert np.isinf(worth)
    assert table[-1]["parameters"]["worth"] is None


def test_labels_that_make_sense_are_learned(
    network: Network, faces: FaceSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fine_tuning, "WORTHS", (1.0, 10.0))
    worth, _table = fine_tuning.choose_worth(*network, faces, groups=groups_of(faces))
    assert np.isfinite(worth)


def test_a_network_without_a_record_of_its_faces_is_not_taught(network: Network, faces: FaceSet) -> None:
    artifact, card = network
    model = onnx.load_from_string(artifact)
    del model.metadata_props[:]
    with pytest.raises(ValueError, match="keeps no record"):
        fine_tuning.choose_worth(model.SerializeToString(), card, faces, groups=groups_of(faces))


def test_a_network_of_other_labels_is_not_taught(network: Network, faces: FaceSet) -> None:
    other = replace(faces, names=tuple("abcdefg"))
    with pytest.raises(ValueError, match="the label set has a, b, c"):
        fine_tuning.choose_worth(*network, other, groups=groups_of(other))
