"""Where the forward half of the loop hands over to the return half.

Imports run one way, so nothing here can call the return half by its name. It connects itself when the site
starts (labeling/apps.py), and is told what concerns it inside the transaction that changes it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from django.db import transaction
from django.db.models import QuerySet

from .models import Feedback, Prediction, Upload


class ReturnHalf(Protocol):
    def photograph_offered(self, upload: Upload) -> None:
        """Its owner lets labelers see it and its faces."""

    def photographs_taken_back(self, uploads: QuerySet[Upload]) -> None:
        """They are about to be deleted, or their consent is withdrawn: nothing made of them may stay."""

    def feedback_given(self, feedback: Feedback) -> None:
        """A user has said whether a face was read rightly, for the first time or anew."""

    def faces_rescored(self, predictions: Sequence[Prediction]) -> None:
        """Another version is active now, and this is what pages show of these faces since."""

    def worker_started(self) -> None:
        """A worker is about to do tasks: what another one was killed over may be cleared up."""


_connected: list[ReturnHalf] = []


def connect(half: ReturnHalf) -> None:
    """From now on `half` is told. Connecting it again changes nothing."""
    if half not in _connected:
        _connected.append(half)


def offer(upload: Upload) -> None:
    for half in _connected:
        half.photograph_offered(upload)


def take_back(uploads: QuerySet[Upload]) -> None:
    for half in _connected:
        half.photographs_taken_back(uploads)


def pass_on(feedback: Feedback) -> None:
    for half in _connected:
        half.feedback_given(feedback)


def tell_rescored(predictions: Sequence[Prediction]) -> None:
    for half in _connected:
        half.faces_rescored(predictions)


def tell_worker_started() -> None:
    for half in _connected:
        half.worker_started()


@transaction.atomic
def set_consent(upload: Upload, given: bool) -> None:
    """Whether labelers may see this photograph and the site may learn from it."""
    changed = Upload.objects.filter(pk=upload.pk, consent=not given).update(consent=given)
    upload.consent = given
    if not changed:
        return
    if given:
        offer(upload)
    else:
        take_back(Upload.objects.filter(pk=upload.pk))
