"""Photographs by address: from real servers on this machine, and never from what only this machine can reach.

Loopback stands for the internet where a test says so: 127.0.0.2 is then public, 127.0.0.1 never is.
"""

from __future__ import annotations

import contextlib
import json
import socket
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from django.test import Client
from pytest_django import Settings

from classifier import fetching
from classifier.fetching import BusyError, FetchError, fetch_photograph
from classifier.models import Upload
from tests.factories import make_active_model
from tests.photographs import astronaut

PUBLIC = "127.0.0.2"
Reply = Callable[[BaseHTTPRequestHandler], object]


@contextmanager
def server(reply: Reply, host: str = PUBLIC) -> Iterator[str]:
    """Its address; `asked` of its handler class counts requests."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            with contextlib.suppress(OSError):
                reply(self)

        def log_message(self, *args: object) -> None:
            """Nobody reads it."""

    with ThreadingHTTPServer((host, 0), Handler) as running:
        running.daemon_threads = True
        running.block_on_close = False
        threading.Thread(target=running.serve_forever, args=[0.01], daemon=True).start()
        try:
            yield f"http://{host}:{running.server_port}/photo.jpg"
        finally:
            running.shutdown()


def send(
    handler: BaseHTTPRequestHandler,
    content: bytes,
    content_type: str = "image/jpeg",
    status: int = 200,
    **headers: str,
) -> None:
    handler.send_response(status)
    for name, value in {"Content-Type": content_type, "Content-Length": str(len(content)), **headers}.items():
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(content)


def photograph(handler: BaseHTTPRequestHandler) -> None:
    send(handler, astronaut())


def redirect_to(url: str) -> Reply:
    return lambda handler: send(handler, b"", status=302, Location=url)


@pytest.fixture
def internet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "is_public", lambda address: str(address) == PUBLIC)


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetching, "SECONDS", 0.5)


@pytest.mark.usefixtures("internet")
def test_a_public_photograph_is_fetched() -> None:
    with server(photograph) as url:
        fetched = fetch_photograph(url)
    assert fetched.read() == astronaut()
    assert (fetched.name, fetched.size) == ("photo.jpg", len(astronaut()))


@pytest.mark.usefixtures("internet")
def test_redirects_between_public_addresses_are_followed() -> None:
    with server(photograph) as last, server(redirect_to(last)) as first:
        assert fetch_photograph(first).size == len(astronaut())


@pytest.mark.usefixtures("internet")
def test_a_redirect_to_loopback_is_not_followed() -> None:
    asked: list[str] = []
    with (
        server(lambda handler: asked.append(handler.path), "127.0.0.1") as inside,
        server(redirect_to(inside)) as outside,
        pytest.raises(FetchError, match="Only public addresses"),
    ):
        fetch_photograph(outside)
    assert asked == []


@pytest.mark.usefixtures("internet")
def test_redirects_come_to_an_end() -> None:
    with (
        server(lambda handler: send(handler, b"", status=302, Location=handler.path)) as url,
        pytest.raises(FetchError, match="more than 3 times"),
    ):
        fetch_photograph(url)


@pytest.mark.usefixtures("internet")
def test_a_name_is_resolved_once_and_the_connection_goes_to_what_was_checked(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A name server that answers with a public address first, and with loopback after that."""
    answers = iter([PUBLIC, "127.0.0.1"])
    resolve = socket.getaddrinfo

    def rebinding(host: str, *args: object, **kwargs: object) -> object:
        return resolve(next(answers) if host == "rebinding.example" else host, *args, **kwargs)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    with server(lambda handler: send(handler, handler.headers["Host"].encode())) as url:
        port = url.split(":")[2].split("/")[0]
        assert (
            fetch_photograph(f"http://rebinding.example:{port}/").read()
            == f"rebinding.example:{port}".encode()
        )


