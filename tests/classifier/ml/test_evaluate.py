from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from classifier.ml import artifact as artifacts
from classifier.ml.artifact import ArtifactError
from classifier.ml.dataset import EXPRESSIONS
from classifier.ml.diagrams import draw_confusion
from classifier.ml.evaluate import evaluate, main
from tests.artifacts import artifact_answering, tiny_artifact


@pytest.fixture(autouse=True)
def short_repeats(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("classifier.ml.evaluate.TIMED_S", 0.0)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return artifacts.write(tmp_path, "tiny", *tiny_artifact(favourite="fear", confidence=0.9))


def fer_rows(*rows: tuple[int, np.ndarray, str]) -> str:
    lines = [f"{label},{' '.join(map(str, image.ravel()))},{usage}" for label, image, usage in rows]
    return "\n".join(["emotion,pixels,Usage", *lines])


def noise(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (48, 48), dtype=np.uint8)


def test_the_command_scores_the_public_test(
    fer_file: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["--artifact", str(model), "--data", str(fer_file), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["faces"] == 84
    assert told["accuracy"] == pytest.approx(1 / 7, abs=1e-4)
    assert told["recall"]["fear"] == 1
    assert (told["threshold"], told["answered"]) == (0.5, 1)
    assert told["artifact"]["bytes"] == model.stat().st_size
    for batch in ("batch_1", "batch_32"):
        assert told["latency"][batch].keys() == {"graph_ms", "with_preprocessing_ms"}
        assert min(told["latency"][batch].values()) > 0


def test_without_json_it_prints_a_table(
    fer_file: Path, votes_file: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    main(["--artifact", str(model), "--data", str(fer_file), "--votes", str(votes_file)])
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["all", "deduplicated", "FER+", "FER+", "deduplicated"]
    assert any(line.startswith("accuracy ") and line.count("0.143 (") == 4 for line in lines)
    assert any(line.startswith("fear ") and "1.000 (1.000–1.000)" in line for line in lines)
    assert max(map(len, lines)) < 120


def test_rows_of_one_other_usage_are_scored_without_more_options(tmp_path: Path) -> None:
    data = tmp_path / "private.csv"
    data.write_text(fer_rows(*((label, noise(label), "PrivateTest") for label in (2, 3))))
    told = evaluate(*tiny_artifact(favourite="fear"), data=data)
    assert (told["faces"], told["accuracy"], told["deduplicated"]) == (2, 0.5, None)


def test_duplicates_of_training_images_are_left_out_of_the_second_figure(tmp_path: Path) -> None:
    data = tmp_path / "fer.csv"
    darker = (noise(1) * 0.8).astype(np.uint8)
    data.write_text(
        fer_rows(
            (2, noise(0), "Training"),
            (2, noise(1), "Training"),
            (2, noise(0)[:, ::-1], "PublicTest"),
            (2, darker, "PublicTest"),
            (3, noise(2), "PublicTest"),
        )
    )
    told = evaluate(*tiny_artifact(favourite="fear"), data=data)
    assert told["duplicates_of_training"] == {"exact": 1, "near": 1}
    assert told["accuracy"] == pytest.approx(2 / 3, abs=1e-4)
    assert (told["deduplicated"]["faces"], told["deduplicated"]["accuracy"]) == (1, 0)


def test_the_majority_of_the_votes_is_a_score_of_its_own(tmp_path: Path) -> None:
    data, votes = tmp_path / "fer.csv", tmp_path / "votes.csv"
    data.write_text(fer_rows(*((3, noise(seed), "PublicTest") for seed in range(3))))
    columns = "neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF"
    votes.write_text(f"Usage,{columns}\n,0,2,0,0,0,0,8,0,0,0\n,0,9,0,0,0,0,0,0,1,0\n,0,5,0,0,0,0,5,0,0,0\n")
    told = evaluate(*tiny_artifact(favourite="fear"), data=data, votes=votes)
    assert (told["faces"], told["accuracy"]) == (3, 0)
    assert (told["fer_plus"]["faces"], told["fer_plus"]["accuracy"]) == (2, 0.5)


def test_a_folder_per_class_of_another_label_set_is_scored(tmp_path: Path) -> None:
    for name, count in (("ada", 3), ("bob", 1)):
        (tmp_path / name).mkdir()
        for number in range(count):
            Image.fromarray(noise(number)).resize((70, 70)).save(tmp_path / name / f"{number}.png")
    told = evaluate(*tiny_artifact(favourite="ada", labels=("bob", "ada")), data=tmp_path)
    assert (told["faces"], told["accuracy"]) == (4, 0.75)
    assert told["recall"] == {"bob": 0, "ada": 1}


def test_diagrams_are_drawn_in_what_the_answers_look_like(
    model: Path, fer_file: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "new" / "plots"
    evaluate(*artifacts.read(model), data=fer_file, plots=folder)
    confusion, reliability = (Image.open(folder / f"{name}.png") for name in ("confusion", "reliability"))
    assert min(confusion.size) >= 900
    assert min(reliability.size) >= 800
    # Everything is told as fear: that column is full, those beside it are empty.
    row, fear, happy = 2 * (100 + 5), 2 * (130 + 66 * 2 + 4), 2 * (130 + 66 * 3 + 4)
    assert confusion.getpixel((fear, row)) != (255, 255, 255)
    assert confusion.getpixel((happy, row)) == (255, 255, 255)


def test_of_very_many_labels_the_most_mistaken_are_drawn() -> None:
    names = tuple(f"person {number}" for number in range(200))
    matrix = [[100 if row == column else 0 for column in range(200)] for row in range(200)]
    few = draw_confusion([row[:30] for row in matrix[:30]], names[:30])
    # Of the others none is drawn before the two that are taken for each other.
    matrix[150][170] = 100
    drawn = draw_confusion(matrix, names)
    assert drawn.size == few.size
    white, column = (255, 255, 255), 2 * (130 + 66 * 29 + 4)
    assert few.getpixel((column, 2 * (100 + 50 * 28 + 5))) == white
    assert drawn.getpixel((column, 2 * (100 + 50 * 28 + 5))) != white


def test_labels_in_another_order_than_the_datas_are_refused(fer_file: Path) -> None:
    with pytest.raises(ValueError, match=r"labels are neutral, surprise.*those of .* are angry, disgust"):
        evaluate(*tiny_artifact(labels=EXPRESSIONS[::-1]), data=fer_file)


def test_an_artifact_that_gives_nan_for_some_face_is_refused(tmp_path: Path) -> None:
    """Its trial crops are noise, which it answers well; a bright face is beyond it."""
    data = tmp_path / "fer.csv"
    striped = np.zeros((48, 48), np.uint8)
    striped[0] = 255
    data.write_text(fer_rows((3, noise(0), "PublicTest"), (3, striped, "PublicTest")))
    pixels = np.zeros((48, 48, 7), np.float32)
    pixels[0] = 2e37
    artifact, card = artifact_answering(np.zeros(7), pixels=pixels.reshape(48 * 48, 7))
    with pytest.raises(ArtifactError, match="NaN or infinity for 1 of 2 faces"):
        evaluate(artifact, card, data=data)


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"data": "/nowhere.csv"}, "nowhere.csv"),
        ({"usage": "PrivateTest"}, "no rows with Usage PrivateTest; it has Training, PublicTest"),
        ({"artifact": "/nowhere.onnx"}, "nowhere.onnx"),
        ({"votes": "/nowhere/votes.csv"}, "votes.csv"),
        ({"data": "{folder}"}, "no pictures"),
        ({"data": "{folder}", "usage": "PublicTest"}, "neither FER+ votes nor a Usage"),
    ],
)
def test_bad_input_is_a_sentence_and_status_2(
    options: dict[str, Any], named: str, fer_file: Path, model: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    given = {"artifact": str(model), "data": str(fer_file)} | options
    words = [word.format(folder=model.parent) for n, v in given.items() for word in (f"--{n}", v)]
    with pytest.raises(SystemExit) as stopped:
        main(words)
    assert stopped.value.code == 2
    assert named in capsys.readouterr().err


def test_an_artifact_altered_by_one_byte_is_refused(
    model: Path, fer_file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    altered = bytearray(model.read_bytes())
    altered[100] ^= 1
    model.write_bytes(altered)
    with pytest.raises(SystemExit):
        main(["--artifact", str(model), "--data", str(fer_file)])
    assert "SHA-256 differs" in capsys.readouterr().err
