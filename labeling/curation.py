"""The examples: how one comes to be, changes, is withdrawn, and goes with the photograph it was cut from."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from django.core.files.storage import default_storage
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _

from classifier.models import Decision, Face, Label, LabelSet, Upload, User

from .models import (
    DatasetJob,
    DatasetVersion,
    Example,
    ExampleChange,
    ExampleQuerySet,
    KnownPhotograph,
)
from .neighbours import Fingerprint, decode
from .splits import place_of_face


@transaction.atomic
def settle_example(
    *,
    face: Face,
    label_set: LabelSet,
    label: Label | None,
    votes: Mapping[str, int],
    labeler: User | None,
    reason: str = "review",
) -> Example | None:
    """Make the face's one example say what labelers settled. Returns None where there is none, nor need be.

    `votes`: how many labelers said what, by the label's slug. Without a label the example is withdrawn; what
    a curator withdrew stays so. Until the caller's transaction ends it holds the label set's row, so that two
    faces that are nearly the same can't be put into two splits: lock whatever else you need before.
    """
    LabelSet.objects.select_for_update(no_key=True).get(pk=label_set.pk)
    known = Example.objects.filter(face=face, label_set=label_set)
    example = _locked(known).first()
    if example is None:
        return _add(face, label_set, label, votes, labeler) if label else None
    if label is None:
        withdraw(known, why=Example.Withdrawn.REVIEW, reason=reason, by=labeler)
    else:
        _relabel(example, label, votes, reason=reason, by=labeler)
        restore(known.filter(withdrawn=Example.Withdrawn.REVIEW), reason=reason, by=labeler)
    example.refresh_from_db()
    return example


def _locked(examples: ExampleQuerySet) -> ExampleQuerySet:
    return examples.order_by("pk").select_for_update(of=("self",)).defer("crop")


def _add(
    face: Face, label_set: LabelSet, label: Label, votes: Mapping[str, int], labeler: User | None
) -> Example:
    fingerprint = Fingerprint.of(decode(bytes(face.crop)))
    place = place_of_face(face, label_set, fingerprint)
    return Example.objects.create(
        face=face,
        label_set=label_set,
        label=label,
        source=Example.Source.REVIEW,
        added_by=labeler,
        crop=bytes(face.crop),
        digest=fingerprint.digest,
        perceptual_hash=fingerprint.hash,
        votes=dict(votes),
        agreement=agreement_of(votes, label),
        group=place.group,
        split=place.split,
        withdrawn=Example.Withdrawn.LEAK if place.leak else "",
        withdrawn_reason=place.leak,
    )


def _relabel(
    example: Example, label: Label, votes: Mapping[str, int], *, reason: str, by: User | None
) -> None:
    if example.label_id == label.pk and example.votes == dict(votes):
        return
    relabelled = example.label_id != label.pk
    kind = ExampleChange.Kind.RELABELLED if relabelled else ExampleChange.Kind.VOTED
    _note([example], kind, reason=reason, by=by, after=label)
    example.label, example.votes = label, dict(votes)
    example.agreement = agreement_of(votes, label)
    if relabelled:
        example.suspicion = None
    example.changed_at = timezone.now()
    example.save(update_fields=["label", "votes", "agreement", "suspicion", "changed_at"])


@transaction.atomic
def relabel(examples: ExampleQuerySet, label: Label, *, reason: str, by: User) -> int:
    """Give examples another label; returns how many had a different one. Votes stay as they were cast."""
    changed = list(_locked(examples.exclude(label=label)))
    for example in changed:
        _relabel(example, label, example.votes, reason=reason, by=by)
    faces = [example.face_id for example in changed if example.face_id]
    # What the face's owner is told was settled.
    Decision.objects.filter(face__in=faces, label_set=label.label_set_id).update(
        label=label, decided_at=timezone.now()
    )
    return len(changed)


@transaction.atomic
def withdraw(examples: ExampleQuerySet, *, why: Example.Withdrawn, reason: str, by: User | None) -> int:
    """Take examples out of the dataset; returns how many were in it. They stay on record, with the reason."""
    taken = list(_locked(examples.kept()))
    _note(taken, ExampleChange.Kind.WITHDRAWN, reason=reason, by=by)
    return _set_withdrawn(taken, why, reason)


@transaction.atomic
def restore(examples: ExampleQuerySet, *, reason: str, by: User | None) -> int:
    """Take withdrawn examples back in, less those that are too near to another split; returns how many."""
    taken = list(_locked(examples.exclude(withdrawn__in=["", Example.Withdrawn.LEAK])))
    _note(taken, ExampleChange.Kind.RESTORED, reason=reason, by=by)
    return _set_withdrawn(taken, "", "")


def _set_withdrawn(examples: list[Example], why: str, reason: str) -> int:
    return Example.objects.filter(pk__in=[example.pk for example in examples]).update(
        withdrawn=why, withdrawn_reason=reason, changed_at=timezone.now()
    )


def _note(
    examples: Iterable[Example],
    kind: ExampleChange.Kind,
    *,
    reason: str,
    by: User | None,
    after: Label | None = None,
) -> None:
    ExampleChange.objects.bulk_create(
        ExampleChange(
            example=example,
            kind=kind,
            before_id=example.label_id,
            after_id=after.pk if after else example.label_id,
            votes=example.votes,
            reason=reason,
            changed_by=by,
        )
        for example in examples
    )


def forget(uploads: QuerySet[Upload]) -> None:
    """Delete every example of these uploads, and every file that holds one of their crops.

    Called inside the transaction that takes the uploads back, before they are gone. A frozen version loses
    its file and keeps its row, which says when, so that models that learned from it can be told.
    """
    examples = Example.objects.filter(face__upload__in=uploads)
    label_sets = list(examples.order_by().values_list("label_set", flat=True).distinct())
    # Whoever freezes holds these rows too: see labeling.freezing.
    list(LabelSet.objects.select_for_update(no_key=True).filter(pk__in=label_sets).order_by("pk"))
    frozen = DatasetVersion.objects.filter(faces__upload__in=uploads, erased_at__isnull=True)
    versions = dict(frozen.values_list("pk", "file"))
    exports = DatasetJob.objects.filter(kind=DatasetJob.Kind.EXPORT, label_set__in=label_sets)
    files = {*versions.values(), *exports.values_list("file", flat=True)} - {""}
    DatasetVersion.objects.filter(pk__in=versions).update(erased_at=timezone.now(), file="")
    exports.update(file="")
    exports.filter(state=DatasetJob.State.RUNNING).update(
        state=DatasetJob.State.FAILED,
        stage=_("A photograph was taken back meanwhile. Export again."),
    )
    examples.delete()
    KnownPhotograph.objects.filter(upload__in=uploads).delete()
    # Before the commit: should a file refuse to go, nothing has happened yet, and it can be tried again.
    for name in files:
        default_storage.delete(name)


def agreement_of(votes: Mapping[str, int], label: Label) -> float | None:
    """The share of all votes, also of those for no label of the set, that are for `label`."""
    cast = sum(votes.values())
    return votes.get(label.slug, 0) / cast if cast else None
