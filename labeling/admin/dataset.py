"""The examples as a grid of crops, with the dataset page and what is done with it around them."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path, reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from classifier.access import within_reach
from classifier.admin import RecordAdmin
from labeling.models import DatasetVersion, Example, ExampleChange
from labeling.views import aside, dataset, examples, jobs, new_label_set

from .example_filters import Agreement, Labeler, Place
from .review import asks

VIEW, CHANGE = "labeling.view_example", "labeling.change_example"
IMPORT, EXPORT = "labeling.import_examples", "labeling.export_examples"
FREEZE = "labeling.freeze_dataset"
MAKE = ("classifier.add_labelset", IMPORT)


class ChangeInline(admin.TabularInline):
    model = ExampleChange
    verbose_name_plural = _("history")
    fields = ("changed_at", "kind", "before", "after", "reason", "changed_by")
    readonly_fields = fields
    extra = 0
    can_delete = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).select_related("before", "after", "changed_by")

    def has_add_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return request.user.has_perm(VIEW)


@admin.register(Example)
class ExampleAdmin(RecordAdmin):
    list_display = ("picture", "label", "split", "votes_cast", "remark")
    list_display_links = ("picture",)
    list_filter = (
        Place,
        ("label_set", admin.RelatedOnlyFieldListFilter),
        ("label", admin.RelatedOnlyFieldListFilter),
        "split",
        "source",
        Labeler,
        Agreement,
        "created_at",
    )
    list_select_related = ("label",)
    list_per_page = 60
    list_max_show_all = 60
    empty_value_display = ""
    search_fields = ("=pk", "origin", "=group", "=face__upload__pk")
    actions = ("relabel_many", "withdraw_many", "restore_many")
    change_list_template = "labeling/example_list.html"
    exclude = ("crop", "perceptual_hash", "face")
    readonly_fields = ("picture",)
    inlines = (ChangeInline,)

    def get_urls(self) -> list[URLPattern]:
        page = "dataset/<slug:label_set>/"
        return [
            path("dataset/", asks(VIEW, dataset.start), name="labeling_dataset_start"),
            path("new-label-set/", asks(MAKE, new_label_set.import_new), name="labeling_import_new"),
            path(page, asks(VIEW, dataset.dataset), name="labeling_dataset"),
            path(f"{page}import/", asks(IMPORT, dataset.import_file), name="labeling_dataset_import"),
            path(f"{page}export/", asks(EXPORT, dataset.export), name="labeling_dataset_export"),
            path(f"{page}freeze/", asks(FREEZE, dataset.freeze), name="labeling_dataset_freeze"),
            path(f"{page}doubts/", asks(CHANGE, dataset.find_doubts), name="labeling_dataset_doubts"),
            path(f"{page}set-aside/", asks(IMPORT, aside.set_aside), name="labeling_set_aside"),
            path(
                "set-aside/<int:picture_id>/photo.jpg",
                asks(IMPORT, aside.photo),
                name="labeling_set_aside_photo",
            ),
            path(
                "set-aside/faces/<int:face_id>/crop.png",
                asks(IMPORT, aside.crop),
                name="labeling_set_aside_crop",
            ),
            path("jobs/<uuid:job_id>/", asks(VIEW, jobs.job), name="labeling_dataset_job"),
            path("jobs/<uuid:job_id>/file/", asks(EXPORT, jobs.job_file), name="labeling_dataset_job_file"),
            path(
                "versions/<int:version_id>/file/",
                asks(EXPORT, dataset.version_file),
                name="labeling_version_file",
            ),
            path("<int:example_id>/crop.png", asks(VIEW, examples.crop), name="labeling_example_crop"),
            *(
                path(
                    f"{act}/<slug:label_set>/",
                    asks(CHANGE, examples.change),
                    {"act": act},
                    name=f"labeling_{act}",
                )
                for act in examples.ACTS
            ),
            *super().get_urls(),
        ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Example]:
        return within_reach(request.user, super().get_queryset(request)).defer("crop")

    def get_ordering(self, request: HttpRequest) -> tuple[str, ...]:
        return ("-suspicion", "-pk") if request.GET.get(Place.parameter_name) == Place.DOUBTFUL else ("-pk",)

    def has_curate_permission(self, request: HttpRequest) -> bool:
        return request.user.has_perm(CHANGE)

    @admin.action(description=examples.ACTS["relabel"], permissions=["curate"])
    def relabel_many(self, request: HttpRequest, chosen: QuerySet[Example]) -> HttpResponse | None:
        return examples.preview(request, chosen, act="relabel")  # type: ignore[arg-type]

    @admin.action(description=examples.ACTS["withdraw"], permissions=["curate"])
    def withdraw_many(self, request: HttpRequest, chosen: QuerySet[Example]) -> HttpResponse | None:
        return examples.preview(request, chosen, act="withdraw")  # type: ignore[arg-type]

    @admin.action(description=examples.ACTS["restore"], permissions=["curate"])
    def restore_many(self, request: HttpRequest, chosen: QuerySet[Example]) -> HttpResponse | None:
        return examples.preview(request, chosen, act="restore")  # type: ignore[arg-type]

    @admin.display(description=_("crop"))
    def picture(self, example: Example) -> SafeString:
        return format_html(
            '<img class="example-crop" src="{}" width="112" height="112" loading="lazy" alt="Example {}">',
            reverse("admin:labeling_example_crop", args=[example.pk]),
            example.pk,
        )

    @admin.display(description=_("votes"), ordering="agreement")
    def votes_cast(self, example: Example) -> str:
        return "" if example.agreement is None else f"{example.agreement:.0%} agree"

    @admin.display(description=_("remark"), ordering="suspicion")
    def remark(self, example: Example) -> str:
        if example.withdrawn:
            return str(_("withdrawn: %s")) % example.withdrawn_reason
        return "" if example.suspicion is None else str(_("%d %% doubtful")) % (100 * example.suspicion)


@admin.register(DatasetVersion)
class DatasetVersionAdmin(RecordAdmin):
    list_display = ("label_set", "short_digest", "examples", "created_by", "created_at", "erased_at")
    list_filter = (("label_set", admin.RelatedOnlyFieldListFilter),)
    list_select_related = ("label_set", "created_by")
    search_fields = ("digest",)
    exclude = ("faces", "file")

    def get_queryset(self, request: HttpRequest) -> QuerySet[DatasetVersion]:
        return within_reach(request.user, super().get_queryset(request))

    @admin.display(description=_("digest"), ordering="digest")
    def short_digest(self, version: DatasetVersion) -> str:
        return version.digest[:12]
