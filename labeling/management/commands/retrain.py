"""Train on the curated dataset, show that it is better, and let it answer."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from classifier.registry import find_label_set
from labeling.models import TrainingRun
from labeling.retraining import retrain
from labeling.training_console import training_bar
from labeling.training_plan import GRIDS, Asked, NothingToTrainError, Plan, RunRefusedError, plan_run
from labeling.training_report import plan_as_json, plan_as_text, refusal_as_json, run_as_json, run_as_text
from labeling.training_runs import DATABASE_GONE, cancel, check_free, one_line, request_run

Outcome = TrainingRun.Outcome
FAILED, NOT_BEGUN, REFUSED, NOTHING, CANCELLED = 1, 2, 3, 4, 130
EXIT_CODES = {
    Outcome.PROMOTED: 0,
    Outcome.REGISTERED: 0,
    Outcome.FAILED: FAILED,
    Outcome.REFUSED: REFUSED,
    Outcome.NOTHING: NOTHING,
    Outcome.CANCELLED: CANCELLED,
}


class Command(BaseCommand):
    help = (
        "Freeze the curated dataset, train, score the frozen test split, register the version, and promote "
        "it if it passes the gate. Exit status: 0 promoted, or registered by --no-promote, or a dry run; "
        "1 failed; 2 not begun, since it was asked for wrongly or another run is not done; 3 trained, but "
        "refused by the gate; 4 nothing to train on; 130 cancelled."
    )

    run: TrainingRun | None = None

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--estimator", required=True, help=", ".join(TrainingRun.Estimator.values))
        parser.add_argument("--label-set", default=settings.DEFAULT_LABEL_SET)
        start = parser.add_mutually_exclusive_group()
        start.add_argument("--from-scratch", action="store_const", dest="start", const="scratch", default="")
        start.add_argument(
            "--from-active",
            action="store_const",
            dest="start",
            const="active",
            help="go on from the active CNN; the default where the dataset is too small to train one",
        )
        parser.add_argument("--epochs", type=int, help="of a CNN")
        parser.add_argument("--grid", default="small", help=", ".join(GRIDS))
        parser.add_argument("--seed", type=int, default=0)
        parser.add_argument("--dask", default="", metavar="ADDRESS", help="tcp://…: spread the grid over it")
        parser.add_argument("--dry-run", action="store_true", help="tell what would be done, and do nothing")
        parser.add_argument("--no-promote", action="store_true", help="register it, whatever the gate says")
        parser.add_argument("--force", action="store_true", help="promote it, whatever the gate says")
        parser.add_argument("--reason", default="", help="why it is forced; it is kept")
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            with ended_by_sigterm():
                plan = self._plan(options)
                if options["dry_run"]:
                    self.stdout.write(_json(plan_as_json(plan)) if options["json"] else plan_as_text(plan))
                    return
                run = self._train(plan)
        except NothingToTrainError as error:
            self._refuse(Outcome.NOTHING, str(error), NOTHING, options)
        except (RunRefusedError, LookupError) as error:
            self._refuse(Outcome.FAILED, str(error), NOT_BEGUN, options)
        except KeyboardInterrupt:
            self._refuse(Outcome.CANCELLED, "Cancelled before it began.", CANCELLED, options)
        except DATABASE_GONE as error:
            self._refuse(Outcome.FAILED, _describe_gone(error, self.run), FAILED, options)
        else:
            self._end(run, options)

    def _plan(self, options: dict[str, Any]) -> Plan:
        names = ("estimator", "start", "epochs", "grid", "seed", "dask", "no_promote", "force", "reason")
        label_set = find_label_set(options["label_set"])
        plan = plan_run(Asked(label_set=label_set, **{name: options[name] for name in names}))
        check_free(label_set)
        return plan

    def _train(self, plan: Plan) -> TrainingRun:
        run = self.run = request_run(plan, by=None, in_worker=False)
        try:
            with training_bar() as tell:
                return retrain(run, tell=tell)
        except KeyboardInterrupt:
            cancel(run)
            raise

    def _end(self, run: TrainingRun, options: dict[str, Any]) -> None:
        code = EXIT_CODES[Outcome(run.outcome)]
        self.stdout.write(_json(run_as_json(run)) if options["json"] else run_as_text(run))
        if code:
            raise CommandError(run.message, returncode=code)
        if not options["json"]:
            self.stdout.write(run.message)

    def _refuse(self, outcome: str, message: str, code: int, options: dict[str, Any]) -> None:
        if options["json"]:
            self.stdout.write(_json(refusal_as_json(outcome, message, run=self.run)))
        raise CommandError(message, returncode=code)


def _describe_gone(error: Exception, run: TrainingRun | None) -> str:
    if run is None:
        return f"The database does not answer, so nothing was begun: {one_line(error)}"
    return (
        f"The database is gone, and the training was stopped. Run {run.pk} is marked as failed when the next "
        f"run or a worker starts: {one_line(error)}"
    )


@contextmanager
def ended_by_sigterm() -> Iterator[None]:
    """SIGTERM, as of systemd or of a container that stops, is Ctrl-C."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _json(told: dict[str, Any]) -> str:
    return json.dumps(told, ensure_ascii=False, indent=1)
