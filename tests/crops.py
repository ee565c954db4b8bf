"""Crops that look like nothing else, and the same crops altered as people alter pictures."""

from __future__ import annotations

import io
from typing import Any

import cv2
import numpy as np
from PIL import Image

from classifier.models import Face, ModelVersion, Upload
from classifier.vision.image import encode_png
from tests.factories import make_active_model, make_face, make_upload


def crop(seed: int, *, side: int = 112) -> np.ndarray:
    """(side, side, 3) uint8 with soft shapes of its own."""
    coarse = np.random.default_rng(seed).integers(20, 235, (6, 6, 3), dtype=np.uint8)
    return cv2.resize(coarse, (side, side), interpolation=cv2.INTER_CUBIC)


def gray_crop(seed: int) -> np.ndarray:
    """(48, 48) uint8."""
    return cv2.cvtColor(crop(seed, side=48), cv2.COLOR_RGB2GRAY)


def recompressed(pixels: np.ndarray, *, quality: int = 40) -> np.ndarray:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file), np.uint8)


def mirrored(pixels: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(pixels[:, ::-1])


def face_showing(pixels: np.ndarray, owner: Any, *, upload: Upload | None = None, **fields: Any) -> Face:
    """A face with this crop, of a photograph of its own unless another is given, with consent."""
    upload = upload or make_upload(owner, shows=(), consent=True, **fields)
    version = ModelVersion.objects.filter(active=True).first() or make_active_model()
    face = make_face(upload, position=upload.faces.count(), version=version)
    face.crop = encode_png(pixels)
    face.save(update_fields=["crop"])
    return face
