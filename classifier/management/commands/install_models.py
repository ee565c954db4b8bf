"""Register the bundled artifacts."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError

from classifier.ml.artifact import ArtifactError
from classifier.registry import BUNDLED, install_bundled

FILES = ("expressions-cnn.onnx", "expressions-cnn.json")


class Command(BaseCommand):
    help = "Register the models that come with the code; activate one where none is active."

    def handle(self, *args: Any, **options: Any) -> None:
        check_bundle()
        try:
            versions = install_bundled(BUNDLED)
        except ArtifactError as error:
            raise CommandError(str(error)) from error
        for version in versions:
            self.stdout.write(f"{version}: {'active' if version.active else 'installed'}")


def check_bundle() -> None:
    """Raises CommandError where the checkout lacks the model that comes with the code."""
    for name in FILES:
        if not (BUNDLED / name).is_file():
            raise CommandError(
                f"{BUNDLED / name} is missing: the site's model comes with the code, in two files. Take the "
                "whole repository anew, or train a model (README.md, Training) and copy its cnn.onnx and "
                f"cnn.json there, as {' and '.join(FILES)}."
            )
