"""Register the bundled artifacts."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from classifier.ml.artifact import ArtifactError
from classifier.registry import install_bundled


class Command(BaseCommand):
    help = "Register the models that come with the code; activate one where none is active."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            versions = install_bundled()
        except ArtifactError as error:
            raise CommandError(str(error)) from error
        for version in versions:
            self.stdout.write(f"{version}: {'active' if version.active else 'installed'}")
