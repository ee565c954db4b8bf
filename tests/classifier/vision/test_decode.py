"""Every kind of picture comes out upright, on white, in sRGB, 8 bits deep and no larger than asked."""

from __future__ import annotations

import io
import warnings

import numpy as np
import pytest
from PIL import Image, ImageCms
from pillow_heif import register_heif_opener

from classifier.vision.image import decode_photograph, encode_jpeg, encode_png, make_thumbnail

register_heif_opener()  # for writing the test pictures

RED, BLUE = (220, 30, 40), (20, 40, 200)


def two_halves(width: int = 64, height: int = 48) -> Image.Image:
    """Red on the left, blue on the right: every way of turning it shows."""
    picture = Image.new("RGB", (width, height), RED)
    picture.paste(BLUE, (width // 2, 0, width, height))
    return picture


def saved(picture: Image.Image, kind: str, **options: object) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def assert_near(pixel: np.ndarray, color: tuple[int, int, int], tolerance: int = 12) -> None:
    assert np.abs(pixel.astype(int) - np.array(color)).max() <= tolerance, f"{pixel} is not {color}"


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "BMP", "TIFF", "GIF", "HEIF", "AVIF"])
def test_every_accepted_format_is_read(kind: str) -> None:
    photograph = decode_photograph(saved(two_halves(), kind))
    assert photograph.pixels.shape == (48, 64, 3)
    assert photograph.pixels.dtype == np.uint8
    assert (photograph.width, photograph.height, photograph.scale) == (64, 48, 1.0)
    assert_near(photograph.pixels[24, 10], RED)
    assert_near(photograph.pixels[24, 54], BLUE)