@pytest.mark.usefixtures("internet")
def test_a_name_with_one_private_address_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    found = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, 80)) for address in (PUBLIC, "10.0.0.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
    with pytest.raises(FetchError, match="Only public addresses"):
        fetch_photograph("http://both.example/")


def never(handler: BaseHTTPRequestHandler) -> None:
    time.sleep(5)


def drip_headers(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.flush_headers()
    for _ in range(50):
        handler.wfile.write(b"X")
        time.sleep(0.1)


def drip(handler: BaseHTTPRequestHandler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Type", "image/jpeg")
    handler.end_headers()
    for _ in range(50):
        handler.wfile.write(b"\xff")
        time.sleep(0.1)


@pytest.mark.usefixtures("internet", "hurried")
@pytest.mark.parametrize("slow", [never, drip_headers, drip])
def test_one_that_never_comes_to_an_end_is_cut_off(slow: Reply) -> None:
    began = time.monotonic()
    with server(slow) as url, pytest.raises(FetchError, match=r"within 0\.5 seconds"):
        fetch_photograph(url)
    assert time.monotonic() - began < 2


@pytest.mark.usefixtures("internet")
@pytest.mark.parametrize("announced", [True, False])
def test_one_that_sends_a_gigabyte_is_cut_off(announced: bool, settings: Settings) -> None:
    settings.MAX_UPLOAD_BYTES, settings.MAX_UPLOAD_MB = 1_000_000, 1
    sent = 0

    def gigabyte(handler: BaseHTTPRequestHandler) -> None:
        nonlocal sent
        handler.send_response(200)
        handler.send_header("Content-Type", "image/jpeg")
        if announced:
            handler.send_header("Content-Length", "1000000000")
        handler.end_headers()
        while sent < 1_000_000_000:
            sent += handler.wfile.write(bytes(65_536))

    with server(gigabyte) as url, pytest.raises(FetchError, match="larger than 1 MB"):
        fetch_photograph(url)
    assert sent < 20_000_000


def in_chunks_of(size: bytes) -> Reply:
    """A server whose chunk says that it has `size` bytes, and comes without end."""

    def reply(handler: BaseHTTPRequestHandler) -> None:
        handler.protocol_version = "HTTP/1.1"
        handler.send_response(200)
        handler.send_header("Content-Type", "image/jpeg")
        handler.send_header("Transfer-Encoding", "chunked")
        handler.end_headers()
        handler.wfile.write(size + b"\r\n")
        for _ in range(5000):
            handler.wfile.write(bytes(65_536))

    return reply


@pytest.mark.usefixtures("internet")
@pytest.mark.parametrize("size", [b"-1", b"-2", b"ffffffff"])
def test_a_chunk_without_end_is_cut_off(size: bytes, settings: Settings) -> None:
    settings.MAX_UPLOAD_BYTES, settings.MAX_UPLOAD_MB = 1_000_000, 1
    tracemalloc.start()
    try:
        with server(in_chunks_of(size)) as url, pytest.raises(FetchError, match="larger than 1 MB"):
            fetch_photograph(url)
        # Of 328 MB; Python's table of interned strings may grow by 8 MB meanwhile.
        assert tracemalloc.get_traced_memory()[1] < 20_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.usefixtures("internet")
def test_a_redirect_to_what_is_no_address_is_refused() -> None:
    with server(redirect_to("http://[x/")) as url, pytest.raises(FetchError, match="no address"):
        fetch_photograph(url)


@pytest.mark.usefixtures("internet")
@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("a%00b.jpg", "ab.jpg"),
        ("a/..", "photograph"),
        ("%E2%98%BA.png", "☺.png"),
        ("", "photograph"),
    ],
)
def test_a_photograph_is_called_as_its_address_ends(path: str, name: str) -> None:
    with server(photograph) as url:
        assert fetch_photograph(url.replace("photo.jpg", path)).name == name


@pytest.mark.usefixtures("hurried")
def test_a_name_server_that_never_answers_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    release = threading.Event()

    def stall(*_: object, **__: object) -> list[object]:
        release.wait(10)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", stall)
    began = time.monotonic()
    with pytest.raises(FetchError, match=r"within 0\.5 seconds"):
        fetch_photograph("http://slow.example/a.jpg")
    assert time.monotonic() - began < 2
    release.set()


@pytest.mark.usefixtures("internet")
@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (lambda handler: send(handler, b"<p>", "text/html"), "no picture"),
        (lambda handler: send(handler, b"", status=404), "answers 404"),
    ],
)
def test_only_pictures_are_taken(reply: Reply, said: str) -> None:
    with server(reply) as url, pytest.raises(FetchError, match=said):
        fetch_photograph(url)


