"""Everything between an installed checkout and a site that can be served."""

from __future__ import annotations

import os
import secrets
import time
from typing import Any

from django.conf import settings
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError

from classifier.artifact_files import clear_temporary
from classifier.management.commands.install_models import check_bundle
from classifier.models import User
from emotion_site.checks import default_label_set_exists

# No upload takes as long: what is older was left by a process that was killed.
LEFT_BEHIND_S = 24 * 60 * 60


class Command(BaseCommand):
    help = (
        "Migrate, make the cache table, collect static files, install the models, clear away what is over, "
        "make the first superuser. Safe to run again, also while the site is served."
    )

    def handle(self, *args: Any, **options: Any) -> None:
        check_bundle()
        try:
            self._prepare()
        except OperationalError as error:
            reason = "; ".join(line.strip() for line in str(error).splitlines())
            raise CommandError(
                f"The database of DATABASE_URL (without it, db.sqlite3 in DATA_DIR) can't be used: {reason}"
            ) from error

    def _prepare(self) -> None:
        call_command("migrate", interactive=False, verbosity=0)
        # Before anything is made that would have to be undone; the name can't be asked of an empty database.
        name = missing_superuser()
        call_command("createcachetable", verbosity=0)
        call_command("collectstatic", interactive=False, verbosity=0)
        call_command("install_models", stdout=self.stdout)
        clear_away()
        for message in default_label_set_exists(databases=["default"]):
            self.stderr.write(self.style.WARNING(str(message)))
        if name:
            self._make_superuser(name)

    def _make_superuser(self, name: str) -> None:
        given = os.environ.get("SUPERUSER_PASSWORD")
        password = given or secrets.token_urlsafe(12)
        User.objects.create_superuser(name, password=password)
        shown = "the password from SUPERUSER_PASSWORD" if given else f"password {password} (shown only now)"
        self.stdout.write(self.style.SUCCESS(f"Superuser {name} made, with {shown}"))


def missing_superuser() -> str:
    """The name of the superuser that is to be made; empty when the site has one.

    Raises CommandError when the name belongs to somebody else: logging in does not tell Ada from ada.
    """
    if User.objects.filter(is_superuser=True).exists():
        return ""
    name = os.environ.get("SUPERUSER_USERNAME", "").strip() or "admin"
    if User.objects.filter(username__iexact=name).exists():
        raise CommandError(
            f"The site has no superuser, and the user {name!r} is not one. Set SUPERUSER_USERNAME to a name "
            "that nobody has."
        )
    return name


def clear_away() -> None:
    """Sessions that have expired, tasks that ended two weeks ago, files that were never finished."""
    call_command("clearsessions")
    call_command("prune_db_task_results", verbosity=0)
    clear_temporary()
    for path in settings.FILE_UPLOAD_TEMP_DIR.iterdir():
        if path.is_file() and path.stat().st_mtime < time.time() - LEFT_BEHIND_S:
            path.unlink(missing_ok=True)
