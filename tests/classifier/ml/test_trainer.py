"""The process that `retrain` starts: really trained, on faces that are bars, and measured."""

from __future__ import annotations

import json
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from classifier.ml import artifact as artifacts
from classifier.ml import frozen as frozen_datasets
from classifier.ml import small_sets, trainer, ways
from classifier.ml.dataset import EXPRESSIONS, read_fer2013
from classifier.ml.embedding import FEATURES as DENSE
from classifier.ml.frozen import digests_in, read_frozen
from classifier.ml.runtime import Classifier
from classifier.ml.small_sets import FEATURES
from labeling.parquet import write_examples

pytest.importorskip("keras")

NAMES = EXPRESSIONS[:3]


def write_frozen(
    path: Path,
    fer_file: Path,
    *,
    names: tuple[str, ...] = NAMES,
    test: bool = True,
    at_most: int | None = None,
    single: str = "",
) -> Path:
    """A frozen dataset: the file's Training rows as train and validation, its PublicTest rows as test.

    single: a label that a single face is to learn from.
    """
    rows = []
    for usage, faces in read_fer2013(fer_file).items():
        for number, (image, label) in enumerate(zip(faces.images, faces.labels, strict=True)):
            if label >= len(names) or (usage == "PublicTest" and not test):
                continue
            training = "validation" if number % 8 == 0 else "train"
            rows.append(
                {
                    "digest": f"{usage} {number}",
                    "label": names[label],
                    "split": "test" if usage == "PublicTest" else training,
                    "group": f"{usage} {number // 2}",
                    "source": "table",
                    "votes": [3 if place == label else 0 for place in range(len(names))],
                    "other_votes": 0,
                    "height": 48,
                    "width": 48,
                    "channels": 1,
                    "pixels": image.tobytes(),
                }
            )
    learned = [row for row in rows if row["label"] == single and row["split"] != "test"]
    rows = [row for row in rows if row not in learned[1:]]
    with path.open("wb") as file:
        write_examples(file, rows[:at_most], label_set="bars", labels=names)
    return path


def ask(folder: Path, examples: Path, **asked: Any) -> None:
    request = {"examples": str(examples), "label_set": "bars", "labels": list(NAMES)} | asked
    (folder / "request.json").write_text(json.dumps(request))


class Listener:
    def __init__(self) -> None:
        self.heard: dict[str, list[Any]] = defaultdict(list)

    def __call__(self, **said: Any) -> None:
        for key, value in said.items():
            self.heard[key].append(value)


