"""A site of its own for a benchmark: gunicorn with one web worker, on a free port."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from emotion_site.memory import MALLOC
from tests.smoke import post

# A tiny model where no weights are bundled.
PREPARE = (
    "from classifier.models import ModelVersion as V; from tests.factories import make_active_model as m; "
)
PREPARE += "V.objects.filter(active=True).exists() or m()"


def environment_of(folder: Path, **settings: str) -> dict[str, str]:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    own = {
        "DATA_DIR": str(folder),
        "ENV_FILE": os.devnull,
        "LOOPBACK_HTTP": "1",
        "PORT": str(port),
        "SECRET_KEY": "only for this benchmark " * 3,
        "UPLOAD_RATE": "100000/min",
        "API_RATE": "100000/min",
        "API_ADDRESS_RATE": "100000/min",
        "WEB_WORKERS": "1",
    }
    return os.environ | MALLOC | own | settings


def prepare(environment: dict[str, str]) -> None:
    commands = [["migrate"], ["createcachetable"], ["collectstatic", "--noinput"]]
    if any(Path("classifier/weights").glob("*.onnx")):
        commands.append(["install_models"])
    for command in [*commands, ["shell", "-c", PREPARE]]:
        subprocess.run(  # noqa: S603 - the commands stand above
            [sys.executable, "manage.py", *command, "-v0"],
            env=environment,
            check=True,
            stdout=subprocess.DEVNULL,
        )


@contextmanager
def serving(environment: dict[str, str]) -> Iterator[tuple[str, int]]:
    """The site's address, and the worker's process id."""
    with serving_by(environment, "emotion_site.wsgi") as (site, [worker]):
        yield site, worker


@contextmanager
def serving_by(environment: dict[str, str], application: str) -> Iterator[tuple[str, list[int]]]:
    """The site's address, and the process ids of its WEB_WORKERS workers."""
    server = subprocess.Popen(  # noqa: S603 - the callers name the application
        [sys.executable, "-m", "gunicorn", "-c", "emotion_site/gunicorn_conf.py", application],
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        site = f"http://127.0.0.1:{environment['PORT']}"
        wait_for(site)
        yield site, _workers_of(server.pid, int(environment["WEB_WORKERS"]))
    finally:
        server.send_signal(signal.SIGTERM)
        server.wait()


def _workers_of(server: int, number: int) -> list[int]:
    while True:
        children = Path(f"/proc/{server}/task/{server}/children").read_text().split()
        if len(children) == number:
            return [int(child) for child in children]
        time.sleep(0.02)


def make_token(client: httpx.Client) -> str:
    """By the page, for whoever is signed in there."""
    form = {"name": "benchmark", "lasts": "30"}
    page = post(client, "/account/tokens/", form).text
    found = re.search(r"emo_[\w-]{43}", page)
    assert found
    return found[0]


def wait_for(site: str) -> None:
    while True:
        try:
            httpx.get(site, timeout=60).raise_for_status()
        except httpx.ConnectError:
            time.sleep(0.02)
        else:
            return
