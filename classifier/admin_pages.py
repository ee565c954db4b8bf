"""Pages of our own within the stock admin: who may open them, and what their frame needs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.contrib.auth.decorators import permission_required
from django.db.models import Model
from django.http import HttpRequest

View = Callable[..., Any]


def asks(permission: str | tuple[str, ...], view: View, *, cacheable: bool = False) -> View:
    """`view` for staff with this permission, or all of these.

    Other staff are refused, everybody else is asked to sign in.
    `cacheable`: the view says itself how long its answer may be kept.
    """
    checked = permission_required(permission, raise_exception=True)(view)
    return admin.site.admin_view(checked, cacheable=cacheable)


def id_in(word: str) -> int:
    """The id that an address or a form names; 0, which no row has, for any other word."""
    return int(word) if word.isdecimal() and len(word) < 19 else 0


def log(request: HttpRequest, row: Model, flag: int, said: str = "") -> None:
    """Keep in the admin's history what was done to a row: ADDITION, CHANGE or DELETION."""
    assert request.user.pk
    LogEntry.objects.log_actions(request.user.pk, [row], flag, said, single_object=True)


def framed(request: HttpRequest, title: str, **context: Any) -> dict[str, Any]:
    """What a page of the admin needs. Its sidebar would take the room that pictures and tables want."""
    return {**admin.site.each_context(request), "title": title, "is_nav_sidebar_enabled": False, **context}
