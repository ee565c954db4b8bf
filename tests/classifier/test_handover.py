"""What the return half of the loop is told, and that it is told in the same transaction."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db.models import QuerySet
from django.test import Client
from django.urls import reverse

from classifier import handover
from classifier.accounts import delete_uploads, erase_account
from classifier.feedback import give_feedback
from classifier.models import Feedback, LabelSet, Prediction, Upload, User
from classifier.rescoring import rescore
from tests.factories import make_active_model, make_upload
from tests.photographs import astronaut

pytestmark = pytest.mark.django_db


class Listener:
    """Keeps what it hears; refuses everything when told to."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, object]] = []
        self.refuses = False

    def photograph_offered(self, upload: Upload) -> None:
        self._hear("offered", upload.pk)

    def photographs_taken_back(self, uploads: QuerySet[Upload]) -> None:
        for upload in uploads:
            self._hear("taken back", upload.pk)

    def feedback_given(self, feedback: Feedback) -> None:
        self._hear("feedback", feedback.said)

    def faces_rescored(self, predictions: Sequence[Prediction]) -> None:
        for prediction in predictions:
            self._hear("rescored", prediction.face_id)

    def worker_started(self) -> None:
        self._hear("worker", None)

    def _hear(self, what: str, of: object) -> None:
        if self.refuses:
            raise RuntimeError("The return half can't.")
        self.heard.append((what, of))


@pytest.fixture
def listener(monkeypatch: pytest.MonkeyPatch) -> Listener:
    listener = Listener()
    monkeypatch.setattr(handover, "_connected", [listener])
    return listener


def test_a_photograph_is_offered_when_it_is_sent_with_consent(
    listener: Listener, ada: User, ada_client: Client
) -> None:
    make_active_model()
    for consent in ({}, {"consent": "on"}):
        photo = SimpleUploadedFile("me.jpg", astronaut())
        ada_client.post(reverse("uploads"), {"photos": photo, **consent})
    offered = Upload.objects.get(consent=True)
    assert listener.heard == [("offered", offered.pk)]


def test_consent_is_told_when_it_changes_and_only_then(
    listener: Listener, ada: User, ada_client: Client
) -> None:
    upload = make_upload(ada)
    for answer in ("no", "yes", "yes", "no", "no"):
        ada_client.post(reverse("upload-consent", args=[upload.pk]), {"consent": answer})
    assert listener.heard == [("offered", upload.pk), ("taken back", upload.pk)]


def test_deleting_takes_back(listener: Listener, ada: User) -> None:
    one, other = make_upload(ada), make_upload(ada)
    delete_uploads(ada, [one.pk])
    erase_account(ada)
    assert listener.heard == [("taken back", one.pk), ("taken back", other.pk)]


def test_feedback_is_passed_on(listener: Listener, ada: User) -> None:
    face = make_upload(ada).faces.get()
    give_feedback(face=face, label_set=LabelSet.objects.get(), user=ada, said="right")
    assert listener.heard == [("feedback", "right")]


def test_nothing_changes_when_the_return_half_fails(listener: Listener, ada: User) -> None:
    upload = make_upload(ada)
    listener.refuses = True
    with pytest.raises(RuntimeError):
        handover.set_consent(upload, True)
    with pytest.raises(RuntimeError):
        delete_uploads(ada, [upload.pk])
    with pytest.raises(RuntimeError):
        give_feedback(face=upload.faces.get(), label_set=LabelSet.objects.get(), user=ada, said="right")
    assert not Upload.objects.get().consent
    assert not Feedback.objects.exists()


def test_connecting_twice_is_connecting_once(listener: Listener, ada: User) -> None:
    handover.connect(listener)
    handover.offer(make_upload(ada))
    assert len(listener.heard) == 1


def test_what_another_version_reads_is_told_and_kept_only_when_that_succeeds(
    listener: Listener, ada: User
) -> None:
    make_active_model(favourite="happy")
    face = make_upload(ada, consent=True).faces.get()
    version = make_active_model(favourite="sad")
    listener.refuses = True
    with pytest.raises(RuntimeError):
        rescore(version.pk)
    assert not face.predictions.filter(model_version=version).exists()
    listener.refuses = False
    rescore(version.pk)
    assert listener.heard == [("rescored", face.pk)]
