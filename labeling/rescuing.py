"""What a person makes of photographs that an import set aside: one of their faces, or nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from django.db import transaction

from classifier.models import LabelSet, User

from .importing import add_crops
from .models import Example, FoundFace, SetAsidePicture
from .neighbours import decode
from .rows import Crop

State = SetAsidePicture.State


@dataclass(frozen=True)
class Settled:
    """`not_added`: of the faces that were chosen, why each is none of the dataset: a duplicate, or a leak.

    `left`: how many pictures somebody else had settled already.
    """

    rescued: int
    dropped: int
    left: int
    not_added: list[str]


@transaction.atomic
def settle_pictures(label_set: LabelSet, choices: Mapping[int, int | None], *, by: User) -> Settled:
    """`choices`: by a picture's id the id of the face that it is about, or None to drop the picture.

    Copies and crops are gone then. A chosen face becomes an example as those of an import do.
    """
    # Whoever holds this row is the only one who settles, and who adds: see curation.settle_example.
    LabelSet.objects.select_for_update(no_key=True).get(pk=label_set.pk)
    waiting = SetAsidePicture.objects.waiting().filter(label_set=label_set, pk__in=choices)
    ids = set(waiting.values_list("pk", flat=True))
    faces = FoundFace.objects.filter(
        picture__in=ids, pk__in=[face for face in choices.values() if face is not None]
    )
    chosen = {face.picture_id: face for face in faces.select_related("picture__label")}
    dropped = {pk for pk in ids if choices[pk] is None}
    report = add_crops([_crop_of(face) for face in chosen.values()], label_set, by=by)
    for state, pictures in ((State.RESCUED, set(chosen)), (State.DROPPED, dropped)):
        waiting.filter(pk__in=pictures).update(state=state, copy=None, settled_by=by)
    FoundFace.objects.filter(picture__in={*chosen, *dropped}).delete()
    return Settled(
        rescued=report.added.total(),
        dropped=len(dropped),
        left=len(choices) - len(chosen) - len(dropped),
        not_added=[f"{fate.where}: {fate.why}" for fate in (*report.duplicates, *report.set_aside)],
    )


def _crop_of(face: FoundFace) -> Crop:
    return Crop(
        where=face.picture.origin,
        label=face.picture.label.slug,
        pixels=decode(bytes(face.crop)),
        source=Example.Source.PHOTOGRAPHS,
    )
