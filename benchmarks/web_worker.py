"""How long until a web worker serves, and how much memory it has taken after real work.

    python -m benchmarks.web_worker

Starts gunicorn with one worker on a free port and a site of its own, signs up, and sends photographs.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import httpx

from benchmarks.speed import scenes
from tests.smoke import sign_up, upload


def main() -> None:
    with tempfile.TemporaryDirectory() as folder, socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
        probe.close()
        environment = os.environ | {
            "DATA_DIR": folder,
            "ENV_FILE": os.devnull,
            "LOOPBACK_HTTP": "1",
            "PORT": str(port),
            "SECRET_KEY": "only for this benchmark " * 3,
            "WEB_WORKERS": "1",
        }
        subprocess.run([sys.executable, "manage.py", "prepare_site"], env=environment, check=True)
        began = time.perf_counter()
        server = subprocess.Popen(
            [sys.executable, "-m", "gunicorn", "-c", "emotion_site/gunicorn_conf.py", "emotion_site.wsgi"],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            site = f"http://127.0.0.1:{port}"
            _wait_for(site)
            print(f"serves after {time.perf_counter() - began:.2f} s")
            _work(site)
            for pid in _children(server.pid):
                print(f"web worker: {_resident_mb(pid):.0f} MB resident at most")
        finally:
            server.send_signal(signal.SIGTERM)
            server.wait()


def _wait_for(site: str) -> None:
    while True:
        try:
            httpx.get(site).raise_for_status()
        except httpx.ConnectError:
            time.sleep(0.02)
        else:
            return


def _work(site: str) -> None:
    with httpx.Client(base_url=site, follow_redirects=True, timeout=60) as client:
        sign_up(client, "bench", "a-password-for-benchmarks")
        for _ in range(10):
            for name, data in scenes().items():
                upload(client, f"{name}.jpg", data)


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def _resident_mb(pid: int) -> float:
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found
    return int(found[1]) / 1000


if __name__ == "__main__":
    main()
