"""Take the curated dataset out as files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from classifier.registry import find_label_set
from labeling.console import progress_bar
from labeling.exporting import FORMATS, write_files


class Command(BaseCommand):
    help = (
        "Write the curated dataset as a CSV of labels and gray values, a folder for each label, or Parquet."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--label-set", default=settings.DEFAULT_LABEL_SET)
        parser.add_argument("--format", default="csv", choices=FORMATS, dest="format_name")
        parser.add_argument("--output", type=Path, required=True, help="a file; for folders, a new folder")

    def handle(self, *args: Any, **options: Any) -> None:
        target: Path = options["output"]
        name = options["format_name"]
        try:
            label_set = find_label_set(options["label_set"])
            with progress_bar() as progress:
                written = write_files(target, label_set, format_name=name, progress=progress)
        except (LookupError, OSError) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{written:,} examples written to {target}")
