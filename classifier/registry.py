"""Which models there are, and which one answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.files.base import ContentFile
from django.db import transaction
from django.db.models import Max, Q

from .ml import artifact as artifacts
from .ml.artifact import ArtifactError
from .ml.runtime import Classifier
from .models import LabelSet, ModelVersion

BUNDLED = Path(__file__).parent / "weights"


def register(artifact: bytes, card: dict[str, Any]) -> ModelVersion:
    """Keep an artifact as a new, inactive version; one that is known already is returned as it is.

    Should a known one have lost its file, as when the media folder was deleted, it has it again.

    Raises ArtifactError, having stored nothing, when it fails its self-test or its labels are not those of
    the label set that its card names.
    """
    Classifier.load(artifact, card)
    with transaction.atomic():
        # The row lock gives two registrations at the same time two numbers.
        label_set = LabelSet.objects.select_for_update().filter(slug=card["label_set"]).first()
        if label_set is None:
            raise ArtifactError(f"There is no label set {card['label_set']!r} here.")
        _check_labels(label_set, card)
        known = ModelVersion.objects.filter(digest=card["sha256"]).first()
        return _with_its_file(known, artifact) if known else _add(label_set, artifact, card)


def _with_its_file(version: ModelVersion, artifact: bytes) -> ModelVersion:
    if not version.artifact.storage.exists(str(version.artifact.name)):
        version.artifact.save(f"{version.digest}.onnx", ContentFile(artifact))
    return version


def _add(label_set: LabelSet, artifact: bytes, card: dict[str, Any]) -> ModelVersion:
    newest = label_set.versions.aggregate(newest=Max("number"))["newest"] or 0
    version = ModelVersion(
        label_set=label_set,
        number=newest + 1,
        digest=card["sha256"],
        estimator=card["estimator"],
        card=card,
    )
    version.artifact.save(f"{card['sha256']}.onnx", ContentFile(artifact), save=False)
    try:
        version.save()
    except BaseException:
        version.artifact.delete(save=False)
        raise
    return version


def _check_labels(label_set: LabelSet, card: dict[str, Any]) -> None:
    expected = list(label_set.labels.values_list("slug", flat=True))
    if card["labels"] != expected:
        raise ArtifactError(
            f"The artifact's labels are {', '.join(card['labels'])}; "
            f"those of {label_set.slug} are {', '.join(expected)}, in this order."
        )


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


@transaction.atomic
def promote(version: ModelVersion) -> None:
    """Make `version` the active one of its label set; every process answers with it from its next request."""
    # Whoever promotes holds the label set's row, so that two promotions follow each other.
    LabelSet.objects.select_for_update().get(pk=version.label_set_id)
    ModelVersion.objects.filter(label_set=version.label_set_id, active=True).update(active=False)
    ModelVersion.objects.filter(pk=version.pk).update(active=True)
    version.active = True


def install_bundled(folder: Path = BUNDLED) -> list[ModelVersion]:
    """Register the artifacts that come with the code; promote one where a label set has no active version."""
    versions = [register(*artifacts.read(path)) for path in sorted(folder.glob("*.onnx"))]
    for version in versions:
        if not ModelVersion.objects.filter(label_set=version.label_set_id, active=True).exists():
            promote(version)
    return versions
