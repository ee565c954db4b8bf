"""Photographs of real people that ship with a dependency, as bytes."""

from __future__ import annotations

import io
from functools import cache
from pathlib import Path

import matplotlib
import numpy as np
import skimage.data
from PIL import Image


@cache
def astronaut() -> bytes:
    """Eileen Collins, smiling: one face in 512 × 512 pixels, as JPEG."""
    return to_jpeg(skimage.data.astronaut())


def grace_hopper() -> bytes:
    """Grace Hopper: one face in 512 × 600 pixels, as JPEG."""
    return (Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg").read_bytes()


@cache
def no_face() -> bytes:
    """Pebbles' worth of nothing: smooth noise, as JPEG."""
    noise = np.random.default_rng(0).integers(90, 160, (6, 8, 3), dtype=np.uint8)
    return to_jpeg(np.asarray(Image.fromarray(noise).resize((400, 300), Image.Resampling.BICUBIC)))


def to_jpeg(pixels: np.ndarray, **options: object) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=92, **options)
    return file.getvalue()
