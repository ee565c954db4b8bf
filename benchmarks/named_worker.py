"""The site, and in each answer's header X-Worker which process gave it. For benchmarks alone."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from typing import Any

from emotion_site.wsgi import application as site


def application(environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
    def named(status: str, headers: list[tuple[str, str]], *more: Any) -> Any:
        return start_response(status, [*headers, ("X-Worker", str(os.getpid()))], *more)

    return site(environ, named)
