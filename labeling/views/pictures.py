"""A face and its photograph, for labelers, for as long as its owner offers it."""

from __future__ import annotations

from io import BytesIO

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseBase
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_safe

from classifier.access import within_reach
from classifier.delivery import CHANGING, deliver, stored
from labeling.models import ReviewItem


def _items(request: HttpRequest) -> QuerySet[ReviewItem]:
    return within_reach(request.user, ReviewItem.objects.offered())


@require_safe
def crop(request: HttpRequest, item_id: int) -> HttpResponseBase:
    item = get_object_or_404(_items(request).select_related("face"), pk=item_id)
    return deliver(
        request,
        lambda: BytesIO(item.face.crop),
        etag=f"{item.face_id}-crop",
        name=f"face-{item.face_id}.png",
        cache=CHANGING,
        content_type="image/png",
    )


@require_safe
def photo(request: HttpRequest, item_id: int) -> HttpResponseBase:
    items = _items(request).select_related("face__upload").defer("face__crop")
    item = get_object_or_404(items, pk=item_id)
    upload = item.face.upload
    return deliver(
        request,
        lambda: stored(upload.photo),
        etag=f"{upload.pk}-photo",
        name=f"face-{item.face_id}.jpg",  # not the owner's own name for it
        cache=CHANGING,
    )
