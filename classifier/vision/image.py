"""Bytes that a stranger sent become upright sRGB pixels, or one `ImageDecodeError` that says why not.

A format is recognised by its first bytes and opened by exactly that format's plugin: whatever else Pillow
could open stays out of reach, and so does its process-wide bomb limit, which `max_pixels` replaces.
"""

from __future__ import annotations

import io
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms
from PIL.AvifImagePlugin import AvifImageFile
from PIL.BmpImagePlugin import BmpImageFile
from PIL.GifImagePlugin import GifImageFile
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile
from pillow_heif import HeifImageFile

Pixels = NDArray[np.uint8]
ErrorCode = Literal["empty", "not_an_image", "unsupported_format", "damaged", "too_many_pixels", "no_pixels"]

ACCEPTED = "JPEG, PNG, WebP, HEIC, AVIF, GIF, BMP or TIFF"

# A JPEG decodes at 1/2, 1/4 or 1/8 scale several times faster; never below this long side.
_DRAFT_LONG_SIDE = 1600

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
    """`pixels`: uint8 (H, W, 3), RGB in sRGB, upright. `width`, `height`: upright size as sent, in pixels."""

    pixels: Pixels
    width: int
    height: int

    @property
    def scale(self) -> float:
        """Pixels here per pixel as sent, by the long side: a strip one pixel wide keeps its width."""
        return float(max(self.pixels.shape[:2]) / max(self.width, self.height))


def decode_photograph(data: bytes, *, max_pixels: int = 50_000_000, long_side: int = 2048) -> Photograph:
    """The first frame of `data`, upright, on white, in sRGB, shrunk to `long_side` if larger.

    Raises `ImageDecodeError`, and nothing else, for anything that is not such a picture.
    """
    image = _open(data)
    if image.width * image.height > max_pixels:
        raise _too_many_pixels(image.width, image.height, max_pixels)
    try:
        return _read(image, long_side, turned=b"irot" in data or b"imir" in data)
    except Exception as error:  # decoders raise whatever they like on bad bytes
        raise _damaged() from error


def encode_jpeg(pixels: Pixels, *, quality: int = 90) -> bytes:
    """JPEG without any metadata, from uint8 (H, W, 3) RGB."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def encode_png(pixels: Pixels) -> bytes:
    """PNG without any metadata, from uint8 (H, W, 3) RGB."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def make_thumbnail(pixels: Pixels, *, long_side: int = 360) -> bytes:
    """JPEG whose long side is at most `long_side`."""
    return encode_jpeg(np.asarray(_shrink(Image.fromarray(pixels), long_side)), quality=82)


def _open(data: bytes) -> ImageFile:
    """The header read, no pixel decoded yet."""
    if not data:
        raise ImageDecodeError("empty", "This file is empty.")
    name = _recognise(data)
    if name is None:
        raise _not_accepted(data)
    try:
        return _PLUGINS[name](io.BytesIO(data))
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise ImageDecodeError("too_many_pixels", "This picture has too many pixels.") from error
    except Exception as error:
        # Pillow's base class says this, and only this, of a header whose width or height is not positive.
        if "not identified by this driver" in str(error):
            raise ImageDecodeError(
                "no_pixels", "This picture has no pixels: its width or height is 0."
            ) from error
        raise _damaged() from error


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


def _too_many_pixels(width: int, height: int, max_pixels: int) -> ImageDecodeError:
    return ImageDecodeError(
        "too_many_pixels",
        f"This picture has {width:,} × {height:,} pixels; at most {max_pixels / 1e6:g} megapixels are read.",
    )


def _read(image: ImageFile, long_side: int, *, turned: bool) -> Photograph:
    """`turned`: a HEIC's container itself says how to turn or mirror it."""
    width, height = image.size
    if isinstance(image, JpegImageFile):
        draft = min(1.0, _DRAFT_LONG_SIDE / max(image.size))
        image.draft(None, (max(1, int(width * draft)), max(1, int(height * draft))))
        image.load()
    else:
        image.load()
        # A TIFF is turned upright, and a HEIC may find its true size, while it loads.
        width, height = image.size
    heic = isinstance(image, HeifImageFile)
    orientation = _heic_orientation(image, turned) if heic else _orientation(image)
    if orientation in (5, 6, 7, 8):
        width, height = height, width
    picture = _to_srgb(_shrink(_to_8_bit(image, long_side), long_side), image.info.get("icc_profile"))
    if orientation in _TRANSPOSE:
        picture = picture.transpose(_TRANSPOSE[orientation])
    return Photograph(pixels=np.array(picture, dtype=np.uint8), width=width, height=height)


def _orientation(image: ImageFile) -> int:
    """EXIF orientation, 1 to 8; 1 where EXIF is absent or corrupt. Ask after loading: it may come last."""
    value: object = 1
    with suppress(Exception):
        value = image.getexif().get(_ORIENTATION_TAG, 1)
    return value if isinstance(value, int) else 1


def _heic_orientation(image: ImageFile, turned: bool) -> int:
    """1 where the container turned the picture already, as phones write it: their EXIF only repeats that.

    Otherwise what the EXIF said, which the plugin has moved away.
    """
    value = image.info.get("original_orientation")
    return value if isinstance(value, int) and not turned else 1


def _shrink(image: Image.Image, long_side: int) -> Image.Image:
    ratio = long_side / max(image.size)
    if ratio >= 1:
        return image
    size = (max(1, round(image.width * ratio)), max(1, round(image.height * ratio)))
    return image.resize(size, Image.Resampling.BICUBIC, reducing_gap=2.0)


def _to_8_bit(image: Image.Image, long_side: int) -> Image.Image:
    """One of L, RGB, RGBA, CMYK, LAB; not always shrunk to `long_side` yet."""
    if image.mode.startswith("I;16"):
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    if image.mode in ("I", "F"):
        return _scale_depth(_shrink(image, long_side))
    if image.has_transparency_data:
        return image.convert("RGBA")
    if image.mode in ("L", "RGB", "CMYK", "LAB"):
        return image
    return image.convert("L" if image.mode == "1" else "RGB")


def _scale_depth(image: Image.Image) -> Image.Image:
    """32-bit gray, integer or float, to 8 bits.

    White is the smallest usual level that holds the brightest pixel, since such files don't say theirs.
    """
    values = np.nan_to_num(np.asarray(image, dtype=np.float32), nan=0.0, posinf=0.0, neginf=0.0)
    top = float(values.max())
    white = next((level for level in (1.0, 255.0, 65535.0) if top <= level), top)
    return Image.fromarray((values.clip(0, white) * (255.0 / white) + 0.5).astype(np.uint8))


def _to_srgb(image: Image.Image, profile: object) -> Image.Image:
    """RGB in sRGB, transparent parts on white. `profile`: the file's ICC profile, ignored when unusable."""
    if image.mode == "RGBA":
        white = Image.new("RGBA", image.size, "white")
        image = Image.alpha_composite(white, image).convert("RGB")
    if image.mode == "LAB":
        return _convert_profile(image, ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")))
    if isinstance(profile, bytes) and profile:
        with suppress(Exception):  # a corrupt profile, or one for another kind of picture
            opened = ImageCms.ImageCmsProfile(io.BytesIO(profile))
            if "sRGB" not in ImageCms.getProfileDescription(opened):
                return _convert_profile(image, opened)
    return image.convert("RGB")


def _convert_profile(image: Image.Image, profile: ImageCms.ImageCmsProfile) -> Image.Image:
    srgb = ImageCms.createProfile("sRGB")
    return cast(Image.Image, ImageCms.profileToProfile(image, profile, srgb, outputMode="RGB"))
