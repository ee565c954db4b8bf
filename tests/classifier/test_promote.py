"""`manage.py promote` decides which model answers."""

from __future__ import annotations

import pytest
from django.core.files.storage import default_storage
from django.core.management import call_command
from django.core.management.base import CommandError

from classifier.pipeline import read_photograph
from classifier.registry import register
from tests.artifacts import tiny_artifact
from tests.factories import make_active_model
from tests.photographs import astronaut

pytestmark = pytest.mark.django_db


def answer() -> str:
    reading = read_photograph(astronaut())
    return reading.model.labels[int(reading.faces[0].probabilities.argmax())].slug


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
