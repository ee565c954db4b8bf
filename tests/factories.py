"""Plain functions that make rows. Each takes what the test cares about and invents the rest."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import count
from typing import Any

import numpy as np
from django.core.files.base import ContentFile

from classifier.label_sets import create_label_set
from classifier.models import Face, LabelSet, ModelVersion, Prediction, Upload, User
from classifier.registry import promote, register
from classifier.vision.image import encode_jpeg, encode_png
from tests.artifacts import tiny_artifact

PASSWORD = "correct horse battery"
_numbers = count(1)


def make_user(username: str = "", **fields: Any) -> User:
    """An account that can log in with PASSWORD."""
    return User.objects.create_user(username or f"user{next(_numbers)}", password=PASSWORD, **fields)


def make_superuser(username: str = "root", **fields: Any) -> User:
    return User.objects.create_superuser(username, password=PASSWORD, **fields)


def make_active_model(**artifact_options: Any) -> ModelVersion:
    """Register a tiny artifact (see tests.artifacts) and make it the active one."""
    version = register(*tiny_artifact(**artifact_options))
    promote(version)
    return version


def make_label_set(
    slug: str = "happy-sad",
    labels: Sequence[str] = ("Happy", "Sad"),
    *,
    favourite: str = "happy",
    confidence: float = 0.8,
    **fields: Any,
) -> LabelSet:
    """A label set with an active model, which always answers `favourite`, a slug."""
    made = create_label_set(slug, labels, **fields)
    slugs = tuple(label.slug for label in made.labels.all())
    make_active_model(label_set=slug, labels=slugs, favourite=favourite, confidence=confidence)
    return made


def make_reading(face: Face, label_set: LabelSet, *, shows: str, unsure: bool = False) -> Prediction:
    """What the label set's active model says of a face, as if it had read it."""
    version = ModelVersion.objects.get(label_set=label_set, active=True)
    labels = list(label_set.labels.all())
    confidence = 0.6 if unsure else 0.8
    others = (1 - confidence) / (len(labels) - 1)
    return Prediction.objects.create(
        face=face,
        model_version=version,
        label_set=label_set,
        label=next(label for label in labels if label.slug == shows),
        confidence=confidence,
        probabilities=[confidence if label.slug == shows else others for label in labels],
        unsure=unsure,
    )


def make_upload(
    owner: User,
    *,
    shows: Sequence[str] = ("happy",),
    unsure: bool = False,
    version: ModelVersion | None = None,
    created_at: datetime | None = None,
    **fields: Any,
) -> Upload:
    """A stored photograph with one face for each label in `shows`, without going through the pipeline."""
    upload = Upload(owner=owner, width=640, height=480, faces_found=len(shows), name="photo.jpg")
    for name, value in fields.items():
        setattr(upload, name, value)
    picture = encode_jpeg(np.full((48, 64, 3), 127, np.uint8))
    upload.photo.save(f"{upload.id.hex}-photo.jpg", ContentFile(picture), save=False)
    upload.thumbnail.save(f"{upload.id.hex}-thumbnail.jpg", ContentFile(picture), save=False)
    upload.save()
    if created_at:
        Upload.objects.filter(pk=upload.pk).update(created_at=created_at)
        upload.refresh_from_db()
    if shows:
        active = ModelVersion.objects.filter(active=True, label_set__slug="expressions").first()
        answered_by = version or active or make_active_model()
        for position, slug in enumerate(shows):
            make_face(upload, position=position, shows=slug, unsure=unsure, version=answered_by)
    return upload


def make_face(
    upload: Upload, *, position: int = 0, shows: str = "happy", unsure: bool = False, version: ModelVersion
) -> Face:
    face = Face.objects.create(
        upload=upload,
        position=position,
        x=100.0 + 60 * position,
        y=80,
        w=50,
        h=60,
        score=0.9,
        landmarks=None,
        crop=encode_png(np.full((112, 112, 3), 127, np.uint8)),
        sharpness=0.5,
        yaw=0,
        roll=0,
    )
    labels = list(version.label_set.labels.all())
    confidence = 0.4 if unsure else 0.8
    others = (1 - confidence) / (len(labels) - 1)
    Prediction.objects.create(
        face=face,
        model_version=version,
        label_set=version.label_set,
        label=next(label for label in labels if label.slug == shows),
        confidence=confidence,
        probabilities=[confidence if label.slug == shows else others for label in labels],
        unsure=unsure,
    )
    return face
