"""`manage.py create_label_set`: a label set from the shell, or a sentence and nothing made."""

from __future__ import annotations

import io
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.core.management import CommandError, call_command

from classifier.models import LabelSet

pytestmark = pytest.mark.django_db


def create(*arguments: str) -> str:
    told = io.StringIO()
    call_command("create_label_set", *arguments, stdout=told)
    return told.getvalue()


def test_it_makes_one_and_tells_its_labels() -> None:
    told = create("happy-sad", "--labels", "Happy, Sad", "--name", "Happy or sad")
    assert told == "Made the label set “Happy or sad” (happy-sad): Happy, Sad.\n"
    made = LabelSet.objects.get(slug="happy-sad")
    assert list(made.labels.values_list("slug", flat=True)) == ["happy", "sad"]
    assert (made.open_to_all, made.names_people) == (True, False)


def test_of_people_and_for_a_group() -> None:
    Group.objects.create(name="Archivists")
    how: tuple[Any, ...] = (
        "--purpose",
        "an archive",
        "--consent-basis",
        "in writing",
        "--group",
        "Archivists",
    )
    create("people", "--labels", "Zoë Kravitz،مريم", "--names-people", *how)
    made = LabelSet.objects.get(slug="people")
    assert (made.names_people, made.purpose, made.consent_basis) == (True, "an archive", "in writing")
    assert (made.open_to_all, [group.name for group in made.groups.all()]) == (False, ["Archivists"])
    assert [label.name for label in made.labels.all()] == ["Zoë Kravitz", "مريم"]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["expressions", "--labels", "a,b"], "There is a label set “expressions” already."),
        (["one", "--labels", "a"], "at least two labels"),
        (["people", "--labels", "a,b", "--names-people"], "biometric identification"),
        (["people", "--labels", "a,b", "--purpose", "x"], "are for labels that are people"),
        (["few", "--labels", "a,b", "--group", "Nobody"], "There is no group 'Nobody'. There are: "),
    ],
)
def test_what_is_refused(arguments: list[str], words: str) -> None:
    with pytest.raises(CommandError, match=words) as caught:
        create(*arguments)
    assert caught.value.returncode == 1
    assert LabelSet.objects.count() == 1
