"""Which examples, and which photographs, show the same picture: looked up by their hashes."""

from __future__ import annotations

import uuid
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from django.db.models import Q, QuerySet
from numpy.typing import NDArray

from classifier.models import Upload
from classifier.vision.similar import NEARLY_SAME

from .models import Example, KnownPhotograph
from .neighbours import Fingerprint, as_it_may_have_been, band_values, decode, made_square, same_picture

# Of a photograph's sides: one that is no longer than this times the other may be a face and nothing else.
NEARLY_SQUARE = 1.1


def examples_like(fingerprints: Sequence[Fingerprint], examples: QuerySet[Example]) -> set[int]:
    """The ids of those of `examples` that show the same picture as one of `fingerprints`."""
    near = _near_by_hash(fingerprints, examples)
    found = set()
    for pk, crop in examples.filter(pk__in=near).values_list("pk", "crop"):
        gray = Fingerprint.of(decode(bytes(crop))).gray
        if any(same_picture(one.gray, gray) for one in near[pk]):
            found.add(pk)
    return found


def photographs_like(upload: Upload, thumbnail: NDArray[np.uint8]) -> set[uuid.UUID]:
    """The ids of other uploads with examples that are, perhaps altered, the same photograph."""
    others = KnownPhotograph.objects.exclude(upload=upload)
    near = _near_by_hash(as_it_may_have_been(thumbnail), others)
    found = set()
    for other in Upload.objects.filter(pk__in=near):
        pixels = thumbnail_of(other)
        # Where its file is lost, the hash alone has to do.
        if pixels is None or any(same_picture(one.gray, made_square(pixels)) for one in near[other.pk]):
            found.add(other.pk)
    return found


def remember_photograph(upload: Upload, thumbnail: NDArray[np.uint8]) -> None:
    """From now on its copies are told. It is forgotten with the upload's examples."""
    known = {"perceptual_hash": Fingerprint(made_square(thumbnail)).hash}
    KnownPhotograph.objects.get_or_create(upload=upload, defaults=known)


def thumbnail_of(upload: Upload) -> NDArray[np.uint8] | None:
    """(H, W, 3) pixels; None where the file is gone, or has one value all over."""
    try:
        with upload.thumbnail.open("rb") as file:
            pixels = decode(file.read())
    except OSError:
        return None
    return pixels if np.ptp(pixels) else None


def may_be_a_face_alone(upload: Upload) -> bool:
    """As the pictures of data sets are, of which somebody may send one as a photograph."""
    return max(upload.width, upload.height) <= NEARLY_SQUARE * min(upload.width, upload.height)


def _near_by_hash(fingerprints: Sequence[Fingerprint], rows: QuerySet[Any]) -> dict[Any, list[Fingerprint]]:
    """By primary key, those of `rows` whose hash is near to that of some of `fingerprints`, or mirrored."""
    hashes = np.array([(one.hash, one.mirrored_hash) for one in fingerprints], np.int64)
    sharing = rows.filter(_shares_a_band(hashes.ravel().tolist())).values_list("pk", "perceptual_hash")
    keys, known = zip(*sharing, strict=True) if sharing else ((), ())
    differ = np.bitwise_count((hashes[..., None] ^ np.array(known, np.int64)).view(np.uint64)).min(axis=1)
    near: dict[Any, list[Fingerprint]] = defaultdict(list)
    for one, row in np.argwhere(differ <= NEARLY_SAME):
        near[keys[row]].append(fingerprints[one])
    return near


def _shares_a_band(hashes: Iterable[int]) -> Q:
    shared = Q()
    for number, values in enumerate(band_values(hashes)):
        shared |= Q(**{f"band_{number}__in": values})
    return shared
