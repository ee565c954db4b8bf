"""Which model is active, or was at a given moment: since when, by whom, and why."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from classifier import registry
from classifier.models import Activation, LabelSet

FORMS = "2026-11-21, 2026-11-21T14:05 or 2026-11-21T14:05:30+01:00"


class Command(BaseCommand):
    help = "Tell which model is active, or was at a given moment: since when, by whom, and why."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--label-set", default=settings.DEFAULT_LABEL_SET)
        parser.add_argument(
            "--at",
            metavar="TIME",
            help=f"as in {FORMS}; without an offset in TIME_ZONE ({settings.TIME_ZONE}); default: now",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            label_set = registry.find_label_set(options["label_set"])
        except LookupError as error:
            raise CommandError(str(error)) from error
        now = timezone.now()
        moment = _moment(options["at"]) if options["at"] is not None else now
        if moment > now:
            raise CommandError(f"{_written(moment)} is yet to come.")
        found = registry.active_at(label_set, moment)
        if found is None:
            raise CommandError(_none(label_set, moment))
        self.stdout.write("\n".join(_lines(found)))


def _moment(text: str) -> datetime:
    try:
        moment = datetime.fromisoformat(text.strip())
        return timezone.localtime(moment if moment.tzinfo else timezone.make_aware(moment))
    except (ValueError, OverflowError) as error:
        raise CommandError(f"{text!r} is no time. Write it as in {FORMS}.") from error


def _none(label_set: LabelSet, moment: datetime) -> str:
    first = label_set.activations.select_related("version__label_set").last()
    since = (
        f"The first, {first.version}, was activated at {_written(first.at)}." if first else "None ever was."
    )
    return f"No version of {label_set.slug} was active at {_written(moment)}. {since}"


def _lines(found: Activation) -> list[str]:
    after = Activation.objects.filter(label_set=found.label_set_id, pk__gt=found.pk).last()
    until = f"to {_written(after.at)}" if after else "until now"
    how = "rolled back to" if found.restores_id else "promoted"
    by = f"by {found.by}" if found.by else "by a command"
    forced = ", although the gate had refused it" if found.forced else ""
    lines = [
        f"{found.version}, digest {found.version.digest}",
        f"active from {_written(found.at)} {until}",
        f"{how} {by}{forced}",
    ]
    return [*lines, f"reason: {found.reason}"] if found.reason else lines


def _written(moment: datetime) -> str:
    return timezone.localtime(moment).isoformat(sep=" ", timespec="seconds")
