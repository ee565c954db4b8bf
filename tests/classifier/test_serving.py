from __future__ import annotations

import numpy as np
import pytest
from pytest_django import DjangoAssertNumQueries

from classifier.ml.artifact import ArtifactError
from classifier.registry import promote, register
from classifier.serving import NoActiveModelError, active_model
from tests.artifacts import tiny_artifact
from tests.factories import make_active_model

pytestmark = pytest.mark.django_db


def answer() -> str:
    model = active_model("expressions")
    crop = np.zeros((1, 112, 112, 3), np.uint8)
    return model.labels[int(model.classifier.predict(crop).argmax())].slug


def test_a_promotion_changes_the_answers_without_a_restart() -> None:
    first = make_active_model(favourite="happy")
    assert answer() == "happy"
    promote(register(*tiny_artifact(favourite="sad")))
    assert answer() == "sad"
    promote(first)
    assert answer() == "happy"


def test_an_unchanged_model_costs_one_query(
    django_assert_num_queries: DjangoAssertNumQueries,
) -> None:
    make_active_model()
    held = active_model("expressions")
    with django_assert_num_queries(1):
        assert active_model("expressions") is held


def test_an_artifact_that_was_registered_anew_is_served_as_its_new_row() -> None:
    first = make_active_model()
    assert active_model("expressions").version == first
    digest = first.digest
    first.delete()
    # Another row first, since SQLite gives a freed number away again.
    register(*tiny_artifact(favourite="sad"))
    again = make_active_model()
    assert again.digest == digest
    assert active_model("expressions").version == again


def test_without_an_active_model_it_says_so() -> None:
    with pytest.raises(NoActiveModelError, match="expressions"):
        active_model("expressions")


def test_a_missing_file_is_an_artifact_error() -> None:
    version = make_active_model(favourite="fear")
    version.artifact.storage.delete(str(version.artifact.name))
    with pytest.raises(ArtifactError, match="can't be read"):
        active_model("expressions")


def test_a_file_that_was_altered_after_registration_is_not_served() -> None:
    version = make_active_model(favourite="surprise")
    with version.artifact.open("r+b") as file:
        file.seek(-1, 2)
        file.write(b"\x7f")
    with pytest.raises(ArtifactError, match="SHA-256"):
        active_model("expressions")
