"""Which group and which split an example belongs to: what is nearly the same is never on two sides."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass

from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from classifier.models import Face, LabelSet, Upload
from classifier.vision.similar import NEARLY_SAME, hash_distance

from .models import Example, Split
from .neighbours import Fingerprint, band_values, decode, same_picture

# Of a photograph's sides: one that is no longer than this times the other may be a face and nothing else.
NEARLY_SQUARE = 1.1


@dataclass(frozen=True)
class Place:
    """Where an example belongs. `leak` says why it can be nowhere, and is empty otherwise."""

    group: str
    split: Split
    leak: str = ""


def split_of(group: str) -> Split:
    """80 % of all groups are for learning, 10 % for choosing, 10 % for measuring, by a hash of their name."""
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
    """Beside the other faces of its photograph, and what is nearly the same; their groups become one."""
    others = Example.objects.filter(label_set=label_set).exclude(face=face)
    others = others.exclude(withdrawn=Example.Withdrawn.LEAK)
    near = near_to([fingerprint, *_whole_photograph(face.upload)], others)
    found = Example.objects.filter(
        Q(pk__in=near) | Q(face__upload=face.upload_id, pk__in=others.values("pk"))
    )
    beside = [(group, Split(split)) for group, split in found.values_list("group", "split").distinct()]
    decided = place(fingerprint.digest, beside)
    if not decided.leak and len(beside) > 1:
        others.filter(group__in=[group for group, _split in beside]).update(group=decided.group)
    return decided


def _whole_photograph(upload: Upload) -> list[Fingerprint]:
    """A copy of an example may be sent as a photograph: the crop of the face in it is framed anew."""
    if max(upload.width, upload.height) > NEARLY_SQUARE * min(upload.width, upload.height):
        return []
    try:
        with upload.thumbnail.open("rb") as file:
            return [Fingerprint.of(decode(file.read()))]
    except OSError:
        return []


def near_to(fingerprints: Iterable[Fingerprint], examples: QuerySet[Example]) -> set[int]:
    """The ids of those of `examples` that show the same picture as one of `fingerprints`."""
    found = set()
    for fingerprint in fingerprints:
        asked = (fingerprint.hash, fingerprint.mirrored_hash)
        close = [
            pk
            for pk, known in examples.filter(_shares_a_band(asked)).values_list("pk", "perceptual_hash")
            if any(hash_distance(known, hashed) <= NEARLY_SAME for hashed in asked)
        ]
        for pk, crop in examples.filter(pk__in=close).values_list("pk", "crop"):
            if same_picture(fingerprint.gray, Fingerprint.of(decode(bytes(crop))).gray):
                found.add(pk)
    return found


def _shares_a_band(hashes: Iterable[int]) -> Q:
    shared = Q()
    for number, values in enumerate(band_values(hashes)):
        shared |= Q(**{f"band_{number}__in": values})
    return shared
