"""What load balancers ask. No account, no limits, nothing that says more than good or bad."""

from __future__ import annotations

import logging
from collections.abc import Callable

from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.db import connection
from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_safe

from classifier.api.heartbeat import seen_lately
from classifier.serving import active_model

logger = logging.getLogger(__name__)


@require_safe
def live(request: HttpRequest) -> JsonResponse:
    """This process answers."""
    return JsonResponse({"status": "ok"})


@require_safe
def ready(request: HttpRequest) -> JsonResponse:
    """This process can do all that it is there for."""
    checks = {name: _holds(name, check) for name, check in CHECKS.items()}
    whole = all(checks.values())
    return JsonResponse(
        {
            "status": "ok" if whole else "unavailable",
            "checks": {name: "ok" if held else "failed" for name, held in checks.items()},
        },
        status=200 if whole else 503,
        headers={"Cache-Control": "no-store"},
    )


def _holds(name: str, check: Callable[[], object]) -> bool:
    try:
        check()
    except Exception as error:  # noqa: BLE001 - a check may fail of anything, and that is the answer
        logger.error("Not ready, for want of the %s: %s", name, error)
        return False
    return True


def _database() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def _storage() -> None:
    name = default_storage.save("health/probe", ContentFile(b"probe"))
    default_storage.delete(name)


def _model() -> None:
    active_model(settings.DEFAULT_LABEL_SET)


def _worker() -> None:
    if not seen_lately():
        raise LookupError("no worker has given a sign of life lately")


CHECKS = {"database": _database, "storage": _storage, "model": _model, "worker": _worker}
