"""No setting is a secret of the source: the README's table and .env.example name each one, and no other."""

from __future__ import annotations

import re

from django.conf import settings

from tests.settings import VARIABLES

README = settings.BASE_DIR / "README.md"
EXAMPLE = settings.BASE_DIR / ".env.example"
# Read by `manage.py prepare_site` alone, so that the password is in no other process's settings.
ONLY_ONCE = {"SUPERUSER_USERNAME", "SUPERUSER_PASSWORD"}
# Says where settings are read from, so that no file can.
ONLY_IN_THE_ENVIRONMENT = {"ENV_FILE"}
# For development: not something that a site's operator sets.
FOR_MAKE = {"DEBUG", "LOOPBACK_HTTP"}


def test_the_example_names_every_setting() -> None:
    named = set(re.findall(r"^# ([A-Z_]+)=", EXAMPLE.read_text(encoding="utf-8"), re.MULTILINE))
    assert named == (VARIABLES | ONLY_ONCE) - FOR_MAKE


def test_the_readme_names_every_setting() -> None:
    named = set(re.findall(r"^\| `([A-Z_]+)` \|", README.read_text(encoding="utf-8"), re.MULTILINE))
    assert named == VARIABLES | ONLY_ONCE | ONLY_IN_THE_ENVIRONMENT
