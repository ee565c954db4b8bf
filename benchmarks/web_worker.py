"""How long until a web worker serves, and how much memory it takes, with the worst that it may be sent.

    python -m benchmarks.web_worker

Four people sign up, and each sends the same photograph at the same time, kind after kind; then all kinds at
once, each result downloaded with its boxes and a heat map; then, by the API, all kinds again in base64.
"""

from __future__ import annotations

import base64
import io
import re
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import httpx
import numpy as np
import pillow_heif
import skimage.data
from PIL import Image

from benchmarks.site import environment_of, make_token, prepare, serving
from benchmarks.speed import scenes
from tests.smoke import sign_up, upload

CLIENTS = 4
# A request of 20 MB holds no more.
MOST_IN_BASE64 = 15_000_000


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        environment = environment_of(Path(folder), WEB_THREADS=str(CLIENTS))
        prepare(environment)
        began = time.perf_counter()
        with serving(environment) as (site, worker):
            print(f"serves after {time.perf_counter() - began:.2f} s, with {_resident_mb(worker, 'RSS')} MB")
            _work(site, worker)
            print(f"\nMB resident at most, all in all: {_resident_mb(worker, 'HWM')}")


def _work(site: str, worker: int) -> None:
    clients = [httpx.Client(base_url=site, follow_redirects=True, timeout=300) for _ in range(CLIENTS)]
    for number, client in enumerate(clients):
        sign_up(client, f"bench{number}", "a-password-for-benchmarks")
    print(f"\n{'sent by four at once':40}{'file MB':>8}{'s':>7}{'MB after':>10}{'MB at most so far':>19}")
    kinds = [*scenes().items(), *_crowd(), *_worst()]
    for name, data in kinds:
        with _row(name, len(data), worker), ThreadPoolExecutor(CLIENTS) as pool:
            list(pool.map(lambda client, name=name, data=data: upload(client, name, data), clients))
    with (
        _row("all of it, with every download", sum(len(data) for _, data in kinds), worker),
        ThreadPoolExecutor(CLIENTS) as pool,
    ):
        list(pool.map(lambda number: _send_and_fetch(clients[number], kinds, number * 4), range(CLIENTS)))
    tokens = [make_token(client) for client in clients]
    in_base64 = [(name, data) for name, data in kinds if len(data) <= MOST_IN_BASE64]
    with (
        _row("all of it, in base64", sum(len(data) for _, data in in_base64), worker),
        ThreadPoolExecutor(CLIENTS) as pool,
    ):
        list(
            pool.map(
                lambda number: _predict(clients[number], tokens[number], in_base64, number * 4),
                range(CLIENTS),
            )
        )


@contextmanager
def _row(name: str, size: int, worker: int) -> Iterator[None]:
    began = time.perf_counter()
    yield
    took = time.perf_counter() - began
    after, most = _resident_mb(worker, "RSS"), _resident_mb(worker, "HWM")
    print(f"{name:40}{size / 1e6:8.1f}{took:7.1f}{after:10}{most:19}")


def _send_and_fetch(client: httpx.Client, kinds: list[tuple[str, bytes]], first: int) -> None:
    """All kinds, from the one in place `first`, so that no two clients send the same at a time."""
    for name, data in kinds[first:] + kinds[:first]:
        address = f"/uploads/{upload(client, name, data)['id']}/"
        client.get(f"{address}annotated.jpg").raise_for_status()
        if why := re.search(r"/predictions/\d+/why\.png", client.get(address).text):
            client.get(why[0]).raise_for_status()


def _predict(client: httpx.Client, token: str, kinds: list[tuple[str, bytes]], first: int) -> None:
    for _, data in kinds[first:] + kinds[:first]:
        photograph = {"image": base64.b64encode(data).decode(), "annotated": True}
        headers = {"Authorization": f"Bearer {token}"}
        client.post("/api/v1/predictions/", json=photograph, headers=headers).raise_for_status()


def _crowd() -> Iterator[tuple[str, bytes]]:
    """More faces than are classified."""
    crowd = Image.new("RGB", (14 * 128, 10 * 128))
    face = Image.fromarray(skimage.data.astronaut()).crop((120, 0, 320, 200)).resize((128, 128))
    for place in range(140):
        crowd.paste(face, (place % 14 * 128, place // 14 * 128))
    file = io.BytesIO()
    crowd.save(file, "JPEG")
    yield "140 faces", file.getvalue()


def _worst() -> Iterator[tuple[str, bytes]]:
    """Each kind at the most pixels that are read of it; by what it is and its megapixels."""
    pillow_heif.register_heif_opener()
    kinds: list[tuple[str, str, float, str, dict[str, object]]] = [
        ("JPEG", "RGB", 50, "JPEG", {}),
        ("CMYK JPEG", "CMYK", 50, "JPEG", {}),
        ("progressive JPEG", "RGB", 25, "JPEG", {"progressive": True}),
        ("progressive JPEG 4:4:4", "RGB", 15.6, "JPEG", {"progressive": True, "subsampling": 0}),
        ("16-bit PNG", "I;16", 50, "PNG", {"compress_level": 1}),
        ("PNG with a palette", "P", 50, "PNG", {"compress_level": 1}),
        ("PNG with transparency", "RGBA", 25, "PNG", {"compress_level": 1}),
        ("WebP", "RGB", 17.8, "WEBP", {"method": 0}),
        ("WebP with transparency", "RGBA", 13.8, "WEBP", {"method": 0}),
        ("HEIC", "RGB", 25, "HEIF", {}),
        ("AVIF", "RGB", 12.5, "AVIF", {"speed": 10}),
        ("TIFF", "RGB", 15.6, "TIFF", {"compression": "tiff_deflate"}),
        ("float TIFF", "F", 7.8, "TIFF", {"compression": "tiff_deflate"}),
        ("PNG with transparency", "RGBA", 16.7, "PNG", {"compress_level": 1}),
    ]
    for name, mode, megapixels, kind, options in kinds:
        file = io.BytesIO()
        _picture(mode, int((megapixels * 1e6) ** 0.5)).save(file, kind, **options)
        yield f"{name}, {megapixels:g} megapixels", file.getvalue()


def _picture(mode: str, side: int) -> Image.Image:
    if mode == "I;16":
        return Image.fromarray(np.full((side, side), 0x8080, np.uint16))
    blotches = np.random.default_rng(0).integers(0, 256, (60, 60, 3), dtype=np.uint8)
    picture = Image.fromarray(blotches).resize((side, side), Image.Resampling.NEAREST)
    if mode == "RGBA":
        picture.putalpha(128)
    return picture if picture.mode == mode else picture.convert("L" if mode == "F" else mode).convert(mode)


def _resident_mb(pid: int, which: str) -> int:
    found = re.search(rf"Vm{which}:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found
    return int(found[1]) // 1000


if __name__ == "__main__":
    main()
