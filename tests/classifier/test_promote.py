"""`manage.py promote` decides which model answers."""

from __future__ import annotations

import pytest
from django.core.files.storage import default_storage
from django.core.management import call_command
from django.core.management.base import CommandError

from classifier.pipeline import read_photograph
from classifier.registry import current, note_verdict, register
from tests.artifacts import tiny_artifact
from tests.factories import make_active_model
from tests.photographs import astronaut

pytestmark = pytest.mark.django_db


def answer() -> str:
    reading = read_photograph(astronaut())
    [answer] = reading.faces[0].answers
    return answer.model.labels[int(answer.probabilities.argmax())].slug


def test_the_promoted_version_answers_from_then_on() -> None:
    make_active_model(favourite="happy")
    register(*tiny_artifact(favourite="sad"))
    assert answer() == "happy"
    call_command("promote", "2")
    assert answer() == "sad"
    call_command("promote", "1")
    assert answer() == "happy"


def test_a_version_that_is_not_there_is_named_with_those_that_are() -> None:
    active = make_active_model()
    with pytest.raises(CommandError, match=f"No one version is '7'.*{active.digest[:8]}"):
        call_command("promote", "7")


def test_a_version_that_cannot_be_loaded_does_not_become_active() -> None:
    active = make_active_model(favourite="happy")
    lost = register(*tiny_artifact(favourite="fear", confidence=0.63))
    default_storage.delete(str(lost.artifact.name))
    with pytest.raises(CommandError, match="can't be read"):
        call_command("promote", str(lost.number))
    active.refresh_from_db()
    assert active.active


def test_what_the_gate_has_refused_is_promoted_only_by_force_and_for_a_reason() -> None:
    active = make_active_model(favourite="happy")
    worse = register(*tiny_artifact(favourite="sad"))
    note_verdict(worse, "fear is recognised 12 points less often.")
    with pytest.raises(CommandError, match=r"12 points less often.*--force --reason"):
        call_command("promote", "2")
    with pytest.raises(CommandError, match="--reason"):
        call_command("promote", "2", "--force")
    assert current(active.label_set).version == active  # type: ignore[union-attr]
    call_command("promote", "2", "--force", "--reason", "the test split was wrong")
    forced = current(active.label_set)
    assert forced
    assert (forced.version, forced.forced, forced.reason) == (worse, True, "the test split was wrong")


def test_a_verdict_that_was_taken_back_needs_no_force() -> None:
    make_active_model()
    better = register(*tiny_artifact(favourite="sad"))
    note_verdict(better, "too few examples to decide.")
    note_verdict(better, "")
    call_command("promote", "2")
    assert answer() == "sad"


def test_rolling_back_is_one_command() -> None:
    make_active_model(favourite="happy")
    register(*tiny_artifact(favourite="sad"))
    call_command("promote", "2")
    call_command("promote", "--rollback", "--reason", "complaints")
    assert answer() == "happy"
    with pytest.raises(CommandError, match="nothing to go back to"):
        call_command("promote", "--rollback")


@pytest.mark.parametrize("words", [[], ["1", "--rollback"], ["--rollback", "--force", "--reason", "so"]])
def test_it_takes_a_version_or_a_roll_back(words: list[str]) -> None:
    make_active_model()
    with pytest.raises(CommandError, match=r"--rollback|--force"):
        call_command("promote", *words)


def test_a_label_set_that_is_not_there_is_told_with_those_that_are() -> None:
    with pytest.raises(CommandError, match=r"no label set 'moods'.*expressions"):
        call_command("promote", "--rollback", "--label-set", "moods")
