"""Bytes that a stranger sent become upright sRGB pixels, or one `ImageDecodeError` that says why not.

A format is recognised by its first bytes and opened by exactly that format's plugin: whatever else Pillow
could open stays out of reach, and so does its process-wide bomb limit, which `max_pixels` replaces.

A decoder may take about two and a half bytes for each of `max_pixels` pixels. Kinds of picture that take
more for a pixel are read up to fewer pixels.
"""

from __future__ import annotations

import io
from contextlib import suppress
from dataclasses import dataclass
from math import floor
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from PIL.AvifImagePlugin import AvifImageFile
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile
from pillow_heif import HeifImageFile, open_heif

from classifier.vision.jpeg import without_metadata
from classifier.vision.shrink import Decoded, reduce, resize, to_srgb
from emotion_site.memory import give_back

Pixels = NDArray[np.uint8]
ErrorCode = Literal["empty", "not_an_image", "unsupported_format", "damaged", "too_many_pixels", "no_pixels"]

ACCEPTED = "JPEG, PNG, WebP, HEIC, AVIF, GIF, BMP or TIFF"

# A JPEG decodes at 1/2, 1/4 or 1/8 scale several times faster; never below this share of the long side that
# is asked for: 4000 pixels become 2000 where 2048 are asked for.
_DRAFT_SHARE = 0.78

# Bytes that a decoder may take for each pixel of the limit.
_BYTES_PER_PIXEL = 2.5

# Before so many pixels are decoded, memory that is free is given back: a worker's most is reached there.
_LARGE = 4_000_000
_ORIENTATION_TAG = 0x0112
_TRANSPOSE = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}

_PLUGINS: dict[str, type[ImageFile]] = {
    "JPEG": JpegImageFile,
    "PNG": PngImageFile,
    "WebP": WebPImageFile,
    "GIF": GifImageFile,
    "BMP": BmpImageFile,
    "TIFF": TiffImageFile,
    "HEIC": HeifImageFile,
    "AVIF": AvifImageFile,
}

_BMP_HEADER_SIZES = {12, 16, 40, 52, 56, 64, 108, 124}
_HEIF_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs", b"mif1", b"msf1"}

# First bytes of what people do send instead, so that the answer can name it.
_FOREIGN = {
    b"%!PS": "a PostScript file",
    b"8BPS": "a Photoshop file",
    b"\x00\x00\x01\x00": "an icon file",
    b"\xff\x0a": "a JPEG XL picture",
    b"\x00\x00\x00\x0cJXL ": "a JPEG XL picture",
    b"\x00\x00\x00\x0cjP  ": "a JPEG 2000 picture",
    b"\xff\x4f\xff\x51": "a JPEG 2000 picture",
    b"PK\x03\x04": "a ZIP archive or an office document",
    b"\x1a\x45\xdf\xa3": "a video",
}


class ImageDecodeError(ValueError):
    """Not a photograph that can be read. `str(error)` is a sentence for the person who sent it."""

    def __init__(self, code: ErrorCode, sentence: str) -> None:
        super().__init__(sentence)
        self.code: ErrorCode = code


@dataclass(frozen=True)
class Photograph:
    """`pixels`: uint8 (H, W, 3), RGB in sRGB, upright. `width`, `height`: upright size as sent, in pixels.

    `jpeg`: the file itself without metadata, where that shows the same as `pixels`.
    """

    pixels: Pixels
    width: int
    height: int
    jpeg: bytes | None = None

    @property
    def scale(self) -> float:
        """Pixels here per pixel as sent, by the long side: a strip one pixel wide keeps its width."""
        return float(max(self.pixels.shape[:2]) / max(self.width, self.height))


def decode_photograph(data: bytes, *, max_pixels: int = 50_000_000, long_side: int = 2048) -> Photograph:
    """The first frame of `data`, upright, on white, in sRGB, shrunk to `long_side` if larger.

    Read are up to all of `max_pixels` in JPEG and GIF, and in PNG and BMP that are gray or have a palette;
    half in progressive JPEG, or 5/16 with colours at full resolution and 1/4 in CMYK; half in HEIC and other
    PNG and BMP; 5/14 in WebP, or 5/18 with transparency; 5/16 in TIFF and in HEIC with transparency or more
    than 8 bits; 1/4 in AVIF; 5/24 in animated WebP; 5/32 in TIFF with 32 bits.

    Raises `ImageDecodeError`, and nothing else, for anything that is not such a picture.
    """
    image = _open(data)
    try:
        _check_size(image, data, max_pixels)
        if image.width * image.height > _LARGE:
            give_back()
        return _read(image, data, long_side)
    except ImageDecodeError:
        raise
    except Exception as error:  # decoders raise whatever they like on bad bytes
        raise _damaged() from error


