"""Why a face was read as it was, as a picture."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from .ml.explain import draw_heat, heat_map
from .models import Prediction
from .pipeline import TURN
from .serving import classifier_of
from .vision.image import encode_png


def why_png(prediction: Prediction) -> bytes:
    """The face, with what drove the answer glowing, from the version that gave it.

    Raises ArtifactError when that version's artifact is missing or altered.
    """
    with Image.open(io.BytesIO(prediction.face.crop), formats=["PNG"]) as picture:
        crop = np.array(picture.convert("RGB"))
    with TURN:
        classifier = classifier_of(prediction.model_version)
        heat = heat_map(classifier, crop, classifier.labels.index(prediction.label.slug))
    return encode_png(draw_heat(crop, heat))
