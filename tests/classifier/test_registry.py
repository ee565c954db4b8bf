from __future__ import annotations

import errno
import os
import time
from pathlib import Path

import numpy as np
import pytest
from django.core.files.storage import default_storage
from django.db import IntegrityError, transaction
from pytest_django import Settings

from classifier.artifact_files import clear_temporary
from classifier.ml import artifact as artifacts
from classifier.ml.artifact import ArtifactError
from classifier.models import ModelVersion
from classifier.registry import install_bundled, promote, register
from tests.artifacts import artifact_answering, tiny_artifact
from tests.factories import make_active_model

pytestmark = pytest.mark.django_db


def test_a_registered_artifact_is_kept_and_waits_to_be_promoted() -> None:
    artifact, card = tiny_artifact()
    version = register(artifact, card)
    assert (version.number, version.active, version.digest) == (1, False, card["sha256"])
    with version.artifact.open("rb") as file:
        assert file.read() == artifact


def test_registering_the_same_artifact_again_changes_nothing() -> None:
    first = register(*tiny_artifact())
    assert register(*tiny_artifact()) == first
    assert ModelVersion.objects.count() == 1
    assert len(default_storage.listdir("artifacts")[1]) == 1


def test_a_known_version_whose_file_is_lost_gets_it_back() -> None:
    version = register(*tiny_artifact())
    default_storage.delete(str(version.artifact.name))
    artifact, card = tiny_artifact()
    assert register(artifact, card) == version
    version.refresh_from_db()
    with version.artifact.open("rb") as file:
        assert file.read() == artifact


def test_labels_in_another_order_are_refused_and_nothing_is_stored() -> None:
    labels = ("disgust", "angry", "fear", "happy", "sad", "surprise", "neutral")
    with pytest.raises(ArtifactError, match="in this order"):
        register(*tiny_artifact(labels=labels))
    assert not ModelVersion.objects.exists()
    assert not default_storage.exists("artifacts")


@pytest.mark.parametrize("broken", ["empty", "truncated", "of another digest", "answers no number"])
def test_a_broken_artifact_is_refused_and_nothing_is_stored(broken: str) -> None:
    artifact, card = tiny_artifact()
    if broken == "answers no number":
        artifact, card = artifact_answering(np.full(7, np.nan))
    elif broken == "of another digest":
        card = card | {"sha256": "0" * 64}
    else:
        # A card that was made for what is left of the file.
        artifact = artifact[: len(artifact) // 2 if broken == "truncated" else 0]
        card = card | {"sha256": artifacts.sha256(artifact)}
    with pytest.raises(ArtifactError):
        register(artifact, card)
    assert not ModelVersion.objects.exists()
    assert not default_storage.exists("artifacts")


@pytest.mark.parametrize("damage", [b"", b"half of it"])
def test_a_known_version_whose_file_is_damaged_gets_it_back(damage: bytes) -> None:
    artifact, card = tiny_artifact()
    version = register(artifact, card)
    Path(default_storage.path(str(version.artifact.name))).write_bytes(damage)
    assert register(artifact, card) == version
    with version.artifact.open("rb") as file:
        assert file.read() == artifact


def test_a_version_that_cannot_be_saved_leaves_a_whole_file_that_the_next_attempt_takes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(self: ModelVersion) -> None:
        raise RuntimeError("database gone")

    with monkeypatch.context() as patched:
        patched.setattr(ModelVersion, "save", fail)
        with pytest.raises(RuntimeError, match="database gone"):
            register(*tiny_artifact())
    version = register(*tiny_artifact())
    assert default_storage.listdir("artifacts")[1] == [f"{version.digest}.onnx"]


def test_a_disk_that_is_full_is_told_and_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(ArtifactError, match=r"can't be stored: .*No space left"):
        register(*tiny_artifact())
    assert not ModelVersion.objects.exists()
    assert default_storage.listdir("artifacts")[1] == []


def test_another_kind_of_storage_keeps_artifacts_too(settings: Settings) -> None:
    settings.STORAGES = settings.STORAGES | {
        "default": {"BACKEND": "django.core.files.storage.InMemoryStorage"}
    }
    artifact, card = tiny_artifact()
    version = register(artifact, card)
    default_storage.delete(str(version.artifact.name))
    assert register(artifact, card) == version
    with version.artifact.open("rb") as file:
        assert file.read() == artifact


def test_what_a_killed_registration_left_is_cleared_after_a_day(tmp_path: Path) -> None:
    version = register(*tiny_artifact())
    folder = Path(default_storage.path("artifacts"))
    for name, age in (("old.onnx.1234.tmp", 25), ("new.onnx.1234.tmp", 1)):
        (folder / name).write_bytes(b"half")
        long_ago = time.time() - age * 3600
        os.utime(folder / name, (long_ago, long_ago))
    clear_temporary()
    assert {path.name for path in folder.iterdir()} == {"new.onnx.1234.tmp", f"{version.digest}.onnx"}


def test_an_artifact_of_an_unknown_label_set_is_refused() -> None:
    artifact, card = tiny_artifact()
    with pytest.raises(ArtifactError, match="no label set 'moods'"):
        register(artifact, card | {"label_set": "moods"})


def test_promotion_leaves_exactly_one_active() -> None:
    first, second = make_active_model(), register(*tiny_artifact(favourite="sad"))
    promote(second)
    assert list(ModelVersion.objects.filter(active=True)) == [second]
    promote(first)
    assert list(ModelVersion.objects.filter(active=True)) == [first]


def test_the_database_refuses_a_second_active_version() -> None:
    make_active_model()
    other = register(*tiny_artifact(favourite="sad"))
    with pytest.raises(IntegrityError), transaction.atomic():
        ModelVersion.objects.filter(pk=other.pk).update(active=True)


def test_bundled_models_are_installed_once_and_never_unseat_the_active_one(tmp_path: Path) -> None:
    chosen = make_active_model(favourite="sad")
    artifacts.write(tmp_path, "bundled", *tiny_artifact())
    for _ in range(2):
        [installed] = install_bundled(tmp_path)
        assert not installed.active
    assert list(ModelVersion.objects.filter(active=True)) == [chosen]


def test_on_a_new_site_the_bundled_model_becomes_active() -> None:
    installed = install_bundled()
    assert [version.estimator for version in installed if version.active] == ["cnn"]


def test_both_bundled_families_are_installed_with_the_same_labels() -> None:
    network, machine = install_bundled()
    assert (network.estimator, machine.estimator) == ("cnn", "svm")
    assert network.card["labels"] == machine.card["labels"]
    assert not machine.active
