"""Which models there are, and which one answers."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

from django.db import transaction
from django.db.models import Max, Q, QuerySet
from django.utils import timezone

from .artifact_files import store_artifact
from .ml import artifact as artifacts
from .ml.artifact import ArtifactError
from .ml.runtime import Classifier
from .models import Activation, LabelSet, ModelVersion, User
from .serving import load

BUNDLED = Path(__file__).parent / "weights"


class PromotionRefusedError(ValueError):
    """Another version was not made the active one; `str(error)` is a sentence that says why."""


def register(artifact: bytes, card: dict[str, Any]) -> ModelVersion:
    """Keep an artifact as a new, inactive version; one that is known already is returned as it is.

    Should a known one have lost its file, or have a broken one, it has it again.

    It may know fewer labels than its label set has: those that came later stand last. Raises ArtifactError,
    having stored nothing, when it fails its self-test or its labels are no such ones.
    """
    Classifier.load(artifact, card)
    label_set = LabelSet.objects.filter(slug=card["label_set"]).first()
    if label_set is None:
        raise ArtifactError(f"There is no label set {card['label_set']!r} here.")
    _check_labels(label_set, card)
    same = ModelVersion.objects.filter(label_set=label_set, digest=card["sha256"])
    known = same.first()
    # Before the row, and outside its transaction: a large file must not keep others from writing.
    name = store_artifact(artifact, card["sha256"], name=str(known.artifact.name) if known else "")
    with transaction.atomic():
        # The row lock gives two registrations at the same time two numbers.
        LabelSet.objects.select_for_update(no_key=True).get(pk=label_set.pk)
        known = same.first()
        return _renamed(known, name) if known else _add(label_set, name, card)


def _renamed(version: ModelVersion, name: str) -> ModelVersion:
    if version.artifact.name != name:
        version.artifact.name = name
        version.save(update_fields=["artifact"])
    return version


def _add(label_set: LabelSet, name: str, card: dict[str, Any]) -> ModelVersion:
    newest = label_set.versions.aggregate(newest=Max("number"))["newest"] or 0
    version = ModelVersion(
        label_set=label_set,
        number=newest + 1,
        digest=card["sha256"],
        estimator=card["estimator"],
        artifact=name,
        card=card,
    )
    version.save()
    return version


def _check_labels(label_set: LabelSet, card: dict[str, Any]) -> None:
    expected = list(label_set.labels.values_list("slug", flat=True))
    if card["labels"] != expected[: len(card["labels"])]:
        raise ArtifactError(
            f"The artifact's labels are {', '.join(card['labels'])}; "
            f"those of {label_set.slug} are {', '.join(expected)}, in this order."
        )


def find_label_set(slug: str) -> LabelSet:
    """Raises LookupError, telling which there are."""
    found = LabelSet.objects.filter(slug=slug).first()
    if found is None:
        known = ", ".join(LabelSet.objects.values_list("slug", flat=True)) or "none"
        raise LookupError(f"There is no label set {slug!r}. There are: {known}.")
    return found


def find_version(name: str, *, label_set: str) -> ModelVersion:
    """The version with this number, the newest of this estimator, or the one whose digest begins so.

    An empty name is the active version. Raises LookupError, telling which versions there are.
    """
    versions = ModelVersion.objects.filter(label_set__slug=label_set).select_related("label_set")
    number = int(name) if name.isdecimal() and len(name) < 10 else 0
    for asked in (Q(active=True) if not name else Q(number=number), Q(estimator=name)):
        if found := versions.filter(asked).order_by("-number").first():
            return found
    begun = versions.filter(digest__startswith=name.lower()) if name else versions.none()
    if len(begun) == 1:
        return begun[0]
    known = ", ".join(f"{version} {version.digest[:8]}" for version in versions) or "none"
    wanted = f"No one version is {name!r}" if name else "No version is active"
    raise LookupError(f"{wanted}; label set {label_set!r} has these: {known}.")


def note_verdict(version: ModelVersion, refusal: str) -> None:
    """What the gate said of it: why it is not to be promoted unless forced, or "" where it may be."""
    ModelVersion.objects.filter(pk=version.pk).update(refusal=refusal)
    version.refusal = refusal


def promote(
    version: ModelVersion,
    *,
    by: User | None = None,
    reason: str = "",
    forced: bool = False,
    instead_of: Activation | None = None,
) -> Activation:
    """Make `version` the active one of its label set; every process answers with it from its next request.

    One that is active already stays so, and its activation is returned. `instead_of`: what is active as far
    as the caller knows. Raises PromotionRefusedError when another was faster, or the gate has refused the
    version and nobody forces it; ArtifactError when it fails its self-test.
    """
    if forced and not reason.strip():
        raise PromotionRefusedError("To promote a version whatever the gate said, say why.")
    if version.refusal and not forced:
        raise PromotionRefusedError(f"The gate refused {version}: {version.refusal}")
    return _activate(version, instead_of, by=by, reason=reason, forced=forced)


def roll_back(
    label_set: LabelSet, *, by: User | None = None, reason: str = "", instead_of: Activation | None = None
) -> Activation:
    """Make the version active that was so before. Once more, and it is the one before that.

    Raises PromotionRefusedError when there is none, or another was faster; ArtifactError when it fails its
    self-test.
    """
    now = instead_of or current(label_set)
    if now is None:
        raise PromotionRefusedError(f"No version of {label_set.slug} was ever active.")
    before = before_it(now)
    if before is None:
        raise PromotionRefusedError(
            f"There is nothing to go back to: before {now.version} no version of {label_set.slug} was active."
        )
    return _activate(before.version, now, by=by, reason=reason, restores=before)


def _activate(
    version: ModelVersion, instead_of: Activation | None, *, by: User | None, reason: str, **how: Any
) -> Activation:
    load(version.pk)  # what can't be loaded must not become active
    with transaction.atomic():
        # Whoever promotes holds the label set's row, so that two promotions follow each other.
        label_set = LabelSet.objects.select_for_update(no_key=True).get(pk=version.label_set_id)
        last = current(label_set)
        if instead_of and instead_of != last:
            raise PromotionRefusedError(f"Meanwhile {last and last.version} was activated. Look again.")
        if last and last.version_id == version.pk and last.version.active:
            return last
        ModelVersion.objects.filter(label_set=label_set, active=True).update(active=False)
        ModelVersion.objects.filter(pk=version.pk).update(active=True)
        version.active = True
        # No clock that is behind another machine's may turn the history around.
        at = max(timezone.now(), last.at) if last else timezone.now()
        row = Activation(label_set=label_set, version=version, at=at, by=by, reason=reason.strip(), **how)
        row.save()
        transaction.on_commit(lambda: _have_rescored(version.pk), robust=True)
    return row


def _have_rescored(version_id: int) -> None:
    from .tasks import rescore_faces

    rescore_faces.enqueue(version_id)


def current(label_set: LabelSet) -> Activation | None:
    """The last activation, which is in force."""
    return _history(label_set).first()


def active_at(label_set: LabelSet, moment: datetime) -> Activation | None:
    """The activation that was in force then; None before the first."""
    return _history(label_set).filter(at__lte=moment).first()


def before_it(activation: Activation) -> Activation | None:
    """What a roll back from there goes back to: what it replaced, or what that had gone back to itself.

    So 1, 2, 3, back, back ends with 1; and 1, 2, back, 3, back ends with 1, not with 2.
    """
    since = activation.restores_id or activation.pk
    earlier = Activation.objects.filter(label_set=activation.label_set_id, pk__lt=since)
    found = earlier.select_related("version__label_set", "restores__version__label_set").first()
    return found and (found.restores or found)


def _history(label_set: LabelSet) -> QuerySet[Activation]:
    return Activation.objects.filter(label_set=label_set).select_related("version__label_set", "by")


def install_bundled(folder: Path = BUNDLED) -> list[ModelVersion]:
    """Register the artifacts that come with the code; promote one where a label set has no active version.

    Those of a label set that was deleted here are passed over.
    """
    here = set(LabelSet.objects.values_list("slug", flat=True))
    bundled = [artifacts.read(path) for path in sorted(folder.glob("*.onnx"))]
    versions = [register(artifact, card) for artifact, card in bundled if card["label_set"] in here]
    for version in versions:
        if not ModelVersion.objects.filter(label_set=version.label_set_id, active=True).exists():
            promote(version, reason="came with the code")
    return versions
