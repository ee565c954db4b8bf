"""After a promotion recent faces show what the new version says; those that it reads otherwise rise."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from pytest_django import DjangoCaptureOnCommitCallbacks, Settings

from classifier import handover, rescoring
from classifier.accounts import delete_uploads
from classifier.feedback import give_feedback
from classifier.models import Face, Feedback, ModelVersion, Prediction, Upload, User
from classifier.registry import promote, register, roll_back
from classifier.rescoring import rescore, unfinished
from labeling.figures import figures_of_model
from labeling.intake import CHANCE
from labeling.models import ReviewItem
from labeling.review import answer
from labeling.review_queue import hand, skip
from tests.artifacts import tiny_artifact
from tests.factories import make_active_model, make_upload
from tests.labeling.cast import expressions, item_of, label, make_labeler, offered_upload, says

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def no_chance(settings: Settings) -> None:
    settings.REVIEW_PROBE_SHARE = 0
    settings.REVIEW_HIDDEN_SHARE = 0


@pytest.fixture
def old() -> ModelVersion:
    return make_active_model(favourite="happy")


@pytest.fixture
def new(old: ModelVersion) -> ModelVersion:
    return register(*tiny_artifact(favourite="sad", confidence=0.7))


def shown(upload: Upload) -> list[tuple[int, str]]:
    """For each face the number of the version whose answer pages show, and the answer."""
    found = Prediction.objects.filter(face__upload=upload, shown=True).order_by("face__position")
    return list(found.values_list("model_version__number", "label__slug"))


def test_a_promotion_has_recent_offered_faces_read_anew(
    ada: User,
    old: ModelVersion,
    new: ModelVersion,
    django_capture_on_commit_callbacks: DjangoCaptureOnCommitCallbacks,
) -> None:
    offered, private = offered_upload(ada, shows=("happy", "fear")), make_upload(ada)
    with django_capture_on_commit_callbacks(execute=True):
        promote(new)
    assert shown(offered) == [(2, "sad"), (2, "sad")]
    assert shown(private) == [(1, "happy")]


def test_what_another_version_said_is_kept(ada: User, old: ModelVersion, new: ModelVersion) -> None:
    face = offered_upload(ada).faces.get()
    promote(new)
    assert rescore(new.pk) == 1
    before, after = Prediction.objects.filter(face=face).order_by("pk")
    assert (before.model_version, before.shown, before.confidence) == (old, False, 0.8)
    assert (after.model_version, after.shown) == (new, True)
    assert after.confidence == pytest.approx(0.7, abs=1e-3)


def test_the_page_says_that_a_face_was_read_again(
    ada: User, ada_client: Client, old: ModelVersion, new: ModelVersion
) -> None:
    upload = offered_upload(ada, created_at=timezone.now() - timedelta(days=3))
    Prediction.objects.update(created_at=upload.created_at)
    page = reverse("upload", args=[upload.pk])
    assert "again on" not in ada_client.get(page).content.decode()
    promote(new)
    rescore(new.pk)
    assert f"read again on {timezone.now():%-d %B %Y}" in ada_client.get(page).content.decode()


def test_an_unreadable_face_stays_unsure(ada: User, old: ModelVersion, new: ModelVersion) -> None:
    upload = offered_upload(ada, shows=("happy", "happy"))
    upload.faces.filter(position=1).update(unreadable="too_small")
    promote(new)
    rescore(new.pk)
    said = Prediction.objects.filter(model_version=new).order_by("face__position")
    assert list(said.values_list("unsure", flat=True)) == [False, True]


def test_done_once_there_is_nothing_left_to_do(ada: User, old: ModelVersion, new: ModelVersion) -> None:
    offered_upload(ada)
    promote(new)
    assert list(unfinished()) == [new]
    assert [rescore(new.pk), rescore(new.pk)] == [1, 0]
    assert list(unfinished()) == []
    assert Prediction.objects.count() == 2


def test_it_goes_on_where_it_was_stopped(
    ada: User, old: ModelVersion, new: ModelVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rescoring, "AT_ONCE", 1)
    uploads = [offered_upload(ada) for _ in range(3)]
    promote(new)
    batch = rescoring._rescore_batch
    done: list[list[Prediction]] = []

    def killed_at_the_second(*arguments: Any) -> list[Prediction]:
        if done:
            raise SystemExit
        done.append(batch(*arguments))
        return done[0]

    with monkeypatch.context() as patched:
        patched.setattr(rescoring, "_rescore_batch", killed_at_the_second)
        with pytest.raises(SystemExit):
            rescore(new.pk)
    assert [shown(upload)[0][0] for upload in uploads] == [1, 1, 2], "newest first"
    assert rescore(new.pk) == 2
    assert [shown(upload)[0][0] for upload in uploads] == [2, 2, 2]


def test_a_version_that_is_not_active_reads_nothing(ada: User, old: ModelVersion, new: ModelVersion) -> None:
    upload = offered_upload(ada)
    assert rescore(new.pk) == 0
    assert shown(upload) == [(1, "happy")]


def test_it_stops_when_another_version_is_promoted_meanwhile(
    ada: User, old: ModelVersion, new: ModelVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload = offered_upload(ada)
    promote(new)
    meanwhile(monkeypatch, lambda: roll_back(expressions()))
    assert rescore(new.pk) == 0
    assert shown(upload) == [(1, "happy")]


def meanwhile(monkeypatch: pytest.MonkeyPatch, happens: Any) -> None:
    """Just after the faces were read, and before what was read is kept."""
    read = rescoring._read

    def then(*arguments: Any) -> list[Prediction]:
        found = read(*arguments)
        happens()
        return found

    monkeypatch.setattr(rescoring, "_read", then)


def test_consent_that_is_withdrawn_meanwhile_counts(
    ada: User, old: ModelVersion, new: ModelVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload, other = offered_upload(ada), offered_upload(ada)
    promote(new)
    meanwhile(monkeypatch, lambda: handover.set_consent(upload, False))
    assert rescore(new.pk) == 1
    assert shown(upload) == [(1, "happy")]
    assert shown(other) == [(2, "sad")]
    assert not ReviewItem.objects.filter(face__upload=upload).exists()


def test_what_is_deleted_meanwhile_stays_deleted(
    ada: User, old: ModelVersion, new: ModelVersion, monkeypatch: pytest.MonkeyPatch
) -> None:
    upload, other = offered_upload(ada), offered_upload(ada)
    promote(new)
    meanwhile(monkeypatch, lambda: delete_uploads(ada, [upload.pk]))
    assert rescore(new.pk) == 1
    assert Face.objects.get().upload == other


def test_going_back_shows_what_the_version_said_before(
    ada: User, old: ModelVersion, new: ModelVersion
) -> None:
    upload = offered_upload(ada)
    before = Prediction.objects.get()
    promote(new)
    rescore(new.pk)
    roll_back(expressions())
    assert rescore(old.pk) == 1
    assert Prediction.objects.get(shown=True) == before
    assert shown(upload) == [(1, "happy")]
    assert Prediction.objects.count() == 2


def test_old_photographs_stay_as_they_are(
    ada: User, old: ModelVersion, new: ModelVersion, settings: Settings
) -> None:
    settings.RESCORE_DAYS = 7
    uploads = [offered_upload(ada, created_at=timezone.now() - timedelta(days=days)) for days in (6, 8)]
    promote(new)
    rescore(new.pk)
    assert [shown(upload)[0][0] for upload in uploads] == [2, 1]


@pytest.mark.parametrize(("at_most", "read"), [(0, 0), (1, 0), (2, 1), (3, 1), (4, 2)])
def test_no_more_faces_are_read_than_wanted_but_never_a_part_of_a_photograph(
    at_most: int, read: int, ada: User, old: ModelVersion, new: ModelVersion, settings: Settings
) -> None:
    settings.RESCORE_AT_MOST = at_most
    uploads = [offered_upload(ada, shows=("happy", "fear")) for _ in range(3)]
    promote(new)
    for _ in range(2):  # again, it reads no more
        rescore(new.pk)
    assert [shown(upload)[0][0] for upload in reversed(uploads)] == [2] * read + [1] * (3 - read)


def test_faces_that_the_versions_read_differently_rise(
    ada: User, old: ModelVersion, new: ModelVersion
) -> None:
    same, other = offered_upload(ada, shows=("sad",)), offered_upload(ada, shows=("happy",))
    promote(new)
    rescore(new.pk)
    certain, differing = item_of(same), item_of(other)
    assert certain.entropy == pytest.approx(differing.entropy)
    assert certain.rank == pytest.approx(certain.entropy)
    assert differing.rank == pytest.approx(differing.entropy + 1)


def test_a_probe_keeps_its_place(
    ada: User, old: ModelVersion, new: ModelVersion, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.REVIEW_PROBE_SHARE = 1
    monkeypatch.setattr(CHANCE, "random", lambda: 0.25)
    item = item_of(offered_upload(ada))
    promote(new)
    rescore(new.pk)
    entropy = item.entropy
    item.refresh_from_db()
    assert (item.probe, item.rank) == (True, 0.25)
    assert item.entropy != entropy, "it says how sure the answer is that pages show"


def test_a_face_that_was_skipped_stays_behind_all_others(
    ada: User, old: ModelVersion, new: ModelVersion
) -> None:
    item = item_of(offered_upload(ada))
    lena = make_labeler("lena")
    hand(lena, expressions())
    skip(lena, item)
    promote(new)
    rescore(new.pk)
    item.refresh_from_db()
    assert item.rank < -8


@pytest.mark.parametrize(
    ("said", "instead", "disagrees"),
    [
        (Feedback.Said.RIGHT, "", True),
        (Feedback.Said.WRONG, "sad", False),
        (Feedback.Said.WRONG, "fear", True),
        (Feedback.Said.NOT_A_FACE, "", True),
    ],
)
def test_what_its_user_said_of_the_old_answer_is_held_against_the_new_one(
    said: str, instead: str, disagrees: bool, ada: User, old: ModelVersion, new: ModelVersion
) -> None:
    upload = offered_upload(ada, shows=("happy",))
    give_feedback(
        face=upload.faces.get(),
        label_set=expressions(),
        user=ada,
        said=said,
        label=label(instead) if instead else None,
    )
    promote(new)
    rescore(new.pk)
    item = item_of(upload)
    assert item.disagreed == disagrees
    assert item.rank == pytest.approx(item.entropy + 1 + disagrees)


def test_the_page_does_not_take_what_was_said_of_the_old_answer_for_the_new_one(
    ada: User, ada_client: Client, old: ModelVersion, new: ModelVersion
) -> None:
    upload = offered_upload(ada, shows=("happy",))
    face = upload.faces.get()
    where = {"label_set": "expressions", "prediction": face.predictions.get().pk}
    ada_client.post(reverse("face-feedback", args=[face.pk]), {"said": "right", **where})
    promote(new)
    rescore(new.pk)
    page = ada_client.get(reverse("upload", args=[upload.pk])).content.decode()
    assert "Of an earlier answer, happy by constant v1, you said “right”." in page
    assert 'aria-pressed="true"' not in page
    # From a page that was loaded before: it is about the answer that stood there.
    ada_client.post(reverse("face-feedback", args=[face.pk]), {"said": "not_a_face", **where})
    assert Feedback.objects.get().prediction.model_version == old  # type: ignore[union-attr]
    ada_client.post(reverse("face-feedback", args=[face.pk]), {"said": "right", "label_set": "expressions"})
    assert Feedback.objects.get().prediction.model_version == new  # type: ignore[union-attr]


def test_what_it_says_of_faces_that_were_settled_before_is_no_measure_of_it(
    ada: User, old: ModelVersion, new: ModelVersion, settings: Settings
) -> None:
    settings.REVIEW_PROBE_SHARE = 1
    settled, waiting = offered_upload(ada, shows=("sad",)), offered_upload(ada, shows=("sad",))
    lena = make_labeler("lena")
    hand(lena, expressions())
    answer(lena, item_of(settled), says("sad"))
    promote(new)
    rescore(new.pk)
    assert accuracy() is None, "it may have learned from that face"
    answer(lena, item_of(waiting), says("sad"))
    assert accuracy() == (1, 1)


def accuracy() -> tuple[int, int] | None:
    figures = figures_of_model(expressions(), list(expressions().labels.all()))
    assert figures
    return (figures.accuracy.part, figures.accuracy.whole) if figures.accuracy else None
