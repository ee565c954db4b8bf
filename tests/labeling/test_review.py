"""What a verdict does: settling, disputes, adjudication, undo, many at a time, and what it leaves."""

from __future__ import annotations

import pytest
from django.db import IntegrityError, transaction
from pytest_django import Settings

from classifier.handover import set_consent
from classifier.models import Decision, Label, LabelSet, Prediction, User
from labeling.models import Annotation, Example, ReviewItem
from labeling.review import (
    UNDOABLE,
    ReviewError,
    Said,
    adjudicate,
    answer,
    answer_many,
    is_blind,
    open_to_bulk,
    undo,
)
from labeling.review_queue import hand
from tests.labeling.cast import (
    UNUSABLE,
    Verdict,
    accepts,
    expressions,
    item_of,
    make_labeler,
    offered_upload,
    says,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def lena(db: None) -> User:
    return make_labeler("lena")


@pytest.fixture
def max_(db: None) -> User:
    return make_labeler("max")


@pytest.fixture
def nora(db: None) -> User:
    return make_labeler("nora")


@pytest.fixture(autouse=True)
def no_probes(settings: Settings) -> None:
    settings.REVIEW_PROBE_SHARE = settings.REVIEW_HIDDEN_SHARE = 0


@pytest.fixture
def three_opinions(db: None) -> None:
    LabelSet.objects.update(annotations_wanted=3)


def say(labeler: User, said: Said) -> ReviewItem:
    """Answer the first face in the labeler's hand."""
    item = hand(labeler, expressions())[0]
    answer(labeler, item, said)
    item.refresh_from_db()
    return item


def example() -> Example:
    return Example.objects.get()


def test_accepting_settles_a_face_as_what_the_model_said(ada: User, lena: User) -> None:
    upload = offered_upload(ada, shows=["surprise"])
    item = say(lena, accepts("surprise"))
    given = Annotation.objects.get()
    assert (given.verdict, given.label, given.labeler) == (Verdict.ACCEPT, says("surprise").label, lena)
    assert given.prediction == upload.faces.get().predictions.get()
    assert (item.state, item.label, item.lease_holder) == ("settled", says("surprise").label, None)
    assert (example().label, example().votes) == (says("surprise").label, {"surprise": 1})
    assert Decision.objects.get().label == says("surprise").label


def test_another_label_settles_it_as_that(ada: User, lena: User) -> None:
    offered_upload(ada, shows=["surprise"])
    item = say(lena, says("fear"))
    assert item.label == example().label == says("fear").label
    assert Annotation.objects.get().verdict == Verdict.CORRECT


def test_an_unusable_face_is_settled_and_no_example(ada: User, lena: User) -> None:
    offered_upload(ada)
    item = say(lena, UNUSABLE)
    assert (item.state, item.label) == ("settled", None)
    assert not Example.objects.exists()
    assert Decision.objects.get().label is None


def test_a_face_that_is_not_in_ones_hand_cannot_be_answered(ada: User, lena: User, max_: User) -> None:
    upload = offered_upload(ada)
    with pytest.raises(ReviewError, match="no longer yours"):
        answer(lena, item_of(upload), says("sad"))
    (item,) = hand(lena, expressions())
    answer(lena, item, says("sad"))
    for labeler in (lena, max_):
        with pytest.raises(ReviewError, match="no longer yours"):
            answer(labeler, item, says("happy"))
    assert Annotation.objects.count() == 1


def test_the_same_answer_sent_twice_is_kept_once(ada: User, lena: User, max_: User) -> None:
    offered_upload(ada)
    (item,) = hand(lena, expressions())
    assert answer(lena, item, says("sad")) == answer(lena, item, says("sad"))
    with pytest.raises(ReviewError, match="no longer yours"):
        answer(max_, item, says("sad"))
    assert Annotation.objects.count() == 1


def test_a_label_of_another_set_is_refused(ada: User, lena: User) -> None:
    offered_upload(ada)
    poses = LabelSet.objects.create(slug="poses", name="Poses")
    front = Label.objects.create(label_set=poses, position=0, slug="front", name="Front")
    with pytest.raises(ReviewError, match="not one of this label set"):
        say(lena, Said(Verdict.CORRECT, front))
    assert not Annotation.objects.exists()
    assert ReviewItem.objects.get().lease_holder == lena


def test_a_hidden_suggestion_cannot_be_accepted(ada: User, lena: User) -> None:
    upload = offered_upload(ada)
    ReviewItem.objects.update(suggestion_hidden=True)
    assert is_blind(lena, item_of(upload))
    with pytest.raises(ReviewError, match="not what the model suggests"):
        say(lena, accepts("happy"))
    say(lena, says("sad"))
    assert Annotation.objects.get().suggestion_hidden


def test_a_suggestion_that_has_changed_since_it_was_seen_cannot_be_accepted(ada: User, lena: User) -> None:
    offered_upload(ada)
    Prediction.objects.update(label=says("fear").label)
    with pytest.raises(ReviewError, match="not what the model suggests"):
        say(lena, accepts("happy"))
    assert not Annotation.objects.exists()


def test_an_answer_after_the_suggestion_was_seen_does_not_count_as_blind(ada: User, lena: User) -> None:
    offered_upload(ada)
    ReviewItem.objects.update(suggestion_hidden=True)
    say(lena, says("sad"))
    undo(lena, expressions())
    say(lena, accepts("happy"))
    assert [given.suggestion_hidden for given in Annotation.objects.order_by("pk")] == [True, False, False]


@pytest.mark.usefixtures("three_opinions")
def test_three_who_agree_settle_a_face_and_their_votes_are_kept(
    ada: User, lena: User, max_: User, nora: User
) -> None:
    offered_upload(ada)
    assert say(lena, says("sad")).state == "waiting"
    assert say(max_, says("sad")).state == "waiting"
    assert not Example.objects.exists()
    item = say(nora, says("fear"))
    assert (item.state, item.label) == ("settled", says("sad").label)
    assert example().votes == {"sad": 2, "fear": 1}


@pytest.mark.usefixtures("three_opinions")
def test_two_who_find_it_unusable_settle_it_so(ada: User, lena: User, max_: User, nora: User) -> None:
    offered_upload(ada)
    for labeler, said in ((lena, UNUSABLE), (max_, says("sad")), (nora, UNUSABLE)):
        say(labeler, said)
    assert (item := ReviewItem.objects.get()).state == "settled"
    assert item.label is None


@pytest.fixture
def disputed(ada: User, lena: User, max_: User, nora: User, three_opinions: None) -> ReviewItem:
    offered_upload(ada)
    for labeler, slug in ((lena, "sad"), (max_, "fear"), (nora, "angry")):
        item = say(labeler, says(slug))
    return item


def test_three_who_disagree_dispute_a_face_until_an_adjudicator_settles_it(
    disputed: ReviewItem, root: User
) -> None:
    assert disputed.state == "disputed"
    assert not Example.objects.exists()
    adjudicate(root, disputed, says("fear"))
    disputed.refresh_from_db()
    assert (disputed.state, disputed.label) == ("settled", says("fear").label)
    assert (example().label, example().votes) == (
        says("fear").label,
        {"sad": 1, "fear": 1, "angry": 1},
    )


def test_an_adjudication_supersedes_an_earlier_one(disputed: ReviewItem, root: User, lena: User) -> None:
    first = adjudicate(root, disputed, says("fear"))
    second = adjudicate(lena, disputed, UNUSABLE)
    assert second.supersedes == first
    disputed.refresh_from_db()
    assert (disputed.state, disputed.label) == ("settled", None)
    assert not Example.objects.kept().exists()


def test_a_settled_face_can_be_adjudicated_and_a_waiting_one_cannot(
    ada: User, lena: User, root: User
) -> None:
    upload = offered_upload(ada)
    with pytest.raises(ReviewError, match="still waits"):
        adjudicate(root, item_of(upload), says("fear"))
    item = say(lena, says("sad"))
    adjudicate(root, item, says("fear"))
    assert (example().label, Decision.objects.get().label) == (says("fear").label, says("fear").label)


def test_undo_takes_a_decision_back_without_deleting_it(ada: User, lena: User) -> None:
    upload = offered_upload(ada)
    item = say(lena, says("sad"))
    assert undo(lena, expressions()) == item
    item.refresh_from_db()
    assert (item.state, item.label, item.lease_holder) == ("waiting", None, lena)
    assert not Example.objects.kept().exists()
    assert not Decision.objects.exists()
    said, taken_back = Annotation.objects.order_by("pk")
    assert (said.label, taken_back.verdict, taken_back.supersedes) == (says("sad").label, "undo", said)

    say(lena, says("fear"))
    again = Annotation.objects.latest("pk")
    assert again.supersedes == taken_back
    assert example().label == says("fear").label
    assert list(Annotation.objects.in_force()) == [again]
    assert item_of(upload).state == "settled"


def test_the_last_twenty_decisions_can_be_undone_latest_first(ada: User, lena: User) -> None:
    offered_upload(ada, shows=["happy"] * (UNDOABLE + 2))
    answered = [say(lena, says("sad")) for _ in range(UNDOABLE + 2)]
    undone = [undo(lena, expressions()) for _ in range(UNDOABLE)]
    assert undone == answered[: -UNDOABLE - 1 : -1]
    with pytest.raises(ReviewError, match="nothing left"):
        undo(lena, expressions())
    assert hand(lena, expressions())[0] == undone[-1]
    assert Annotation.objects.in_force().count() == 2


def test_undo_is_of_ones_own_decisions(ada: User, lena: User, max_: User) -> None:
    offered_upload(ada)
    say(lena, says("sad"))
    with pytest.raises(ReviewError, match="nothing left"):
        undo(max_, expressions())


def test_undoing_an_opinion_reopens_a_dispute_for_its_labeler(disputed: ReviewItem, nora: User) -> None:
    undo(nora, expressions())
    disputed.refresh_from_db()
    assert (disputed.state, disputed.lease_holder) == ("waiting", nora)
    say(nora, says("sad"))
    assert example().votes == {"sad": 2, "fear": 1}


def test_what_an_adjudicator_settled_cannot_be_undone(disputed: ReviewItem, nora: User, root: User) -> None:
    adjudicate(root, disputed, says("fear"))
    with pytest.raises(ReviewError, match="nothing left"):
        undo(nora, expressions())


@pytest.mark.usefixtures("three_opinions")
def test_undo_leaves_a_face_with_whoever_holds_it_now(ada: User, lena: User, max_: User) -> None:
    offered_upload(ada)
    say(lena, says("sad"))
    (held,) = hand(max_, expressions())
    undo(lena, expressions())
    assert hand(lena, expressions()) == []
    answer(max_, held, says("fear"))
    assert hand(lena, expressions()) == [held]


def test_many_are_accepted_at_once_but_those_in_other_hands_and_the_hidden_ones(
    ada: User, lena: User, max_: User
) -> None:
    offered_upload(ada, shows=["happy", "sad", "fear", "angry", "neutral", "fear"])
    held = hand(max_, expressions())
    hidden = ReviewItem.objects.free().earliest("pk")
    ReviewItem.objects.filter(pk=hidden.pk).update(suggestion_hidden=True, probe=True)
    seen = [(item, accepts(item.face.predictions.get().label.slug)) for item in ReviewItem.objects.all()]
    assert open_to_bulk(lena, ReviewItem.objects.all()).count() == 2
    assert answer_many(lena, seen) == 2
    settled = ReviewItem.objects.filter(state="settled")
    assert not settled.filter(pk__in=[hidden.pk, *(item.pk for item in held)]).exists()
    for item in settled:
        assert item.label == item.face.predictions.get().label
    assert answer_many(lena, [(item, says("sad")) for item, _ in seen]) == 0


def test_withdrawing_consent_forgets_what_was_decided(ada: User, lena: User) -> None:
    upload = offered_upload(ada)
    say(lena, says("sad"))
    set_consent(upload, False)
    for model in (ReviewItem, Annotation, Decision, Example):
        assert not model.objects.exists(), model


def test_deleting_a_labelers_account_keeps_what_they_said(ada: User, lena: User, max_: User) -> None:
    offered_upload(ada, shows=["happy"] * 3)
    say(lena, says("sad"))
    hand(lena, expressions())
    lena.delete()
    assert (Annotation.objects.get().labeler, example().label) == (None, says("sad").label)
    assert len(hand(max_, expressions())) == 2


def test_the_database_lets_nobody_give_two_first_opinions_or_supersede_one_twice(
    ada: User, lena: User
) -> None:
    offered_upload(ada)
    say(lena, says("sad"))
    given = Annotation.objects.get()
    given.pk = None
    with pytest.raises(IntegrityError, match=r"one_first_opinion_each|labeler_id"), transaction.atomic():
        given.save(force_insert=True)
    undo(lena, expressions())
    taken_back = Annotation.objects.latest("pk")
    taken_back.pk = None
    with pytest.raises(IntegrityError), transaction.atomic():
        taken_back.save(force_insert=True)
