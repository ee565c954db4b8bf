"""A tiny network, really trained, on faces that are bars."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from scipy.special import softmax

from classifier.ml import artifact as artifacts
from classifier.ml.dataset import read_fer2013
from classifier.ml.evaluate import measure
from classifier.ml.preprocessing import Preprocessing
from classifier.ml.runtime import Classifier
from classifier.registry import BUNDLED

pytest.importorskip("keras")
from classifier.ml import augmentation, cnn, train

QUICK = replace(train.QUICK, epochs=25, batch=32, learning_rate=0.05, held_out=0.2)


@pytest.fixture(scope="module")
def trained(fer_file: Path, votes_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return train.train(
        data=fer_file, votes=votes_file, output=tmp_path_factory.mktemp("trained"), recipe=QUICK
    )


def test_training_learns_and_the_card_tells_the_figures_of_the_file(trained: Path, fer_file: Path) -> None:
    artifact, card = artifacts.read(trained)
    test = read_fer2013(fer_file)["PublicTest"]
    answers = Classifier.load(artifact, card).predict(test.images)
    figures = measure(answers, test.labels, test.names, threshold=card["threshold"])
    assert figures["accuracy"] > 0.35, "chance is 0.14"
    assert card["metrics"]["FER2013 PublicTest"] == figures
    assert card["labels"] == list(test.names)
    assert card["training"]["network"] == "tiny"
    assert 0 <= card["threshold"] <= 1


def test_the_served_graph_answers_as_the_trained_network(trained: Path, fer_file: Path) -> None:
    import keras

    artifact, card = artifacts.read(trained)
    images = read_fer2013(fer_file)["PublicTest"].images
    network = keras.models.load_model(trained.with_name("checkpoint.keras"))
    tensors = Preprocessing()(images)
    logits = network.predict(tensors, verbose=0) + network.predict(tensors[:, :, ::-1], verbose=0)
    expected = softmax(logits / 2 / card["calibration"]["temperature"], axis=1)
    served = Classifier.load(artifact, card).predict(images)
    # Eight bits: a percentage may be a few points off, and on the whole none is.
    np.testing.assert_allclose(served, expected, atol=0.1)
    assert np.abs(served - expected).mean() < 0.01


def test_a_face_and_its_mirror_image_get_one_answer(trained: Path, fer_file: Path) -> None:
    images = read_fer2013(fer_file)["PublicTest"].images
    classifier = Classifier.load(*artifacts.read(trained))
    np.testing.assert_allclose(
        classifier.predict(images), classifier.predict(np.ascontiguousarray(images[:, :, ::-1])), atol=1e-5
    )


def test_the_served_weights_are_bytes(trained: Path) -> None:
    tensors = onnx.load(trained).graph.initializer
    large = [tensor for tensor in tensors if np.prod(tensor.dims) > 1000]
    assert {tensor.data_type for tensor in large} == {onnx.TensorProto.INT8}


def test_the_first_convolution_alone_is_left_in_float32(trained: Path) -> None:
    graph = onnx.load(trained).graph
    numbers = {tensor.name for tensor in graph.initializer}
    convolutions = [node for node in graph.node if node.op_type == "Conv"]
    assert [node.input[1] in numbers for node in convolutions] == [True, False, False]
    before = graph.node[: list(graph.node).index(convolutions[0])]
    assert "QuantizeLinear" not in {node.op_type for node in before}


def test_a_stopped_run_goes_on_from_its_last_epoch_and_learns_what_an_unbroken_one_does(
    fer_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import keras

    recipe = replace(QUICK, epochs=3)
    begin = train._Progress.on_epoch_begin

    def begin_or_stop(self: train._Progress, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if epoch == 2:
            raise KeyboardInterrupt
        begin(self, epoch, logs)

    with monkeypatch.context() as stopping:
        stopping.setattr(train._Progress, "on_epoch_begin", begin_or_stop)
        with pytest.raises(KeyboardInterrupt):
            train.train(data=fer_file, votes=None, output=tmp_path / "stopped", recipe=recipe)
    note = tmp_path / "stopped" / "checkpoint.json"
    before = json.loads(note.read_text())
    assert before["epoch"] == 2
    told: list[dict[str, Any]] = []
    resumed = train.train(
        data=fer_file,
        votes=None,
        output=tmp_path / "stopped",
        recipe=recipe,
        tell=lambda **said: told.append(said),
    )
    (curve,) = [said["curve"] for said in told if "curve" in said]
    assert curve["epoch"] == 3
    assert json.loads(note.read_text())["seconds"] == pytest.approx(
        before["seconds"] + curve["seconds"], rel=0.5
    )
    unbroken = train.train(data=fer_file, votes=None, output=tmp_path / "unbroken", recipe=recipe)
    ours, theirs = (
        keras.models.load_model(path.with_name("checkpoint.keras")) for path in (resumed, unbroken)
    )
    for weights, expected in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(weights, expected, atol=1e-3)


def test_a_folder_of_another_recipe_is_not_trained_over(trained: Path, fer_file: Path) -> None:
    with pytest.raises(ValueError, match="another recipe"):
        train.train(data=fer_file, votes=None, output=trained.parent, recipe=replace(QUICK, seed=1))


def test_a_run_on_other_data_is_not_gone_on_with(trained: Path, fer_file: Path, tmp_path: Path) -> None:
    card = artifacts.read(trained)[1]
    fewer = tmp_path / "fer2013.csv"
    header, *rows = fer_file.read_text().splitlines(keepends=True)
    fewer.write_text("".join([header, *rows[1:]]))
    with pytest.raises(ValueError, match="other data"):
        train.train(data=fewer, votes=None, output=trained.parent, recipe=QUICK)
    assert artifacts.read(trained)[1] == card


@pytest.fixture(scope="module")
def mislabelled(fer_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The file of faces, every one of them that is for training under the label after its own."""
    header, *rows = fer_file.read_text().splitlines()
    wrong = [
        f"{(int(label) + 1) % 7},{rest}" if rest.endswith("Training") else f"{label},{rest}"
        for label, rest in (row.split(",", 1) for row in rows)
    ]
    path = tmp_path_factory.mktemp("mislabelled") / "fer2013.csv"
    path.write_text("\n".join([header, *wrong]) + "\n")
    return path


