from __future__ import annotations

import json
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from classifier.models import ModelVersion, Upload
from tests.factories import make_active_model
from tests.photographs import astronaut, no_face

pytestmark = pytest.mark.django_db


@pytest.fixture
def photograph(tmp_path: Path) -> Path:
    path = tmp_path / "astronaut.jpg"
    path.write_bytes(astronaut())
    return path


@pytest.fixture
def model() -> ModelVersion:
    return make_active_model(favourite="happy", confidence=0.9)


def classify(*arguments: str, status: int = 0) -> str:
    out = StringIO()
    if not status:
        call_command("classify", *arguments, stdout=out)
        return out.getvalue()
    with pytest.raises(SystemExit) as stopped:
        call_command("classify", *arguments, stdout=out)
    assert stopped.value.code == status
    return out.getvalue()


def classify_json(*arguments: str, status: int = 0) -> list[dict[str, Any]]:
    return json.loads(classify(*arguments, "--json", status=status))


def test_json_holds_every_promised_word(photograph: Path, model: ModelVersion) -> None:
    [result] = classify_json(str(photograph))
    assert {"path", "width", "height", "error", "faces"} <= set(result)
    assert (result["path"], result["width"], result["height"], result["error"]) == (
        str(photograph), 512, 512, None,
    )  # fmt: skip
    assert result["model"]["digest"] == model.digest
    [face] = result["faces"]
    assert {"box", "score", "label", "confidence", "probabilities", "unsure", "quality"} <= set(face)
    assert face["label"] == "happy"
    assert face["confidence"] == pytest.approx(0.9, abs=1e-4)
    assert list(face["probabilities"]) == ["angry", "disgust", "fear", "happy", "sad", "surprise", "neutral"]
    assert face["unsure"] is False
    assert face["quality"]["unreadable"] is None
    assert len(face["box"]) == 4
    assert not Upload.objects.exists()


def test_one_bad_file_does_not_stop_the_others(photograph: Path, tmp_path: Path, model: ModelVersion) -> None:
    text, empty = tmp_path / "text.jpg", tmp_path / "empty.jpg"
    text.write_text("hello")
    empty.touch()
    paths = [str(text), str(empty), str(tmp_path / "none.jpg"), str(tmp_path), str(photograph)]
    results = classify_json(*paths, status=1)
    assert [result["path"] for result in results] == paths
    assert [bool(result["error"]) for result in results] == [True, True, True, True, False]
    assert [len(result["faces"]) for result in results] == [0, 0, 0, 0, 1]


def test_people_get_percentages(photograph: Path, tmp_path: Path, model: ModelVersion) -> None:
    (tmp_path / "stones.jpg").write_bytes(no_face())
    text = classify(str(photograph), str(tmp_path / "stones.jpg"))
    assert "1 face\n" in text
    assert "happy 90%" in text
    assert "stones.jpg: no faces" in text


def test_without_a_model_it_says_how_to_get_one(photograph: Path) -> None:
    with pytest.raises(CommandError, match="install_models"):
        classify(str(photograph))


def test_an_unknown_label_set_is_named(photograph: Path, model: ModelVersion) -> None:
    with pytest.raises(CommandError, match="'moods'"):
        classify(str(photograph), "--label-set", "moods")
