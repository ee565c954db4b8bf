"""Which face a labeler gets, and that nobody else gets it."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import pytest
from django.utils import timezone
from pytest_django import Settings

from classifier.feedback import give_feedback
from classifier.handover import offer, set_consent
from classifier.models import LabelSet, Prediction, User
from classifier.vision.similar import NEARLY_SAME, hash_distance
from labeling.models import Annotation, ReviewItem
from labeling.review import answer
from labeling.review_queue import HAND, give_again, hand, skip
from tests.factories import make_upload
from tests.labeling.cast import UNUSABLE, expressions, give_crop, item_of, make_labeler, offered_upload, says

pytestmark = pytest.mark.django_db


@pytest.fixture
def lena(db: None) -> User:
    return make_labeler("lena")


@pytest.fixture
def max_(db: None) -> User:
    return make_labeler("max")


@pytest.fixture(autouse=True)
def no_probes(settings: Settings) -> None:
    """Unless a test is about them: they would come up at random."""
    settings.REVIEW_PROBE_SHARE = settings.REVIEW_HIDDEN_SHARE = 0


def answers(labeler: User, faces: int) -> list[ReviewItem]:
    """Answer as many faces as come first, and say which."""
    seen = []
    for _ in range(faces):
        first = hand(labeler, expressions())[0]
        answer(labeler, first, says("sad"))
        seen.append(first)
    return seen


def test_faces_whose_user_disagreed_come_first_then_the_least_certain(ada: User, lena: User) -> None:
    certain, unsure = offered_upload(ada), offered_upload(ada, unsure=True)
    wrong = offered_upload(ada)
    give_feedback(
        face=wrong.faces.get(), label_set=expressions(), user=ada, said="wrong", label=says("sad").label
    )
    assert [item.face.upload for item in answers(lena, 3)] == [wrong, unsure, certain]


def test_feedback_that_is_taken_back_lets_the_face_sink(ada: User) -> None:
    upload = offered_upload(ada)
    for said, disagreed in (("not_a_face", True), ("right", False)):
        give_feedback(face=upload.faces.get(), label_set=expressions(), user=ada, said=said)
        item = item_of(upload)
        assert (item.disagreed, item.rank > 1) == (disagreed, disagreed)


def test_feedback_given_before_consent_counts(ada: User) -> None:
    upload = make_upload(ada, consent=False)
    give_feedback(face=upload.faces.get(), label_set=expressions(), user=ada, said="not_a_face")
    set_consent(upload, True)
    assert item_of(upload).disagreed


def test_a_labeler_holds_a_hand_and_keeps_it(ada: User, lena: User) -> None:
    offered_upload(ada, shows=["happy"] * 5)
    first = hand(lena, expressions())
    assert len(first) == HAND
    assert hand(lena, expressions()) == first


def test_no_two_labelers_hold_the_same_face(ada: User, lena: User, max_: User) -> None:
    offered_upload(ada, shows=["happy"] * (HAND + 1))
    hers, his = hand(lena, expressions()), hand(max_, expressions())
    assert (len(hers), len(his)) == (HAND, 1)
    assert not {item.pk for item in hers} & {item.pk for item in his}


def test_an_abandoned_lease_frees_itself(ada: User, lena: User, max_: User) -> None:
    offered_upload(ada, shows=["happy"] * HAND)
    hers = hand(lena, expressions())
    assert hand(max_, expressions()) == []
    ReviewItem.objects.update(leased_until=timezone.now() - timedelta(seconds=1))
    assert {item.pk for item in hand(max_, expressions())} == {item.pk for item in hers}
    assert hand(lena, expressions()) == []


def test_a_lapsed_lease_that_nobody_took_is_still_the_labelers(ada: User, lena: User) -> None:
    offered_upload(ada, shows=["happy"] * 3)
    hers = hand(lena, expressions())
    ReviewItem.objects.filter(lease_holder=lena).update(leased_until=timezone.now() - timedelta(days=1))
    assert hand(lena, expressions()) == hers
    assert not ReviewItem.objects.filter(lease_holder=lena, leased_until__lt=timezone.now()).exists()


def test_a_lease_lasts_as_long_as_the_setting_says(ada: User, lena: User, settings: Settings) -> None:
    settings.REVIEW_LEASE_MINUTES = 7
    offered_upload(ada)
    (item,) = hand(lena, expressions())
    assert item.leased_until is not None
    assert abs(item.leased_until - timezone.now() - timedelta(minutes=7)) < timedelta(seconds=30)


def test_only_faces_with_consent_are_given(ada: User, lena: User) -> None:
    private, offered = make_upload(ada, consent=False), offered_upload(ada)
    assert [item.face.upload for item in hand(lena, expressions())] == [offered]
    assert not ReviewItem.objects.filter(face__upload=private).exists()


def test_withdrawing_consent_takes_the_face_out_of_the_hand_and_what_was_said_of_it(
    ada: User, lena: User
) -> None:
    upload = offered_upload(ada, shows=["happy", "sad"])
    answers(lena, 1)
    set_consent(upload, False)
    assert hand(lena, expressions()) == []
    assert not ReviewItem.objects.exists()
    assert not Annotation.objects.exists()


def test_consent_that_only_the_row_lost_is_enough_to_give_nothing(ada: User, lena: User) -> None:
    upload = offered_upload(ada, shows=["happy"] * 4)
    held = hand(lena, expressions())
    type(upload).objects.update(consent=False)
    assert len(held) == HAND
    assert hand(lena, expressions()) == []


def test_a_skipped_face_goes_behind_all_others_and_comes_again(ada: User, lena: User) -> None:
    offered_upload(ada, shows=["happy"] * 4)
    first = hand(lena, expressions())[0]
    skip(lena, first)
    skip(lena, first)
    others = answers(lena, 3)
    assert first not in others
    assert hand(lena, expressions()) == [first]


def test_a_face_that_is_given_again_is_the_first_in_the_hand(ada: User, lena: User, max_: User) -> None:
    offered_upload(ada, shows=["happy"] * 5)
    held = hand(lena, expressions())
    another = ReviewItem.objects.exclude(pk__in=[item.pk for item in held]).earliest("pk")
    assert give_again(lena, another)
    assert hand(lena, expressions()) == [another, *held]
    assert not give_again(max_, another)


def test_near_duplicates_do_not_follow_each_other(ada: User, lena: User) -> None:
    burst = offered_upload(ada, shows=["happy"] * 4, unsure=True)
    ReviewItem.objects.update(perceptual_hash=item_of(burst).perceptual_hash)
    others = [offered_upload(ada) for _ in range(6)]
    seen = answers(lena, 6)
    assert Counter(item.face.upload_id == burst.pk for item in seen) == {True: 1, False: 5}
    assert {item.face.upload_id for item in seen[1:]} <= {upload.pk for upload in others}
    assert seen[0].face.upload == burst, "the least certain face comes first, its duplicates do not"


def test_a_queue_of_nothing_but_duplicates_is_worked_all_the_same(ada: User, lena: User) -> None:
    offered_upload(ada, shows=["happy"] * 5)
    ReviewItem.objects.update(perceptual_hash=-7)
    assert len({item.pk for item in answers(lena, 5)}) == 5


def test_unlike_crops_have_unlike_hashes(ada: User) -> None:
    codes = [item_of(offered_upload(ada, shows=["happy"] * 5), place).perceptual_hash for place in range(5)]
    assert all(hash_distance(a, b) > NEARLY_SAME for a in codes for b in codes if a != b)
    assert len(set(codes)) == 5


def test_one_in_ten_is_a_probe_whatever_its_user_says_of_it(
    ada: User, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.REVIEW_PROBE_SHARE = 0.1
    upload = offered_upload(ada, shows=["happy"] * 400)
    probes = ReviewItem.objects.filter(probe=True)
    assert 15 <= probes.count() <= 70
    assert not probes.filter(suggestion_hidden=False).exists()
    probe = probes.earliest("pk")
    give_feedback(face=probe.face, label_set=expressions(), user=ada, said="not_a_face")
    assert ReviewItem.objects.get(pk=probe.pk).rank == probe.rank
    assert upload.faces.count() == 400


def test_every_tenth_face_that_is_given_is_a_probe(ada: User, lena: User, settings: Settings) -> None:
    offered_upload(ada, shows=["happy"] * 200)
    ReviewItem.objects.filter(pk__in=ReviewItem.objects.values("pk")[:100]).update(
        probe=True, suggestion_hidden=True
    )
    settings.REVIEW_PROBE_SHARE = 0.5
    given = answers(lena, 60)
    assert 15 <= sum(item.probe for item in given) <= 45


def test_one_in_ten_others_hides_the_suggestion(ada: User, settings: Settings) -> None:
    settings.REVIEW_HIDDEN_SHARE = 0.1
    offered_upload(ada, shows=["happy"] * 400)
    assert 15 <= ReviewItem.objects.filter(suggestion_hidden=True, probe=False).count() <= 70


def test_a_label_set_that_no_model_reads_has_a_queue_too(ada: User, lena: User) -> None:
    upload = offered_upload(ada, shows=["happy", "sad"])
    make_upload(ada, consent=False)
    poses = LabelSet.objects.create(slug="poses", name="Poses")
    given = hand(lena, poses)
    assert [item.face.upload for item in given] == [upload, upload]
    assert not any(item.probe or item.suggestion_hidden for item in given)


def test_faces_that_were_offered_before_there_was_a_queue_are_taken_in(ada: User, lena: User) -> None:
    upload = make_upload(ada, consent=True)
    assert [item.face.upload for item in hand(lena, expressions())] == [upload]
    Prediction.objects.all().delete()
    unread = make_upload(ada, consent=True)
    give_crop(unread.faces.get())
    unread.faces.get().predictions.all().delete()
    answers(lena, 1)
    assert [item.face.upload for item in hand(lena, expressions())] == [unread]


def test_a_face_is_queued_once(ada: User) -> None:
    upload = offered_upload(ada)
    offer(upload)
    assert ReviewItem.objects.count() == 1


def test_second_opinions_are_asked_of_others(ada: User, lena: User, max_: User) -> None:
    LabelSet.objects.update(annotations_wanted=3)
    upload = offered_upload(ada)
    answer(lena, hand(lena, expressions())[0], UNUSABLE)
    assert hand(lena, expressions()) == []
    assert [item.face.upload for item in hand(max_, expressions())] == [upload]
