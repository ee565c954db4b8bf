"""The front door: a landing page for visitors, the drop zone for users; and what the site is about."""

from __future__ import annotations

from collections.abc import Sequence

from django.conf import settings
from django.db.models import prefetch_related_objects
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from classifier.access import Visitor, label_sets_for
from classifier.cards import lay_out
from classifier.figures import figures_of_active
from classifier.forms import UploadForm
from classifier.models import LabelSet, Upload

RECENT = 6
# In the session: the slugs of the label sets that were chosen last.
CHOSEN = "label_sets"


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    if not request.user.is_authenticated:
        return render(request, "classifier/landing.html")
    return upload_page(request)


def upload_page(
    request: HttpRequest, *, form: UploadForm | None = None, refused: Sequence[object] = (), status: int = 200
) -> HttpResponse:
    """The drop zone; after a refused post, with what was wrong with it."""
    mine = Upload.objects.owned_by(request.user)
    recent = mine.newest_first().with_results(reader=request.user)[:RECENT]
    form = form or _empty_form(request)
    if form.asks:
        prefetch_related_objects(form.offered, "labels")
    context = {
        "form": form,
        "refused": refused,
        "recent": [lay_out(upload) for upload in recent],
        "max_mb": settings.MAX_UPLOAD_MB,
        "max_files": settings.MAX_FILES_PER_UPLOAD,
    }
    return render(request, "classifier/home.html", context, status=status)


def _empty_form(request: HttpRequest) -> UploadForm:
    return UploadForm(
        initial={"consent": request.user.training_consent},  # type: ignore[union-attr]
        offered=label_sets_for(request.user),
        chosen=request.session.get(CHOSEN, ()),
    )


@require_safe
def about(request: HttpRequest) -> HttpResponse:
    label_sets = _told_about_to(request.user)
    prefetch_related_objects(label_sets, "labels")
    context = {
        "told": [(label_set, figures_of_active(label_set.slug)) for label_set in label_sets],
        "max_faces": settings.MAX_FACES,
    }
    return render(request, "classifier/about.html", context)


def _told_about_to(visitor: Visitor) -> list[LabelSet]:
    """The default, where it is open to all, is for anybody; another for those who can read with it."""
    default = LabelSet.objects.filter(slug=settings.DEFAULT_LABEL_SET, open_to_all=True)
    return sorted({*default, *label_sets_for(visitor)}, key=lambda label_set: label_set.place)
