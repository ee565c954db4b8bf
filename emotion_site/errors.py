"""Answers to requests that go no further: one plain sentence, as a page or, for scripts, as JSON.

Under /api/ they are problem details, whatever the visitor prefers.
"""

from __future__ import annotations

from django.contrib.auth.views import redirect_to_login
from django.core.exceptions import RequestDataTooBig, TooManyFilesSent
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views import defaults

from emotion_site import problems
from emotion_site.upload_limits import (
    FileTooLarge,
    SignedOutUpload,
    too_large_sentence,
    too_many_files_sentence,
)

BAD_REQUEST = "The site could not understand this request."
SIGNED_OUT = "You are signed out. Sign in again, then retry."
NOT_FOUND = "There is nothing at this address."
FAILED = "The site failed. It was not you: try again later."
NOT_ALLOWED = "This address cannot be asked that way. Nothing was changed."
CSRF_FAILED = (
    "This page has been open for too long, or cookies are blocked, so the site could not tell that it was "
    "you. Reload the page and try again."
)


def wants_json(request: HttpRequest) -> bool:
    return request.get_preferred_type(["text/html", "application/json"]) == "application/json"


def refuse(request: HttpRequest, *, status: int, sentence: str, template: str = "") -> HttpResponse:
    """`sentence` with `status`: as `{"error": sentence}` where JSON is preferred, else `<status>.html`."""
    if problems.for_programs(request):
        return problems.answer_status(status, sentence)
    if wants_json(request):
        return JsonResponse({"error": sentence}, status=status)
    return render(request, template or f"{status}.html", {"sentence": sentence}, status=status)


def signed_out(request: HttpRequest) -> HttpResponse:
    """A script is told, a browser is led to the log-in form."""
    if wants_json(request):
        return refuse(request, status=403, sentence=SIGNED_OUT)
    return redirect_to_login(request.get_full_path())


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's handler400: every request that it finds suspicious, with what was wrong where that helps."""
    if isinstance(exception, SignedOutUpload):
        return signed_out(request)
    if isinstance(exception, FileTooLarge):
        return refuse(request, status=413, sentence=str(exception))
    if isinstance(exception, RequestDataTooBig):
        return refuse(request, status=413, sentence=too_large_sentence(request))
    if isinstance(exception, TooManyFilesSent):
        return refuse(request, status=400, sentence=too_many_files_sentence())
    return refuse(request, status=400, sentence=BAD_REQUEST)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's handler404."""
    if problems.for_programs(request):
        return refuse(request, status=404, sentence=NOT_FOUND)
    return defaults.page_not_found(request, exception)


def server_error(request: HttpRequest) -> HttpResponse:
    """Django's handler500, whose page is rendered without the request: nothing may fail here."""
    if problems.for_programs(request):
        return refuse(request, status=500, sentence=FAILED)
    return defaults.server_error(request)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    return refuse(request, status=403, sentence=CSRF_FAILED, template="403_csrf.html")
