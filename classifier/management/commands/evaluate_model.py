"""Score a registered model on labelled faces."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from classifier.ml.evaluate import add_options, evaluate, told_as
from classifier.registry import find_version
from classifier.serving import read_artifact


class Command(BaseCommand):
    help = "Score a registered model: figures with intervals, latency, size. Changes nothing."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "model",
            nargs="?",
            default="",
            metavar="VERSION",
            help="number, estimator or start of the digest; default: the active version",
        )
        parser.add_argument("--label-set", default=settings.DEFAULT_LABEL_SET)
        add_options(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        asked = {name: options[name] for name in ("data", "votes", "usage", "plots", "as_cut")}
        try:
            version = find_version(options["model"], label_set=options["label_set"])
            told = evaluate(read_artifact(version), version.card, **asked)
        except (LookupError, OSError, ValueError) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(told_as(told, as_json=options["json"]))
