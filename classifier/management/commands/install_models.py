"""Register the bundled artifacts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from classifier.ml.artifact import ArtifactError
from classifier.registry import BUNDLED, install_bundled

FAMILIES = ("cnn", "svm")
FILES = tuple(f"expressions-{family}.{ending}" for family in FAMILIES for ending in ("onnx", "json"))


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
    """Raises CommandError where the checkout lacks a model that comes with the code."""
    for name in FILES:
        if not (BUNDLED / name).is_file():
            model = Path(name).stem
            family = model.removeprefix("expressions-")
            raise CommandError(
                f"{BUNDLED / name} is missing: the site's models come with the code, in two files each. Take "
                f"the whole repository anew, or train this one (README.md, Training) and copy its "
                f"{family}.onnx and {family}.json there, as {model}.onnx and {model}.json."
            )
