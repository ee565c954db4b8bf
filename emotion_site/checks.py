"""System checks of what the environment gave the site. `manage.py check` and every other command run them."""

from __future__ import annotations

import os
from collections.abc import Iterable
from typing import Any

from django.conf import settings
from django.core.checks import WARNING, CheckMessage, Error, Tags, register
from django.db import DatabaseError


@register()
def data_dir_is_writable(**options: Any) -> list[CheckMessage]:
    if os.access(settings.DATA_DIR, os.W_OK | os.X_OK):
        return []
    return [
        Error(
            f"DATA_DIR={settings.DATA_DIR} is not writable for the user that runs the site.",
            hint="Give that user the folder, or set DATA_DIR to another one.",
            id="emotion_site.E001",
        )
    ]


@register(Tags.database)
def default_label_set_exists(databases: Iterable[str] | None = None, **options: Any) -> list[CheckMessage]:
    """Asked where a database is: by `manage.py migrate`, `prepare_site` and `check --database default`."""
    from classifier.models import LabelSet

    slug = settings.DEFAULT_LABEL_SET
    try:
        if not databases or LabelSet.objects.filter(slug=slug).exists():
            return []
        known = ", ".join(LabelSet.objects.values_list("slug", flat=True))
    except DatabaseError:
        return []  # there are no tables yet
    return [
        CheckMessage(
            WARNING,
            f"DEFAULT_LABEL_SET={slug} names a label set that does not exist: uploads can't be read.",
            hint=f"Make it in the admin and give it a model, or set DEFAULT_LABEL_SET to one of: {known}.",
            id="emotion_site.W001",
        )
    ]