@pytest.mark.usefixtures("internet")
def test_one_that_speaks_no_http_is_refused() -> None:
    with (
        server(lambda handler: handler.wfile.write(b"SSH-2.0-OpenSSH\r\n")) as url,
        pytest.raises(FetchError),
    ):
        fetch_photograph(url)
    with server(photograph) as url, pytest.raises(FetchError):
        fetch_photograph(url.replace("http:", "https:"))


@pytest.mark.parametrize(
    "url",
    [
        "ftp://example.org/a.jpg",
        "file:///etc/passwd",
        "//example.org/a.jpg",
        "http:///a.jpg",
        "http://user@example.org/a.jpg",
        "http://example.org:99999/",
        "http://[::1/",
    ],
)
def test_other_addresses_are_refused_before_anything_is_asked(url: str) -> None:
    with pytest.raises(FetchError, match=r"http://|name a host"):
        fetch_photograph(url)


@pytest.mark.usefixtures("internet")
def test_some_threads_are_left_for_everybody_else() -> None:
    release = threading.Event()

    def wait(handler: BaseHTTPRequestHandler) -> None:
        release.wait(10)
        photograph(handler)

    with server(wait) as url:
        slots = fetching.SLOTS._value
        threads = [threading.Thread(target=fetch_photograph, args=[url]) for _ in range(slots)]
        for thread in threads:
            thread.start()
        while fetching.SLOTS._value:
            time.sleep(0.01)
        with pytest.raises(BusyError):
            fetch_photograph(url)
        release.set()
        for thread in threads:
            thread.join()
    assert fetching.SLOTS._value == slots


def ask(api: Client, url: str) -> Any:
    return api.post("/api/v1/predictions/", json.dumps({"url": url}), content_type="application/json")


@pytest.mark.django_db
@pytest.mark.usefixtures("internet")
def test_the_api_reads_what_it_fetched_where_that_is_on(api: Client, settings: Settings) -> None:
    make_active_model()
    settings.FETCH_URLS = True
    with server(photograph) as url:
        answer = ask(api, url)
    assert answer.status_code == 201
    assert answer.json()["name"] == "photo.jpg"
    assert "fetch" in answer["Server-Timing"]


@pytest.mark.django_db
@pytest.mark.usefixtures("internet", "hurried")
@pytest.mark.parametrize(
    "reply", [redirect_to("http://127.0.0.1/"), never, lambda handler: send(handler, b"no", "text/plain")]
)
def test_the_api_says_what_went_wrong(reply: Reply, api: Client, settings: Settings) -> None:
    make_active_model()
    settings.FETCH_URLS = True
    with server(reply) as url:
        answer = ask(api, url)
    assert (answer.status_code, answer.json()["type"]) == (422, "/api/problems/#url-not-fetched")
    assert answer.json()["errors"][0]["field"] == "url"
    assert not Upload.objects.exists()


@pytest.mark.django_db
@pytest.mark.usefixtures("internet")
def test_what_was_fetched_and_is_no_photograph_is_the_addresses_fault(
    api: Client, settings: Settings
) -> None:
    make_active_model()
    settings.FETCH_URLS = True
    with server(lambda handler: send(handler, b"GIF89a and no more")) as url:
        answer = ask(api, url)
    assert answer.status_code == 400
    assert [error["field"] for error in answer.json()["errors"]] == ["url"]


@pytest.mark.django_db
def test_the_api_says_when_to_come_back_while_others_fetch(
    api: Client, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_active_model()
    settings.FETCH_URLS = True
    monkeypatch.setattr(fetching, "SLOTS", threading.BoundedSemaphore(1))
    with fetching.SLOTS:
        answer = ask(api, f"http://{PUBLIC}/")
    assert (answer.status_code, answer.json()["type"]) == (429, "/api/problems/#too-many-requests")
    assert answer["Retry-After"] == "10"
