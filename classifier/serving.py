"""The classifier that answers now: loaded once per process, and again only when another version is active."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from .ml.artifact import ArtifactError
from .ml.runtime import Classifier
from .models import Label, ModelVersion


class NoActiveModelError(LookupError):
    """No model can answer for this label set."""


@dataclass(frozen=True)
class ActiveModel:
    """A version, its labels in the order of its output, and its classifier."""

    version: ModelVersion
    labels: tuple[Label, ...]
    classifier: Classifier


_loaded: dict[str, ActiveModel] = {}
_loading = threading.Lock()


def active_model(label_set: str) -> ActiveModel:
    """The active model of the label set with this slug. Costs one query when nothing has changed.

    Raises NoActiveModelError when there is none, ArtifactError when its artifact is missing or altered.
    """
    active = ModelVersion.objects.filter(label_set__slug=label_set, active=True)
    # Both: the same artifact may have been registered anew, as another row.
    wanted = active.values_list("pk", "digest").first()
    if wanted is None:
        raise NoActiveModelError(f"No model is active for the label set {label_set!r}.")
    held = _loaded.get(label_set)
    if held and (held.version.pk, held.version.digest) == wanted:
        return held
    with _loading:
        held = _loaded.get(label_set)
        if not held or (held.version.pk, held.version.digest) != wanted:
            held = _loaded[label_set] = _load(wanted[0])
    return held


def classifier_of(version: ModelVersion) -> Classifier:
    """The classifier of any version, loaded anew unless it is the active one.

    Raises ArtifactError when its artifact is missing or altered.
    """
    held = _loaded.get(version.label_set.slug)
    if held and (held.version.pk, held.version.digest) == (version.pk, version.digest):
        return held.classifier
    return _load(version.pk).classifier


def _load(version_id: int) -> ActiveModel:
    # With the labels, so that describing what it said asks the database nothing.
    version = (
        ModelVersion.objects.select_related("label_set")
        .prefetch_related("label_set__labels")
        .get(pk=version_id)
    )
    classifier = Classifier.load(read_artifact(version), version.card)
    return ActiveModel(version, tuple(version.label_set.labels.all()), classifier)


def read_artifact(version: ModelVersion) -> bytes:
    """The bytes that storage holds. Raises ArtifactError where they can't be read."""
    try:
        with version.artifact.open("rb") as file:
            artifact: bytes = file.read()
    except OSError as error:
        raise ArtifactError(f"The artifact of {version} can't be read: {error}") from error
    return artifact