def encode_jpeg(pixels: Pixels, *, quality: int = 90) -> bytes:
    """JPEG without any metadata, from uint8 (H, W, 3) RGB."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def encode_png(pixels: Pixels) -> bytes:
    """PNG without any metadata, from uint8 (H, W, 3) RGB, or (H, W) gray, which stays gray."""
    # Photographs have little that repeats itself: not to look for it takes 0.6 of the time, and no more room.
    packing = (cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_HUFFMAN_ONLY)
    ordered = pixels if pixels.ndim == 2 else cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR)
    return cv2.imencode(".png", ordered, packing)[1].tobytes()


def make_thumbnail(pixels: Pixels, *, long_side: int = 360) -> bytes:
    """JPEG whose long side is `long_side`, or that of `pixels` where it is less."""
    # Means of 2 x 2 pixels until less than half is left to do: a fifth of the time of doing it in one step.
    while max(pixels.shape[:2]) >= 2 * long_side and min(pixels.shape[:2]) > 1:
        height, width = (side // 2 * 2 for side in pixels.shape[:2])
        pixels = _scale(pixels[:height, :width], (width // 2, height // 2), cv2.INTER_AREA)
    if (ratio := long_side / max(pixels.shape[:2])) < 1:
        height, width = (max(1, round(side * ratio)) for side in pixels.shape[:2])
        pixels = _scale(pixels, (width, height), cv2.INTER_LINEAR)
    return encode_jpeg(pixels, quality=82)


def _scale(pixels: Pixels, size: tuple[int, int], how: int) -> Pixels:
    return np.asarray(cv2.resize(pixels, size, interpolation=how), np.uint8)


def _open(data: bytes) -> ImageFile:
    """The header read, no pixel decoded yet."""
    if not data:
        raise ImageDecodeError("empty", "This file is empty.")
    name = _recognise(data)
    if name is None:
        raise _not_accepted(data)
    try:
        return _PLUGINS[name](io.BytesIO(data))
    except Image.DecompressionBombError as error:  # WebP and GIF ask before their size is known here
        raise ImageDecodeError("too_many_pixels", "This picture has too many pixels.") from error
    except Exception as error:
        # Pillow's base class says this, and only this, of a header whose width or height is not positive.
        if "not identified by this driver" in str(error):
            raise ImageDecodeError(
                "no_pixels", "This picture has no pixels: its width or height is 0."
            ) from error
        raise _damaged() from error


def looks_like_photograph(head: bytes) -> bool:
    """Whether a file that begins so, with 260 bytes or more, is of an accepted format."""
    return _recognise(head) is not None


def _recognise(data: bytes) -> str | None:
    """The accepted format that `data` starts like."""
    if data.startswith(b"\xff\xd8\xff"):
        return "JPEG"
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "PNG"
    if data.startswith((b"GIF87a", b"GIF89a")):
        return "GIF"
    if data.startswith((b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")):
        return "TIFF"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "WebP"
    if data[:2] == b"BM" and int.from_bytes(data[14:18], "little") in _BMP_HEADER_SIZES:
        return "BMP"
    return _recognise_isobmff(data) if data[4:8] == b"ftyp" else None


def _recognise_isobmff(data: bytes) -> str | None:
    """HEIC and AVIF share the container of MP4 (ISO/IEC 14496-12): its brands say what is inside."""
    box = data[: min(int.from_bytes(data[:4], "big"), 256)]
    brands = {box[8:12]} | {box[i : i + 4] for i in range(16, len(box) - 3, 4)}
    if brands & {b"avif", b"avis"}:
        return "AVIF"
    return "HEIC" if brands & _HEIF_BRANDS else None


def _not_accepted(data: bytes) -> ImageDecodeError:
    kind = _name_foreign(data)
    if kind is None:
        return ImageDecodeError(
            "not_an_image", f"This file is not a picture. Send a photograph as {ACCEPTED}."
        )
    return ImageDecodeError("unsupported_format", f"This is {kind}. Send a photograph as {ACCEPTED}.")


def _name_foreign(data: bytes) -> str | None:
    for magic, kind in _FOREIGN.items():
        if data.startswith(magic):
            return kind
    if b"%PDF-" in data[:1024]:
        return "a PDF document"
    if data[4:8] in (b"ftyp", b"moov"):
        return "a video"
    head = data[:4096].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if head.startswith(b"<svg") or (head.startswith((b"<?xml", b"<!")) and b"<svg" in head):
        return "an SVG drawing"
    return None


def _damaged() -> ImageDecodeError:
    return ImageDecodeError("damaged", "This picture is damaged or incomplete and cannot be read.")


def _check_size(image: ImageFile, data: bytes, max_pixels: int) -> None:
    most = min(max_pixels, int(max_pixels * _BYTES_PER_PIXEL / _decoding_bytes(image, data)))
    if image.width * image.height <= most:
        return
    kind = next(name for name, plugin in _PLUGINS.items() if isinstance(image, plugin))
    limit = f"at most {floor(most / 1e5) / 10:g} megapixels are read"
    raise ImageDecodeError(
        "too_many_pixels",
        f"This picture has {image.width:,} × {image.height:,} pixels; "
        + (f"{limit}." if most == max_pixels else f"of a {kind} file like this, {limit}."),
    )


def _decoding_bytes(image: ImageFile, data: bytes) -> float:
    """What a decoder holds at its peak for each pixel, as measured."""
    transparent = image.mode in ("RGBA", "RGBa", "LA", "La")
    if isinstance(image, JpegImageFile):
        return _jpeg_bytes(image, data)
    if isinstance(image, HeifImageFile):
        return 8 if transparent or image.info["bit_depth"] > 8 else 5
    if isinstance(image, WebPImageFile):
        return 12 if image.is_animated else 9 if transparent else 7
    if isinstance(image, TiffImageFile):
        return 16 if image.mode in ("I", "F") else 8  # where it has to be turned
    if isinstance(image, AvifImageFile):
        return 10
    return {"1": 1, "L": 1, "P": 1, "I;16": 2}.get(image.mode, 5)


def _jpeg_bytes(image: JpegImageFile, data: bytes) -> float:
    """libjpeg holds two bytes for each sample of a picture that comes in several scans, else a few rows.

    Two more are for what the picture is decoded to and for its way to a small one.
    """
    assert image.fp
    header = data[: image.fp.tell()]  # up to the end of the first scan's header, which names its components
    one_scan = header[-8 - 2 * image.layers :].startswith(b"\xff\xda")
    if one_scan and not image.info.get("progressive"):
        return 1
    across, down = (max(layer[i] for layer in image.layer) for i in (1, 2))
    return 2 + 2 * sum(layer[1] * layer[2] for layer in image.layer) / (across * down)


def _read(image: ImageFile, data: bytes, long_side: int) -> Photograph:
    width, height = image.size
    decoded = _decode(image, data, long_side)
    if not isinstance(image, JpegImageFile):
        # A TIFF is turned upright, and a HEIC may find its true size, while it loads.
        width, height = decoded.width, decoded.height
    # Only now: it may come last in the file, and closing the picture forgets it.
    orientation, profile = _orientation(image, data), image.info.get("icc_profile")
    small = reduce(decoded, long_side)
    del decoded
    image.close()
    upright_srgb = orientation == 1 and profile is None and image.mode in ("L", "RGB")
    same = isinstance(image, JpegImageFile) and upright_srgb and max(width, height) <= long_side
    picture = to_srgb(resize(small, long_side), profile)
    if orientation in _TRANSPOSE:
        picture = picture.transpose(_TRANSPOSE[orientation])
    if orientation in (5, 6, 7, 8):
        width, height = height, width
    return Photograph(
        pixels=np.array(picture, dtype=np.uint8),
        width=width,
        height=height,
        jpeg=without_metadata(data) if same else None,
    )


def encode_copy(photograph: Photograph) -> bytes:
    """A JPEG of the pixels without any metadata: the file's own where that is no larger than usual."""
    if photograph.jpeg and len(photograph.jpeg) <= photograph.width * photograph.height:
        return photograph.jpeg
    return encode_jpeg(photograph.pixels)


