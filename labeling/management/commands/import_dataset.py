"""Add labelled faces from files to the curated dataset."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from classifier.label_sets import LabelSetError
from classifier.models import LabelSet
from classifier.registry import find_label_set
from labeling.cleaning import Cleaning
from labeling.console import progress_bar
from labeling.import_report import Fate, Report, in_words
from labeling.importing import ImportRefusedError, NewLabelSet, import_dataset
from labeling.reading import FORMATS
from labeling.rows import FormatError

REASONS_SHOWN = 10
DEFAULTS = Cleaning()


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
        parser.add_argument("--dry-run", action="store_true", help="tell what would be done, and do nothing")
        parser.add_argument("--json", action="store_true", help="print one JSON object")
        self._add_cleaning(parser)
        self._add_creating(parser)

    def _add_cleaning(self, parser: CommandParser) -> None:
        group = parser.add_argument_group(
            "photographs", "Those without exactly one usable face are set aside, for a person to look at."
        )
        group.add_argument(
            "--detect",
            action="store_true",
            help="the folder has photographs: find and align the face in each",
        )
        group.add_argument(
            "--min-face",
            type=float,
            default=DEFAULTS.min_face,
            metavar="PIXELS",
            help="a narrower face is too small (%(default)g)",
        )
        group.add_argument(
            "--min-sharpness",
            type=float,
            default=DEFAULTS.min_sharpness,
            metavar="SHARPNESS",
            help="a face below it is too blurred; most have 0.1 to 1 (%(default)g)",
        )
        group.add_argument(
            "--bystander",
            type=float,
            default=DEFAULTS.bystander,
            metavar="SHARE",
            help="faces narrower than this share of the largest do not count; 0: all do (%(default)g)",
        )
        group.add_argument(
            "--require-two-eyes",
            action="store_true",
            help="the classical rule: OpenCV's Haar cascade has to find exactly two eyes in the face",
        )

    def _add_creating(self, parser: CommandParser) -> None:
        group = parser.add_argument_group("a new label set")
        group.add_argument(
            "--create", action="store_true", help="make the label set, of the folders' names, unless refused"
        )
        group.add_argument("--name", default="", help="what pages call it")
        group.add_argument("--names-people", action="store_true", help="the labels are people")
        group.add_argument("--purpose", default="", help="what people are told apart for")
        group.add_argument("--consent-basis", default="", help="on what their consent rests")

    def handle(self, *args: Any, **options: Any) -> None:
        asked = {name: options[name] for name in ("format_name", "votes", "detect", "dry_run")}
        try:
            with progress_bar() as progress:
                report = import_dataset(
                    options["path"],
                    _label_set(options),
                    cleaning=_cleaning(options),
                    progress=progress,
                    **asked,
                )
        except ImportRefusedError as error:
            if options["json"]:
                self.stdout.write(json.dumps(error.report.as_json(), ensure_ascii=False, indent=1))
            raise CommandError(str(error)) from error
        except (LookupError, FormatError, LabelSetError, OSError) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(_told(report, as_json=options["json"]))


def _label_set(options: dict[str, Any]) -> LabelSet | NewLabelSet:
    about = {name: options[name] for name in ("name", "names_people", "purpose", "consent_basis")}
    if options["create"]:
        return NewLabelSet(options["label_set"], **about)
    if any(about.values()):
        raise CommandError("--name, --names-people, --purpose and --consent-basis go with --create.")
    return find_label_set(options["label_set"])


def _cleaning(options: dict[str, Any]) -> Cleaning:
    asked = Cleaning(
        min_face=options["min_face"],
        min_sharpness=options["min_sharpness"],
        bystander=options["bystander"],
        require_two_eyes=options["require_two_eyes"],
    )
    if asked != DEFAULTS and not options["detect"]:
        raise CommandError(
            "--min-face, --min-sharpness, --bystander and --require-two-eyes go with --detect."
        )
    return asked


def _told(report: Report, *, as_json: bool) -> str:
    if as_json:
        return json.dumps(report.as_json(), ensure_ascii=False, indent=1)
    added = "would be added" if report.dry_run else "added"
    skipped = f", {len(report.skipped):,} skipped" if report.skipped else ""
    return "\n".join(
        [
            f"{report.rows:,} rows: {report.added.total():,} {added}, {len(report.duplicates):,} duplicates, "
            f"{len(report.refused):,} refused, {len(report.set_aside):,} set aside{skipped}",
            *_by_label(report),
            *_lines("refused", report.refused),
            *_lines("set aside", report.set_aside),
            *_lines("skipped", report.skipped),
        ]
    )


def _by_label(report: Report) -> list[str]:
    """Of photographs, for which there are reasons to count."""
    lines = []
    if reasons := report.by_reason():
        lines.append(f"  set aside in all: {_counted(reasons)}")
        for row in report.by_label():
            why = f" ({_counted(row['reasons'])})" if row["reasons"] else ""
            lines.append(
                f"  {row['label']}: {row['added']:,} of {row['pictures']:,} pictures, "
                f"{row['set_aside']:,} set aside{why}"
            )
    if report.not_kept:
        lines.append(
            f"  {report.not_kept:,} of those set aside are not kept for rescue: too many wait already"
        )
    return lines


def _counted(reasons: dict[str, int]) -> str:
    return ", ".join(f"{count:,} {in_words(reason)}" for reason, count in reasons.items())


def _lines(kind: str, fates: list[Fate]) -> list[str]:
    shown = [f"  {kind}: {fate.where}: {fate.why}" for fate in fates[:REASONS_SHOWN]]
    more = len(fates) - len(shown)
    return [*shown, f"  and {more:,} more {kind}: --json tells all"] if more > 0 else shown
