"""System checks of what the environment gave the site. `manage.py check` and every other command run them."""

from __future__ import annotations

import os
from typing import Any

from django.conf import settings
from django.core.checks import CheckMessage, Error, register


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
