"""Deleting a label set: what would go with it, and how all of that goes, and nothing else."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.core.files.storage import default_storage
from django.db import transaction
from django.db.models import FileField, Model, QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy as lazy

from classifier.api.models import Bulk
from classifier.label_sets import LabelSetError
from classifier.models import Activation, Decision, Feedback, LabelSet, ModelVersion, Prediction

from .models import (
    Annotation,
    DatasetJob,
    DatasetVersion,
    Example,
    ExampleChange,
    ReviewItem,
    SetAsidePicture,
    TrainingRun,
)
from .training_plan import RunRefusedError
from .training_runs import check_free, end_lost_runs

logger = logging.getLogger(__name__)

ROWS_AT_ONCE = 2000
BUSY = ("waiting", "running")

# In this order nothing is deleted that another row still needs.
OF_A_LABEL_SET: tuple[tuple[type[Model], str, Any], ...] = (
    (TrainingRun, "label_set", lazy("training runs")),
    (DatasetJob, "label_set", lazy("jobs")),
    (Annotation, "label_set", lazy("what labelers said")),
    (ReviewItem, "label_set", lazy("faces in review")),
    (SetAsidePicture, "label_set", lazy("photographs set aside")),
    (ExampleChange, "example__label_set", lazy("changes of examples")),
    (Example, "label_set", lazy("examples")),
    (DatasetVersion, "label_set", lazy("dataset versions")),
    (Feedback, "label_set", lazy("what users said")),
    (Decision, "label_set", lazy("decisions")),
    (Prediction, "label_set", lazy("predictions")),
    (Activation, "label_set", lazy("activations")),
    (ModelVersion, "label_set", lazy("model versions")),
)


@dataclass(frozen=True)
class Going:
    """How many rows of one kind would go."""

    name: str
    count: int


def what_goes(label_set: LabelSet) -> list[Going]:
    """All that is deleted with it, files too."""
    rows = [Going(str(name), _of(model, way, label_set).count()) for model, way, name in OF_A_LABEL_SET]
    return [*rows, Going(_("labels"), label_set.labels.count()), Going(_("files"), len(_files(label_set)))]


def why_not(label_set: LabelSet) -> str:
    """Why it can't be deleted now, in a sentence; empty where it can."""
    if label_set.slug == settings.DEFAULT_LABEL_SET:
        return _("“%s” is the site's default label set: it stays.") % label_set.slug
    try:
        check_free(label_set)
    except RunRefusedError as error:
        return str(error)
    jobs = DatasetJob.objects.filter(label_set=label_set, state__in=BUSY)
    bulks = Bulk.objects.filter(label_sets=label_set, state__in=BUSY)
    for job in (*jobs, *bulks):
        if not job.lost:
            return _("The worker has something to do with it still: %s. Wait until it is done.") % job
    return ""


def delete_label_set(label_set: LabelSet) -> None:
    """Delete it with its rows, all or none, and then its files. Raises LabelSetError while it is in use."""
    end_lost_runs()
    with transaction.atomic():
        # Nobody can promote, freeze, read or ask for a job meanwhile: each holds this row, or points to it.
        LabelSet.objects.select_for_update().get(pk=label_set.pk)
        if reason := why_not(label_set):
            raise LabelSetError(reason)
        files = _files(label_set)
        Activation.objects.filter(label_set=label_set).update(restores=None)
        for model, way, _name in OF_A_LABEL_SET:
            _delete(_of(model, way, label_set))
        label_set.labels.all().delete()
        label_set.delete()
        transaction.on_commit(lambda: _delete_files(files), robust=True)


def _of(model: type[Model], way: str, label_set: LabelSet) -> QuerySet[Any]:
    return model._default_manager.filter(**{way: label_set})


def _delete(rows: QuerySet[Any]) -> None:
    """A part at a time: the rows of a large dataset hold a crop each."""
    ids = rows.order_by().values_list("pk", flat=True)
    while batch := list(ids[:ROWS_AT_ONCE]):
        rows.model._default_manager.filter(pk__in=batch).only("pk").delete()


def _files(label_set: LabelSet) -> set[str]:
    """Those of its rows that no other label set's rows name too."""
    own = {name for model, way, _name in OF_A_LABEL_SET for name in _names(model, _of(model, way, label_set))}
    return {name for name in own if not _is_anothers(name, label_set)}


def _names(model: type[Model], rows: QuerySet[Any]) -> Iterator[str]:
    for field in _file_fields(model):
        yield from filter(None, rows.order_by().values_list(field, flat=True).distinct())


def _is_anothers(name: str, label_set: LabelSet) -> bool:
    """Two label sets may have the same artifact, which is one file."""
    return any(
        model._default_manager.filter(**{field: name}).exclude(**{way: label_set}).exists()
        for model, way, _name in OF_A_LABEL_SET
        for field in _file_fields(model)
    )


def _file_fields(model: type[Model]) -> list[str]:
    return [field.name for field in model._meta.get_fields() if isinstance(field, FileField)]


def _delete_files(names: Iterable[str]) -> None:
    for name in sorted(names):
        try:
            default_storage.delete(name)
        except OSError:
            logger.exception("%s is of a label set that is deleted, and can't be deleted itself.", name)