def test_a_network_learns_from_a_teacher_what_the_labels_do_not_say(
    trained: Path, mislabelled: Path, tmp_path: Path
) -> None:
    recipe = replace(QUICK, taught_share=1.0)
    student = train.train(data=mislabelled, votes=None, output=tmp_path, recipe=recipe, teachers=[trained])
    _, card = artifacts.read(student)
    assert card["metrics"]["FER2013 PublicTest"]["accuracy"] > 0.35, "the labels alone would give none"
    assert card["training"]["teachers"] == [artifacts.read(trained)[1]["sha256"]]
    with pytest.raises(ValueError, match="other data"):
        train.train(data=mislabelled, votes=None, output=tmp_path, recipe=recipe)


def test_a_teacher_must_tell_the_same_labels(trained: Path, fer_file: Path, tmp_path: Path) -> None:
    graph, card = artifacts.read(trained)
    names = list(reversed(card["labels"]))
    artifact = artifacts.with_labels(graph, names)
    other = artifacts.write(
        tmp_path, "other", artifact, card | {"labels": names, "sha256": artifacts.sha256(artifact)}
    )
    with pytest.raises(ValueError, match="tells neutral, surprise"):
        train.train(data=fer_file, votes=None, output=tmp_path / "run", recipe=QUICK, teachers=[other])


def test_a_network_starts_from_what_an_artifact_has_learned(
    trained: Path, mislabelled: Path, tmp_path: Path
) -> None:
    recipe = replace(QUICK, epochs=1, learning_rate=1e-6)
    student = train.train(data=mislabelled, votes=None, output=tmp_path, recipe=recipe, start=trained)
    (_, card), (_, first) = artifacts.read(student), artifacts.read(trained)
    accuracy, before = (each["metrics"]["FER2013 PublicTest"]["accuracy"] for each in (card, first))
    assert accuracy == pytest.approx(before, abs=0.1)
    assert card["training"]["start"] == first["sha256"]


def test_a_network_does_not_start_from_one_of_another_shape(
    trained: Path, fer_file: Path, tmp_path: Path
) -> None:
    recipe = replace(QUICK, network="small")
    with pytest.raises(ValueError, match="no network of the shape of cnn_small"):
        train.train(data=fer_file, votes=None, output=tmp_path, recipe=recipe, start=trained)


def test_a_network_does_not_start_from_a_kernel_machine(fer_file: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="no network of the shape of cnn_tiny"):
        train.train(
            data=fer_file,
            votes=None,
            output=tmp_path,
            recipe=QUICK,
            start=BUNDLED / "expressions-svm.onnx",
        )


def test_batches_are_normalized_as_keras_does() -> None:
    import keras

    batch = np.random.default_rng(0).normal(3, 2, (16, 5, 5, 4)).astype(np.float32)
    ours, theirs = cnn.BatchNormalization(momentum=0.9), keras.layers.BatchNormalization(momentum=0.9)
    for training in (True, False):
        np.testing.assert_allclose(
            ours(batch, training=training), theirs(batch, training=training), atol=1e-2
        )
    for kept, expected in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(kept, expected, rtol=1e-2)


def test_an_unknown_network_is_named_with_those_that_exist() -> None:
    with pytest.raises(ValueError, match="tiny, small"):
        cnn.build_network("huge", side=48, classes=7)


