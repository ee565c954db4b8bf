"""Labelers, and faces that wait for them."""

from __future__ import annotations

from typing import Any

import numpy as np
from django.contrib.auth.models import Group, Permission
from django.test import Client

from classifier.handover import offer
from classifier.models import Face, Label, LabelSet, Upload, User
from classifier.vision.image import encode_png
from labeling.models import Annotation, ReviewItem
from labeling.review import Said
from tests.factories import make_upload, make_user

Verdict = Annotation.Verdict


def make_labeler(username: str, *, adjudicator: bool = False) -> User:
    """Staff in the group that the migration makes."""
    user = make_user(username, is_staff=True)
    user.groups.add(Group.objects.get(name="Labelers"))
    if adjudicator:
        user.user_permissions.add(Permission.objects.get(codename="adjudicate_faces"))
    return user


def expressions() -> LabelSet:
    return LabelSet.objects.get(slug="expressions")


def label(slug: str) -> Label:
    return Label.objects.get(label_set__slug="expressions", slug=slug)


def says(slug: str) -> Said:
    return Said(Verdict.CORRECT, label(slug))


def accepts(slug: str) -> Said:
    return Said(Verdict.ACCEPT, label(slug))


UNUSABLE = Said(Verdict.UNUSABLE)


def offered_upload(owner: User, **fields: Any) -> Upload:
    """A photograph with consent, its faces in the queue, each with a crop of its own."""
    upload = make_upload(owner, consent=True, **fields)
    for face in upload.faces.all():
        give_crop(face)
    offer(upload)
    return upload


def give_crop(face: Face) -> None:
    """A picture that no other face has: smooth noise, drawn from the face's number."""
    face.crop = encode_png(noise(face.pk))
    face.save(update_fields=["crop"])


def noise(seed: int) -> np.ndarray:
    coarse = np.random.default_rng(seed).integers(0, 256, (8, 8), dtype=np.uint8)
    return np.repeat(np.kron(coarse, np.ones((14, 14), np.uint8))[..., None], 3, axis=2)


def item_of(upload: Upload, position: int = 0) -> ReviewItem:
    return ReviewItem.objects.get(face__upload=upload, face__position=position)


def text(client: Client, url: str, **query: str) -> str:
    answered = client.get(url, query, follow=True)
    assert answered.status_code == 200
    return answered.content.decode()
