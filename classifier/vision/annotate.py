"""Faces drawn into a copy of the photograph, for download."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from classifier.vision.detect import Box
from classifier.vision.image import Pixels


def annotate(pixels: Pixels, faces: Sequence[tuple[Box, str, str]]) -> Pixels:
    """A copy of uint8 (H, W, 3) RGB with a box and a caption per face.

    `faces`: box (x, y, w, h in pixels of `pixels`), caption, color as "#rrggbb".
    """
    picture = Image.fromarray(pixels)
    draw = ImageDraw.Draw(picture)
    long_side = max(picture.size)
    width = max(2, round(long_side / 400))
    for box, caption, color in faces:
        _draw_box(draw, box, color, width)
        if caption:
            _draw_caption(draw, picture.size, box, caption, color, width)
    return np.array(picture, dtype=np.uint8)


def _draw_box(draw: ImageDraw.ImageDraw, box: Box, color: str, width: int) -> None:
    x, y, w, h = box
    edge = max(1, width // 2)
    # A dark rim outside the coloured line keeps it visible on a background of its own colour.
    draw.rectangle(
        (x - edge, y - edge, x + w + edge, y + h + edge), outline="#000000", width=width + 2 * edge
    )
    draw.rectangle((x, y, x + w, y + h), outline=color, width=width)


def _draw_caption(
    draw: ImageDraw.ImageDraw, size: tuple[int, int], box: Box, caption: str, color: str, width: int
) -> None:
    """Above the box, or inside its top where there is no room; never outside the picture."""
    x, y, w, _ = box
    text_size = max(min(max(max(size) / 55, w / 9, 11.0), max(size) / 14), 8.0)
    font = ImageFont.load_default(size=text_size)
    left, top, right, bottom = draw.textbbox((0, 0), caption, font=font)
    pad = max(2, round(text_size / 4))
    plate_w, plate_h = right - left + 2 * pad, bottom - top + 2 * pad
    plate_x = min(max(x - width, 0), max(0, size[0] - plate_w))
    plate_y = y - plate_h - width if y - plate_h - width >= 0 else max(y + width, 0)
    draw.rectangle((plate_x, plate_y, plate_x + plate_w, plate_y + plate_h), fill=color, outline="#000000")
    draw.text((plate_x + pad - left, plate_y + pad - top), caption, font=font, fill=_ink(color))


def _ink(color: str) -> str:
    """Black or white, whichever contrasts more with `color` (WCAG 2 relative luminance)."""
    channels = [int(color[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return "#000000" if luminance > 0.179 else "#ffffff"
