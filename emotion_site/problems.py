"""What the API says when it does not do what was asked: problem details after RFC 9457.

Every answer of 400 and above under /api/ is one of KINDS. Its `type` is an address that never changes, of a
place on the page that explains it; `detail` is a sentence for people; `errors` names the fields at fault.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse

CONTENT_TYPE = "application/problem+json"
PREFIX = "/api/"
PAGE = "/api/problems/"


@dataclass(frozen=True)
class Kind:
    """One kind of problem; its status is always the same."""

    slug: str
    status: int
    title: str
    advice: str

    @property
    def type(self) -> str:
        return f"{PAGE}#{self.slug}"


BAD_REQUEST = Kind(
    "bad-request",
    400,
    "The request cannot be understood",
    "The body is not what its Content-Type says, is cut off, or is no JSON object.",
)
INVALID = Kind(
    "invalid",
    400,
    "Something in the request is wrong",
    "Each of its errors names a field or parameter, and says what that accepts.",
)
PHOTOGRAPH_UNREADABLE = Kind(
    "photograph-unreadable",
    400,
    "The photograph cannot be read",
    "It is empty, damaged or incomplete, or has more pixels than the site reads.",
)
NOT_SIGNED_IN = Kind(
    "not-signed-in",
    401,
    "Nobody is signed in",
    "Send a living token as Authorization: Bearer …; it is made on the site, under Account, API tokens.",
)
FORBIDDEN = Kind(
    "forbidden",
    403,
    "This is not allowed",
    "The account may not do this; or a browser's session sent no CSRF token.",
)
NOT_FOUND = Kind(
    "not-found",
    404,
    "There is nothing here",
    "It was never here, is deleted, or is somebody else's: which of these is not told.",
)
METHOD_NOT_ALLOWED = Kind(
    "method-not-allowed", 405, "This address cannot be asked that way", "The Allow header says how it can be."
)
TOO_LARGE = Kind(
    "too-large", 413, "This is more than the site takes at once", "Send a smaller file. Nothing was stored."
)
NOT_A_PHOTOGRAPH = Kind(
    "not-a-photograph",
    415,
    "This is no kind of photograph that the site reads",
    "Send JPEG, PNG, WebP, HEIC, AVIF, GIF, BMP or TIFF. What counts is what the file is, not its name.",
)
UNSUPPORTED_MEDIA_TYPE = Kind(
    "unsupported-media-type",
    415,
    "The body is of a type that is not taken here",
    "Send the Content-Type that the schema names, such as application/json or multipart/form-data.",
)
KEY_REUSED = Kind(
    "idempotency-key-reused",
    422,
    "This Idempotency-Key came with another request",
    "A key stands for one photograph with its options. Make a new key for each new request.",
)
URL_NOT_FETCHED = Kind(
    "url-not-fetched",
    422,
    "The photograph could not be fetched",
    "Its address is not public, does not answer in time, or does not send a picture within the limits.",
)
TOO_MANY_REQUESTS = Kind(
    "too-many-requests", 429, "Slow down a little", "Try again after the seconds that Retry-After says."
)
INTERNAL = Kind(
    "internal-error",
    500,
    "The site failed",
    "It was not you. Try again later; with an Idempotency-Key nothing is stored twice.",
)
NO_MODEL = Kind(
    "no-model",
    503,
    "No model can answer at present",
    "The label set has no active model, or its file cannot be loaded. Nothing was stored.",
)

KINDS = (
    BAD_REQUEST,
    INVALID,
    PHOTOGRAPH_UNREADABLE,
    NOT_SIGNED_IN,
    FORBIDDEN,
    NOT_FOUND,
    METHOD_NOT_ALLOWED,
    TOO_LARGE,
    NOT_A_PHOTOGRAPH,
    UNSUPPORTED_MEDIA_TYPE,
    KEY_REUSED,
    URL_NOT_FETCHED,
    TOO_MANY_REQUESTS,
    INTERNAL,
    NO_MODEL,
)


@dataclass(frozen=True)
class Fault:
    """What is wrong with one field or parameter."""

    field: str
    detail: str


class ProblemError(Exception):
    """Ends a request of the API with a problem of this kind. `detail` is a sentence for people."""

    def __init__(self, kind: Kind, detail: str, *, field: str = "") -> None:
        super().__init__(detail)
        self.kind, self.detail = kind, detail
        self.faults = (Fault(field, detail),) if field else ()


def for_programs(request: HttpRequest) -> bool:
    return request.path_info.startswith(PREFIX)


def describe(kind: Kind, detail: str, faults: Iterable[Fault] = ()) -> dict[str, Any]:
    words: dict[str, Any] = {
        "type": kind.type,
        "title": kind.title,
        "status": kind.status,
        "detail": detail,
    }
    if errors := [{"field": fault.field, "detail": fault.detail} for fault in faults]:
        words["errors"] = errors
    return words


def answer(
    kind: Kind, detail: str, *, faults: Iterable[Fault] = (), headers: Mapping[str, str] | None = None
) -> HttpResponse:
    return JsonResponse(
        describe(kind, detail, faults), status=kind.status, content_type=CONTENT_TYPE, headers=headers
    )


def answer_status(status: int, detail: str) -> HttpResponse:
    """The first kind with this status."""
    return answer(next(kind for kind in KINDS if kind.status == status), detail)
