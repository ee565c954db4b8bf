"""Add labelled faces from files to the curated dataset."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from classifier.registry import find_label_set
from labeling.console import progress_bar
from labeling.import_plan import Fate
from labeling.importing import ImportRefusedError, Report, import_dataset
from labeling.reading import FORMATS, FormatError

REASONS_SHOWN = 10


class Command(BaseCommand):
    help = (
        "Add labelled faces to the curated dataset: first a plan, then the rows, in batches. What is in "
        "already is passed over, so it can be run again. Exit status 1: nothing was imported."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("path", type=Path, help="a CSV (.csv, .csv.gz, .csv.xz), a .parquet, or a folder")
        parser.add_argument("--label-set", default=settings.DEFAULT_LABEL_SET)
        parser.add_argument("--format", default="auto", choices=FORMATS, dest="format_name")
        parser.add_argument("--votes", type=Path, help="FER+ votes (fer2013new.csv) for FER2013's rows")
        parser.add_argument(
            "--detect",
            action="store_true",
            help="the folder has photographs: find and align the face in each",
        )
        parser.add_argument("--dry-run", action="store_true", help="tell what would be done, and do nothing")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        asked = {name: options[name] for name in ("format_name", "votes", "detect", "dry_run")}
        try:
            label_set = find_label_set(options["label_set"])
            with progress_bar() as progress:
                report = import_dataset(options["path"], label_set, progress=progress, **asked)
        except ImportRefusedError as error:
            if options["json"]:
                self.stdout.write(json.dumps(error.report.as_json(), ensure_ascii=False, indent=1))
            raise CommandError(str(error)) from error
        except (LookupError, FormatError, OSError) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(_told(report, as_json=options["json"]))


def _told(report: Report, *, as_json: bool) -> str:
    if as_json:
        return json.dumps(report.as_json(), ensure_ascii=False, indent=1)
    added = "would be added" if report.dry_run else "added"
    return "\n".join(
        [
            f"{report.rows:,} rows: {report.added.total():,} {added}, {len(report.duplicates):,} duplicates, "
            f"{len(report.refused):,} refused, {len(report.set_aside):,} set aside",
            *_lines("refused", report.refused),
            *_lines("set aside", report.set_aside),
        ]
    )


def _lines(kind: str, fates: list[Fate]) -> list[str]:
    shown = [f"  {kind}: {fate.where}: {fate.why}" for fate in fates[:REASONS_SHOWN]]
    more = len(fates) - len(shown)
    return [*shown, f"  and {more:,} more {kind}: --json tells all"] if more > 0 else shown
