"""Photographs of real people that ship with a dependency, as bytes."""

from __future__ import annotations

import io
from functools import cache
from pathlib import Path

import cv2
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


def stranger(seed: int) -> np.ndarray:
    """(320, 256, 3) uint8: a face that is like no other seed's, of Collins or Hopper bent and lit anew."""
    rng = np.random.default_rng(seed)
    # Where each face is, and how much larger it becomes.
    pixels, top, left, zoom = (
        (skimage.data.astronaut(), 30, 150, 1.8) if seed % 2 else (_hopper(), 20, 130, 1)
    )
    height, width = 320, 256
    bend = rng.uniform(-7, 7, (2, 5, 4)).astype(np.float32)
    across, down = (cv2.resize(one, (width, height), interpolation=cv2.INTER_CUBIC) for one in bend)
    x, y = np.meshgrid(np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32))
    bent = cv2.remap(pixels, (x + across) / zoom + left, (y + down) / zoom + top, cv2.INTER_LINEAR)
    light = cv2.resize(rng.uniform(0.2, 1.8, (6, 5)), (width, height), interpolation=cv2.INTER_CUBIC)
    return np.clip(bent * light[..., None], 0, 255).astype(np.uint8)


def _hopper() -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(grace_hopper())).convert("RGB"))


@cache
def no_face() -> bytes:
    """Pebbles' worth of nothing: smooth noise, as JPEG."""
    noise = np.random.default_rng(0).integers(90, 160, (6, 8, 3), dtype=np.uint8)
    return to_jpeg(np.asarray(Image.fromarray(noise).resize((400, 300), Image.Resampling.BICUBIC)))


def to_jpeg(pixels: np.ndarray, **options: object) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=92, **options)
    return file.getvalue()
