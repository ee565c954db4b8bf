"""Label sets as the forward half shows them, and with the page that deletes one."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest, HttpResponse

from classifier.admin import LabelSetAdmin as Shown
from classifier.admin_pages import asks, id_in
from classifier.models import LabelSet
from labeling.views import label_sets

DELETE = "classifier.delete_labelset"

admin.site.unregister(LabelSet)


@admin.register(LabelSet)
class LabelSetAdmin(Shown):
    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return request.user.has_perm(DELETE)

    def delete_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        return asks(DELETE, label_sets.delete)(request, id_in(object_id))
