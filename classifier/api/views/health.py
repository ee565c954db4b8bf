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
from classifier.serving import trouble_with

OK, DEGRADED, FAILED = "ok", "degraded", "failed"

logger = logging.getLogger(__name__)


@require_safe
def live(request: HttpRequest) -> JsonResponse:
    """This process answers."""
    return JsonResponse({"status": "ok"})


class DegradedError(Exception):
    """This process does its work, but one that starts now could not."""


@require_safe
def ready(request: HttpRequest) -> JsonResponse:
    """This process can do all that it is there for.

    What is merely degraded is told, too, but with 200: what is wrong with it is wrong with every process, and
    a load balancer that took them all out would end a service that still answers.
    """
    checks = {name: _state(name, check) for name, check in CHECKS.items()}
    whole = FAILED not in checks.values()
    well = DEGRADED if DEGRADED in checks.values() else OK
    return JsonResponse(
        {"status": well if whole else "unavailable", "checks": checks},
        status=200 if whole else 503,
        headers={"Cache-Control": "no-store"},
    )


def _state(name: str, check: Callable[[], object]) -> str:
    try:
        check()
    except DegradedError:
        return DEGRADED
    except Exception as error:  # noqa: BLE001 - a check may fail of anything, and that is the answer
        logger.error("Not ready, for want of the %s: %s", name, error)
        return FAILED
    return OK


def _database() -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def _storage() -> None:
    name = default_storage.save("health/probe", ContentFile(b"probe"))
    default_storage.delete(name)


def _model() -> None:
    # Logged where it is found, once.
    if trouble := trouble_with(settings.DEFAULT_LABEL_SET):
        raise DegradedError(trouble)


def _worker() -> None:
    if not seen_lately():
        raise LookupError("no worker has given a sign of life lately")


CHECKS = {"database": _database, "storage": _storage, "model": _model, "worker": _worker}
