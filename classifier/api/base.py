"""What every view of the API does: count, time, and check what it was sent."""

from __future__ import annotations

import time
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponseBase
from rest_framework.exceptions import AuthenticationFailed, NotAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.serializers import Serializer
from rest_framework.views import APIView

from classifier.models import LabelSet, User
from classifier.serving import NoActiveModelError
from classifier.stopwatch import Stopwatch
from classifier.throttling import AddressThrottle
from emotion_site.problems import INVALID, ProblemError


class ApiView(APIView):
    watch: Stopwatch

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        self.watch = Stopwatch()
        began = time.perf_counter()
        response = super().dispatch(request, *args, **kwargs)
        self._let_go_of(response)
        total = time.perf_counter() - began
        response["Server-Timing"] = ", ".join(
            f"{stage};dur={seconds * 1000:.1f}"
            for stage, seconds in [*self.watch.seconds.items(), ("total", total)]
        )
        return response

    def _let_go_of(self, response: HttpResponseBase) -> None:
        """View, request and response would hold each other in memory until Python looks for cycles."""
        del self.response
        if isinstance(response, Response):
            response.render()
            del response.renderer_context

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        with self.watch.stage("admit"):
            try:
                super().initial(request, *args, **kwargs)
            except (NotAuthenticated, AuthenticationFailed):
                self._count_address(request)
                raise

    def _count_address(self, request: Request) -> None:
        """Who is known is counted by who they are; who is not, or guesses at tokens, by where they are."""
        throttle = AddressThrottle()
        if not throttle.allow_request(request, self):
            self.throttled(request, throttle.wait())


def check(kind: type[Serializer], data: Any, asker: User) -> dict[str, Any]:
    """What was sent, made sense of: label sets are those that the asker may read with.

    Raises ValidationError.
    """
    serializer = kind(data=data, context={"asker": asker})
    serializer.is_valid(raise_exception=True)
    return serializer.validated_data


def label_set_of(asked: dict[str, Any], asker: User) -> LabelSet:
    """The one that was asked for, which is there, or the site's default. Raises ProblemError without that."""
    slug = asked.get("label_set", settings.DEFAULT_LABEL_SET)
    found = LabelSet.objects.readable_by(asker).filter(slug=slug).first()
    if found is None:
        said = f"The default of this site, {slug}, does not exist. Name one that GET label-sets/ lists."
        raise ProblemError(INVALID, said, field="label_set")
    return found


def label_sets_of(asked: dict[str, Any], asker: User) -> list[LabelSet]:
    """Those that were asked for, or the site's default. Raises NoActiveModelError."""
    slugs = asked.get("label_set", [settings.DEFAULT_LABEL_SET])
    found = LabelSet.objects.filter(slug__in=slugs).answering().list_readable_by(asker)
    answering = {label_set.slug: label_set for label_set in found}
    for slug in slugs:
        if slug not in answering:
            raise NoActiveModelError(slug)
    return list(answering.values())
