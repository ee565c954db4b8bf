"""How many requests, photographs and archives one may send in a while, counted for all processes together."""

from __future__ import annotations

from ipaddress import IPv6Address, ip_address, ip_network
from typing import Any

from django.conf import settings
from rest_framework.throttling import SimpleRateThrottle, UserRateThrottle


class UploadThrottle(UserRateThrottle):
    """`settings.UPLOAD_RATE` per user, on the pages and in the API together."""

    scope = "uploads"

    def get_rate(self) -> str:
        return settings.UPLOAD_RATE


class RequestThrottle(UserRateThrottle):
    """`settings.API_RATE` per user."""

    scope = "requests"

    def get_rate(self) -> str:
        return settings.API_RATE


class BulkThrottle(UserRateThrottle):
    """`settings.BULK_RATE` per user."""

    scope = "bulk"

    def get_rate(self) -> str:
        return settings.BULK_RATE


class AddressThrottle(SimpleRateThrottle):
    """`settings.API_ADDRESS_RATE` per address; of an IPv6 address, per /64, which is what one host has."""

    scope = "addresses"

    def get_rate(self) -> str:
        return settings.API_ADDRESS_RATE

    def get_cache_key(self, request: Any, view: object) -> str:
        ident = self.get_ident(request)
        return self.cache_format % {"scope": self.scope, "ident": _network_of(ident)}


def _network_of(ident: str) -> str:
    try:
        address = ip_address(ident)
    except ValueError:  # a Unix socket has none, and a proxy may say anything
        return ident
    if isinstance(address, IPv6Address) and address.ipv4_mapped is None:
        return str(ip_network((address, 64), strict=False).network_address)
    return str(address)
