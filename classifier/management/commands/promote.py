"""Make another registered model the one that answers."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from classifier import registry
from classifier.ml.artifact import ArtifactError
from classifier.serving import classifier_of


class Command(BaseCommand):
    help = "Let a registered model answer from the next request on, without a restart."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("version", help="number, estimator or start of the digest")
        parser.add_argument("--label-set", default=settings.DEFAULT_LABEL_SET)

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            version = registry.find_version(options["version"], label_set=options["label_set"])
            classifier_of(version)  # what can't be loaded must not become active
        except (LookupError, ArtifactError) as error:
            raise CommandError(str(error)) from error
        registry.promote(version)
        self.stdout.write(f"{version} is active.")
