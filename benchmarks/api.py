"""How long POST /api/v1/predictions/ takes for one photograph after another, stage by stage.

    python -m benchmarks.api [--rounds 200]

A photograph of one megapixel with one face is sent as a file, and kept, over one connection. "Own" is what
the site adds: all that the client waits for, less decoding, detecting and classifying. The first 400 requests
are not counted: on a new site most photographs have the folder that they go to made for them, too.
"""

from __future__ import annotations

import argparse
import http.client
import io
import json
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from statistics import median, quantiles

import httpx
import skimage.data
from PIL import Image

from benchmarks.site import environment_of, make_token, prepare, serving
from tests.smoke import sign_up

READING = ("decode", "detect", "classify")
WARM_UP = 400


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=200)
    rounds = parser.parse_args().rounds
    with tempfile.TemporaryDirectory() as folder:
        environment = environment_of(Path(folder))
        prepare(environment)
        with serving(environment) as (site, _), httpx.Client(base_url=site, follow_redirects=True) as client:
            sign_up(client, "bench", "a-password-for-benchmarks")
            times = _send(site, make_token(client), rounds)
    print(f"{'stage':10}{'median ms':>11}{'90 % under':>12}")
    for stage, milliseconds in times.items():
        print(f"{stage:10}{median(milliseconds):11.1f}{quantiles(milliseconds, n=10)[-1]:12.1f}")


def _send(site: str, token: str, rounds: int) -> dict[str, list[float]]:
    times: dict[str, list[float]] = defaultdict(list)
    body, headers = _request(token)
    client = http.client.HTTPConnection(site.removeprefix("http://"))  # which takes less time than httpx
    for number in range(WARM_UP + rounds):
        began = time.perf_counter()
        client.request("POST", "/api/v1/predictions/", body, headers)
        answer = client.getresponse()
        said = answer.read()
        waited = (time.perf_counter() - began) * 1000
        assert len(json.loads(said)["faces"]) == 1, said
        if number >= WARM_UP:
            _note(times, answer.headers["Server-Timing"], waited)
    return times


def _request(token: str) -> tuple[bytes, dict[str, str]]:
    files = {"image": ("one.jpg", one_megapixel(), "image/jpeg")}
    made = httpx.Request("POST", "http://site/", files=files)
    kept = {name: made.headers[name] for name in ("Content-Type", "Content-Length")}
    return made.read(), kept | {"Authorization": f"Bearer {token}"}


def _note(times: dict[str, list[float]], timing: str, waited: float) -> None:
    stages = {name: float(ms) for name, _, ms in (part.partition(";dur=") for part in timing.split(", "))}
    for stage, ms in stages.items():
        times[stage].append(ms)
    times["waited"].append(waited)
    times["own"].append(waited - sum(stages[stage] for stage in READING))


def one_megapixel() -> bytes:
    astronaut = Image.fromarray(skimage.data.astronaut()).resize((1000, 1000), Image.Resampling.BICUBIC)
    file = io.BytesIO()
    astronaut.save(file, "JPEG", quality=90)
    return file.getvalue()


if __name__ == "__main__":
    main()
