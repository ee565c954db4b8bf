"""The API's part in starting a process."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module

from django.apps import AppConfig

# Django REST framework imports whatever of these it finds, and this API uses none of what it does with them:
# colours, YAML, a client, fields of PostgreSQL. A web worker is 16 MB smaller for it.
NOT_USED = ("pygments", "yaml", "requests", "psycopg", "psycopg2")


class ApiConfig(AppConfig):
    name = "classifier.api"
    label = "api"

    def ready(self) -> None:
        with _absent(NOT_USED):
            import_module("rest_framework.compat")


@contextmanager
def _absent(names: tuple[str, ...]) -> Iterator[None]:
    """Importing these fails for now, as if they were not installed, but for those that are loaded already."""
    hidden = [name for name in names if name not in sys.modules]
    for name in hidden:
        sys.modules[name] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]
