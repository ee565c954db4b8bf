"""The front door: a landing page for visitors, the drop zone for users; and what the site is about."""

from __future__ import annotations

from collections.abc import Sequence

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from classifier.cards import lay_out
from classifier.figures import figures_of_active
from classifier.forms import UploadForm
from classifier.models import Label, Upload

RECENT = 6


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    if not request.user.is_authenticated:
        return render(request, "classifier/landing.html")
    return upload_page(request)


def upload_page(
    request: HttpRequest, *, form: UploadForm | None = None, refused: Sequence[object] = (), status: int = 200
) -> HttpResponse:
    """The drop zone; after a refused post, with what was wrong with it."""
    recent = Upload.objects.owned_by(request.user).newest_first().with_results()[:RECENT]
    context = {
        "form": form or UploadForm(initial={"consent": request.user.training_consent}),  # type: ignore[union-attr]
        "refused": refused,
        "recent": [lay_out(upload) for upload in recent],
        "max_mb": settings.MAX_UPLOAD_MB,
        "max_files": settings.MAX_FILES_PER_UPLOAD,
    }
    return render(request, "classifier/home.html", context, status=status)


@require_safe
def about(request: HttpRequest) -> HttpResponse:
    labels = Label.objects.filter(label_set__slug=settings.DEFAULT_LABEL_SET)
    context = {
        "labels": labels,
        "max_faces": settings.MAX_FACES,
        "figures": figures_of_active(settings.DEFAULT_LABEL_SET),
    }
    return render(request, "classifier/about.html", context)
