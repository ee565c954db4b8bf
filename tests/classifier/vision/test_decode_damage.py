"""Whatever a stranger sends: a picture, or an ImageDecodeError with the right code. Nothing else."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from pillow_heif import register_heif_opener

from classifier.vision.image import ImageDecodeError, decode_photograph

register_heif_opener()  # for writing the test pictures

pytestmark = pytest.mark.filterwarnings("ignore::UserWarning:PIL")  # of what is damaged

OUTCOMES = {"", "empty", "not_an_image", "unsupported_format", "damaged", "too_many_pixels", "no_pixels"}


def picture() -> Image.Image:
    noise = np.random.default_rng(0).normal(0, 8, (36, 48, 3))
    ramp = np.add.outer(np.arange(36) * 3, np.arange(48) * 2)[..., None]
    return Image.fromarray((ramp + noise).clip(0, 255).astype(np.uint8))


def saved(kind: str, image: Image.Image | None = None, **options: object) -> bytes:
    file = io.BytesIO()
    exif = Image.Exif()
    exif[0x0112] = 6
    (image or picture()).save(file, kind, exif=exif, **options)
    return file.getvalue()


def valid_pictures() -> dict[str, bytes]:
    plain = {kind: saved(kind) for kind in ("JPEG", "PNG", "WEBP", "TIFF", "HEIF", "AVIF", "GIF", "BMP")}
    return plain | {
        "progressive": saved("JPEG", progressive=True),
        "cmyk": saved("JPEG", picture().convert("CMYK")),
        "lzw": saved("TIFF", compression="tiff_lzw"),
        "jpeg in tiff": saved("TIFF", compression="jpeg"),
        "palette": saved("PNG", picture().quantize(16)),
        "deep": saved("PNG", Image.fromarray(np.asarray(picture().convert("L")).astype(np.uint16) * 257)),
        "lossless": saved("WEBP", lossless=True),
        "animated": saved("WEBP", save_all=True, append_images=[picture().rotate(180)]),
        "animated gif": saved("GIF", save_all=True, append_images=[picture().rotate(180)]),
    }


VALID = valid_pictures()


def read_or_refuse(data: bytes) -> str:
    """The code of the refusal, or "" for a picture. Any other exception fails the test."""
    try:
        photograph = decode_photograph(data, max_pixels=1_000_000)
    except ImageDecodeError as error:
        return error.code if str(error).endswith(".") else "no sentence"
    assert photograph.pixels.dtype == np.uint8
    assert photograph.pixels.ndim == 3
    assert photograph.pixels.shape[2] == 3
    assert min(photograph.pixels.shape[:2]) >= 1
    assert photograph.width * photograph.height <= 1_000_000
    return ""


@pytest.mark.parametrize("name", VALID)
def test_the_pictures_that_are_damaged_below_are_sound(name: str) -> None:
    assert read_or_refuse(VALID[name]) == ""


@given(
    name=st.sampled_from(sorted(VALID)),
    changes=st.lists(st.tuples(st.integers(0, 2000), st.integers(0, 255)), min_size=1, max_size=12),
    cut=st.integers(0, 4000),
)
@settings(max_examples=500, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_changed_bytes_are_read_or_refused(name: str, changes: list[tuple[int, int]], cut: int) -> None:
    data = bytearray(VALID[name])
    for place, value in changes:
        data[place % len(data)] = value
    assert read_or_refuse(bytes(data[: cut or None])) in OUTCOMES


@given(
    name=st.sampled_from(sorted(VALID)),
    place=st.integers(0, 4000),
    removed=st.integers(0, 64),
    added=st.binary(max_size=64),
)
@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_shifted_bytes_are_read_or_refused(name: str, place: int, removed: int, added: bytes) -> None:
    data = VALID[name]
    place %= len(data)
    assert read_or_refuse(data[:place] + added + data[place + removed :]) in OUTCOMES


@given(head=st.sampled_from([b"", *(data[:24] for data in VALID.values())]), tail=st.binary(max_size=400))
@settings(max_examples=300, deadline=None)
def test_a_good_beginning_with_anything_behind_is_read_or_refused(head: bytes, tail: bytes) -> None:
    assert read_or_refuse(head + tail) in OUTCOMES


@pytest.mark.parametrize("name", sorted(set(VALID) - {"BMP", "TIFF"}))
@pytest.mark.parametrize("share", [0.3, 0.6])
def test_a_truncated_picture_is_damaged(name: str, share: float) -> None:
    data = VALID[name]
    assert read_or_refuse(data[: int(len(data) * share)]) in ("damaged", "")
    if name in ("JPEG", "PNG", "WEBP", "HEIF", "AVIF"):
        assert read_or_refuse(data[: int(len(data) * share)]) == "damaged"


def png_header(width: int, height: int) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(64))) + chunk(b"IEND", b"")


def gif_header(width: int, height: int) -> bytes:
    frame = b"," + struct.pack("<HHHHB", 0, 0, width, height, 0) + b"\x02\x02\x4c\x01\x00;"
    return b"GIF89a" + struct.pack("<HHBBB", width, height, 0, 0, 0) + frame


def bmp_header(width: int, height: int) -> bytes:
    return VALID["BMP"][:18] + struct.pack("<ii", width, height) + VALID["BMP"][26:]


def jpeg_header(width: int, height: int) -> bytes:
    data = VALID["JPEG"]
    size = data.index(b"\xff\xc0") + 5
    return data[:size] + struct.pack(">HH", height, width) + data[size + 4 :]


def webp_header(width: int, height: int) -> bytes:
    sides = struct.pack("<I", width - 1)[:3] + struct.pack("<I", height - 1)[:3]
    body = b"WEBPVP8X" + struct.pack("<I4x", 10) + sides + VALID["lossless"][12:]
    return b"RIFF" + struct.pack("<I", len(body)) + body


@pytest.mark.parametrize("make", [png_header, gif_header, bmp_header, jpeg_header, webp_header])
def test_too_many_pixels_are_refused_before_they_are_decoded(make) -> None:
    with pytest.raises(ImageDecodeError) as caught:
        decode_photograph(make(16_000, 16_000))
    assert caught.value.code == "too_many_pixels"


def test_a_bomb_is_refused_with_its_size() -> None:
    with pytest.raises(
        ImageDecodeError, match=r"50,000 × 50,000 pixels; of a PNG file like this, at most 25 megapixels"
    ):
        decode_photograph(png_header(50_000, 50_000))


@pytest.mark.parametrize("make", [png_header, gif_header, bmp_header, jpeg_header])
@pytest.mark.parametrize("size", [(0, 40), (40, 0)])
def test_a_picture_without_pixels_is_refused_as_such(make, size: tuple[int, int]) -> None:
    assert read_or_refuse(make(*size)) == "no_pixels"


@pytest.mark.parametrize(
    ("data", "code", "word"),
    [
        (b"", "empty", "empty"),
        (b"Dear Sir or Madam", "not_an_image", "not a picture"),
        (b"BMW is a carmaker in Munich, Bavaria.", "not_an_image", "not a picture"),
        (bytes(5000), "not_an_image", "not a picture"),
        (b"<!DOCTYPE html><html><body>", "not_an_image", "not a picture"),
        (b'<svg xmlns="http://www.w3.org/2000/svg"/>', "unsupported_format", "SVG"),
        (b'\xef\xbb\xbf<?xml version="1.0"?>\n<!-- by hand -->\n<svg/>', "unsupported_format", "SVG"),
        (b"%PDF-1.7\n", "unsupported_format", "PDF"),
        (b"\n\n%PDF-1.4\n", "unsupported_format", "PDF"),
        (b"\x00\x00\x00\x18ftypmp42\x00\x00\x00\x00mp42isom", "unsupported_format", "video"),
        (b"8BPS\x00\x01", "unsupported_format", "Photoshop"),
        (b"\xff\xd8\xff\xe0", "damaged", "damaged"),
    ],
)
def test_what_is_no_photograph_is_named(data: bytes, code: str, word: str) -> None:
    with pytest.raises(ImageDecodeError, match=word) as caught:
        decode_photograph(data)
    assert caught.value.code == code
