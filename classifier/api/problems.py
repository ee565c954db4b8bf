"""Exceptions become problems: the one place where the API decides what a caller is told."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from math import ceil
from typing import Any

from django.conf import settings
from django.core.exceptions import PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.core.signals import got_request_exception
from django.http import Http404, HttpResponse
from django.utils.translation import ngettext
from rest_framework import exceptions
from rest_framework.settings import api_settings

from classifier.api.bulk import ArchiveError
from classifier.fetching import BusyError, FetchError
from classifier.idempotency import KeyReusedError
from classifier.ml.artifact import ArtifactError
from classifier.models import DataExport, Upload
from classifier.serving import NoActiveModelError
from classifier.vision.image import ImageDecodeError
from emotion_site import problems
from emotion_site.errors import BAD_REQUEST, FAILED, NOT_ALLOWED, NOT_FOUND
from emotion_site.problems import Fault, ProblemError, answer
from emotion_site.upload_limits import FileTooLarge, too_large_sentence

logger = logging.getLogger(__name__)

UNSUPPORTED = {"not_an_image", "unsupported_format"}


def handle(error: Exception, context: dict[str, Any]) -> HttpResponse:
    """Django REST framework's EXCEPTION_HANDLER."""
    for kind, reply in REPLIES.items():
        if isinstance(error, kind):
            return reply(error, context)
    return _failed(error, context)


def _problem(error: ProblemError, context: dict[str, Any]) -> HttpResponse:
    return answer(error.kind, error.detail, faults=error.faults)


def _undecodable(error: ImageDecodeError, context: dict[str, Any]) -> HttpResponse:
    kind = problems.NOT_A_PHOTOGRAPH if error.code in UNSUPPORTED else problems.PHOTOGRAPH_UNREADABLE
    # By now one of the two was sent, and nothing else can hold a photograph.
    field = "url" if "url" in context["request"].data else "image"
    return answer(kind, str(error), faults=[Fault(field, str(error))])


def _no_model(error: Exception, context: dict[str, Any]) -> HttpResponse:
    logger.error("No photograph can be read: %s", error)
    where = "on this site"
    if isinstance(error, NoActiveModelError) and error.label_set != settings.DEFAULT_LABEL_SET:
        where = f"for the label set {error.label_set}"
    return answer(problems.NO_MODEL, f"No model can answer {where} at present. Nothing was stored.")


def _key_reused(error: KeyReusedError, context: dict[str, Any]) -> HttpResponse:
    said = "This Idempotency-Key came before, with another photograph or other options."
    return answer(problems.KEY_REUSED, said, faults=[Fault("Idempotency-Key", said)])


def _not_fetched(error: FetchError, context: dict[str, Any]) -> HttpResponse:
    return answer(problems.URL_NOT_FETCHED, str(error), faults=[Fault("url", str(error))])


def _bad_archive(error: ArchiveError, context: dict[str, Any]) -> HttpResponse:
    return answer(problems.INVALID, str(error), faults=[Fault("archive", str(error))])


def _not_found(error: Exception, context: dict[str, Any]) -> HttpResponse:
    return answer(problems.NOT_FOUND, NOT_FOUND)


def _invalid(error: exceptions.ValidationError, context: dict[str, Any]) -> HttpResponse:
    faults = list(_faults(error.detail))
    said = " ".join(f"{fault.field}: {fault.detail}" if fault.field else fault.detail for fault in faults)
    return answer(problems.INVALID, said, faults=[fault for fault in faults if fault.field])


def _faults(detail: Any, field: str = "") -> Iterator[Fault]:
    if isinstance(detail, dict):
        for name, inner in detail.items():
            own = "" if name == api_settings.NON_FIELD_ERRORS_KEY else str(name)
            yield from _faults(inner, ".".join(filter(None, (field, own))))
    elif isinstance(detail, list):
        for inner in detail:
            yield from _faults(inner, field)
    else:
        yield Fault(field, str(detail))


def _unparsable(error: exceptions.ParseError, context: dict[str, Any]) -> HttpResponse:
    own = str(error.detail)
    # What is not of this API's parsers is no sentence for people.
    return answer(problems.BAD_REQUEST, own if own.endswith(".") else BAD_REQUEST)


def _unauthenticated(error: exceptions.APIException, context: dict[str, Any]) -> HttpResponse:
    header = getattr(error, "auth_header", "")
    return answer(problems.NOT_SIGNED_IN, str(error.detail), headers={"WWW-Authenticate": header})


def _forbidden(error: Exception, context: dict[str, Any]) -> HttpResponse:
    detail = getattr(error, "detail", "") or "You may not do this."
    return answer(problems.FORBIDDEN, str(detail))


def _not_allowed(error: Exception, context: dict[str, Any]) -> HttpResponse:
    return answer(problems.METHOD_NOT_ALLOWED, NOT_ALLOWED)


def _unsupported(error: exceptions.UnsupportedMediaType, context: dict[str, Any]) -> HttpResponse:
    taken = " or ".join(parser.media_type for parser in context["view"].parser_classes)
    return answer(problems.UNSUPPORTED_MEDIA_TYPE, f"The body's Content-Type has to be {taken}.")


def _throttled(error: exceptions.Throttled | BusyError, context: dict[str, Any]) -> HttpResponse:
    seconds = max(1, ceil(error.wait or 1))
    said = ngettext(
        "That was as much as one may ask for now. Try again in %d second.",
        "That was as much as one may ask for now. Try again in %d seconds.",
        seconds,
    )
    return answer(problems.TOO_MANY_REQUESTS, said % seconds, headers={"Retry-After": str(seconds)})


def _too_large(error: RequestDataTooBig, context: dict[str, Any]) -> HttpResponse:
    own = str(error) if isinstance(error, FileTooLarge) else too_large_sentence(context["request"]._request)
    return answer(problems.TOO_LARGE, own)


def _suspicious(error: Exception, context: dict[str, Any]) -> HttpResponse:
    return answer(problems.BAD_REQUEST, BAD_REQUEST)


def _failed(error: Exception, context: dict[str, Any]) -> HttpResponse:
    request = context["request"]._request
    logger.error("The API failed at %s", request.path, exc_info=error)
    got_request_exception.send(sender=handle, request=request)
    return answer(problems.INTERNAL, FAILED)


# The first that fits replies.
REPLIES: dict[type[Exception], Any] = {
    ProblemError: _problem,
    ImageDecodeError: _undecodable,
    NoActiveModelError: _no_model,
    ArtifactError: _no_model,
    KeyReusedError: _key_reused,
    FetchError: _not_fetched,
    BusyError: _throttled,
    ArchiveError: _bad_archive,
    Http404: _not_found,
    # Deleted while something was done with it.
    Upload.DoesNotExist: _not_found,
    DataExport.DoesNotExist: _not_found,
    exceptions.NotFound: _not_found,
    exceptions.ValidationError: _invalid,
    exceptions.ParseError: _unparsable,
    exceptions.NotAuthenticated: _unauthenticated,
    exceptions.AuthenticationFailed: _unauthenticated,
    exceptions.PermissionDenied: _forbidden,
    PermissionDenied: _forbidden,
    exceptions.MethodNotAllowed: _not_allowed,
    exceptions.UnsupportedMediaType: _unsupported,
    exceptions.Throttled: _throttled,
    RequestDataTooBig: _too_large,
    SuspiciousOperation: _suspicious,
}
