"""Which face a labeler gets next, and who holds which.

A labeler's hand is the face they look at and those that their browser fetches ahead. A face is in one hand at
a time, for REVIEW_LEASE_MINUTES from the last sign of life; after that, whoever comes first may have it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import F, Min
from django.utils import timezone

from classifier.models import LabelSet, User
from classifier.vision.similar import NEARLY_SAME, hash_distance

from .intake import CHANCE, take_in
from .models import Annotation, ReviewItem

HAND = 3
# So many faces from the top of the queue are looked at for one that is not nearly the same as a recent one.
LOOKED_AT = 200
RECENT = 10
BEHIND_ALL = 10.0


def hand(labeler: User, label_set: LabelSet) -> list[ReviewItem]:
    """What this labeler holds, the face to look at first: filled up, and every lease renewed."""
    mine = ReviewItem.objects.offered().held_by(labeler).filter(label_set=label_set)
    held = mine.order_by().update(leased_until=_lease_end())
    while held < HAND and draw(labeler, label_set):
        held += 1
    # Only now: what was offered of late is queued already, and to look for the rest takes long.
    if not held and take_in(label_set):
        return hand(labeler, label_set)
    return list(mine.select_related("face__upload", "label_set").defer("face__crop"))


def skip(labeler: User, item: ReviewItem) -> None:
    """Put a face from the labeler's hand behind all others of its line, if it is still there."""
    held = ReviewItem.objects.held_by(labeler).filter(pk=item.pk).order_by()
    held.update(lease_holder=None, leased_until=None, rank=F("rank") - BEHIND_ALL)


def give_again(labeler: User, item: ReviewItem) -> bool:
    """Put a face in the front of the labeler's hand. False: another labeler holds it now."""
    first = ReviewItem.objects.held_by(labeler).aggregate(first=Min("leased_at"))["first"] or timezone.now()
    free = ReviewItem.objects.free().filter(pk=item.pk)
    before = first - timedelta(microseconds=1)
    return bool(free.update(lease_holder=labeler, leased_at=before, leased_until=_lease_end()))


def count_waiting(label_set: LabelSet, *, at_most: int) -> int:
    """How many faces wait, in anybody's hand or none; counting stops at `at_most`."""
    found = ReviewItem.objects.filter(label_set=label_set, state=ReviewItem.State.WAITING)
    return found.order_by()[:at_most].count()


def count_disputed(label_set: LabelSet) -> int:
    return ReviewItem.objects.filter(label_set=label_set, state=ReviewItem.State.DISPUTED).count()


def draw(labeler: User, label_set: LabelSet) -> bool:
    """Lease one more face to the labeler. False: there is none."""
    return any(_lease(labeler, item_id) for item_id in _next_faces(labeler, label_set))


def _next_faces(labeler: User, label_set: LabelSet) -> Iterator[int]:
    """The best first. Those after it are for when another labeler is faster."""
    probes_first = CHANCE.random() < settings.REVIEW_PROBE_SHARE
    recent = _recent_hashes(labeler, label_set)
    for probe in (probes_first, not probes_first):
        line = (
            ReviewItem.objects.free()
            .unanswered_by(labeler)
            .filter(label_set=label_set, probe=probe)
            .order_by(F("rank").desc(), "pk")
            .values_list("pk", "perceptual_hash")
        )
        yield from _apart(list(line[:LOOKED_AT]), recent)


def _apart(line: Sequence[tuple[int, int]], recent: Sequence[int]) -> Iterator[int]:
    """Faces in their order, those that are nearly the same as a recent one last, the most different first."""
    distances = [min((hash_distance(code, seen) for seen in recent), default=64) for _, code in line]
    order = sorted(
        range(len(line)), key=lambda place: 0 if distances[place] > NEARLY_SAME else 64 - distances[place]
    )
    return (line[place][0] for place in order)


def _recent_hashes(labeler: User, label_set: LabelSet) -> list[int]:
    """Of the faces that this labeler holds or has answered last."""
    answered = Annotation.objects.filter(labeler=labeler, label_set=label_set).order_by("-pk")
    faces = list(answered.values_list("face", flat=True)[:RECENT])
    seen = ReviewItem.objects.filter(label_set=label_set, face__in=faces)
    held = ReviewItem.objects.held_by(labeler).order_by().filter(label_set=label_set)
    return list(seen.union(held).values_list("perceptual_hash", flat=True))


def _lease(labeler: User, item_id: int) -> bool:
    now = timezone.now()
    free = ReviewItem.objects.free().offered().filter(pk=item_id)
    return bool(free.update(lease_holder=labeler, leased_at=now, leased_until=_lease_end()))


def _lease_end() -> datetime:
    return timezone.now() + timedelta(minutes=settings.REVIEW_LEASE_MINUTES)
