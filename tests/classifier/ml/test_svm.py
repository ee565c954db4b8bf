"""A small kernel machine, really trained, on faces that are bars."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline

from classifier.ml import artifact as artifacts
from classifier.ml import pipeline_graph, svm
from classifier.ml.dataset import FaceSet, read_fer2013
from classifier.ml.embedding import FEATURES, FaceEmbedding
from classifier.ml.kernel_machine import KernelMachine
from classifier.ml.preprocessing import Preprocessing
from classifier.ml.runtime import Classifier

RECIPE = replace(svm.QUICK, searched=70, centres=200, copies=1, words=16, held_out=0.2)
SMALL = FaceEmbedding(words=16, components=(24, 12, 8, 8))


@pytest.fixture(scope="module")
def trained(fer_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return svm.train(data=fer_file, output=tmp_path_factory.mktemp("svm"), recipe=RECIPE)


@pytest.fixture(scope="module")
def faces(fer_file: Path) -> FaceSet:
    return read_fer2013(fer_file)["Training"]


def test_training_learns_and_the_card_has_the_table_of_the_search(trained: Path, fer_file: Path) -> None:
    artifact, card = artifacts.read(trained)
    test = read_fer2013(fer_file)["PublicTest"]
    answers = Classifier.load(artifact, card).predict(test.images)
    assert (answers.argmax(axis=1) == test.labels).mean() > 0.35, "chance is 0.14"
    table = card["training"]["cross_validation"]
    assert {row["estimator"] for row in table} == {
        "svm",
        "logistic",
        "forest",
    }
    assert table == sorted(table, key=lambda row: -row["accuracy"])
    assert card["preprocessing"] == {
        "side": 48,
        "color": "gray",
        "features": list(FEATURES),
        "mirrored": True,
    }
    assert card["calibration"]["method"] == "vector"


def test_a_face_and_its_mirror_image_are_answered_alike(trained: Path, fer_file: Path) -> None:
    classifier = Classifier.load(*artifacts.read(trained))
    images = read_fer2013(fer_file)["PublicTest"].images
    answers = classifier.predict(images)
    assert np.ptp(answers, axis=0).max() > 0.1
    np.testing.assert_allclose(classifier.predict(images[:, :, ::-1]), answers, atol=1e-3)


@pytest.mark.parametrize(
    "classifier",
    [
        KernelMachine(),
        LogisticRegression(max_iter=200),
        RandomForestClassifier(n_estimators=20, random_state=0),
    ],
    ids=lambda classifier: type(classifier).__name__,
)
def test_the_exported_graph_answers_as_the_pipeline(
    classifier: object, faces: FaceSet, fer_file: Path
) -> None:
    told, expected = told_and_expected(classifier, faces, fer_file)
    np.testing.assert_allclose(told, expected, atol=0.05)


def test_the_exported_graph_has_the_temperature_and_the_bias_of_each_class(
    faces: FaceSet, fer_file: Path
) -> None:
    temperature, bias = np.linspace(0.2, 0.8, 7, dtype=np.float32), np.linspace(-1, 1, 7, dtype=np.float32)
    told, expected = told_and_expected(
        KernelMachine(), faces, fer_file, temperature=temperature, bias=bias, mirrored=True
    )
    np.testing.assert_allclose(told, expected, atol=0.05)


def test_weights_that_cancel_each_other_are_exported_as_they_are(
    faces: FaceSet, fer_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pipeline_graph, "LARGE", 1000)
    told, expected = told_and_expected(KernelMachine(gamma=0.3, alpha=1e-3), faces, fer_file)
    np.testing.assert_allclose(told, expected, atol=0.1)


def told_and_expected(
    classifier: object,
    faces: FaceSet,
    fer_file: Path,
    *,
    temperature: float | np.ndarray = 0.5,
    bias: float | np.ndarray = 0.0,
    mirrored: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """What the exported graph answers, and the fitted pipeline."""
    pipeline = svm.fit(
        Pipeline([("embedding", SMALL), ("classifier", classifier)]), faces, recipe=replace(RECIPE, copies=0)
    )
    graph = pipeline_graph.export_onnx(pipeline, temperature=temperature, bias=bias, mirrored=mirrored)
    artifact = artifacts.with_labels(graph, faces.names)
    card = {
        "format": artifacts.CARD_FORMAT,
        "sha256": artifacts.sha256(artifact),
        "label_set": "expressions",
        "labels": list(faces.names),
        "estimator": "svm",
        "preprocessing": Preprocessing(features=FEATURES, mirrored=mirrored).to_card(),
        "threshold": 0.5,
    }
    images = read_fer2013(fer_file)["PublicTest"].images
    scores = svm.scores_of_both_sides(pipeline, images) if mirrored else svm.scores(pipeline, images)
    told = scores / temperature + bias
    expected = np.exp(told) / np.exp(told).sum(axis=1, keepdims=True)
    return Classifier.load(artifact, card).predict(images), expected


def test_large_matrices_are_stored_in_bytes_but_for_the_metric(trained: Path) -> None:
    large = [
        tensor
        for tensor in onnx.load(trained).graph.initializer
        if np.prod(tensor.dims) >= pipeline_graph.LARGE
    ]
    in_bytes = [tensor for tensor in large if tensor.data_type == onnx.TensorProto.INT8]
    assert len(in_bytes) >= 2
    assert [tensor.dims[0] == tensor.dims[1] for tensor in large if tensor not in in_bytes] == [True]


def test_a_kernel_machine_learns_shares_as_well_as_classes() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(300, 4)).astype(np.float32)
    y = (X[:, 0] * X[:, 1] > 0).astype(int)
    of_classes = KernelMachine(centres=200).fit(X[:200], y[:200])
    assert of_classes.score(X[200:], y[200:]) > 0.85
    of_shares = KernelMachine(centres=200).fit(X[:200], np.eye(2)[y[:200]])
    np.testing.assert_allclose(of_shares.decision_function(X), of_classes.decision_function(X), atol=1e-5)


def test_a_kernel_machine_learns_from_a_teacher_what_the_labels_do_not_say(faces: FaceSet) -> None:
    wrong = replace(faces, labels=(faces.labels + 1) % 7)
    taught = np.eye(7, dtype=np.float32)[faces.labels]
    pipeline = Pipeline([("embedding", SMALL), ("classifier", KernelMachine(centres=200))])
    svm.fit(pipeline, wrong, recipe=replace(RECIPE, taught_share=0.9), taught=taught)
    told = svm.scores(pipeline, faces.images).argmax(axis=1)
    assert (told == faces.labels).mean() > 0.9


def test_the_command_learns_from_its_teacher(trained: Path, fer_file: Path, tmp_path: Path) -> None:
    recipe = replace(RECIPE, taught_share=0.5)
    student = svm.train(data=fer_file, output=tmp_path, recipe=recipe, teacher=trained)
    (_, card), (_, of_teacher) = artifacts.read(student), artifacts.read(trained)
    assert card["training"]["teacher"] == of_teacher["sha256"]
    assert card["metrics"]["FER2013 PublicTest"]["accuracy"] > 0.35


def test_what_learns_from_labels_alone_says_so_and_asks_no_teacher(
    trained: Path, fer_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    search = svm.search
    monkeypatch.setattr(svm, "search", lambda *given, **how: search(*given, families=("logistic",), **how))
    told: list[str] = []
    recipe = replace(RECIPE, taught_share=0.5)
    student = svm.train(
        data=fer_file,
        output=tmp_path,
        recipe=recipe,
        teacher=trained,
        tell=lambda **said: told.append(said.get("log", "")),
    )
    assert any("teacher is not asked" in line for line in told)
    training = artifacts.read(student)[1]["training"]
    assert (training["teacher"], training["taught_share"]) == (None, 0)


def test_fewer_centres_than_faces_cost_little() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(600, 3)).astype(np.float32)
    y = (np.linalg.norm(X, axis=1) > 1.5).astype(int)
    assert KernelMachine(centres=60).fit(X[:400], y[:400]).score(X[400:], y[400:]) > 0.9


def test_a_machine_learns_which_directions_matter() -> None:
    rng = np.random.default_rng(0)
    X = rng.normal(size=(900, 12)).astype(np.float32)
    y = (X[:, 0] > 0).astype(int)
    machine = KernelMachine(centres=300).fit(X[:300], y[:300])
    lengths = np.linalg.norm(machine.metric_, axis=1)
    assert lengths[0] > 1.3 * lengths[1:].max()


def test_the_command_says_what_is_wrong_with_its_data(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        svm.main(["--data", str(tmp_path / "none.csv"), "--output", str(tmp_path)])
    assert stopped.value.code == 2
    assert "none.csv" in capsys.readouterr().err
