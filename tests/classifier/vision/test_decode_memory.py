"""Large pictures take little memory, or are refused before they take much."""

from __future__ import annotations

import io
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from pillow_heif import register_heif_opener

from classifier.vision.image import ImageDecodeError, decode_photograph

register_heif_opener()  # for writing the test pictures

PEAK = """
import re, sys
from classifier.vision.image import decode_photograph

def resident(name):
    return int(re.search(name + r":\\s+(\\d+)", open("/proc/self/status").read())[1]) / 1000

data = sys.stdin.buffer.read()
before = resident("VmRSS")
decode_photograph(data)
print(resident("VmHWM") - before)
"""


def saved(picture: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def large_pictures() -> list[object]:
    return [
        pytest.param("RGBA", "PNG", {"compress_level": 1}, id="png with transparency"),
        pytest.param("P", "PNG", {"compress_level": 1, "transparency": 3}, id="png with a palette"),
        pytest.param("L", "TIFF", {"compression": "tiff_lzw"}, id="tiff"),
        pytest.param("RGB", "WEBP", {"method": 0, "quality": 10}, id="webp"),
    ]


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads /proc")
@pytest.mark.parametrize(("mode", "kind", "options"), large_pictures())
def test_13_megapixels_take_less_than_150_mb(mode: str, kind: str, options: dict[str, object]) -> None:
    data = saved(Image.new(mode, (3700, 3700)), kind, **options)
    done = subprocess.run([sys.executable, "-c", PEAK], input=data, capture_output=True, check=True)
    assert float(done.stdout) < 150


@pytest.mark.parametrize(
    ("mode", "kind", "options", "most"),
    [
        ("RGB", "PNG", {}, 500_000),
        ("RGB", "WEBP", {}, 357_142),
        ("RGBA", "WEBP", {}, 277_777),
        ("RGB", "HEIF", {}, 500_000),
        ("RGB", "TIFF", {}, 312_500),
        ("F", "TIFF", {}, 156_250),
        ("RGB", "AVIF", {}, 250_000),
        ("RGB", "JPEG", {"progressive": True}, 500_000),
        ("RGB", "JPEG", {"progressive": True, "subsampling": 0}, 312_500),
        ("CMYK", "JPEG", {"progressive": True}, 250_000),
        ("RGB", "JPEG", {}, 1_000_000),
        ("L", "PNG", {}, 1_000_000),
    ],
)
def test_what_takes_more_memory_is_read_up_to_fewer_pixels(
    mode: str, kind: str, options: dict[str, object], most: int
) -> None:
    color = 90 if len(mode) == 1 else (90,) * len(mode)
    small, large = (
        saved(Image.new(mode, (500, rows), color), kind, **options)
        for rows in (most // 500 - 4, most // 500 + 4)
    )
    assert decode_photograph(small, max_pixels=1_000_000).width == 500
    with pytest.raises(ImageDecodeError, match=r"at most .* megapixels are read") as caught:
        decode_photograph(large, max_pixels=1_000_000)
    assert caught.value.code == "too_many_pixels"


def test_a_longer_stored_copy_gets_its_pixels_from_a_jpeg() -> None:
    data = saved(Image.new("RGB", (6000, 60)), "JPEG")
    assert decode_photograph(data, long_side=4096).pixels.shape[1] == 4096
    assert decode_photograph(data, long_side=2048).pixels.shape[1] == 2048


def test_shrinking_by_bands_leaves_no_seam() -> None:
    ramp = np.tile(np.linspace(0, 255, 4999)[:, None], (1, 1200)).astype(np.uint8)
    pixels = decode_photograph(saved(Image.fromarray(ramp), "PNG"), long_side=1000).pixels
    assert pixels.shape == (1000, 240, 3)
    steps = np.diff(pixels[:, 100, 0].astype(int))
    assert steps.min() >= 0
    assert steps.max() <= 1


def test_hidden_colours_do_not_bleed_when_shrunk() -> None:
    picture = Image.new("RGBA", (2000, 2000), (0, 255, 0, 0))
    picture.paste((255, 255, 255, 255), (0, 0, 1001, 2000))
    pixels = decode_photograph(saved(picture, "PNG"), long_side=500).pixels
    assert pixels.min() >= 254
