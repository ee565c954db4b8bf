"""A JPEG that can be kept as it was sent is kept so, but for what it says beside the picture."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from classifier.vision.image import decode_photograph, encode_copy
from classifier.vision.jpeg import without_metadata
from tests.photographs import astronaut

SECRET = b"taken at home"


def with_everything() -> bytes:
    """EXIF, XMP, a comment, and something behind the end, as a phone's moving picture has it."""
    exif = Image.Exif()
    exif[0x010E] = SECRET.decode()
    file = io.BytesIO()
    Image.open(io.BytesIO(astronaut())).save(
        file, "JPEG", quality=95, exif=exif, comment=SECRET, xmp=b"<x>" + SECRET + b"</x>"
    )
    return file.getvalue() + SECRET


def saved(picture: Image.Image, **options: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, "JPEG", **options)
    return file.getvalue()


def pixels_of(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def test_what_it_says_beside_the_picture_is_gone_and_the_picture_is_the_same() -> None:
    sent = with_everything()
    assert sent.count(SECRET) == 4
    kept = encode_copy(decode_photograph(sent))
    assert SECRET not in kept
    assert kept == without_metadata(sent)
    assert np.array_equal(pixels_of(kept), pixels_of(sent))
    assert not Image.open(io.BytesIO(kept)).getexif()


def test_a_thumbnail_in_the_header_is_gone() -> None:
    sent = astronaut()
    thumbnail = b"\xff\xe0" + (2 + 8 + 300).to_bytes(2, "big") + b"JFXX\x00\x13\x0a\x0a" + bytes(300)
    kept = without_metadata(sent[:2] + thumbnail + sent[2:])
    assert kept == without_metadata(sent)


@pytest.mark.parametrize("mode", ["L", "RGB"])
@pytest.mark.parametrize("subsampling", [0, 2])
def test_gray_and_colour_are_kept_as_they_are(mode: str, subsampling: int) -> None:
    sent = saved(Image.open(io.BytesIO(astronaut())).convert(mode), subsampling=subsampling)
    photograph = decode_photograph(sent)
    assert photograph.jpeg
    assert np.array_equal(pixels_of(photograph.jpeg), photograph.pixels)


def test_whatever_would_look_otherwise_is_encoded_anew() -> None:
    picture = Image.open(io.BytesIO(astronaut()))
    turned = Image.Exif()
    turned[0x0112] = 6
    profile = b"a profile, though not one that can be used"
    others = {
        "progressive": saved(picture, progressive=True),
        "turned": saved(picture, exif=turned),
        "with a profile": saved(picture, icc_profile=profile),
        "for print": saved(picture.convert("CMYK")),
    }
    for name, sent in others.items():
        photograph = decode_photograph(sent)
        assert photograph.jpeg is None, name
        copy = Image.open(io.BytesIO(encode_copy(photograph)))
        assert (copy.mode, copy.size) == ("RGB", (photograph.width, photograph.height)), name
    assert decode_photograph(astronaut(), long_side=400).jpeg is None


def test_a_needlessly_large_file_is_encoded_anew() -> None:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (200, 300, 3), dtype=np.uint8))
    photograph = decode_photograph(saved(noise, quality=100, subsampling=0))
    assert photograph.jpeg
    assert len(encode_copy(photograph)) < len(photograph.jpeg)


@pytest.mark.parametrize("cut", range(2, 700, 7))
def test_a_file_that_breaks_off_in_its_header_is_not_taken_for_a_picture(cut: int) -> None:
    assert without_metadata(astronaut()[:cut]) is None
