"""Make a label set."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import Group
from django.core.management.base import BaseCommand, CommandError, CommandParser

from classifier.label_sets import LabelSetError, create_label_set, split_names


class Command(BaseCommand):
    help = (
        "Make a label set, which examples can then be imported for, and models trained. Exit status 1: "
        "nothing was made."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slug", help="what addresses and commands call it, as in happy-sad")
        parser.add_argument("--labels", required=True, help="their names, with commas between them")
        parser.add_argument(
            "--name", default="", help="what pages call it; without one, it is made of the slug"
        )
        parser.add_argument(
            "--names-people",
            action="store_true",
            help="its labels are people: biometric identification, which needs the next two",
        )
        parser.add_argument("--purpose", default="", help="what those people are told apart for")
        parser.add_argument("--consent-basis", default="", help="what allows it, as their written consent")
        parser.add_argument(
            "--group",
            action="append",
            default=[],
            dest="groups",
            help="only this group's users can read with it; may be said again",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        told = {name: options[name] for name in ("name", "names_people", "purpose", "consent_basis")}
        try:
            made = create_label_set(
                options["slug"], split_names(options["labels"]), groups=_groups(options["groups"]), **told
            )
        except (LabelSetError, LookupError) as error:
            raise CommandError(str(error)) from error
        labels = ", ".join(label.name for label in made.labels.all())
        self.stdout.write(f"Made the label set “{made}” ({made.slug}): {labels}.")


def _groups(names: list[str]) -> list[Group]:
    """Raises LookupError, telling which there are."""
    known = {group.name: group for group in Group.objects.all()}
    for name in names:
        if name not in known:
            raise LookupError(f"There is no group {name!r}. There are: {', '.join(known) or 'none'}.")
    return [known[name] for name in names]
