"""The runs of training as a list, with the page that begins one and the page of each around it."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils.translation import gettext_lazy as _

from classifier.admin import RecordAdmin
from classifier.admin_pages import asks
from labeling.models import TrainingRun
from labeling.training_cards import RunCard
from labeling.views import training

VIEW, TRAIN = "labeling.view_trainingrun", "labeling.train_models"


@admin.register(TrainingRun)
class TrainingRunAdmin(RecordAdmin):
    list_display = (
        "number",
        "label_set",
        "estimator",
        "outcome_shown",
        "version",
        "started_by",
        "created_at",
        "took",
    )
    list_display_links = ("number",)
    list_filter = ("label_set", "state", "outcome", "estimator")
    list_select_related = ("label_set", "version__label_set", "started_by")
    search_fields = ("=pk", "dataset__digest", "version__digest")
    ordering = ("-pk",)
    change_list_template = "labeling/trainingrun_list.html"

    def get_urls(self) -> list[URLPattern]:
        return [
            path("train/", asks(TRAIN, training.start), name="labeling_train_start"),
            path("train/<slug:label_set>/", asks(TRAIN, training.train), name="labeling_train"),
            path("<int:run_id>/cancel/", asks(TRAIN, training.cancel_run), name="labeling_run_cancel"),
            *super().get_urls(),
        ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[TrainingRun]:
        return super().get_queryset(request).defer("log", "curves", "metrics", "gate", "environment")

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        return asks(VIEW, training.run)(request, object_id)

    @admin.display(description=_("run"), ordering="pk")
    def number(self, run: TrainingRun) -> str:
        return f"{run.pk}"

    @admin.display(description=_("outcome"), ordering="outcome")
    def outcome_shown(self, run: TrainingRun) -> str:
        return RunCard(run).verdict

    @admin.display(description=_("took"))
    def took(self, run: TrainingRun) -> str:
        return RunCard(run).took
