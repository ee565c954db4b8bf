from __future__ import annotations

from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from django.core.files.storage import default_storage
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from pytest_django import DjangoAssertNumQueries

from classifier import pipeline, serving
from classifier.ml.artifact import ArtifactError
from classifier.models import Activation, ModelVersion, Prediction, Upload, User
from classifier.pipeline import read_photograph, store_photograph
from classifier.registry import promote, register, roll_back
from classifier.results import describe_reading
from classifier.serving import NoActiveModelError, active_model, trouble_with
from classifier.vision.detect import Detection
from tests.artifacts import artifact_answering, tiny_artifact
from tests.factories import make_active_model
from tests.photographs import astronaut

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
    Activation.objects.all().delete()
    first.delete()
    # Another row first, since SQLite gives a freed number away again.
    register(*tiny_artifact(favourite="sad"))
    again = make_active_model()
    assert again.digest == digest
    assert active_model("expressions").version == again


def test_without_an_active_model_it_says_so() -> None:
    with pytest.raises(NoActiveModelError, match="expressions"):
        active_model("expressions")


def test_a_process_that_has_loaded_nothing_yet_says_what_is_wrong() -> None:
    version = make_active_model(favourite="fear")
    version.artifact.storage.delete(str(version.artifact.name))
    with pytest.raises(ArtifactError, match="can't be read"):
        active_model("expressions")


def test_it_does_not_serve_a_file_that_was_altered_after_registration() -> None:
    alter(make_active_model(favourite="surprise"))
    with pytest.raises(ArtifactError, match="SHA-256"):
        active_model("expressions")


def path_of(version: ModelVersion) -> Path:
    return Path(default_storage.path(str(version.artifact.name)))


def lose(version: ModelVersion) -> None:
    path_of(version).unlink()


def truncate(version: ModelVersion) -> None:
    path_of(version).write_bytes(path_of(version).read_bytes()[:100])


def alter(version: ModelVersion) -> None:
    path_of(version).write_bytes(path_of(version).read_bytes()[:-1] + b"\x7f")


def turn_into_no_numbers(version: ModelVersion) -> None:
    """File and card agree, as if somebody had put both there by hand; what it answers is NaN."""
    artifact, card = artifact_answering(np.full(7, np.nan))
    path_of(version).write_bytes(artifact)
    ModelVersion.objects.filter(pk=version.pk).update(card=card, digest=card["sha256"])


BREAK = [lose, truncate, alter, turn_into_no_numbers]


@pytest.fixture
def broken(request: pytest.FixtureRequest) -> ModelVersion:
    """Active, and broken before this process loaded it, which holds the one that was active before."""
    make_active_model(favourite="happy")
    assert answer() == "happy"
    version = register(*tiny_artifact(favourite="sad"))
    promote(version)
    request.param(version)
    return version


@pytest.mark.parametrize("broken", BREAK, indirect=True)
def test_a_process_goes_on_with_the_last_good_model_and_its_answers_name_that_one(
    broken: ModelVersion, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(5):
        reading = read_photograph(astronaut())
        assert describe_reading(reading)["model"]["version"] == 1
        assert describe_reading(reading)["faces"][0]["label"] == "happy"
    told = [record.message for record in caplog.records if record.levelname == "ERROR"]
    assert len(told) == 1, "not once per request"
    assert "expressions v1 (constant) goes on answering" in told[0]


@pytest.mark.parametrize("broken", [lose], indirect=True)
def test_what_is_stored_meanwhile_names_the_version_that_answered(broken: ModelVersion, ada: User) -> None:
    upload = store_photograph(owner=ada, name="me.jpg", file=BytesIO(astronaut()), consent=False)
    assert {one.model_version.number for one in Prediction.objects.filter(face__upload=upload)} == {1}


@pytest.mark.parametrize("broken", [lose], indirect=True)
def test_the_active_model_answers_as_soon_as_it_is_whole_again(
    broken: ModelVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert answer() == "happy"
    register(*tiny_artifact(favourite="sad"))
    assert answer() == "happy", "a broken file is not read at each request"
    monkeypatch.setattr(serving, "TRIED_AGAIN_AFTER_S", 0)
    assert answer() == "sad"
    assert trouble_with("expressions") == ""


@pytest.mark.parametrize("broken", [lose], indirect=True)
def test_rolling_back_ends_the_trouble(broken: ModelVersion) -> None:
    assert trouble_with("expressions")
    roll_back(broken.label_set)
    assert trouble_with("expressions") == ""


@pytest.mark.parametrize("breaks", [lose, truncate, alter])
def test_a_file_that_breaks_under_the_model_in_memory_is_noticed_and_told_once(
    breaks: Callable[[ModelVersion], None],
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    version = make_active_model(favourite="happy")
    assert trouble_with("expressions") == ""
    monkeypatch.setattr(serving, "LOOKED_AT_AGAIN_AFTER_S", 0)
    breaks(version)
    assert all(trouble_with("expressions") for _ in range(3))
    assert answer() == "happy"
    assert len(caplog.records) == 1
    register(*tiny_artifact(favourite="happy"))
    assert trouble_with("expressions") == ""


def test_a_promotion_in_the_middle_of_a_photograph_does_not_mix_its_answers(
    monkeypatch: pytest.MonkeyPatch, ada: User
) -> None:
    make_active_model(favourite="happy")
    other = register(*tiny_artifact(favourite="sad"))
    detect = pipeline.make_detector("yunet").detect

    class Promoting:
        """Finds the face twice; while it looks, another version is promoted."""

        def detect(self, pixels: np.ndarray) -> list[Detection]:
            promote(other)
            return list(detect(pixels)) * 2

    monkeypatch.setattr(pipeline, "_detector", lambda name: Promoting())
    upload = store_photograph(owner=ada, name="two.jpg", file=BytesIO(astronaut()), consent=False)
    said = Prediction.objects.filter(face__upload=upload).values_list("model_version__number", "label__slug")
    assert list(said) == [(1, "happy"), (1, "happy")]
    assert answer() == "sad"


def test_an_answer_that_is_no_number_is_not_stored(ada: User, ada_client: Client) -> None:
    """It passes the self-test, and fails on faces with a bright place: too large a number, times that."""
    pixels = np.zeros((48, 48, 7), np.float32)
    pixels[16:40, 14:34] = 3e36
    promote(register(*artifact_answering(np.zeros(7), pixels=pixels.reshape(48 * 48, 7))))
    with pytest.raises(ArtifactError, match=r"expressions v1 .* no number"):
        store_photograph(owner=ada, name="me.jpg", file=BytesIO(astronaut()), consent=False)
    assert not Upload.objects.exists()
    answered = ada_client.post("/api/v1/predictions/", {"image": SimpleUploadedFile("me.jpg", astronaut())})
    assert answered.status_code == 503
