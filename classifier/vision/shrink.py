"""Decoded rows of any mode become a small picture in sRGB.

Only the decoder's own result exists at full size: every conversion happens to a band of rows, or after
shrinking.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import cast

import numpy as np
from PIL import Image, ImageCms

_BAND_PIXELS = 1 << 20


@dataclass(frozen=True)
class Decoded:
    """A picture at full size. `rows`: those from its first to before its second argument, in any mode."""

    width: int
    height: int
    rows: Callable[[int, int], Image.Image]


def reduce(decoded: Decoded, long_side: int) -> Image.Image:
    """Whole blocks of pixels averaged, down to less than twice `long_side`.

    L, RGB, CMYK or LAB, with transparent parts on white.
    """
    width, height = decoded.width, decoded.height
    factor = max(1, max(width, height) // long_side)
    across, down = min(factor, width), min(factor, height)
    step = max(1, _BAND_PIXELS // (width * down)) * down

    def band(top: int) -> Image.Image:
        rows = _simplify(decoded.rows(top, min(top + step, height)))
        return rows.reduce((across, down)) if factor > 1 else rows

    small = band(0)
    if step < height:  # else that is all of it, and no copy is made
        first, small = small, Image.new(small.mode, (-(-width // across), -(-height // down)))
        small.paste(first)
        for top in range(step, height, step):
            small.paste(band(top), (0, top // down))
    return _scale_depth(small) if small.mode == "F" else small


def resize(image: Image.Image, long_side: int) -> Image.Image:
    """`image` itself where it is no larger than that."""
    ratio = long_side / max(image.size)
    if ratio >= 1:
        return image
    size = (max(1, round(image.width * ratio)), max(1, round(image.height * ratio)))
    return image.resize(size, Image.Resampling.BICUBIC, reducing_gap=2.0)


def to_srgb(image: Image.Image, profile: object) -> Image.Image:
    """RGB in sRGB. `profile`: the file's ICC profile, ignored when unusable."""
    if image.mode == "LAB":
        return _convert_profile(image, ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")))
    if isinstance(profile, bytes) and profile:
        with suppress(Exception):  # a corrupt profile, or one for another kind of picture
            opened = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            if "sRGB" not in ImageCms.getProfileDescription(opened):
                return _convert_profile(image, opened)
    return image if image.mode == "RGB" else image.convert("RGB")


def _simplify(band: Image.Image) -> Image.Image:
    """L, RGB, CMYK, LAB or, for 32-bit gray, F without NaN and infinity."""
    if band.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(band) >> 8).astype(np.uint8))
    if band.mode in ("I", "F"):
        values = np.asarray(band, dtype=np.float32)
        return Image.fromarray(np.nan_to_num(values, nan=0.0, posinf=0.0, neginf=0.0))
    if band.has_transparency_data:
        band = band.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", band.size, "white"), band).convert("RGB")
    if band.mode in ("L", "RGB", "CMYK", "LAB"):
        return band
    return band.convert("L" if band.mode == "1" else "RGB")


def _scale_depth(image: Image.Image) -> Image.Image:
    """32-bit gray, integer or float, to 8 bits.

    White is the smallest usual level that holds the brightest pixel, since such files don't say theirs.
    """
    values = np.array(image)
    top = float(values.max())
    white = next((level for level in (1.0, 255.0, 65535.0) if top <= level), top)
    values.clip(0, white, out=values)
    values *= 255.0 / white
    values += 0.5
    return Image.fromarray(values.astype(np.uint8))


def _convert_profile(image: Image.Image, profile: ImageCms.ImageCmsProfile) -> Image.Image:
    srgb = ImageCms.createProfile("sRGB")
    return cast(Image.Image, ImageCms.profileToProfile(image, profile, srgb, outputMode="RGB"))
