"""Large pictures take little memory, or are refused before they take much."""

from __future__ import annotations

import io
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from PIL import Image
from pillow_heif import register_heif_opener

from classifier.vision import image as reading
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
def test_18_megapixels_take_less_than_200_mb(mode: str, kind: str, options: dict[str, object]) -> None:
    data = saved(Image.new(mode, (4300, 4300)), kind, **options)
    done = subprocess.run([sys.executable, "-c", PEAK], input=data, capture_output=True, check=True)
    assert float(done.stdout) < 200


@pytest.mark.parametrize(
    ("mode", "kind", "options", "most"),
    [
        ("RGB", "PNG", {}, 600_000),
        ("RGB", "WEBP", {}, 428_571),
        ("RGBA", "WEBP", {}, 333_333),
        ("RGB", "HEIF", {}, 600_000),
        ("RGB", "TIFF", {}, 375_000),
        ("RGB", "AVIF", {}, 250_000),
        ("RGB", "JPEG", {"progressive": True}, 600_000),
        ("RGB", "JPEG", {"progressive": True, "subsampling": 0}, 375_000),
        ("CMYK", "JPEG", {"progressive": True}, 300_000),
        ("RGB", "JPEG", {}, 1_000_000),
        ("L", "PNG", {}, 1_000_000),
    ],
)
def test_what_takes_more_memory_is_read_up_to_fewer_pixels(
    mode: str, kind: str, options: dict[str, object], most: int
) -> None:
    color = 90 if mode == "L" else (90,) * len(mode)
    small, large = (
        saved(Image.new(mode, (500, rows), color), kind, **options)
        for rows in (most // 500 - 4, most // 500 + 4)
    )
    assert decode_photograph(small, max_pixels=1_000_000).width == 500
    with pytest.raises(ImageDecodeError, match=r"at most .* megapixels are read") as caught:
        decode_photograph(large, max_pixels=1_000_000)
    assert caught.value.code == "too_many_pixels"


@pytest.mark.parametrize(("size", "alone"), [((100, 100), False), ((2001, 2000), True)])
def test_large_pictures_are_decoded_one_at_a_time(
    size: tuple[int, int], alone: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, held = reading._read, []

    def watch(*arguments: Any) -> reading.Photograph:
        held.append(reading._one_large.locked())
        return read(*arguments)

    monkeypatch.setattr(reading, "_read", watch)
    decode_photograph(saved(Image.new("L", size), "PNG"))
    assert held == [alone]
    assert not reading._one_large.locked()


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