def test_augmentation_follows_from_its_seed_and_changes_the_picture() -> None:
    image = np.random.default_rng(0).integers(0, 256, (48, 48), dtype=np.uint8)
    first, again, other = (augmentation.augment(image, np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    assert first.shape == (48, 48)
    assert first.dtype == np.uint8


def test_mixup_mixes_faces_and_their_targets_in_one_proportion() -> None:
    rng = np.random.default_rng(0)
    images = np.arange(8, dtype=np.float32)[:, None, None, None] * np.ones((8, 2, 2, 1), np.float32)
    targets = np.eye(8, dtype=np.float32)
    mixed, shares = cnn.mix(images, targets, 0.2, rng)
    np.testing.assert_allclose(shares.sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(mixed[:, 0, 0, 0], shares @ np.arange(8), rtol=1e-5)
    assert (np.sort(shares, axis=1)[:, -2] > 0).any(), "no face was mixed with another"
    assert cnn.mix(images, targets, 0, rng)[0] is images


def test_the_command_says_what_is_wrong_with_its_data(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        train.main(["--data", str(tmp_path / "none.csv"), "--output", str(tmp_path)])
    assert stopped.value.code == 2
    assert "none.csv" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("told", "precision"),
    [
        ("flags : fpu avx2 avx512f avx512_bf16", "mixed_bfloat16"),
        ("flags : amx_bf16 amx_int8", "mixed_bfloat16"),
        ("flags : fpu avx2 avx512f avx512_bf16_not", "float32"),
        (None, "float32"),
    ],
)
def test_bfloat16_is_used_where_the_processor_multiplies_it(
    told: str | None, precision: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    processor = tmp_path / "cpuinfo"
    if told:
        processor.write_text(told)
    monkeypatch.setattr(train, "PROCESSOR", processor)
    assert train.Recipe().precision == precision


@pytest.mark.parametrize("epochs", ["0", "-1", "many"])
def test_epochs_are_counted_from_one(epochs: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        train.main(["--data", "none.csv", "--output", str(tmp_path), "--epochs", epochs])
    assert stopped.value.code == 2
    assert "whole number from 1 on" in capsys.readouterr().err


def test_the_last_epochs_mix_no_faces_and_have_targets_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    import keras

    faces = np.random.default_rng(0).integers(0, 256, (8, 48, 48), dtype=np.uint8)
    first, last = (np.tile(np.eye(7, dtype=np.float32)[label], (8, 1)) for label in (0, 1))
    given: list[float] = []
    take = cnn.AugmentedBatches.__getitem__

    def noted(self: cnn.AugmentedBatches, index: int) -> Any:
        images, targets = take(self, index)
        given.append(float(targets[:, 1].mean()))
        return images, targets

    monkeypatch.setattr(cnn.AugmentedBatches, "__getitem__", noted)
    mixed: list[float] = []
    mix = cnn.mix

    def noted_mix(images: Any, targets: Any, alpha: float, rng: Any) -> Any:
        mixed.append(alpha)
        return mix(images, targets, alpha, rng)

    monkeypatch.setattr(cnn, "mix", noted_mix)
    batches = cnn.AugmentedBatches(
        faces, first, last, preprocessing=Preprocessing(), batch=8, seed=0, mixup=0.2, mixed_epochs=3
    )
    network = cnn.build_network("tiny", side=48, classes=7)
    network.compile("sgd", keras.losses.CategoricalCrossentropy(from_logits=True))
    network.fit(batches, epochs=5, verbose=0)
    # Keras also looks at one batch before it begins.
    assert given == [0] * 4 + [1] * 2
    assert mixed == [0.2] * 4


def test_in_every_epoch_other_faces_are_seen_as_they_were_cut() -> None:
    aligned, cut = np.zeros((600, 48, 48), np.uint8), np.full((600, 48, 48), 255, np.uint8)
    targets = np.tile(np.eye(7, dtype=np.float32)[0], (600, 1))
    batches = cnn.AugmentedBatches(
        aligned, targets, targets, preprocessing=Middles(), batch=600, seed=0, cut=cut, cut_share=1 / 3
    )
    seen = []
    for _ in range(2):
        bright = batches[0][0] > 128
        seen.append(set(batches.order[bright]))
        batches.on_epoch_end()
    assert all(150 < len(places) < 250 for places in seen)
    assert seen[0] != seen[1]


class Middles(Preprocessing):
    """The brightness of most of a face."""

    def __call__(self, crops: Any) -> Any:
        return np.median(crops, axis=(1, 2))


def test_teachers_take_turns_and_answer_for_the_copies_that_the_network_sees() -> None:
    asked: list[tuple[int, Any]] = []

    class Noting:
        def __init__(self, label: int) -> None:
            self.label = label

        def answer(self, images: Any) -> Any:
            asked.append((self.label, images))
            return np.tile(np.eye(7, dtype=np.float32)[self.label], (len(images), 1))

    faces = np.random.default_rng(0).integers(0, 256, (8, 48, 48), dtype=np.uint8)
    targets = np.tile(np.eye(7, dtype=np.float32)[0], (8, 1))
    teachers: Any = [Noting(1), Noting(2)]
    batches = cnn.AugmentedBatches(
        faces,
        targets,
        targets,
        preprocessing=Preprocessing(),
        batch=4,
        seed=0,
        teachers=teachers,
        taught_share=0.25,
    )
    for place, label in enumerate((1, 2)):
        tensors, shares = batches[place]
        np.testing.assert_allclose(shares, np.tile(0.75 * np.eye(7)[0] + 0.25 * np.eye(7)[label], (4, 1)))
        assert asked[place][0] == label
        np.testing.assert_array_equal(tensors, Preprocessing()(asked[place][1]))
