from __future__ import annotations

from pathlib import Path

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
