"""Does a promotion under load lose or mix an answer, and how soon does each worker serve the new version?

    python -m benchmarks.swap [--seconds 30] [--clients 16] [--promotions 20]

Two web workers; clients that send one photograph after another, each kept; meanwhile two versions are
promoted in turn: the bundled network, and a copy of it under another digest. Exit status 1: an answer failed,
named a version that was not active while it was made, or differs from what was stored; or a worker still gave
an old answer to a request sent after a promotion. A first new answer takes as long as a request does.
"""

from __future__ import annotations

import argparse
import http.client
import io
import json
import os
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

import httpx
import skimage.data
from PIL import Image

from benchmarks.site import environment_of, make_token, prepare, serving_by
from tests.smoke import sign_up

if TYPE_CHECKING:
    from classifier.models import ModelVersion

SIDE = 350


@dataclass(frozen=True)
class Answer:
    """`version` is None, and `upload` empty, where the request failed. Times are this machine's clock."""

    sent: float
    received: float
    worker: str
    version: int | None
    upload: str


@dataclass(frozen=True)
class Promotion:
    """It was committed between `begun`, by its own row, and `done`."""

    version: int
    begun: float
    done: float


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--promotions", type=int, default=20)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        environment = environment_of(Path(folder), WEB_WORKERS="2", LOG_LEVEL="WARNING")
        prepare(environment)
        versions = _two_versions(environment)
        with serving_by(environment, "benchmarks.named_worker") as (site, workers):
            with httpx.Client(base_url=site, follow_redirects=True) as client:
                sign_up(client, "bench", "a-password-for-benchmarks")
                token = make_token(client)
            answers, promotions = _load(site, token, versions, asked)
        sound = _tell(answers, promotions, workers)
    raise SystemExit(0 if sound else 1)


def _two_versions(environment: dict[str, str]) -> list[ModelVersion]:
    """The active one, and a copy. From here on this process knows the site's database."""
    os.environ.update(environment, DJANGO_SETTINGS_MODULE="emotion_site.settings")
    import django
    import onnx

    django.setup()

    from classifier import registry
    from classifier.ml.artifact import sha256
    from classifier.serving import read_artifact

    active = registry.find_version("", label_set="expressions")
    model = onnx.load_from_string(read_artifact(active))
    entry = model.metadata_props.add()
    entry.key, entry.value = "copy", "for a benchmark"
    artifact: bytes = model.SerializeToString()
    return [active, registry.register(artifact, active.card | {"sha256": sha256(artifact)})]


def _load(
    site: str, token: str, versions: Sequence[ModelVersion], asked: argparse.Namespace
) -> tuple[list[Answer], list[Promotion]]:
    body, headers = _request(token)
    over = threading.Event()
    began = time.time()
    first = Promotion(versions[0].number, 0, began)
    with ThreadPoolExecutor(asked.clients) as pool:
        sending = [pool.submit(_send, site, body, headers, over) for _ in range(asked.clients)]
        promotions = [first]
        try:
            for turn in range(1, asked.promotions + 1):
                due = began + turn * asked.seconds / (asked.promotions + 1)
                time.sleep(max(0.0, due - time.time()))
                promotions.append(_promote(versions[turn % 2]))
            time.sleep(max(0.0, began + asked.seconds - time.time()))
        finally:
            over.set()
        answers = [answer for client in sending for answer in client.result()]
    return answers, promotions


def _promote(version: ModelVersion) -> Promotion:
    from classifier.registry import promote

    activation = promote(version)
    return Promotion(version.number, activation.at.timestamp(), time.time())


def _send(site: str, body: bytes, headers: dict[str, str], over: threading.Event) -> list[Answer]:
    answers = []
    client = http.client.HTTPConnection(site.removeprefix("http://"), timeout=60)
    while not over.is_set():
        sent = time.time()
        try:
            client.request("POST", "/api/v1/predictions/", body, headers)
            reply = client.getresponse()
            said: dict[str, Any] = json.loads(reply.read()) if reply.status == 201 else {}
            worker = reply.headers.get("X-Worker", "")
        except (OSError, http.client.HTTPException, ValueError):
            said, worker = {}, ""
            client.close()
        version = said["model"]["version"] if said else None
        answers.append(Answer(sent, time.time(), worker, version, said.get("id", "")))
    client.close()
    return answers


