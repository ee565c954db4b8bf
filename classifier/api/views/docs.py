"""What the API says of itself."""

from __future__ import annotations

from pathlib import Path

from django.http import FileResponse, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from emotion_site import problems

# As reviewed and committed: a test compares it with what drf-spectacular makes of the views.
SCHEMA = Path(__file__).resolve().parent.parent / "openapi.json"


@require_safe
def schema(request: HttpRequest) -> FileResponse:
    return FileResponse(SCHEMA.open("rb"), content_type="application/json")


@require_safe
def docs(request: HttpRequest) -> HttpResponse:
    return render(request, "api/docs.html")


@require_safe
def explain_problems(request: HttpRequest) -> HttpResponse:
    return render(request, "api/problems.html", {"kinds": problems.KINDS})
