"""What labelers settle becomes one example of the face, which changes with them and keeps its history."""

from __future__ import annotations

import pytest

from classifier.models import Decision, Face, Label, LabelSet, User
from labeling.curation import relabel, restore, settle_example, withdraw
from labeling.models import Example, ExampleChange
from tests.crops import crop, face_showing

pytestmark = pytest.mark.django_db


@pytest.fixture
def label_set(db: None) -> LabelSet:
    return LabelSet.objects.get(slug="expressions")


@pytest.fixture
def face(ada: User) -> Face:
    return face_showing(crop(1), ada)


def settle(face: Face, said: str | None, labeler: User, **votes: int) -> Example | None:
    label_set = LabelSet.objects.get(slug="expressions")
    label = Label.objects.get(label_set=label_set, slug=said) if said else None
    given = votes or ({said: 1} if said else {})
    return settle_example(face=face, label_set=label_set, label=label, votes=given, labeler=labeler)


def history(example: Example) -> list[tuple[str, str, str, str]]:
    rows = example.changes.order_by("pk").select_related("before", "after", "changed_by")
    return [(row.kind, row.before.slug, row.after.slug, str(row.changed_by)) for row in rows]


def test_a_settled_face_becomes_an_example(face: Face, bob: User) -> None:
    example = settle(face, "happy", bob, happy=2, sad=1)
    assert example
    assert (example.label.slug, example.votes, example.source) == ("happy", {"happy": 2, "sad": 1}, "review")
    assert example.agreement == pytest.approx(2 / 3)
    assert bytes(example.crop) == bytes(face.crop)
    assert (example.added_by, example.withdrawn, history(example)) == (bob, "", [])


def test_settling_a_face_twice_gives_one_example_and_no_history(face: Face, bob: User) -> None:
    first, second = settle(face, "happy", bob), settle(face, "happy", bob)
    assert first == second
    assert Example.objects.count() == 1
    assert ExampleChange.objects.count() == 0


def test_a_correction_changes_the_example_and_keeps_the_history(face: Face, bob: User, ada: User) -> None:
    settle(face, "happy", bob)
    example = settle(face, "sad", ada)
    assert example
    assert (example.label.slug, example.votes, example.agreement) == ("sad", {"sad": 1}, 1)
    assert history(example) == [("relabelled", "happy", "sad", "ada")]
    assert example.changes.get().votes == {"happy": 1}


def test_what_a_curator_relabels_is_told_to_the_faces_owner(
    face: Face, label_set: LabelSet, bob: User
) -> None:
    settle(face, "happy", bob)
    happy, sad = (label_set.labels.get(slug=slug) for slug in ("happy", "sad"))
    Decision.objects.create(face=face, label_set=label_set, label=happy)
    assert relabel(Example.objects.all(), sad, reason="look at the mouth", by=bob) == 1
    assert Decision.objects.get(face=face).label == sad


def test_an_unusable_face_is_no_example(face: Face, bob: User) -> None:
    assert settle(face, None, bob) is None
    assert not Example.objects.exists()


def test_an_example_that_becomes_unusable_is_withdrawn_and_comes_back_with_a_label(
    face: Face, bob: User
) -> None:
    settle(face, "happy", bob)
    example = settle(face, None, bob)
    assert example
    assert (example.withdrawn, example.withdrawn_reason) == ("review", "review")
    assert not Example.objects.kept().exists()
    example = settle(face, "sad", bob)
    assert example
    assert (example.withdrawn, example.label.slug) == ("", "sad")
    assert [row[0] for row in history(example)] == ["withdrawn", "relabelled", "restored"]


def test_what_a_curator_withdrew_stays_withdrawn_whatever_labelers_say(face: Face, bob: User) -> None:
    settle(face, "happy", bob)
    assert withdraw(Example.objects.all(), why=Example.Withdrawn.CURATOR, reason="a drawing", by=bob) == 1
    example = settle(face, "sad", bob)
    assert example
    assert (example.label.slug, example.withdrawn, example.withdrawn_reason) == (
        "sad",
        "curator",
        "a drawing",
    )
    assert restore(Example.objects.all(), reason="no, a photograph", by=bob) == 1
    assert Example.objects.kept().get() == example


def test_relabelling_counts_what_changed_and_clears_the_doubt(
    ada: User, bob: User, label_set: LabelSet
) -> None:
    for seed, said in ((1, "happy"), (2, "sad"), (3, "happy")):
        settle(face_showing(crop(seed), ada), said, bob)
    Example.objects.update(suspicion=0.8)
    sad = label_set.labels.get(slug="sad")
    assert relabel(Example.objects.all(), sad, reason="looked again", by=bob) == 2
    assert set(Example.objects.values_list("label__slug", "votes__happy")) == {("sad", 1), ("sad", None)}
    assert list(Example.objects.filter(suspicion=None).values_list("agreement", flat=True)) == [0, 0]
    assert Example.objects.doubtful().count() == 1
    assert set(ExampleChange.objects.values_list("reason", "changed_by__username")) == {
        ("looked again", "bob")
    }
