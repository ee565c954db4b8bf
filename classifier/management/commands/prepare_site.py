"""Everything between an installed checkout and a site that can be served."""

from __future__ import annotations

import os
import secrets
from typing import Any

from django.core.management import call_command
from django.core.management.base import BaseCommand

from classifier.models import User


class Command(BaseCommand):
    help = "Migrate, make the cache table, collect static files, install the models and the first superuser."

    def handle(self, *args: Any, **options: Any) -> None:
        call_command("migrate", interactive=False, verbosity=0)
        call_command("createcachetable", verbosity=0)
        call_command("collectstatic", interactive=False, verbosity=0)
        call_command("install_models", stdout=self.stdout)
        self._first_superuser()

    def _first_superuser(self) -> None:
        if User.objects.filter(is_superuser=True).exists():
            return
        name = os.environ.get("SUPERUSER_USERNAME", "admin")
        given = os.environ.get("SUPERUSER_PASSWORD")
        password = given or secrets.token_urlsafe(12)
        User.objects.create_superuser(name, password=password)
        shown = "the password from SUPERUSER_PASSWORD" if given else f"password {password} (shown only now)"
        self.stdout.write(self.style.SUCCESS(f"Superuser {name} made, with {shown}"))
