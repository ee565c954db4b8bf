"""How the list of examples is narrowed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from classifier.models import User
from labeling.models import Annotation, Example


class Place(admin.SimpleListFilter):
    """Withdrawn examples are out of sight until they are asked for."""

    DOUBTFUL = "doubtful"
    title = _("place")
    parameter_name = "place"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [
            (self.DOUBTFUL, _("Likely mislabelled, worst first")),
            ("withdrawn", _("Withdrawn")),
            ("all", _("Everything")),
        ]

    def choices(self, changelist: ChangeList) -> Iterator[Any]:
        unasked, *others = super().choices(changelist)
        yield {**unasked, "display": _("In the dataset")}
        yield from others

    def queryset(self, request: HttpRequest, queryset: QuerySet[Example]) -> QuerySet[Example]:
        if self.value() == "all":
            return queryset
        if self.value() == "withdrawn":
            return queryset.exclude(withdrawn="")
        kept = queryset.filter(withdrawn="")
        return kept.filter(suspicion__isnull=False) if self.value() == self.DOUBTFUL else kept


class Agreement(admin.SimpleListFilter):
    title = _("agreement")
    parameter_name = "agreement"
    RANGES = {
        "all": Q(agreement=1),
        "most": Q(agreement__gt=0.5, agreement__lt=1),
        "half": Q(agreement__lte=0.5),
        "none": Q(agreement__isnull=True),
    }

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, Any]]:
        return [
            ("all", _("All votes")),
            ("most", _("More than half")),
            ("half", _("Half or fewer")),
            ("none", _("No votes")),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Example]) -> QuerySet[Example]:
        return queryset.filter(self.RANGES.get(self.value() or "", Q()))


class Labeler(admin.SimpleListFilter):
    """Whoever said something of the face that still counts."""

    title = _("labeler")
    parameter_name = "labeler"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        labelers = User.objects.filter(Exists(Annotation.objects.filter(labeler=OuterRef("pk"))))
        names = labelers.order_by("username").values_list("pk", "username")
        return [(str(pk), name) for pk, name in names]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Example]) -> QuerySet[Example]:
        labeler = self.value() or ""
        if not labeler.isdecimal():
            return queryset
        theirs = Annotation.objects.in_force().filter(labeler=int(labeler), label_set=OuterRef("label_set"))
        return queryset.filter(Exists(theirs.filter(face=OuterRef("face"))))