@pytest.mark.parametrize(
    ("orientation", "red_at"),
    [
        (1, "left"),
        (2, "right"),
        (3, "right"),
        (4, "left"),
        (5, "top"),
        (6, "top"),
        (7, "bottom"),
        (8, "bottom"),
    ],
)
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "HEIF", "AVIF"])
def test_exif_orientation_is_applied_once(kind: str, orientation: int, red_at: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    photograph = decode_photograph(saved(two_halves(), kind, exif=exif))
    height, width = photograph.pixels.shape[:2]
    assert (width, height) == (photograph.width, photograph.height)
    assert (width, height) == ((48, 64) if orientation >= 5 else (64, 48))
    row, column = {
        "left": (height // 2, 6),
        "right": (height // 2, width - 6),
        "top": (6, width // 2),
        "bottom": (height - 6, width // 2),
    }[red_at]
    assert_near(photograph.pixels[row, column], RED)


def test_a_heic_that_its_container_turns_is_not_turned_again_by_exif() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    data = saved(two_halves(), "HEIF", exif=exif)
    start = data.index(b"clap") - 4
    size = int.from_bytes(data[start : start + 4], "big")
    # The crop to 64 × 48 becomes a turn by 270 degrees counter-clockwise (ISO/IEC 23008-12, 6.5.10).
    irot = size.to_bytes(4, "big") + b"irot\x03" + bytes(size - 9)
    photograph = decode_photograph(data[:start] + irot + data[start + size :])
    assert photograph.pixels.shape == (64, 64, 3)
    assert_near(photograph.pixels[6, 40], RED)
    assert_near(photograph.pixels[58, 40], BLUE)


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
@pytest.mark.parametrize(
    "exif", [b"Exif\x00\x00garbage", b"Exif\x00\x00II*\x00\xff\xff\xff\x7f", b"Exif\x00\x00"]
)
def test_a_corrupt_exif_counts_as_none(exif: bytes) -> None:
    photograph = decode_photograph(saved(two_halves(), "JPEG", exif=exif))
    assert (photograph.width, photograph.height) == (64, 48)


def test_a_12_megapixel_jpeg_is_decoded_smaller_and_remembers_its_size() -> None:
    photograph = decode_photograph(saved(two_halves(4000, 3000), "JPEG"))
    assert photograph.pixels.shape == (1500, 2000, 3)
    assert (photograph.width, photograph.height) == (4000, 3000)
    assert photograph.scale == 0.5


@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_no_side_is_longer_than_asked(kind: str) -> None:
    photograph = decode_photograph(saved(two_halves(900, 600), kind), long_side=300)
    assert photograph.pixels.shape == (200, 300, 3)


@pytest.mark.parametrize("size", [(1, 40_000), (40_000, 1), (1, 1)])
@pytest.mark.parametrize("kind", ["PNG", "JPEG"])
def test_extreme_shapes_keep_at_least_one_pixel(size: tuple[int, int], kind: str) -> None:
    photograph = decode_photograph(saved(Image.new("RGB", size, RED), kind))
    assert min(photograph.pixels.shape[:2]) == 1
    assert max(photograph.pixels.shape[:2]) == min(2048, max(size))
    assert (photograph.width, photograph.height) == size


def test_transparent_parts_are_white() -> None:
    picture = two_halves().convert("RGBA")
    picture.paste((0, 0, 0, 0), (0, 0, 32, 48))
    for data in (saved(picture, "PNG"), saved(picture, "WEBP", lossless=True), saved(picture, "GIF")):
        pixels = decode_photograph(data).pixels
        assert_near(pixels[24, 10], (255, 255, 255))
        assert_near(pixels[24, 54], BLUE)


def test_a_palette_is_resolved() -> None:
    assert_near(decode_photograph(saved(two_halves().quantize(8), "PNG")).pixels[24, 54], BLUE)


def test_cmyk_is_converted() -> None:
    for data in (saved(two_halves().convert("CMYK"), "JPEG"), saved(two_halves().convert("CMYK"), "TIFF")):
        assert_near(decode_photograph(data).pixels[24, 10], RED)


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_16_bit_gray_keeps_its_levels(kind: str) -> None:
    gray = np.full((20, 30), 0x8080, np.uint16)
    gray[:, 15:] = 0xFFFF
    pixels = decode_photograph(saved(Image.fromarray(gray), kind)).pixels
    assert_near(pixels[10, 5], (128, 128, 128), 1)
    assert_near(pixels[10, 25], (255, 255, 255), 1)


@pytest.mark.parametrize("white", [1.0, 255.0, 65535.0])
def test_float_gray_finds_its_white(white: float) -> None:
    gray = np.full((20, 30), white / 2, np.float32)
    gray[0, 0], gray[1, 1] = white, np.nan
    assert_near(decode_photograph(saved(Image.fromarray(gray), "TIFF")).pixels[10, 20], (128, 128, 128), 1)


@pytest.mark.parametrize("kind", ["GIF", "WEBP", "PNG"])
def test_of_an_animation_the_first_frame_is_read(kind: str) -> None:
    first, second = Image.new("RGB", (20, 20), RED), Image.new("RGB", (20, 20), BLUE)
    data = saved(first, kind, save_all=True, append_images=[second])
    assert_near(decode_photograph(data).pixels[10, 10], RED)


def swapped_profile() -> bytes:
    """An sRGB profile under another name, with the red and the green primary exchanged."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    places = {}
    for tag in range(int.from_bytes(profile[128:132], "big")):
        entry = profile[132 + 12 * tag : 144 + 12 * tag]
        places[bytes(entry[:4])] = int.from_bytes(entry[4:8], "big")
    red, green = places[b"rXYZ"], places[b"gXYZ"]
    profile[red : red + 20], profile[green : green + 20] = (
        profile[green : green + 20],
        profile[red : red + 20],
    )
    return bytes(profile).replace("sRGB".encode("utf-16-be"), "tRGB".encode("utf-16-be"))


def test_a_colour_profile_is_applied() -> None:
    data = saved(Image.new("RGB", (20, 20), (255, 0, 0)), "PNG", icc_profile=swapped_profile())
    assert_near(decode_photograph(data).pixels[10, 10], (0, 255, 0))


@pytest.mark.parametrize("profile", [b"not a profile", swapped_profile()[:200]])
def test_a_corrupt_colour_profile_is_ignored(profile: bytes) -> None:
    data = saved(two_halves(), "PNG", icc_profile=profile)
    assert_near(decode_photograph(data).pixels[24, 10], RED)


def test_a_profile_for_another_kind_of_picture_is_ignored() -> None:
    data = saved(two_halves().convert("L"), "PNG", icc_profile=swapped_profile())
    assert decode_photograph(data).pixels.shape == (48, 64, 3)


def test_decoding_warns_of_nothing_and_leaves_pillows_limit_alone() -> None:
    limit = Image.MAX_IMAGE_PIXELS
    data = saved(Image.new("1", (10_000, 9_500)), "PNG")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert decode_photograph(data, max_pixels=100_000_000, long_side=64).width == 10_000
    assert limit == Image.MAX_IMAGE_PIXELS


def test_what_is_encoded_carries_no_metadata() -> None:
    exif = Image.Exif()
    exif[0x010E] = "secret place"
    pixels = decode_photograph(saved(two_halves(), "JPEG", exif=exif)).pixels
    for data in (encode_jpeg(pixels), encode_png(pixels), make_thumbnail(pixels, long_side=20)):
        assert b"secret" not in data
        assert not Image.open(io.BytesIO(data)).getexif()
    assert np.array_equal(np.asarray(Image.open(io.BytesIO(encode_png(pixels)))), pixels)


@pytest.mark.parametrize(
    ("sent", "long_side", "size"),
    [
        ((64, 48), 80, (64, 48)),
        ((64, 48), 32, (32, 24)),
        ((64, 48), 20, (20, 15)),
        ((37, 131), 20, (6, 20)),
        ((500, 1), 20, (20, 1)),
    ],
)
def test_a_thumbnail_is_as_large_as_asked_or_as_what_was_sent(
    sent: tuple[int, int], long_side: int, size: tuple[int, int]
) -> None:
    pixels = np.full((sent[1], sent[0], 3), 90, np.uint8)
    made = Image.open(io.BytesIO(make_thumbnail(pixels, long_side=long_side)))
    assert made.size == size
    assert np.abs(np.asarray(made).astype(int) - 90).max() <= 1


def test_a_thumbnail_shows_what_was_sent() -> None:
    pixels = decode_photograph(saved(two_halves(), "PNG")).pixels
    made = np.asarray(Image.open(io.BytesIO(make_thumbnail(pixels, long_side=20)))).astype(int)
    for (y, x), (top, left) in {(2, 2): (5, 5), (-3, -3): (-5, -5)}.items():
        assert np.abs(made[y, x] - pixels[top, left]).max() < 25
