"""Delete a label set with all that was made with it."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from classifier.label_sets import LabelSetError
from classifier.models import LabelSet
from classifier.registry import find_label_set
from labeling.label_set_deletion import delete_label_set, what_goes, why_not


class Command(BaseCommand):
    help = (
        "Delete a label set: its examples, frozen datasets, models, predictions, and what users and labelers "
        "said of them. Photographs stay. Tells what will go, asks whether to go on, and then for the slug. "
        "Exit status 1: nothing was deleted."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slug")
        parser.add_argument("--dry-run", action="store_true", help="tell what would go, and do nothing")
        parser.add_argument(
            "--confirm", default="", metavar="SLUG", help="the slug again, in the place of both questions"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            label_set = find_label_set(options["slug"])
        except LookupError as error:
            raise CommandError(str(error)) from error
        if reason := why_not(label_set):
            raise CommandError(reason)
        self._tell(label_set)
        if options["dry_run"]:
            return
        if (options["confirm"] or _ask(label_set)) != label_set.slug:
            raise CommandError("That is not its slug: nothing was deleted.")
        try:
            delete_label_set(label_set)
        except LabelSetError as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"The label set “{options['slug']}” is deleted.")

    def _tell(self, label_set: LabelSet) -> None:
        self.stdout.write(f"With “{label_set}” ({label_set.slug}) go:")
        for going in what_goes(label_set):
            if going.count:
                self.stdout.write(f"  {going.count:,} {going.name}")


def _ask(label_set: LabelSet) -> str:
    """The slug, as somebody types it. Raises CommandError where they do not want to go on."""
    try:
        if input("Delete all of that, for good? [y/N] ").strip().lower() not in {"y", "yes"}:
            raise CommandError("Nothing was deleted.")
        return input(f"If you are sure, type {label_set.slug}: ").strip()
    except EOFError as error:
        raise CommandError("Nobody can be asked here: say --confirm SLUG.") from error
