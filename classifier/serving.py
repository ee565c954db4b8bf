"""The classifier that answers now: loaded once per process, and again only when another version is active.

A process that can't load the active version goes on with the last one that it could, and says so in the log
and to whoever asks whether it is ready. Every answer names the version that gave it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple

from django.db import connection

from .ml.artifact import ArtifactError, check_card
from .ml.runtime import Classifier
from .models import Label, ModelVersion

logger = logging.getLogger(__name__)

TRIED_AGAIN_AFTER_S = 5.0
LOOKED_AT_AGAIN_AFTER_S = 60.0
# A lock that many share, as PostgreSQL itself takes it for what points at a row, but when it comes to commit,
# which is too late. Django knows none; SQLite needs none: there one transaction writes at a time.
LOCK = {"postgresql": "FOR KEY SHARE", "sqlite": ""}


class Wanted(NamedTuple):
    """The version that is active: the same artifact may have been registered anew, as another row."""

    pk: int
    digest: str
    labels_changed_at: datetime


class NoActiveModelError(LookupError):
    """No model can answer for the label set with this slug."""

    def __init__(self, label_set: str) -> None:
        super().__init__(f"No model is active for the label set {label_set!r}.")
        self.label_set = label_set


@dataclass(frozen=True)
class ActiveModel:
    """A version, its labels in the order of its output, and its classifier.

    Labels that its label set got later are not among them: it does not know them.
    """

    version: ModelVersion
    labels: tuple[Label, ...]
    classifier: Classifier

    def is_(self, wanted: Wanted) -> bool:
        return (self.version.pk, self.version.digest) == (wanted.pk, wanted.digest)

    def calls_labels_as(self, wanted: Wanted) -> bool:
        return self.version.label_set.labels_changed_at == wanted.labels_changed_at


@dataclass(frozen=True)
class _Failure:
    wanted: Wanted
    said: str
    at: float


@dataclass(frozen=True)
class _Look:
    """When the file of a version was last found whole, and its size then."""

    digest: str
    size: int
    at: float


# Each by the slug of a label set.
_loaded: dict[str, ActiveModel] = {}
_failed: dict[str, _Failure] = {}
_looked: dict[str, _Look] = {}
_told: dict[str, str] = {}
_loading = threading.Lock()


def active_model(label_set: str) -> ActiveModel:
    """The active model of the label set with this slug. Costs one query when nothing has changed.

    Where the active version's artifact is missing or broken it is the last one that this process could load;
    where it could load none, ArtifactError is raised. Raises NoActiveModelError when no version is active.
    """
    active = ModelVersion.objects.filter(label_set__slug=label_set, active=True)
    found = active.values_list("pk", "digest", "label_set__labels_changed_at").first()
    if found is None:
        _loaded.pop(label_set, None)
        raise NoActiveModelError(label_set)
    wanted = Wanted(*found)
    if held := _good_enough(label_set, wanted):
        return held
    with _loading:
        return _good_enough(label_set, wanted) or _swap(label_set, wanted)


def _good_enough(label_set: str, wanted: Wanted) -> ActiveModel | None:
    """What is held, where it is the wanted one, or that one could not be loaded just now."""
    held, failure = _loaded.get(label_set), _failed.get(label_set)
    if held is None:
        return None
    if held.is_(wanted):
        if failure:
            _failed.pop(label_set, None)
        return held if held.calls_labels_as(wanted) else _renamed(label_set, held)
    lately = failure and failure.wanted == wanted and time.monotonic() - failure.at < TRIED_AGAIN_AFTER_S
    return held if lately else None


def _renamed(label_set: str, held: ActiveModel) -> ActiveModel:
    """The same classifier, with what its labels are called now."""
    version = _find(held.version.pk)
    _loaded[label_set] = renamed = replace(held, version=version, labels=_labels_of(version, held.classifier))
    return renamed


def _swap(label_set: str, wanted: Wanted) -> ActiveModel:
    held = _loaded.get(label_set)
    try:
        loaded = load(wanted.pk)
    except ArtifactError as error:
        if held is None:
            raise
        _failed[label_set] = _Failure(wanted, str(error), time.monotonic())
        _tell(label_set, f"{error} {held.version} goes on answering in this process.")
        return held
    _failed.pop(label_set, None)
    _tell(label_set, "")
    _loaded[label_set] = loaded
    return loaded


def _tell(label_set: str, trouble: str) -> None:
    """Log what is wrong when it begins and when it is over, not at each request."""
    before, _told[label_set] = _told.get(label_set, ""), trouble
    if trouble and trouble != before:
        logger.error("The active model of %s is broken: %s", label_set, trouble)
    elif before and not trouble:
        logger.warning("The active model of %s is whole again.", label_set)


def hold(models: Iterable[ActiveModel]) -> None:
    """Until the transaction ends nobody deletes the label sets of these models; all else goes on.

    To be its first word. Raises NoActiveModelError where one of them is deleted already.
    """
    held = {model.version.label_set_id: model.version.label_set.slug for model in models}
    places = ", ".join(["%s"] * len(held))
    rows = f"SELECT id FROM classifier_labelset WHERE id IN ({places}) ORDER BY id"  # noqa: S608
    with connection.cursor() as cursor:
        cursor.execute(f"{rows} {LOCK[connection.vendor]}", list(held))
        there = {pk for (pk,) in cursor.fetchall()}
    for pk, slug in held.items():
        if pk not in there:
            raise NoActiveModelError(slug)


def trouble_with(label_set: str) -> str:
    """Why a process that starts now could not answer, although this one does; empty where nothing is wrong.

    Raises as `active_model` does, when this one can't either.
    """
    model = active_model(label_set)
    if failure := _failed.get(label_set):
        return failure.said
    try:
        _look_at_file(label_set, model.version)
    except ArtifactError as error:
        _tell(label_set, f"{error} This process has it in memory, and goes on answering.")
        return str(error)
    _tell(label_set, "")
    return ""


def _look_at_file(label_set: str, version: ModelVersion) -> None:
    """Raises ArtifactError. The bytes are read again after a while, or when there are more or fewer."""
    try:
        size = version.artifact.storage.size(str(version.artifact.name))
    except OSError as error:
        raise _unreadable(version, error) from error
    look, now = _looked.get(label_set), time.monotonic()
    if (
        look
        and (look.digest, look.size) == (version.digest, size)
        and now - look.at < LOOKED_AT_AGAIN_AFTER_S
    ):
        return
    check_card(read_artifact(version), version.card)
    _looked[label_set] = _Look(version.digest, size, now)


def classifier_of(version: ModelVersion) -> Classifier:
    """The classifier of any version, loaded anew unless it is the active one.

    Raises ArtifactError when its artifact is missing or altered.
    """
    held = _loaded.get(version.label_set.slug)
    if held and (held.version.pk, held.version.digest) == (version.pk, version.digest):
        return held.classifier
    return load(version.pk).classifier


def load(version_id: int) -> ActiveModel:
    """From the storage, with the self-test. Raises ArtifactError."""
    version = _find(version_id)
    classifier = Classifier.load(read_artifact(version), version.card)
    return ActiveModel(version, _labels_of(version, classifier), classifier)


def _find(version_id: int) -> ModelVersion:
    # With the labels, so that describing what it said asks the database nothing.
    versions = ModelVersion.objects.select_related("label_set").prefetch_related("label_set__labels")
    return versions.get(pk=version_id)


def _labels_of(version: ModelVersion, classifier: Classifier) -> tuple[Label, ...]:
    of_slug = {label.slug: label for label in version.label_set.labels.all()}
    return tuple(of_slug[slug] for slug in classifier.labels)


def read_artifact(version: ModelVersion) -> bytes:
    """The bytes that storage holds. Raises ArtifactError where they can't be read."""
    try:
        with version.artifact.open("rb") as file:
            artifact: bytes = file.read()
    except OSError as error:
        raise _unreadable(version, error) from error
    return artifact


def _unreadable(version: ModelVersion, error: OSError) -> ArtifactError:
    return ArtifactError(f"The artifact of {version} can't be read: {error}")


def forget() -> None:
    """As a process that has just started. For tests, which share one process."""
    for kept in (_loaded, _failed, _looked, _told):
        kept.clear()
