"""What Django and django-csp leave unsaid in a response."""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseNotAllowed

from emotion_site.errors import NOT_ALLOWED, refuse

Answer = Callable[[HttpRequest], HttpResponse]


def permissions_policy(get_response: Answer) -> Answer:
    """Tell browsers which of their features a page here may use: the camera, and nothing else."""

    def add_header(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        response.headers.setdefault("Permissions-Policy", settings.PERMISSIONS_POLICY)
        return response

    return add_header


def keep_pages_private(get_response: Answer) -> Answer:
    """Leave nothing of a user's in a browser's store, unless its view says for itself how long it may stay.

    After logging out, the back button then shows no page.
    """

    def add_header(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        if request.user.is_authenticated:
            response.headers.setdefault("Cache-Control", "private, no-store")
        return response

    return add_header


def explain_not_allowed(get_response: Answer) -> Answer:
    """Give the 405 of Django's decorators, which have none, a sentence and the site's look."""

    def explain(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        if not isinstance(response, HttpResponseNotAllowed) or response.content:
            return response
        explained = refuse(request, status=405, sentence=NOT_ALLOWED)
        explained.headers["Allow"] = response.headers["Allow"]
        return explained

    return explain
