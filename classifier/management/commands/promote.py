"""Make another registered model the one that answers, or go back to the one before."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from classifier import registry
from classifier.ml.artifact import ArtifactError
from classifier.models import Activation


class Command(BaseCommand):
    help = "Let a registered model answer from the next request on, without a restart."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "version",
            nargs="?",
            default="",
            help="number, estimator or start of the digest; not with --rollback",
        )
        parser.add_argument("--rollback", action="store_true", help="the version that was active before")
        parser.add_argument("--label-set", default=settings.DEFAULT_LABEL_SET)
        parser.add_argument(
            "--force", action="store_true", help="although the gate has refused it; needs --reason"
        )
        parser.add_argument("--reason", default="", help="kept in the history")

    def handle(self, *args: Any, **options: Any) -> None:
        if bool(options["version"]) == options["rollback"]:
            raise CommandError("Name one version, or say --rollback.")
        if options["force"] and (options["rollback"] or not options["reason"].strip()):
            raise CommandError(
                "--force goes with a version, and with --reason “…”, which stays in the history."
            )
        try:
            activation = _roll_back(options) if options["rollback"] else _promote(options)
        except (LookupError, ArtifactError, registry.PromotionRefusedError) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"{activation.version} is active.")


def _promote(options: dict[str, Any]) -> Activation:
    version = registry.find_version(options["version"], label_set=options["label_set"])
    if version.refusal and not options["force"]:
        raise CommandError(
            f"The gate refused {version}: {version.refusal} To promote it all the same: --force --reason “…”."
        )
    return registry.promote(version, reason=options["reason"], forced=options["force"])


def _roll_back(options: dict[str, Any]) -> Activation:
    label_set = registry.find_label_set(options["label_set"])
    return registry.roll_back(label_set, reason=options["reason"])
