"""`manage.py retrain`: what it prints while it goes on and at its end, and how it exits."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.management import CommandError, call_command

from classifier.models import ModelVersion
from labeling import retraining, trainer_process, training_console
from labeling.management.commands.retrain import EXIT_CODES
from labeling.models import TrainingRun
from labeling.training_console import training_bar
from labeling.training_runs import DATABASE_GONE
from tests.factories import make_active_model
from tests.labeling.training import fake_trainer, leave_candidate, make_dataset

pytestmark = pytest.mark.django_db
Trainer = Callable[..., None]


@pytest.fixture
def trainer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Trainer:
    make_dataset()
    make_active_model()

    def set_up(how: str = "", **candidate: Any) -> None:
        left = leave_candidate(tmp_path / "candidate", **candidate)
        monkeypatch.setattr(trainer_process, "TRAINER", fake_trainer(left, how))

    return set_up


def retrain(*arguments: str) -> tuple[int, str]:
    """The exit status, and what was written to stdout."""
    told = io.StringIO()
    try:
        call_command("retrain", "--estimator", "svm", *arguments, stdout=told)
    except CommandError as error:
        return error.returncode, told.getvalue()
    return 0, told.getvalue()


@pytest.mark.parametrize(
    ("how", "candidate", "arguments", "outcome", "status"),
    [
        ("", {}, [], "promoted", 0),
        ("", {}, ["--no-promote"], "registered", 0),
        ("", {"accuracy": 0.6}, ["--force", "--reason", "I know better"], "promoted", 0),
        ("", {"accuracy": 0.6}, [], "refused", 3),
        ("crash", {}, [], "failed", 1),
        ("refuses", {}, [], "nothing", 4),
    ],
)
def test_each_outcome_has_its_exit_status_and_one_json_object(
    how: str, candidate: dict[str, float], arguments: list[str], outcome: str, status: int, trainer: Trainer
) -> None:
    trainer(how, **candidate)
    code, told = retrain("--json", *arguments)
    said = json.loads(told)
    run = TrainingRun.objects.get()
    assert (code, said["outcome"], said["message"], said["run"]) == (status, outcome, run.message, run.pk)
    if outcome in {"promoted", "registered", "refused"}:
        version = ModelVersion.objects.get(number=said["version"])
        assert (version.digest, version.active) == (said["digest"], outcome == "promoted")
        assert said["estimator"] == "svm"
        assert said["metrics"]["candidate"]["faces"] == 700
        assert said["cross_validation"][0]["accuracy"] == 0.6
        assert {rule["name"] for rule in said["gate"]["rules"]} >= {"better", "recall", "latency"}
        assert all({"passed", "figures", "sentence"} <= rule.keys() for rule in said["gate"]["rules"])


def test_for_people_it_ends_with_the_figures_the_rules_and_a_sentence(trainer: Trainer) -> None:
    trainer(accuracy=0.6)
    code, told = retrain("--no-promote")
    assert code == 0
    assert "svm C 1.0: accuracy 0.600 ± 0.020 by cross-validation" in told
    assert re.search(r"candidate: accuracy 0\.\d{3}", told)
    assert re.search(r"champion: accuracy 0\.\d{3}", told)
    assert "REFUSED: " in told
    assert (
        told.strip()
        .splitlines()[-1]
        .startswith("expressions v2 (svm) is registered and not promoted, as asked.")
    )


def test_where_there_is_no_terminal_it_tells_in_plain_lines_beside_the_result(
    trainer: Trainer, capsys: pytest.CaptureFixture[str]
) -> None:
    trainer()
    call_command("retrain", "--estimator", "svm", "--json")
    told = capsys.readouterr()
    assert json.loads(told.out)["outcome"] == "promoted"
    lines = told.err.splitlines()
    assert "Searching the grid: 1 of 2 cells, score 0.500" in lines
    assert "Searching the grid: 2 of 2 cells, score 0.600" in lines
    assert "Fitting: 3 of 3 epochs" in lines
    assert "a library’s own words" in lines
    assert "\x1b" not in told.err


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_on_a_terminal_it_draws_a_bar_with_the_stage_its_cell_the_score_and_the_time_left(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    terminal = Terminal()
    with training_bar(terminal) as tell:
        tell({"stage": "read"})
        tell({"stage": "search", "done": 3, "total": 12, "score": 0.61})
        tell({"log": "[bold] is nothing that it understands"})
    drawn = terminal.getvalue()
    for words in ("Reading the examples", "Searching the grid", "3/12", "cells, score 0.610", "-:--:--"):
        assert words in drawn, words
    assert "[bold] is nothing" in drawn


def test_a_line_that_says_nothing_new_is_not_told_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(training_console, "SECONDS_BETWEEN_LINES", 0.0)
    told = io.StringIO()
    with training_bar(told) as tell:
        for done in (0, 1):
            tell({"stage": "read", "done": done, "total": 1})
        for done in (1, 2, 2):
            tell({"stage": "search", "done": done, "total": 2})
    assert told.getvalue().splitlines() == [
        "Reading the examples",
        "Searching the grid: 1 of 2 cells",
        "Searching the grid: 2 of 2 cells",
    ]


@pytest.mark.django_db(transaction=True, serialized_rollback=True)
def test_a_database_that_breaks_off_and_is_there_again_is_said_plainly(
    trainer: Trainer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """tests/labeling/test_retrain_without_database.py has one that stays away."""

    def gone(*arguments: Any, **named: Any) -> Any:
        raise DATABASE_GONE[0]("server closed the connection unexpectedly")

    trainer()
    monkeypatch.setattr(retraining, "freeze_dataset", gone)
    with pytest.raises(CommandError) as caught:
        call_command("retrain", "--estimator", "svm", stdout=io.StringIO())
    assert caught.value.returncode == 1
    assert str(caught.value).startswith("The database was away meanwhile. Start it again. server closed")
    assert TrainingRun.objects.get().outcome == "failed"


def test_the_readme_tells_every_exit_status() -> None:
    readme = (settings.BASE_DIR / "README.md").read_text("utf-8")
    told = {int(status) for status in re.findall(r"^\| (\d+) \|", readme, re.MULTILINE)}
    assert told >= {*EXIT_CODES.values(), 2}
