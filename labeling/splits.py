"""Which group and which split an example belongs to: what is nearly the same is never on two sides."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import Q
from django.utils.translation import gettext as _

from classifier.models import Face, LabelSet

from .likeness import (
    examples_like,
    may_be_a_face_alone,
    photographs_like,
    remember_photograph,
    thumbnail_of,
)
from .models import Example, Split
from .neighbours import Fingerprint, as_it_may_have_been


@dataclass(frozen=True)
class Place:
    """Where an example belongs. `leak` says why it can be nowhere, and is empty otherwise."""

    group: str
    split: Split
    leak: str = ""


def split_of(group: str) -> Split:
    """80 % of all groups are in training, 10 % in validation, 10 % in test, by a hash of their name."""
    share = int(hashlib.sha256(group.encode()).hexdigest()[:8], 16) / 0x1_0000_0000
    if share < 0.8:
        return Split.TRAIN
    return Split.VALIDATION if share < 0.9 else Split.TEST


def place(digest: str, beside: Iterable[tuple[str, Split]], *, official: Split | None = None) -> Place:
    """The place of an example that belongs with those `beside` it, each given as (group, split).

    It joins them. Where it can't, because they, or it by its official split, lie on two sides, it is a leak:
    whatever split it went to, a model would be measured by what it, or nearly that, had learned from.
    """
    own = digest[:16]
    groups = sorted({group for group, _split in beside})
    splits = {split for _group, split in beside} | ({official} if official else set())
    if not splits:
        return Place(own, split_of(own))
    if len(splits) > 1:
        named = _(" and ").join(str(split.label) for split in Split if split in splits)
        return Place(own, official or Split.TEST, _("It is nearly the same as examples of %s.") % named)
    return Place(groups[0] if groups else own, splits.pop())


def place_of_face(face: Face, label_set: LabelSet, fingerprint: Fingerprint) -> Place:
    """Beside the other faces of its photograph, and what is nearly the same; their groups become one.

    A copy of a photograph is told by the whole of it, for the detector frames its faces otherwise as soon as
    a few pixels change: of 60 mirrored photographs the hashes of the crops tell 29.
    """
    others = Example.objects.filter(label_set=label_set).exclude(face=face)
    others = others.exclude(withdrawn=Example.Withdrawn.LEAK)
    asked, uploads = [fingerprint], {face.upload_id}
    if (photograph := thumbnail_of(face.upload)) is not None:
        uploads |= photographs_like(face.upload, photograph)
        if may_be_a_face_alone(face.upload):
            asked += as_it_may_have_been(photograph)
        remember_photograph(face.upload, photograph)
    found = Example.objects.filter(
        Q(pk__in=examples_like(asked, others)) | Q(face__upload__in=uploads, pk__in=others.values("pk"))
    )
    beside = [(group, Split(split)) for group, split in found.values_list("group", "split").distinct()]
    decided = place(fingerprint.digest, beside)
    if not decided.leak and len(beside) > 1:
        others.filter(group__in=[group for group, _split in beside]).update(group=decided.group)
    return decided