@pytest.fixture(scope="module")
def examples(fer_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_frozen(tmp_path_factory.mktemp("frozen") / "examples.parquet", fer_file)


@pytest.fixture(scope="module")
def network(examples: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("network")
    ask(folder, examples, estimator="cnn", epochs=2)
    trainer.run(folder, tell=Listener())
    return folder / "candidate.onnx"


def test_a_frozen_dataset_is_read_as_it_was_written(examples: Path, fer_file: Path) -> None:
    frozen = read_frozen(examples, names=NAMES)
    test = read_fer2013(fer_file)["PublicTest"]
    wanted = test.take(test.labels < len(NAMES))
    faces, _groups = frozen.only("test")
    np.testing.assert_array_equal(faces.images, wanted.images)
    np.testing.assert_array_equal(faces.labels, wanted.labels)
    np.testing.assert_array_equal(faces.votes.argmax(axis=1), wanted.labels)


@pytest.fixture(autouse=True)
def small_codebook(monkeypatch: pytest.MonkeyPatch) -> None:
    """Most of the time would go into it."""
    monkeypatch.setattr(ways, "SMALL_CODEBOOK", 6)


def test_a_family_is_searched_fitted_calibrated_and_measured(examples: Path, tmp_path: Path) -> None:
    listener = Listener()
    ask(tmp_path, examples, estimator="svm")
    trainer.run(tmp_path, tell=listener)

    artifact, card = artifacts.read(tmp_path / "candidate.onnx")
    arrays = np.load(tmp_path / "test.npz")
    test, _groups = read_frozen(examples, names=NAMES).only("test")
    np.testing.assert_allclose(Classifier.load(artifact, card).predict(test.images), arrays["candidate"])
    np.testing.assert_array_equal(arrays["labels"], test.labels)
    assert "champion" not in arrays
    assert (arrays["candidate"].argmax(axis=1) == arrays["labels"]).mean() > 0.6, "chance is 0.33"
    assert card["metrics"]["curated test split"]["faces"] == len(test)
    assert card["dataset"]["counts"]["test"] == dict.fromkeys(NAMES, len(test) // 3)

    result = json.loads((tmp_path / "result.json").read_text())
    assert result["estimator"] == card["estimator"] == "svm"
    assert {row["estimator"] for row in result["cross_validation"]} == {"svm"}
    assert result["latency_ms"]["candidate"] > 0
    assert list(dict.fromkeys(listener.heard["stage"])) == ["read", "search", "fit", "calibrate", "evaluate"]
    assert max(listener.heard["score"]) == result["cross_validation"][0]["accuracy"]


def test_features_are_chosen_for_few_and_what_was_left_out_is_told(examples: Path, tmp_path: Path) -> None:
    ask(tmp_path, examples, estimator="auto", purpose="to greet the members of a club")
    trainer.run(tmp_path, tell=Listener())
    _artifact, card = artifacts.read(tmp_path / "candidate.onnx")
    table = card["training"]["cross_validation"]
    assert {row["estimator"] for row in table} == {"svm", "logistic", "forest"}, "no network from scratch"
    assert {row["features"] for row in table} == set(FEATURES)
    assert card["training"]["features"] == table[0]["features"]
    frozen = read_frozen(examples, names=NAMES).without_leaks()
    arrays = np.load(tmp_path / "test.npz")
    known, _groups = frozen.only("train", "validation")
    np.testing.assert_array_equal(arrays["left_labels"], known.labels)
    wrong = (arrays["left_out"].argmax(axis=1) != known.labels).sum()
    measured = card["metrics"]["cross-validation"]
    assert measured["faces"] == len(known)
    assert measured["accuracy"] == pytest.approx(1 - wrong / len(known), abs=1e-4)
    mistakes = json.loads((tmp_path / "result.json").read_text())["mistakes"]
    assert sum(one["where"] == "left_out" for one in mistakes) == min(wrong, trainer.MISTAKES_TOLD)
    assert "to greet the members of a club" in card["intended_use"]


def test_more_are_learned_from_than_are_searched(
    examples: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(small_sets, "SEARCHED", 60)
    ask(tmp_path, examples, estimator="logistic")
    trainer.run(tmp_path, tell=Listener())
    _artifact, card = artifacts.read(tmp_path / "candidate.onnx")
    assert card["training"]["searched"] == card["calibration"]["faces"] == 60
    assert len(np.load(tmp_path / "test.npz")["left_out"]) == 60


def test_mistakes_are_told_with_what_a_picture_is_known_by(examples: Path) -> None:
    frozen = read_frozen(examples, names=NAMES)
    faces = frozen.faces.take(np.arange(3))
    answers = np.eye(len(NAMES), dtype=np.float32)[(faces.labels + np.array([0, 1, 1])) % len(NAMES)]
    answers[1] = answers[1] * 0.4 + 0.2
    told = trainer.list_mistakes(answers, faces, frozen.digests[:3], where="test")
    assert [one["digest"] for one in told] == [frozen.digests[2], frozen.digests[1]], "the surest first"
    assert told[0]["true"] == NAMES[faces.labels[2]] != told[0]["told"]


def test_a_champion_is_compared_on_faces_that_it_has_not_learned_from(
    network: Path, examples: Path, fer_file: Path, tmp_path: Path
) -> None:
    fewer = write_frozen(tmp_path / "fewer.parquet", fer_file, at_most=100)
    asked = {"estimator": "logistic", "active": str(network)}
    for name, learned in (("some", str(fewer)), ("unknown", None)):
        (tmp_path / name).mkdir()
        ask(tmp_path / name, examples, learned=learned, **asked)
        trainer.run(tmp_path / name, tell=Listener())
    known = read_frozen(examples, names=NAMES).without_leaks().digests_of("train", "validation")
    new = ~np.isin(known, digests_in(fewer))
    told = np.load(tmp_path / "some" / "test.npz")["left_champion"]
    assert 0 < new.sum() < len(new)
    np.testing.assert_array_equal(np.isfinite(told).all(axis=1), new)
    assert np.isnan(np.load(tmp_path / "unknown" / "test.npz")["left_champion"]).all()


def test_of_many_examples_dense_words_are_learned(
    examples: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frozen_datasets, "FEW", 10)
    ask(tmp_path, examples, estimator="svm")
    trainer.run(tmp_path, tell=Listener())
    _artifact, card = artifacts.read(tmp_path / "candidate.onnx")
    assert card["preprocessing"]["features"] == list(DENSE)
    assert "left_out" not in np.load(tmp_path / "test.npz")
    assert read_frozen(examples, names=NAMES).faces.stored is None, "gray and small, as they are many"


def test_a_network_from_scratch_tells_each_epoch(network: Path) -> None:
    _artifact, card = artifacts.read(network)
    assert card["estimator"] == "cnn"
    assert card["training"]["start"] == "scratch"
    assert card["training"]["epochs"] == 2


def test_the_last_layer_of_the_active_network_is_taught(
    network: Path, examples: Path, tmp_path: Path
) -> None:
    ask(tmp_path, examples, estimator="cnn", start="active", active=str(network))
    trainer.run(tmp_path, tell=Listener())
    arrays = np.load(tmp_path / "test.npz")
    assert arrays["candidate"].shape == arrays["champion"].shape
    _artifact, card = artifacts.read(tmp_path / "candidate.onnx")
    table = card["training"]["cross_validation"]
    assert [row["parameters"]["worth"] for row in table] == [3000, 10_000, 30_000, None]
    assert card["training"]["from"] == artifacts.read(network)[1]["sha256"]


@pytest.mark.parametrize("few", [2000, 10])
def test_the_active_network_learns_from_a_single_face_of_a_label(
    few: int, network: Path, fer_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(frozen_datasets, "FEW", few)
    examples = write_frozen(tmp_path / "examples.parquet", fer_file, single=NAMES[1])
    asked = {"start": "active", "active": str(network)}
    ask(tmp_path, examples, estimator="cnn", **asked)
    trainer.run(tmp_path, tell=Listener())
    assert (tmp_path / "candidate.onnx").exists()
    ask(tmp_path, examples, estimator="auto", **asked)
    with pytest.raises(ways.RefusedError, match=NAMES[1]):
        trainer.run(tmp_path, tell=Listener())


def test_auto_takes_the_best_of_all_families(network: Path, examples: Path, tmp_path: Path) -> None:
    ask(tmp_path, examples, estimator="auto", start="active", active=str(network))
    trainer.run(tmp_path, tell=Listener())
    result = json.loads((tmp_path / "result.json").read_text())
    table = result["cross_validation"]
    assert {row["estimator"] for row in table} == {"svm", "logistic", "forest", "cnn"}
    assert result["estimator"] == table[0]["estimator"]
    assert table[0]["accuracy"] == max(row["accuracy"] for row in table)


def test_the_same_seed_and_dataset_give_the_same_answers(examples: Path, tmp_path: Path) -> None:
    told = []
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        ask(tmp_path / name, examples, estimator="logistic", seed=7)
        trainer.run(tmp_path / name, tell=Listener())
        told.append(np.load(tmp_path / name / "test.npz")["candidate"])
    np.testing.assert_array_equal(*told)


def test_so_they_do_to_a_network_whatever_was_trained_in_between(
    network: Path, examples: Path, tmp_path: Path
) -> None:
    ask(tmp_path, examples, estimator="cnn", epochs=2)
    trainer.run(tmp_path, tell=Listener())
    first, again = (np.load(folder / "test.npz")["candidate"] for folder in (network.parent, tmp_path))
    np.testing.assert_array_equal(first.argmax(axis=1), again.argmax(axis=1))
    np.testing.assert_allclose(first, again, atol=1e-3)


def start(folder: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "classifier.ml.trainer", str(folder)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def test_it_refuses_in_its_last_line_and_ends_with_3(fer_file: Path, tmp_path: Path) -> None:
    examples = write_frozen(tmp_path / "examples.parquet", fer_file, test=False)
    ask(tmp_path, examples, estimator="svm")
    process = start(tmp_path)
    assert process.stdout
    *_others, last = process.stdout.read().splitlines()
    assert json.loads(last) == {
        "refused": "The dataset has no test split, so nothing could be measured.",
        "reason": "no_test",
    }
    assert process.wait() == trainer.REFUSED
    assert not (tmp_path / "candidate.onnx").exists()


def test_it_ends_when_whoever_started_it_is_gone(examples: Path, tmp_path: Path) -> None:
    ask(tmp_path, examples, estimator="svm", grid="full")
    process = start(tmp_path)
    assert process.stdout
    assert process.stdin
    assert json.loads(process.stdout.readline())["stage"] == "read"
    process.stdin.close()
    assert process.wait(timeout=60) == 1
    assert not (tmp_path / "candidate.onnx").exists()
