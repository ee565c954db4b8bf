"""How many photographs one user may send in a while."""

from __future__ import annotations

from django.conf import settings
from rest_framework.throttling import UserRateThrottle  # type: ignore[import-untyped]


class UploadThrottle(UserRateThrottle):
    """`settings.UPLOAD_RATE` per user, counted in the cache that all processes share."""

    scope = "uploads"

    def get_rate(self) -> str:
        return settings.UPLOAD_RATE
