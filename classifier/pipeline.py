"""A photograph becomes predictions: decode, detect, align, classify; and, for an upload, store."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import IO

import numpy as np
from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import transaction
from numpy.typing import NDArray

from .handover import offer
from .ml.artifact import ArtifactError
from .models import Face, Prediction, Upload, User
from .serving import ActiveModel, active_model, hold
from .stopwatch import Stopwatch
from .vision.align import CROP_SIDE, FaceQuality, align_face, measure_quality
from .vision.detect import Detection, Detector, make_detector
from .vision.image import Photograph, decode_photograph, encode_copy, encode_png, make_thumbnail

# What decodes or classifies may hold 150 MB for a while: the threads of one process take turns at it.
TURN = threading.Lock()


@dataclass(frozen=True)
class FaceAnswer:
    """What one model says of one face: probabilities (K,) float32."""

    model: ActiveModel
    probabilities: NDArray[np.float32]
    unsure: bool


@dataclass(frozen=True)
class FaceReading:
    """One face, its box and landmarks in pixels of the photograph as sent; one answer of each model."""

    detection: Detection
    crop: NDArray[np.uint8]
    quality: FaceQuality
    answers: tuple[FaceAnswer, ...]


@dataclass(frozen=True)
class Reading:
    """What the active models say of a photograph. `faces_found` counts also those beyond MAX_FACES.

    `models`: one for each label set, in their order.
    """

    photograph: Photograph
    faces: tuple[FaceReading, ...]
    faces_found: int
    models: tuple[ActiveModel, ...]


def read_photograph(
    data: bytes, *, label_sets: Sequence[str] = (), watch: Stopwatch | None = None
) -> Reading:
    """Decode and detect once; classify each face, largest first, for each label set. Stores nothing.

    `label_sets`: their slugs; without any it is the default. Raises ImageDecodeError for bytes that are no
    picture, NoActiveModelError or ArtifactError when one of the label sets has nothing to classify with.
    """
    watch = watch or Stopwatch()
    models = _models_of(label_sets)
    with watch.stage("decode"):
        photograph = decode_photograph(
            data, max_pixels=settings.MAX_MEGAPIXELS * 1_000_000, long_side=settings.STORED_LONG_SIDE
        )
    with watch.stage("detect"):
        detections = _detector(settings.FACE_DETECTOR).detect(photograph.pixels)
    with watch.stage("align"):
        chosen = detections[: settings.MAX_FACES]
        crops = np.zeros((len(chosen), CROP_SIDE, CROP_SIDE, 3), np.uint8)
        for place, detection in enumerate(chosen):
            crops[place] = align_face(photograph.pixels, detection)
    with watch.stage("classify"):
        answers = zip(*(classify(crops, model) for model in models), strict=True)
    faces = tuple(
        _face_reading(photograph, detection, crop, zip(models, of_face, strict=True))
        for detection, crop, of_face in zip(chosen, crops, answers, strict=True)
    )
    return Reading(photograph, faces, len(detections), models)


def _models_of(label_sets: Sequence[str]) -> tuple[ActiveModel, ...]:
    models = [active_model(slug) for slug in set(label_sets) or {settings.DEFAULT_LABEL_SET}]
    return tuple(sorted(models, key=lambda model: model.version.label_set.place))


def classify(crops: NDArray[np.uint8], model: ActiveModel) -> NDArray[np.float32]:
    """(N, 112, 112, 3) to (N, K). Raises ArtifactError where an answer is no number."""
    answers = model.classifier.predict(crops)
    if not np.isfinite(answers).all():
        raise ArtifactError(f"{model.version} answers what is no number.")
    return answers


def read_in_turn(
    file: IO[bytes], *, label_sets: Sequence[str] = (), watch: Stopwatch | None = None
) -> Reading:
    """`read_photograph` of a file, once this process reads no other."""
    watch = watch or Stopwatch()
    with watch.stage("wait"):
        TURN.acquire()
    try:
        return read_photograph(file.read(), label_sets=label_sets, watch=watch)
    finally:
        TURN.release()


@lru_cache
def _detector(name: str) -> Detector:
    return make_detector(name)


def _face_reading(
    photograph: Photograph,
    detection: Detection,
    crop: NDArray[np.uint8],
    said: Iterable[tuple[ActiveModel, NDArray[np.float32]]],
) -> FaceReading:
    quality = measure_quality(crop, detection, scale=photograph.scale)
    answers = tuple(
        FaceAnswer(model, of, _is_unsure(float(of.max()), quality.unreadable, model)) for model, of in said
    )
    return FaceReading(_as_sent(detection, photograph.scale), crop, quality, answers)


def _as_sent(detection: Detection, scale: float) -> Detection:
    x, y, w, h = (side / scale for side in detection.box)
    landmarks = None if detection.landmarks is None else detection.landmarks / scale
    return replace(detection, box=(x, y, w, h), landmarks=landmarks)


def store_photograph(
    *,
    owner: User,
    name: str,
    file: IO[bytes],
    consent: bool,
    label_sets: Sequence[str] = (),
    idempotency_key: str | None = None,
    idempotency_digest: str = "",
    watch: Stopwatch | None = None,
) -> Upload:
    """Read a photograph and keep it with its faces and predictions, or, when anything fails, keep nothing.

    What is kept is an upright copy of at most STORED_LONG_SIDE pixels, without metadata. Raises as
    `read_photograph` does, also where a label set is deleted meanwhile, and IntegrityError where the owner
    has an upload with this key, or is gone.
    """
    watch = watch or Stopwatch()
    reading = read_in_turn(file, label_sets=label_sets, watch=watch)
    upload = Upload(
        owner=owner,
        name=name[:200],
        width=reading.photograph.width,
        height=reading.photograph.height,
        faces_found=reading.faces_found,
        consent=consent,
        idempotency_key=idempotency_key,
        idempotency_digest=idempotency_digest,
    )
    saved: list[str] = []
    try:
        with watch.stage("encode"):
            copies = {
                "photo": encode_copy(reading.photograph),
                "thumbnail": make_thumbnail(reading.photograph.pixels),
            }
        with watch.stage("store"):
            for kind, content in copies.items():
                saved.append(_save_file(upload.id, kind, content))
            upload.photo.name, upload.thumbnail.name = saved
            with transaction.atomic():
                hold(reading.models)
                upload.save(force_insert=True)
                _save_faces(upload, reading)
                if consent:
                    offer(upload)
    except BaseException:
        for stored in saved:
            default_storage.delete(stored)
        raise
    return upload


def _save_file(upload_id: uuid.UUID, kind: str, content: bytes) -> str:
    # Two letters of folder keep a directory from growing to hundreds of thousands of files.
    return default_storage.save(
        f"uploads/{upload_id.hex[:2]}/{upload_id.hex}-{kind}.jpg", ContentFile(content)
    )


def _save_faces(upload: Upload, reading: Reading) -> None:
    rows = Face.objects.bulk_create(
        _face_row(upload, place, face) for place, face in enumerate(reading.faces)
    )
    for row, face in zip(rows, reading.faces, strict=True):
        row.shown_predictions = [
            prediction_of(row, answer.probabilities, answer.model) for answer in face.answers
        ]
    Prediction.objects.bulk_create(prediction for row in rows for prediction in row.shown_predictions)
    upload.stored_faces = rows


def prediction_of(face: Face, probabilities: NDArray[np.float32], model: ActiveModel) -> Prediction:
    """The row, not saved, of what the model says of a face: (K,) probabilities."""
    best = int(probabilities.argmax())
    confidence = float(probabilities[best])
    return Prediction(
        face=face,
        model_version=model.version,
        label_set=model.version.label_set,
        label=model.labels[best],
        confidence=min(confidence, 1.0),
        probabilities=[round(float(p), 6) for p in probabilities],
        unsure=_is_unsure(confidence, face.unreadable, model),
    )


def _is_unsure(confidence: float, unreadable: str, model: ActiveModel) -> bool:
    return bool(unreadable) or confidence < model.classifier.threshold


def _face_row(upload: Upload, place: int, face: FaceReading) -> Face:
    x, y, w, h = face.detection.box
    landmarks = face.detection.landmarks
    return Face(
        upload=upload,
        position=place,
        x=x,
        y=y,
        w=w,
        h=h,
        score=face.detection.score,
        landmarks=None if landmarks is None else np.round(landmarks, 1).tolist(),
        crop=encode_png(face.crop),
        sharpness=face.quality.sharpness,
        yaw=face.quality.yaw,
        roll=face.quality.roll,
        unreadable=face.quality.unreadable,
    )
