"""Is a running site whole? Sign up, send two photographs through the real form, look at the answers, leave.

python -m tests.smoke http://127.0.0.1:8000
"""

from __future__ import annotations

import io
import re
import secrets
import sys
import time
from pathlib import Path
from typing import Any

import httpx
import matplotlib
import skimage.data
from PIL import Image

PATIENCE_S = 120


def main(site: str) -> None:
    wait_for(site)
    with httpx.Client(base_url=site, follow_redirects=True, timeout=60) as client:
        name, password = f"smoke-{secrets.token_hex(4)}", secrets.token_urlsafe(16)
        sign_up(client, name, password)
        collins = upload(client, "astronaut.jpg", astronaut())
        check(
            len(collins["faces"]) == 1, f"one face in the astronaut's photograph, not {len(collins['faces'])}"
        )
        check(collins["faces"][0]["label"] == "happy", f"happy first, not {collins['faces'][0]['label']}")
        hopper = upload(client, "grace_hopper.jpg", grace_hopper())
        check(len(hopper["faces"]) == 1, f"one face in Grace Hopper's photograph, not {len(hopper['faces'])}")
        page = client.get("/uploads/").text
        check("astronaut.jpg" in page and "grace_hopper.jpg" in page, "both photographs in the history")
        leave(client, name, password)
    print(f"{site} works: {collins['faces'][0]['probabilities']}")


def wait_for(site: str) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            httpx.get(site, timeout=10)
        except httpx.TransportError as error:
            check(time.monotonic() < deadline, f"an answer from {site} within {PATIENCE_S} s ({error})")
            time.sleep(0.2)
        else:
            return


def astronaut() -> bytes:
    file = io.BytesIO()
    Image.fromarray(skimage.data.astronaut()).save(file, "JPEG", quality=92)
    return file.getvalue()


def grace_hopper() -> bytes:
    return (Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg").read_bytes()


def sign_up(client: httpx.Client, name: str, password: str) -> None:
    form = {"username": name, "password1": password, "password2": password}
    answer = post(client, "/accounts/signup/", form)
    check(answer.url.path == "/" and "photos" in answer.text, "the upload page after signing up")


def upload(client: httpx.Client, name: str, photograph: bytes) -> dict[str, Any]:
    """The result's JSON, found by following what the form replies."""
    token = hidden_token(client.get("/").text)
    answer = client.post(
        "/uploads/",
        data={"csrfmiddlewaretoken": token},
        files={"photos": (name, photograph, "image/jpeg")},
        headers={"Referer": str(client.base_url)},
    )
    check(answer.status_code == 200, f"a result page for {name}, not {answer.status_code}")
    check(
        re.fullmatch(r"/uploads/[0-9a-f-]{36}/", answer.url.path) is not None, f"{name} on {answer.url.path}"
    )
    return client.get(f"{answer.url.path}result.json").raise_for_status().json()


def leave(client: httpx.Client, name: str, password: str) -> None:
    post(client, "/account/delete/", {"password": password, "username": name})
    check("/accounts/login/" in str(client.get("/account/").url), "a log-in page once the account is deleted")


def post(client: httpx.Client, path: str, form: dict[str, str]) -> httpx.Response:
    token = hidden_token(client.get(path).text)
    headers = {"Referer": str(client.base_url.join(path))}
    return client.post(path, data=form | {"csrfmiddlewaretoken": token}, headers=headers).raise_for_status()


def hidden_token(page: str) -> str:
    found = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', page)
    check(found is not None, "a form with its token")
    assert found
    return found[1]


def check(holds: bool, expected: str) -> None:
    if not holds:
        sys.exit(f"The site is not whole: expected {expected}.")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "http://127.0.0.1:8000")
