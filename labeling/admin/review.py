"""The faces in review as a list, with the review page, the pictures and the bulk actions around it."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Prefetch, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from classifier.access import within_reach
from classifier.admin import RecordAdmin
from classifier.admin_pages import asks
from classifier.models import Prediction
from labeling.models import ReviewItem, ReviewQuerySet
from labeling.views import bulk, faces, pictures, review

VIEW, REVIEW = "labeling.view_reviewitem", "labeling.review_faces"


@admin.register(ReviewItem)
class ReviewItemAdmin(RecordAdmin):
    list_display = ("crop", "state", "outcome", "suggestion", "uncertainty", "its_user", "held")
    list_display_links = ("crop", "state")
    list_filter = (
        "state",
        ("label_set", admin.RelatedOnlyFieldListFilter),
        "disagreed",
        ("label", admin.RelatedOnlyFieldListFilter),
        "probe",
    )
    list_select_related = ("label_set", "label", "lease_holder")
    search_fields = ("=face__pk", "=face__upload__pk")
    ordering = ("-pk",)
    actions = ("accept_many", "label_many")
    change_list_template = "labeling/reviewitem_list.html"

    def get_urls(self) -> list[URLPattern]:
        return [
            path("review/", asks(REVIEW, review.start), name="labeling_review_start"),
            path("review/<slug:label_set>/", asks(REVIEW, review.review), name="labeling_review"),
            path("bulk/<slug:label_set>/", asks(REVIEW, bulk.bulk), name="labeling_bulk"),
            path("<int:item_id>/crop.png", asks(VIEW, pictures.crop, cacheable=True), name="labeling_crop"),
            path(
                "<int:item_id>/photo.jpg", asks(VIEW, pictures.photo, cacheable=True), name="labeling_photo"
            ),
            *super().get_urls(),
        ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[ReviewItem]:
        shown = Prediction.objects.filter(shown=True).select_related("label")
        items = within_reach(request.user, super().get_queryset(request))
        return (
            items.select_related("face")
            .defer("face__crop")
            .prefetch_related(Prefetch("face__predictions", queryset=shown, to_attr="shown_predictions"))
        )

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        return asks(VIEW, faces.face)(request, object_id)

    def has_review_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(REVIEW)

    @admin.action(description=_("Accept the suggestions"), permissions=["review"])
    def accept_many(self, request: HttpRequest, chosen: ReviewQuerySet) -> HttpResponse | None:
        return bulk.preview(request, chosen, giving=False)

    @admin.action(description=_("Give one label"), permissions=["review"])
    def label_many(self, request: HttpRequest, chosen: ReviewQuerySet) -> HttpResponse | None:
        return bulk.preview(request, chosen, giving=True)

    @admin.display(description=_("face"))
    def crop(self, item: ReviewItem) -> SafeString:
        url = reverse("admin:labeling_crop", args=[item.pk])
        return format_html(
            '<img class="review-thumb" src="{}" width="56" height="56" loading="lazy" alt="Face {}">',
            url,
            item.face_id,
        )

    @admin.display(description=_("settled as"), ordering="label")
    def outcome(self, item: ReviewItem) -> str:
        if item.state != ReviewItem.State.SETTLED:
            return "–"
        return str(item.label) if item.label else str(_("unusable"))

    @admin.display(description=_("the model says"))
    def suggestion(self, item: ReviewItem) -> str:
        """Nothing while it is to be hidden: the list would tell what the review page does not."""
        if item.suggestion_hidden and item.state != ReviewItem.State.SETTLED:
            return str(_("hidden"))
        found = [said for said in item.face.shown_predictions if said.label_set_id == item.label_set_id]
        return f"{found[0].label} {found[0].confidence:.0%}" if found else "–"

    @admin.display(description=_("uncertainty"), ordering="entropy")
    def uncertainty(self, item: ReviewItem) -> str:
        return f"{item.entropy:.0%}"

    @admin.display(description=_("its user"), ordering="disagreed")
    def its_user(self, item: ReviewItem) -> str:
        return str(_("disagrees")) if item.disagreed else "–"

    @admin.display(description=_("with"), ordering="leased_until")
    def held(self, item: ReviewItem) -> str:
        return str(item.lease_holder) if item.is_leased else "–"
