"""What each call may answer, in the words that drf-spectacular makes openapi.json of."""

from __future__ import annotations

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse

from emotion_site import problems
from emotion_site.problems import CONTENT_TYPE, Kind

from .serializers import ProblemAnswer

# Whatever is asked, and by whom.
EVERYWHERE = (problems.TOO_MANY_REQUESTS, problems.INTERNAL)
SIGNED_IN = (problems.NOT_SIGNED_IN, problems.FORBIDDEN)
WITH_A_BODY = (
    problems.BAD_REQUEST,
    problems.INVALID,
    problems.TOO_LARGE,
    problems.UNSUPPORTED_MEDIA_TYPE,
)
WITH_A_PHOTOGRAPH = (*WITH_A_BODY, problems.PHOTOGRAPH_UNREADABLE, problems.NOT_A_PHOTOGRAPH)

Responses = dict[int | tuple[int, str], Any]


def responses(good: Responses, *kinds: Kind) -> Responses:
    """`good`, and the problems that may come instead, by status."""
    by_status: dict[int, list[str]] = {}
    for kind in (*SIGNED_IN, *EVERYWHERE, *kinds):
        by_status.setdefault(kind.status, []).append(kind.title)
    bad: Responses = {
        (status, CONTENT_TYPE): OpenApiResponse(ProblemAnswer, description="; or ".join(titles))
        for status, titles in sorted(by_status.items())
    }
    return good | bad


def file_of(content_type: str) -> Responses:
    return {(200, content_type): OpenApiTypes.BINARY}


NOT_MODIFIED: Responses = {
    304: OpenApiResponse(description="It is as it was when your If-None-Match was its ETag.")
}


IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    description="Up to 255 visible ASCII characters, which you choose anew for each photograph. Sent again "
    "with the same photograph and options, the request answers with the upload that it made the first time.",
)