def _decode(image: ImageFile, data: bytes, long_side: int) -> Decoded:
    if isinstance(image, WebPImageFile):
        return _decode_webp(data)
    if isinstance(image, HeifImageFile):
        return _decode_heic(data)
    if isinstance(image, JpegImageFile):
        draft = min(1.0, _DRAFT_SHARE * long_side / max(image.size))
        image.draft(None, (max(1, int(image.width * draft)), max(1, int(image.height * draft))))
    image.load()
    return Decoded(*image.size, rows=lambda top, bottom: image.crop((0, top, image.width, bottom)))


def _decode_webp(data: bytes) -> Decoded:
    """By OpenCV, which takes half of Pillow's memory."""
    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    if pixels is None:
        raise ValueError("OpenCV can't decode this.")
    height, width, channels = pixels.shape
    order = cv2.COLOR_BGRA2RGBA if channels == 4 else cv2.COLOR_BGR2RGB
    return Decoded(
        width, height, lambda top, bottom: Image.fromarray(cv2.cvtColor(pixels[top:bottom], order))
    )


def _decode_heic(data: bytes) -> Decoded:
    """Without Pillow's plugin, which copies it all."""
    heif = open_heif(io.BytesIO(data), remove_stride=False)
    rows, stride = heif.data, heif.stride  # its size is known only once it is decoded
    width, height = heif.size

    def cut(top: int, bottom: int) -> Image.Image:
        band = rows[top * stride : bottom * stride]
        return Image.frombytes(heif.mode, (width, bottom - top), band, "raw", heif.mode, stride)

    return Decoded(width, height, cut)


def _orientation(image: ImageFile, data: bytes) -> int:
    """EXIF orientation, 1 to 8; 1 where EXIF is absent or corrupt.

    A HEIC's plugin moves it away, and where its container turns the picture, as phones write it, EXIF only
    repeats that.
    """
    value: object = 1
    if isinstance(image, HeifImageFile):
        turned = b"irot" in data or b"imir" in data
        value = 1 if turned else image.info.get("original_orientation")
    else:
        with suppress(Exception):
            value = image.getexif().get(_ORIENTATION_TAG, 1)
    return value if isinstance(value, int) else 1
