from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from PIL import Image

from classifier.models import ModelVersion
from classifier.registry import register
from tests.artifacts import tiny_artifact
from tests.factories import make_active_model

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def short_repeats(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("classifier.ml.evaluate.TIMED_S", 0.0)


@pytest.fixture
def faces(tmp_path: Path) -> Path:
    """One happy face, one sad."""
    for name in ("happy", "sad"):
        (tmp_path / "faces" / name).mkdir(parents=True)
        Image.fromarray(np.full((48, 48), 90, np.uint8)).save(tmp_path / "faces" / name / "a.png")
    return tmp_path / "faces"


@pytest.fixture
def versions() -> tuple[ModelVersion, ModelVersion]:
    """Version 1 says happy and is active, version 2 says sad."""
    return make_active_model(favourite="happy"), register(*tiny_artifact(favourite="sad"))


def evaluated(*words: str) -> dict[str, Any]:
    out = io.StringIO()
    call_command("evaluate_model", *words, "--json", stdout=out)
    return json.loads(out.getvalue())


def test_the_active_version_is_scored_unless_another_is_named(
    faces: Path, versions: tuple[ModelVersion, ModelVersion]
) -> None:
    active, other = versions
    assert evaluated("--data", str(faces))["artifact"]["sha256"] == active.digest
    told = evaluated("2", "--data", str(faces))
    assert told["artifact"]["sha256"] == other.digest
    assert (told["accuracy"], told["recall"]["sad"]) == (0.5, 1)


def test_a_version_is_found_by_its_digest_and_its_estimator(
    faces: Path, versions: tuple[ModelVersion, ModelVersion]
) -> None:
    active, other = versions
    by_digest = evaluated(active.digest[:12].upper(), "--data", str(faces))
    by_estimator = evaluated("constant", "--data", str(faces))
    assert by_digest["artifact"]["sha256"] == active.digest
    assert by_estimator["artifact"]["sha256"] == other.digest, "the newest of that estimator"


def test_people_get_a_table(faces: Path, versions: tuple[ModelVersion, ModelVersion]) -> None:
    out = io.StringIO()
    call_command("evaluate_model", "--data", str(faces), stdout=out)
    assert "macro-F1" in out.getvalue()


@pytest.mark.parametrize("name", ["3", "svm", "0000000000000000", "99999999999999999999"])
def test_an_unknown_version_is_refused_with_those_there_are(
    name: str, faces: Path, versions: tuple[ModelVersion, ModelVersion]
) -> None:
    with pytest.raises(CommandError, match=rf"'{name}'.*expressions v2 \(constant\)"):
        evaluated(name, "--data", str(faces))


def test_without_an_active_version_it_says_so(faces: Path) -> None:
    with pytest.raises(CommandError, match="No version is active"):
        evaluated("--data", str(faces))


def test_bad_data_is_a_sentence(tmp_path: Path, versions: tuple[ModelVersion, ModelVersion]) -> None:
    (tmp_path / "faces" / "joy").mkdir(parents=True)
    with pytest.raises(CommandError, match="joy; the labels are angry"):
        evaluated("--data", str(tmp_path / "faces"))
    with pytest.raises(CommandError, match=r"none\.csv"):
        evaluated("--data", str(tmp_path / "none.csv"))


def test_an_artifact_that_was_altered_is_refused(
    faces: Path, versions: tuple[ModelVersion, ModelVersion]
) -> None:
    path = Path(versions[0].artifact.path)
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(CommandError, match="SHA-256 differs"):
        evaluated("--data", str(faces))
