"""A photograph from an address that a user gives, without letting them reach what only this machine can.

Each name is resolved here, once; every address that it resolves to has to be public; and the connection goes
to the address that was checked, not to the name, which might resolve to another one a moment later. Redirects
are followed by the same rules.
"""

from __future__ import annotations

import http.client
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from pathlib import PurePosixPath
from urllib.parse import SplitResult, quote, unquote, urljoin, urlsplit

import certifi
from django.conf import settings
from django.core.files.uploadedfile import UploadedFile

from .temporary import as_upload, temporary_file

SECONDS = 10.0
MAX_REDIRECTS = 3
REDIRECTS = {301, 302, 303, 307, 308}
CHUNK_BYTES = 65_536
# What a request line may hold as it is; all else is percent-encoded.
URL_CHARACTERS = "%/:?@!$&'()*+,;=~-._[]"
HEADERS = {"Accept": "image/*", "Accept-Encoding": "identity", "Connection": "close"}
PORTS = {"http": 80, "https": 443}
# Beyond it is what only stands for something else: mapped, translated and tunnelled IPv4 among it.
GLOBAL_UNICAST = IPv6Network("2000::/3")
# Public by their look: protocol assignments, relays to IPv6, and a cloud's own service behind every machine.
NOT_FOR_ALL = [IPv4Network(each) for each in ("192.0.0.0/24", "192.88.99.0/24", "168.63.129.16/32")]
# A photograph takes a thread of the server for SECONDS at most; some are left for everybody else.
SLOTS = threading.BoundedSemaphore(max(1, settings.WEB_THREADS // 2))


class FetchError(ValueError):
    """The photograph was not fetched. `str(error)` is a sentence for whoever gave its address."""


class BusyError(Exception):
    """As many photographs are being fetched as may be at once; after `wait` seconds that is over."""

    def __init__(self) -> None:
        super().__init__("As many photographs are being fetched as may be at once.")
        self.wait = SECONDS


def fetch_photograph(url: str) -> UploadedFile:
    """The picture at a public http(s) address, up to MAX_UPLOAD_MB, within SECONDS all in all.

    Raises FetchError and BusyError.
    """
    if not SLOTS.acquire(blocking=False):
        raise BusyError
    try:
        return _follow(url, deadline=time.monotonic() + SECONDS)
    except FetchError:
        raise
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise FetchError(f"The address sent no photograph within {SECONDS:g} seconds.") from error
    finally:
        SLOTS.release()


def is_public(address: IPv4Address | IPv6Address) -> bool:
    """Whether anybody on the internet could connect there as well."""
    if isinstance(address, IPv6Address) and (address not in GLOBAL_UNICAST or address.sixtofour):
        return False
    return address.is_global and not address.is_multicast and not any(address in net for net in NOT_FOR_ALL)


def _follow(url: str, deadline: float) -> UploadedFile:
    for _ in range(1 + MAX_REDIRECTS):
        parts, port = _split(url)
        with _connected(parts, port, deadline) as connection:
            connection.request(
                "GET", _target(parts), headers={"Accept": "image/*", "Accept-Encoding": "identity"}
            )
            response = connection.getresponse()
            location = response.headers["Location"]
            if response.status not in REDIRECTS or not location:
                return _receive(response, parts, deadline)
        url = _joined(url, location)
    raise FetchError(f"The address redirects more than {MAX_REDIRECTS} times.")


def _joined(url: str, location: str) -> str:
    try:
        return urljoin(url, location)
    except ValueError as error:
        raise FetchError("The address redirects to something that is no address.") from error


def _split(url: str) -> tuple[SplitResult, int]:
    try:
        parts = urlsplit(url)
        port = parts.port or PORTS[parts.scheme]
    except (ValueError, KeyError) as error:
        raise FetchError("Only addresses that begin with http:// or https:// are fetched.") from error
    if not parts.hostname or parts.username is not None:
        raise FetchError("The address has to name a host, and no user.")
    return parts, port


def _target(parts: SplitResult) -> str:
    path = quote(parts.path or "/", safe=URL_CHARACTERS)
    return f"{path}?{quote(parts.query, safe=URL_CHARACTERS)}" if parts.query else path


def _public_address(host: str, port: int, deadline: float) -> str:
    try:
        addresses = _resolve(host, port, deadline)
    except socket.gaierror as error:
        raise FetchError("The address names a host that cannot be found.") from error
    if not all(is_public(ip_address(address)) for address in addresses):
        raise FetchError("Only public addresses are fetched, and this leads to one that is not.")
    return addresses[0]


def _resolve(host: str, port: int, deadline: float) -> list[str]:
    """By a thread of its own, which is left behind at the deadline: no limit can be set to name servers."""
    found: Future[list[str]] = Future()

    def ask() -> None:
        try:
            entries = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            found.set_result([str(entry[4][0]) for entry in entries])
        except (OSError, ValueError) as error:
            found.set_exception(error)

    threading.Thread(target=ask, daemon=True).start()
    return found.result(timeout=_left(deadline))


@contextmanager
def _connected(parts: SplitResult, port: int, deadline: float) -> Iterator[http.client.HTTPConnection]:
    """A connection that is cut off at the deadline, whatever it is waiting for by then."""
    assert parts.hostname
    address = _public_address(parts.hostname, port, deadline)
    sock = socket.create_connection((address, port), timeout=_left(deadline))
    if parts.scheme == "https":
        context = ssl.create_default_context(cafile=certifi.where())
        sock = context.wrap_socket(sock, server_hostname=parts.hostname, do_handshake_on_connect=False)
    timer = threading.Timer(_left(deadline), _cut_off, [sock])
    timer.daemon = True
    timer.start()
    try:
        if isinstance(sock, ssl.SSLSocket):
            sock.do_handshake()
        connection = http.client.HTTPConnection(parts.hostname, port)
        connection.sock = sock
        yield connection
    finally:
        timer.cancel()
        sock.close()


def _left(deadline: float) -> float:
    """A socket's own time limit is for each packet: one that sends a byte at a time never meets it."""
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _cut_off(sock: socket.socket) -> None:
    with suppress(OSError):
        # Not the TLS socket's own method, which would change what the other thread is reading with.
        socket.socket.shutdown(sock, socket.SHUT_RDWR)


def _receive(response: http.client.HTTPResponse, parts: SplitResult, deadline: float) -> UploadedFile:
    _left(deadline)  # of a connection that was cut off, the headers may seem to have ended
    if response.status != 200:
        raise FetchError(f"The address answers {response.status}, not with a photograph.")
    if not response.headers.get_content_type().startswith("image/"):
        raise FetchError("The address answers with something that is no picture.")
    file = temporary_file()
    # By read1, which takes what has come: a server that lies about its chunks would fill the memory else.
    announced = response.length or 0
    while max(announced, file.tell()) <= settings.MAX_UPLOAD_BYTES and (chunk := response.read1(CHUNK_BYTES)):
        file.write(chunk)
    _left(deadline)
    if max(announced, file.tell()) > settings.MAX_UPLOAD_BYTES:
        raise FetchError(f"The photograph is larger than {settings.MAX_UPLOAD_MB} MB.")
    return as_upload(file, _name_in(parts.path))


def _name_in(path: str) -> str:
    name = "".join(character for character in PurePosixPath(unquote(path)).name if character.isprintable())
    return name if name.strip(".") else "photograph"
