"""Look for examples whose label is likely wrong."""

from __future__ import annotations

import json
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from classifier.registry import find_label_set
from labeling.console import progress_bar
from labeling.doubts import TooFewError, mark_doubtful


class Command(BaseCommand):
    help = "Mark the examples whose label is likely wrong, for the filter in the admin's list of examples."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--label-set", default=settings.DEFAULT_LABEL_SET)
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            with progress_bar() as progress:
                doubtful = mark_doubtful(find_label_set(options["label_set"]), progress)
        except (LookupError, TooFewError) as error:
            raise CommandError(str(error)) from error
        as_json = json.dumps({"label_set": options["label_set"], "doubtful": doubtful})
        self.stdout.write(as_json if options["json"] else f"{doubtful:,} examples are likely mislabelled")
