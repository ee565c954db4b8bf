from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

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


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda card: 7, "no JSON object"),
        (lambda card: card | {"labels": None}, "a list of words"),
        (lambda card: card | {"labels": [1, 2]}, "a list of words"),
        (lambda card: card | {"labels": ["sad"]}, "at least two labels"),
    ],
)
def test_a_card_of_another_form_is_refused(
    damage: Callable[[dict[str, Any]], object], said: str, tmp_path: Path
) -> None:
    artifact, card = tiny_artifact()
    path = artifacts.write(tmp_path, "tiny", artifact, card)
    path.with_suffix(".json").write_text(json.dumps(damage(card)))
    with pytest.raises(artifacts.ArtifactError, match=said):
        artifacts.read(path)
