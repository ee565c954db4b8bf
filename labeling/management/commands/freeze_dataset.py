"""Freeze the curated dataset as a version that models can name."""

from __future__ import annotations

import json
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from classifier.registry import find_label_set
from labeling.console import progress_bar
from labeling.freezing import NothingToFreezeError, TakenBackError, freeze_dataset
from labeling.models import DatasetVersion


class Command(BaseCommand):
    help = (
        "Write the curated dataset as one Parquet file, named by its SHA-256. The same examples give the "
        "same digest on any machine, and no second version."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--label-set", default=settings.DEFAULT_LABEL_SET)
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            with progress_bar() as progress:
                version = freeze_dataset(find_label_set(options["label_set"]), progress=progress)
        except (LookupError, NothingToFreezeError, TakenBackError) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(_as_json(version) if options["json"] else _as_text(version))


def _as_json(version: DatasetVersion) -> str:
    told = {
        "label_set": version.label_set.slug,
        "digest": version.digest,
        "file": version.file.name,
        "size": version.size,
        "examples": version.examples,
        "counts": version.counts,
        "created_at": version.created_at.isoformat(),
    }
    return json.dumps(told, ensure_ascii=False, indent=1)


def _as_text(version: DatasetVersion) -> str:
    splits = [f"{split} {sum(labels.values()):,}" for split, labels in version.counts.items()]
    return f"{version.digest}: {version.examples:,} examples ({', '.join(splits)}) in {version.file.name}"
