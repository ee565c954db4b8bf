"""From a photograph's bytes to stored rows, through the real detector."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skimage.data
from PIL import Image
from pytest_django import Settings

from classifier import pipeline
from classifier.models import Face, ModelVersion, Prediction, Upload, User
from classifier.pipeline import read_photograph, store_photograph
from classifier.vision.image import ImageDecodeError, Photograph
from tests.factories import make_active_model
from tests.photographs import astronaut, no_face, to_jpeg

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def model() -> ModelVersion:
    return make_active_model(favourite="happy", confidence=0.9, threshold=0.5)


def store(owner: User, data: bytes, **options: bool) -> Upload:
    return store_photograph(
        owner=owner, name="photo.jpg", file=io.BytesIO(data), consent=options.get("consent", False)
    )


def test_the_threads_of_a_process_take_turns_at_reading(ada: User, monkeypatch: pytest.MonkeyPatch) -> None:
    read, alone = pipeline.decode_photograph, []

    def watch(*arguments: Any, **options: Any) -> Photograph:
        alone.append(pipeline.TURN.locked())
        return read(*arguments, **options)

    monkeypatch.setattr(pipeline, "decode_photograph", watch)
    store(ada, astronaut())
    with pytest.raises(ImageDecodeError):
        store(ada, b"no photograph")
    assert alone == [True, True]
    assert not pipeline.TURN.locked()


def stored_files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("uploads/**/*") if path.is_file()]


def test_a_photograph_becomes_an_upload_a_face_and_a_prediction(ada: User, model: ModelVersion) -> None:
    upload = store(ada, astronaut(), consent=True)
    [face] = upload.faces.all()
    [prediction] = face.predictions.all()
    assert (upload.width, upload.height, upload.faces_found, upload.consent) == (512, 512, 1, True)
    assert (prediction.label.slug, prediction.model_version, prediction.shown) == ("happy", model, True)
    assert prediction.confidence == pytest.approx(0.9, abs=1e-4)
    assert sum(prediction.probabilities) == pytest.approx(1, abs=1e-3)
    # Her face is in the upper middle of the picture.
    assert 150 < face.x + face.w / 2 < 300
    assert 50 < face.y + face.h / 2 < 200
    assert Image.open(io.BytesIO(bytes(face.crop))).size == (112, 112)


def test_boxes_are_in_pixels_of_the_photograph_as_sent(ada: User, settings: Settings) -> None:
    large = np.asarray(Image.fromarray(skimage.data.astronaut()).resize((3000, 3000)))
    settings.STORED_LONG_SIDE = 1024
    small_face = store(ada, astronaut()).faces.get()
    upload = store(ada, to_jpeg(large))
    face = upload.faces.get()
    assert (upload.width, upload.height) == (3000, 3000)
    with upload.photo.open("rb") as photo:
        assert max(Image.open(photo).size) <= 1024
    assert face.x / small_face.x == pytest.approx(3000 / 512, rel=0.1)
    assert face.w / small_face.w == pytest.approx(3000 / 512, rel=0.15)


def test_what_is_stored_holds_no_metadata(ada: User) -> None:
    exif = Image.Exif()
    exif[0x010F] = "SecretCamera"
    exif.get_ifd(0x8825)[1] = "N"
    upload = store(ada, to_jpeg(skimage.data.astronaut(), exif=exif.tobytes()))
    for file in (upload.photo, upload.thumbnail):
        with file.open("rb") as stored:
            content = stored.read()
        assert b"SecretCamera" not in content
        assert not Image.open(io.BytesIO(content)).getexif()


def test_a_photograph_without_a_face_is_kept(ada: User) -> None:
    upload = store(ada, no_face())
    assert (upload.faces_found, upload.faces.count()) == (0, 0)


def test_faces_beyond_the_most_that_are_read_are_counted(ada: User, settings: Settings) -> None:
    settings.MAX_FACES = 2
    upload = store(ada, to_jpeg(np.tile(skimage.data.astronaut(), (1, 4, 1))))
    assert (upload.faces_found, upload.faces.count()) == (4, 2)


def test_low_confidence_is_unsure(ada: User) -> None:
    make_active_model(favourite="sad", confidence=0.4, threshold=0.5)
    assert store(ada, astronaut()).faces.get().predictions.get().unsure


def test_a_hopelessly_blurred_face_is_unsure_however_confident_the_model(ada: User) -> None:
    tiny = Image.fromarray(skimage.data.astronaut()).resize((40, 40), Image.Resampling.BOX)
    blurred = store(ada, to_jpeg(np.asarray(tiny.resize((512, 512), Image.Resampling.BICUBIC))))
    for face in blurred.faces.all():
        assert face.unreadable
        assert face.predictions.get().unsure


def test_bytes_that_are_no_picture_store_nothing(ada: User, settings: Settings) -> None:
    with pytest.raises(ImageDecodeError):
        store(ada, b"not a picture")
    assert not Upload.objects.exists()
    assert not stored_files(Path(settings.MEDIA_ROOT))


def test_a_failing_database_leaves_no_file_behind(
    ada: User, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(rows: object) -> None:
        raise RuntimeError("disk full")

    monkeypatch.setattr(Prediction.objects, "bulk_create", fail)
    with pytest.raises(RuntimeError, match="disk full"):
        store(ada, astronaut())
    assert not Upload.objects.exists()
    assert not Face.objects.exists()
    assert not stored_files(Path(settings.MEDIA_ROOT))


def test_reading_alone_stores_nothing(settings: Settings) -> None:
    reading = read_photograph(astronaut())
    assert len(reading.faces) == 1
    assert not Upload.objects.exists()
    assert not stored_files(Path(settings.MEDIA_ROOT))