def _request(token: str) -> tuple[bytes, dict[str, str]]:
    file = io.BytesIO()
    Image.fromarray(skimage.data.astronaut()).resize((SIDE, SIDE)).save(file, "JPEG", quality=90)
    made = httpx.Request("POST", "http://site/", files={"image": ("one.jpg", file.getvalue(), "image/jpeg")})
    kept = {name: made.headers[name] for name in ("Content-Type", "Content-Length")}
    return made.read(), kept | {"Authorization": f"Bearer {token}"}


def _tell(answers: Sequence[Answer], promotions: Sequence[Promotion], workers: Sequence[int]) -> bool:
    """Print it all; returns whether every answer was as it must be."""
    failed = sum(answer.version is None for answer in answers)
    wrong = sum(not _was_active(answer, promotions) for answer in answers if answer.version is not None)
    mixed = _differing(answers)
    waited = [1000 * (answer.received - answer.sent) for answer in answers]
    print("| requests | failed | of a version not active then | stored otherwise | median ms | slowest ms |")
    print("|---|---|---|---|---|---|")
    print(f"| {len(answers):,} | {failed} | {wrong} | {mixed} | {median(waited):.0f} | {max(waited):.0f} |")
    print("\n| worker | requests | promotions seen of " + str(len(promotions) - 1), end="")
    print(" | old answers to later requests | first new answer, median ms | slowest ms |")
    print("|---|---|---|---|---|---|")
    late = 0
    for number, worker in enumerate(workers, start=1):
        mine = [answer for answer in answers if answer.worker == str(worker)]
        lags = [1000 * lag for lag in _lags(mine, promotions)] or [float("nan")]
        stale = sum(_is_stale(answer, promotions) for answer in mine)
        late += stale + (len(lags) < len(promotions) - 1)
        print(f"| {number} | {len(mine):,} | {len(lags)} | {stale} | {median(lags):.0f} | {max(lags):.0f} |")
    return not (failed or wrong or mixed or late)


def _is_stale(answer: Answer, promotions: Sequence[Promotion]) -> bool:
    """Whether it was sent when another version was active already, which stayed so until the answer."""
    before = [one for one in promotions if one.done <= answer.sent]
    during = [one for one in promotions if answer.sent < one.done and one.begun <= answer.received]
    return not during and answer.version is not None and before[-1].version != answer.version


def _was_active(answer: Answer, promotions: Sequence[Promotion]) -> bool:
    """Whether its version was active at some moment between the sending and the answer."""
    ends = [*(after.done for after in promotions[1:]), float("inf")]
    return any(
        one.version == answer.version and one.begun <= answer.received and end >= answer.sent
        for one, end in zip(promotions, ends, strict=True)
    )


def _lags(answers: Sequence[Answer], promotions: Sequence[Promotion]) -> Iterator[float]:
    """Seconds from each promotion to the first answer of its version, before the next promotion."""
    ends = [*(after.begun for after in promotions[2:]), float("inf")]
    for before, one, end in zip(promotions, promotions[1:], ends, strict=False):
        # Not one that was sent while the same version was active the last time.
        mine = [a for a in answers if a.version == one.version and a.sent >= before.done]
        if found := [a.received for a in mine if one.begun <= a.received < end]:
            yield min(found) - one.begun


def _differing(answers: Sequence[Answer]) -> int:
    """Answers whose stored predictions name another version, or more than one."""
    from classifier.models import Prediction

    stored: dict[str, set[int]] = {}
    for upload, number in Prediction.objects.values_list("face__upload", "model_version__number"):
        stored.setdefault(str(upload), set()).add(number)
    return sum(stored.get(answer.upload) != {answer.version} for answer in answers if answer.version)


if __name__ == "__main__":
    main()
