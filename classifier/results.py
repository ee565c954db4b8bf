"""A result in plain JSON, in one set of words for the shell, the download and the API."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from .label_sets import unknown_labels
from .models import Face, LabelSet, ModelVersion, Prediction, Upload
from .pipeline import FaceAnswer, FaceReading, Reading


def describe_model(version: ModelVersion) -> dict[str, Any]:
    return {
        "label_set": version.label_set.slug,
        "version": version.number,
        "estimator": version.estimator,
        "digest": version.digest,
    }


def describe_listed_model(version: ModelVersion) -> dict[str, Any]:
    return describe_model(version) | {
        "active": version.active,
        "created_at": version.created_at.isoformat(),
    }


def describe_label_set(label_set: LabelSet) -> dict[str, Any]:
    """Needs no query where labels and versions were prefetched."""
    active = next((version for version in label_set.versions.all() if version.active), None)
    unknown = unknown_labels(active) if active else []
    return {
        "slug": label_set.slug,
        "name": label_set.name,
        "labels": [
            {"slug": label.slug, "name": label.name, "color": label.color} for label in label_set.labels.all()
        ],
        "active_version": active.number if active else None,
        "unknown_labels": [label.slug for label in unknown],
        "names_people": label_set.names_people,
        "purpose": label_set.purpose,
        "consent_basis": label_set.consent_basis,
    }


def describe_reading(reading: Reading) -> dict[str, Any]:
    """A photograph that was read and not stored. Needs no query."""
    return {
        "width": reading.photograph.width,
        "height": reading.photograph.height,
        "model": describe_model(reading.models[0].version),
        "faces_found": reading.faces_found,
        "faces": [_describe_face_reading(face) for face in reading.faces],
    }


def describe_upload(upload: Upload) -> dict[str, Any]:
    """A photograph just stored, or fetched by `Upload.objects.with_results()`. No faces: `model` is null."""
    faces = list(upload.faces.all()) if upload.stored_faces is None else upload.stored_faces
    versions = [p.model_version for face in faces for p in face.readings[:1]]
    return {
        "id": str(upload.id),
        "name": upload.name,
        "created_at": upload.created_at.isoformat(),
        "consent": upload.consent,
        "width": upload.width,
        "height": upload.height,
        "model": describe_model(versions[0]) if versions else None,
        "faces_found": upload.faces_found,
        "faces": [describe_face(face) for face in faces],
    }


def describe_face(face: Face) -> dict[str, Any]:
    """A stored face; what was predicted is null when no model has read it."""
    readings = [_described(prediction) for prediction in face.readings]
    return {
        "id": face.pk,
        **_geometry((face.x, face.y, face.w, face.h), face.score, face.landmarks),
        **_first_of(readings),
        "quality": _quality(min(face.w, face.h), face.sharpness, face.yaw, face.roll, face.unreadable),
    }


def _first_of(readings: list[dict[str, Any]]) -> dict[str, Any]:
    """All of them, and beside them what the first says, for programs that know of no others."""
    unread = {"label": None, "confidence": None, "probabilities": None, "unsure": True}
    first = readings[0] if readings else unread
    return {name: first[name] for name in unread} | {"readings": readings}


def _described(prediction: Prediction) -> dict[str, Any]:
    slugs = [label.slug for label in prediction.label_set.labels.all()]
    return {
        "model": describe_model(prediction.model_version),
        "label": prediction.label.slug,
        "confidence": round(prediction.confidence, 4),
        "probabilities": {
            # Labels that came after the model stand last, and it says nothing of them.
            slug: round(share, 4)
            for slug, share in zip(slugs, prediction.probabilities, strict=False)
        },
        "unsure": prediction.unsure,
    }


def _describe_face_reading(face: FaceReading) -> dict[str, Any]:
    detection, quality = face.detection, face.quality
    landmarks = None if detection.landmarks is None else detection.landmarks.tolist()
    return {
        **_geometry(detection.box, detection.score, landmarks),
        **_first_of([_describe_answer(answer) for answer in face.answers]),
        "quality": _quality(quality.size, quality.sharpness, quality.yaw, quality.roll, quality.unreadable),
    }


def _describe_answer(answer: FaceAnswer) -> dict[str, Any]:
    slugs = [label.slug for label in answer.model.labels]
    return {
        "model": describe_model(answer.model.version),
        "label": slugs[int(answer.probabilities.argmax())],
        "confidence": round(float(answer.probabilities.max()), 4),
        "probabilities": {
            slug: round(float(p), 4) for slug, p in zip(slugs, answer.probabilities, strict=True)
        },
        "unsure": answer.unsure,
    }


def _geometry(
    box: Iterable[float], score: float, landmarks: Sequence[Sequence[float]] | None
) -> dict[str, Any]:
    return {
        "box": [round(float(side), 1) for side in box],
        "score": round(score, 4),
        "landmarks": landmarks and [[round(x, 1), round(y, 1)] for x, y in landmarks],
    }


def _quality(
    size: float, sharpness: float, yaw: float | None, roll: float | None, unreadable: str
) -> dict[str, Any]:
    return {
        "size": round(size, 1),
        "sharpness": round(sharpness, 4),
        "yaw": yaw if yaw is None else round(yaw, 1),
        "roll": roll if roll is None else round(roll, 1),
        "unreadable": unreadable or None,
    }
