"""A tiny network, really trained, on faces that are bars."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from classifier.ml import artifact as artifacts
from classifier.ml.dataset import read_fer2013
from classifier.ml.evaluate import measure
from classifier.ml.preprocessing import Preprocessing
from classifier.ml.runtime import Classifier

pytest.importorskip("keras")
from classifier.ml import cnn, train

QUICK = train.Recipe(network="tiny", epochs=25, batch=32, held_out=0.2, precision="float32")


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
    graph = train.serving_graph(
        network, recipe=QUICK, side=48, temperature=card["calibration"]["temperature"]
    )
    expected = graph.predict(Preprocessing()(images), verbose=0)
    np.testing.assert_allclose(Classifier.load(artifact, card).predict(images), expected, atol=5e-3)


def test_a_stopped_run_goes_on_from_its_last_epoch(
    fer_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    begin = train._Progress.on_epoch_begin

    def begin_or_stop(self: train._Progress, epoch: int, logs: dict[str, Any] | None = None) -> None:
        if epoch == 2:
            raise KeyboardInterrupt
        begin(self, epoch, logs)

    with monkeypatch.context() as stopping:
        stopping.setattr(train._Progress, "on_epoch_begin", begin_or_stop)
        with pytest.raises(KeyboardInterrupt):
            train.train(data=fer_file, votes=None, output=tmp_path, recipe=replace(QUICK, epochs=3))
    assert json.loads((tmp_path / "checkpoint.json").read_text())["epoch"] == 2
    capsys.readouterr()
    train.train(data=fer_file, votes=None, output=tmp_path, recipe=replace(QUICK, epochs=3))
    assert [line.split()[1] for line in capsys.readouterr().out.splitlines() if "epoch" in line] == ["3/3"]


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


def test_votes_are_mixed_into_the_targets(fer_file: Path, votes_file: Path) -> None:
    faces = read_fer2013(fer_file, votes=votes_file)["Training"].take(np.array([0]))
    np.testing.assert_allclose(
        train.targets(faces, votes_share=0.4), [[0.96, 0.04, 0, 0, 0, 0, 0]], atol=1e-6
    )
    unvoted = read_fer2013(fer_file)["Training"].take(np.array([0]))
    np.testing.assert_allclose(train.targets(unvoted, votes_share=0.4), [[1, 0, 0, 0, 0, 0, 0]])


def test_temperature_cools_a_boastful_network() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(4000, 5)).astype(np.float32)
    odds = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    labels = np.array([rng.choice(5, p=p / p.sum()) for p in odds.astype(np.float64)])
    assert train.fit_temperature(logits * 3, labels) == pytest.approx(3, rel=0.1)


def test_the_threshold_is_the_lowest_that_is_right_often_enough() -> None:
    confidence = np.linspace(0.5, 0.99, 50, dtype=np.float32)
    labels = (confidence < 0.7).astype(np.int64)  # wrong below 0.7, right from there on
    threshold = train.choose_threshold(np.stack([confidence, 1 - confidence], axis=1), labels)
    answered = confidence >= threshold
    assert 0.5 < threshold < 0.7
    assert (labels[answered] == 0).mean() >= 0.8


def test_an_unknown_network_is_named_with_those_that_exist() -> None:
    with pytest.raises(ValueError, match="tiny, small"):
        cnn.build_network("huge", side=48, classes=7)


def test_augmentation_follows_from_its_seed_and_changes_the_picture() -> None:
    image = np.random.default_rng(0).integers(0, 256, (48, 48), dtype=np.uint8)
    first, again, other = (cnn.augment(image, np.random.default_rng(seed)) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
    assert first.shape == (48, 48)
    assert first.dtype == np.uint8


def test_the_command_says_what_is_wrong_with_its_data(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        train.main(["--data", str(tmp_path / "none.csv"), "--output", str(tmp_path)])
    assert stopped.value.code == 2
    assert "none.csv" in capsys.readouterr().err
