"""The records of the forward half, for operators to look at. Photographs and crops are not shown here."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.core.exceptions import PermissionDenied
from django.db.models import Model, Prefetch, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path

from .accounts import erase_account
from .admin_pages import asks, id_in
from .figures import scorings_of
from .label_sets import say_unknown, unknown_labels
from .models import Activation, DataExport, Face, LabelSet, ModelVersion, Prediction, Upload, User
from .views import label_sets, registry

SHOWN = 8
VIEW, PROMOTE = "classifier.view_modelversion", "classifier.promote_models"


class RecordAdmin(admin.ModelAdmin):
    """Rows that tell what happened: nobody edits them by hand."""

    show_full_result_count = False
    list_per_page = 50

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    def history_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        # The stock page looks for the row first, and tells anybody who has none of it.
        if not self.has_view_permission(request):
            raise PermissionDenied
        return super().history_view(request, object_id, extra_context)


@admin.register(User)
class AccountAdmin(UserAdmin):
    list_display = ("username", "email", "is_staff", "is_active", "training_consent", "date_joined")

    def get_deleted_objects(
        self, objs: Iterable[User], request: HttpRequest
    ) -> tuple[list[str], dict[str, int], set[str], list[str]]:
        """A summary: the stock list would name every face, and refuse, since records can't be deleted."""
        summary = [f"{user}, with {user.uploads.count()} uploads and their files" for user in objs]
        return summary, {"users": len(summary)}, set(), []

    def delete_model(self, request: HttpRequest, obj: User) -> None:
        erase_account(obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        for user in queryset:
            erase_account(user)


@admin.register(LabelSet)
class LabelSetAdmin(admin.ModelAdmin):
    """The return half, which knows all that goes with a label set, adds how one is deleted."""

    list_display = ("name", "slug", "told_apart", "read_by", "names_people", "answers")
    list_per_page = 50
    actions = None

    def get_queryset(self, request: HttpRequest) -> QuerySet[LabelSet]:
        active = ModelVersion.objects.filter(active=True)
        return (
            super().get_queryset(request).prefetch_related("labels", "groups", Prefetch("versions", active))
        )

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        return asks("classifier.add_labelset", label_sets.create)(request)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        return asks("classifier.view_labelset", label_sets.change)(request, id_in(object_id))

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return False

    @admin.display(description="labels")
    def told_apart(self, label_set: LabelSet) -> str:
        names = [label.name for label in label_set.labels.all()]
        return ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")

    @admin.display(description="open to")
    def read_by(self, label_set: LabelSet) -> str:
        if label_set.open_to_all:
            return "everybody"
        return ", ".join(group.name for group in label_set.groups.all()) or "nobody"

    @admin.display(description="answers")
    def answers(self, label_set: LabelSet) -> str:
        version = next(iter(label_set.versions.all()), None)
        if version is None:
            return "no model yet"
        return f"{version.estimator} v{version.number}. {say_unknown(unknown_labels(version))}".strip(". ")


@admin.register(ModelVersion)
class ModelVersionAdmin(RecordAdmin):
    list_display = ("name", "active", "accuracy", "gate", "short_digest", "created_at")
    list_filter = ("label_set", "active", "estimator")
    list_select_related = ("label_set",)
    search_fields = ("digest", "estimator")
    change_list_template = "registry/list.html"

    def get_urls(self) -> list[URLPattern]:
        kinds = {"kind": "confusion"}, {"kind": "reliability"}
        return [
            path("<int:version_id>/promote/", asks(PROMOTE, registry.promote), name="classifier_promote"),
            path(
                "rollback/<slug:label_set>/", asks(PROMOTE, registry.roll_back), name="classifier_roll_back"
            ),
            *(
                path(
                    f"<int:version_id>/<int:place>/{kind['kind']}.png",
                    asks(VIEW, registry.diagram, cacheable=True),
                    kind,
                    name=f"classifier_{kind['kind']}",
                )
                for kind in kinds
            ),
            *super().get_urls(),
        ]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        # As the stock page has it, which also knows addresses with words in them.
        return asks(VIEW, registry.version)(request, id_in(object_id))

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        active = ModelVersion.objects.filter(active=True).prefetch_related("label_set__labels")
        shown = [(version, say_unknown(unknown_labels(version))) for version in active]
        return super().changelist_view(request, {"active_versions": shown} | (extra_context or {}))

    @admin.display(description="version", ordering="number")
    def name(self, version: ModelVersion) -> str:
        return str(version)

    @admin.display(description="accuracy")
    def accuracy(self, version: ModelVersion) -> str:
        said = [f"{scoring.accuracy:.1%} on {scoring.name}" for scoring in scorings_of(version)]
        return ", ".join(said) or "–"

    @admin.display(description="gate")
    def gate(self, version: ModelVersion) -> str:
        return "refused" if version.refusal else "–"

    @admin.display(description="digest", ordering="digest")
    def short_digest(self, version: ModelVersion) -> str:
        return version.digest[:12]


@admin.register(Activation)
class ActivationAdmin(RecordAdmin):
    """The whole history, newest first; narrowed by day it says what was active then."""

    list_display = ("version", "at", "by", "how", "reason")
    list_filter = ("label_set", "at", "forced")
    list_select_related = ("version__label_set", "by")
    search_fields = ("reason", "version__digest", "by__username")
    ordering = ("-pk",)

    @admin.display(description="how")
    def how(self, activation: Activation) -> str:
        how = "rolled back" if activation.restores_id else "promoted"
        return f"{how}, forced" if activation.forced else how


class FaceInline(admin.TabularInline):
    model = Face
    fields = ("position", "score", "w", "h", "sharpness", "yaw", "roll", "unreadable")
    readonly_fields = fields
    show_change_link = True
    extra = 0
    can_delete = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).defer("crop")


@admin.register(Upload)
class UploadAdmin(RecordAdmin):
    list_display = ("name", "owner", "faces_found", "width", "height", "consent", "created_at")
    list_filter = ("consent", "created_at")
    list_select_related = ("owner",)
    search_fields = ("=id", "name", "owner__username")
    ordering = ("-created_at",)
    exclude = ("photo", "thumbnail")
    inlines = (FaceInline,)


class PredictionInline(admin.TabularInline):
    model = Prediction
    fields = ("model_version", "label", "confidence", "unsure", "shown", "created_at")
    readonly_fields = fields
    extra = 0
    can_delete = False


@admin.register(Face)
class FaceAdmin(RecordAdmin):
    list_display = ("upload", "position", "score", "w", "h", "unreadable")
    list_filter = ("unreadable",)
    list_select_related = ("upload",)
    search_fields = ("=upload__id", "upload__name", "upload__owner__username")
    ordering = ("-pk",)
    exclude = ("crop",)
    inlines = (PredictionInline,)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Face]:
        return super().get_queryset(request).defer("crop")


@admin.register(Prediction)
class PredictionAdmin(RecordAdmin):
    list_display = ("label", "confidence", "unsure", "shown", "model_version", "created_at")
    list_filter = ("label", "unsure", "shown", "model_version")
    list_select_related = ("label", "model_version__label_set")
    search_fields = ("=face__upload__id", "face__upload__owner__username", "label__slug")
    ordering = ("-pk",)
    raw_id_fields = ("face",)


@admin.register(DataExport)
class DataExportAdmin(RecordAdmin):
    list_display = ("owner", "state", "done", "total", "created_at")
    list_filter = ("state",)
    list_select_related = ("owner",)
    search_fields = ("owner__username",)
    exclude = ("archive",)
