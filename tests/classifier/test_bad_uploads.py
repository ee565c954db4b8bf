"""What is no photograph: each a clear sentence, the right status, and nothing kept."""

from __future__ import annotations

import html
import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from PIL import Image
from pytest_django import Settings

from classifier.models import Upload
from tests.factories import make_active_model
from tests.photographs import astronaut

pytestmark = pytest.mark.django_db
JSON = {"Accept": "application/json"}


@pytest.fixture(autouse=True)
def model(db: None) -> None:
    make_active_model()


def png(width: int, height: int) -> bytes:
    """A PNG that says it has these sides, with a few bytes of pixels."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = chunk(b"IDAT", zlib.compress(bytes(1000)))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + pixels + chunk(b"IEND", b"")


def with_damaged_exif() -> bytes:
    file = io.BytesIO()
    Image.open(io.BytesIO(astronaut())).save(
        file, "JPEG", exif=b"Exif\x00\x00MM\x00\x2a\xff\xff\xff\xff damaged"
    )
    return file.getvalue()


SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"><script>alert(1)</script></svg>'
PDF = b"%PDF-1.7\n1 0 obj\n<< /Type /Catalog >>\nendobj\ntrailer << /Root 1 0 R >>\n%%EOF\n"
BAD: dict[str, tuple[str, Callable[[], bytes], int]] = {
    "an empty file": ("empty.jpg", lambda: b"", 400),
    "text renamed": ("letter.jpg", lambda: b"Dear Ada,\nhow are you?\n", 415),
    "a truncated JPEG": ("half.jpg", lambda: astronaut()[: len(astronaut()) // 2], 400),
    "a PNG bomb": ("bomb.png", lambda: png(50_000, 50_000), 400),
    "a side of zero": ("zero.png", lambda: png(0, 40), 400),
    "30 MB": ("huge.jpg", lambda: astronaut() + bytes(30_000_000), 413),
    "an SVG": ("drawing.svg", lambda: SVG, 415),
    "a PDF": ("paper.pdf", lambda: PDF, 415),
}
TABLE = [pytest.param(*case, id=name) for name, case in BAD.items()]


def kept_files(settings: Settings) -> list[Path]:
    return [path for path in (Path(settings.MEDIA_ROOT) / "uploads").rglob("*") if path.is_file()]


@pytest.mark.parametrize(("name", "content", "status"), TABLE)
def test_a_script_is_told_in_a_sentence(
    name: str, content: Callable[[], bytes], status: int, ada_client: Client, settings: Settings
) -> None:
    answer = ada_client.post("/uploads/", {"photos": SimpleUploadedFile(name, content())}, headers=JSON)
    assert answer.status_code == status
    assert answer.json()["error"].endswith(".")
    assert not Upload.objects.exists()
    assert not kept_files(settings)


@pytest.mark.parametrize(("name", "content", "status"), TABLE)
def test_the_form_says_it_on_the_page(
    name: str, content: Callable[[], bytes], status: int, ada_client: Client, settings: Settings
) -> None:
    answer = ada_client.post("/uploads/", {"photos": SimpleUploadedFile(name, content())})
    assert answer.status_code == status
    assert name in answer.content.decode()
    assert not Upload.objects.exists()
    assert not kept_files(settings)


def test_five_thousand_files_at_once_are_refused(ada_client: Client) -> None:
    files = [SimpleUploadedFile(f"{n}.jpg", b"x") for n in range(5000)]
    answer = ada_client.post("/uploads/", {"photos": files})
    assert answer.status_code == 400
    assert "At most 20 photographs can be sent at once" in answer.content.decode()
    assert not Upload.objects.exists()


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_damaged_metadata_is_no_reason_to_refuse(ada_client: Client) -> None:
    sent = SimpleUploadedFile("camera.jpg", with_damaged_exif())
    assert ada_client.post("/uploads/", {"photos": sent}, headers=JSON).status_code == 201


def test_a_name_may_be_anything(ada_client: Client) -> None:
    sent = SimpleUploadedFile('../<b>"été" & ' + "x" * 300 + ".jpg", astronaut(), "image/jpeg")
    answer = ada_client.post("/uploads/", {"photos": sent}, follow=True)
    assert answer.status_code == 200
    name = Upload.objects.get().name
    assert name == ('<b>"été" & ' + "x" * 300)[:200]
    assert f">{html.escape(name)}</h1>" in answer.content.decode()
