"""Readers for the environment variables that settings.py is made of.

Each takes the variable's name and its default, and raises `ImproperlyConfigured` with that name and what it
accepts when the value is anything else. A variable that is set to nothing counts as not set.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NoReturn
from urllib.parse import quote, urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import environ
from django.core.exceptions import ImproperlyConfigured

TRUE = ("1", "true", "yes", "on")
FALSE = ("0", "false", "no", "off")
RATE = re.compile(r"[1-9]\d*/(s|sec|second|m|min|minute|h|hour|d|day)")
NAME = r"[a-z0-9_](?:[-.\w]*[a-z0-9_])?"
ADDRESS = r"\[[0-9a-f:.]+\]"
# As Django reads them: a leading dot, or `*.` in an origin, stands for every subdomain, `*` for every name.
HOST = re.compile(rf"\*|\.?{NAME}|{ADDRESS}", re.ASCII | re.IGNORECASE)
# In small letters, as browsers send it: Django compares the very text.
ORIGIN = re.compile(rf"https?://(?:(?:\*\.)?{NAME}|{ADDRESS})(?::\d{{1,5}})?", re.ASCII)
DATABASE_SCHEMES = ("postgres", "postgresql", "sqlite")


def read_file(path: Path) -> None:
    """Take variables from a `.env` file where there is one. What the process already has, wins."""
    if not path.is_file():
        return
    try:
        with path.open(encoding="utf-8") as lines:
            environ.Env.read_env(lines)
    except (OSError, UnicodeDecodeError) as error:
        raise ImproperlyConfigured(f"{path} cannot be read: {error}") from error


def refuse(name: str, value: object, accepts: str) -> NoReturn:
    raise ImproperlyConfigured(f"{name}={value!r} is not valid. {name} accepts {accepts}.")


def text(name: str, default: str = "") -> str:
    return os.environ.get(name, "").strip() or default


def secret(name: str, *, at_least: int) -> str:
    """A secret of `at_least` characters, which has no default. Its value is never repeated in a message."""
    value = text(name)
    if len(value) < at_least:
        state = "too short" if value else "not set"
        raise ImproperlyConfigured(
            f"{name} is {state}. {name} accepts a random text of at least {at_least} characters; "
            "`make install` writes one into .env."
        )
    return value


def boolean(name: str, default: bool = False) -> bool:
    value = text(name).lower()
    if not value:
        return default
    if value not in TRUE + FALSE:
        refuse(name, value, f"{', '.join(TRUE)} or {', '.join(FALSE)}")
    return value in TRUE


def whole_number(name: str, default: int, *, low: int, high: int) -> int:
    value = text(name, str(default))
    if not re.fullmatch(r"\d{1,12}", value, re.ASCII) or not low <= int(value) <= high:
        refuse(name, value, f"a whole number from {low} to {high}")
    return int(value)


def share(name: str, default: str) -> float:
    value = text(name, default)
    if not re.fullmatch(r"0?\.\d{1,6}|[01](?:\.0{1,6})?", value, re.ASCII):
        refuse(name, value, "a share from 0 to 1, as in 0.1")
    return float(value)


def choice(name: str, default: str, *, among: Iterable[str]) -> str:
    value = text(name, default)
    if value not in among:
        refuse(name, value, f"one of: {', '.join(among)}")
    return value


def slug(name: str, default: str) -> str:
    value = text(name, default)
    if not re.fullmatch(r"[-\w]+", value, re.ASCII):
        refuse(name, value, "letters, digits, hyphens and underscores")
    return value


def rate(name: str, default: str) -> str:
    value = text(name, default)
    if not RATE.fullmatch(value):
        refuse(name, value, "a number, a slash and a period (s, min, hour or day), as in 60/min")
    return value


def names(name: str, default: Iterable[str]) -> list[str]:
    """Host names, separated by commas."""
    accepts = "host names separated by commas, without a scheme, a port or a path"
    return listed(name, default, each=HOST, accepts=accepts)


def origins(name: str) -> list[str]:
    """Web origins, separated by commas."""
    return listed(
        name, (), each=ORIGIN, accepts="origins separated by commas, as in https://faces.example.org"
    )


def listed(name: str, default: Iterable[str], *, each: re.Pattern[str], accepts: str) -> list[str]:
    """The parts of a comma-separated value. Commas alone are refused: whoever set them meant something."""
    value = text(name, ",".join(default))
    found = [part.strip() for part in value.split(",") if part.strip()]
    for part in found or filter(None, [value]):
        if not each.fullmatch(part):
            refuse(name, part, accepts)
    return found


def time_zone(name: str, default: str) -> str:
    """The name of a zone that this machine knows."""
    value = text(name, default)
    try:
        ZoneInfo(value)
    except (ValueError, OSError, ZoneInfoNotFoundError):
        refuse(name, value, "the IANA name of a time zone, as in UTC or Europe/Berlin")
    return value


def folder(name: str, default: Path) -> Path:
    """An absolute folder that exists after the call, made for its owner alone."""
    return made(name, Path(text(name, str(default))).expanduser().resolve())


def made(name: str, path: Path) -> Path:
    """`path`, a folder that exists after the call; `name` is the variable that says where it lies."""
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        refuse(name, str(path), f"a folder that exists or can be made ({error.strerror})")
    return path


def database(name: str, default: Path) -> dict[str, Any]:
    """A database URL as Django's dictionary; `default` is an SQLite file.

    The URL holds a password, so no message repeats it.
    """
    value = text(name, f"sqlite:///{quote(str(default))}")
    config: dict[str, Any] = {}
    try:
        if urlsplit(value).scheme in DATABASE_SCHEMES:
            config = environ.Env.db_url_config(value)
    except ValueError:
        pass
    found = config.get("NAME", "").strip()
    # Without a path, environ would take SQLite's database in memory, which no other process sees.
    if not found or (config["ENGINE"].endswith("sqlite3") and not re.fullmatch(r"/.*[^/]", found)):
        raise ImproperlyConfigured(
            f"{name} is not valid. {name} accepts postgres://user:password@host:5432/name or "
            "sqlite:////absolute/path."
        )
    return config


def email(name: str, default: str) -> dict[str, Any]:
    """A mail server's URL as Django's EMAIL_* settings. It holds a password, so no message repeats it."""
    value = text(name, default)
    try:
        scheme = urlsplit(value).scheme
        if scheme in environ.Env.EMAIL_SCHEMES:
            return dict(environ.Env.email_url_config(value))
    except ValueError:
        pass
    raise ImproperlyConfigured(
        f"{name} is not valid. {name} accepts smtp+tls://user:password@host:587, smtp+ssl://…, or consolemail://."
    )
