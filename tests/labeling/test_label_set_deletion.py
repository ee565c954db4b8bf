"""A label set is deleted with all that was made with it, and with nothing else."""

from __future__ import annotations

import io
from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest
from django.apps import apps
from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.management import CommandError, call_command
from django.db.models import ForeignKey, ManyToManyField
from django.test import TestCase

from classifier.api.models import Bulk
from classifier.label_sets import LabelSetError, create_label_set
from classifier.ml.artifact import ArtifactError
from classifier.models import (
    Activation,
    Decision,
    Face,
    Feedback,
    Label,
    LabelSet,
    ModelVersion,
    Prediction,
    User,
)
from classifier.registry import promote, register, roll_back
from classifier.serving import NoActiveModelError, active_model
from labeling.label_set_deletion import OF_A_LABEL_SET, delete_label_set, what_goes
from labeling.models import (
    Annotation,
    DatasetJob,
    Example,
    ExampleChange,
    FoundFace,
    ReviewItem,
    SetAsidePicture,
    TrainingRun,
)
from tests.artifacts import tiny_artifact
from tests.factories import make_active_model, make_upload, make_user

pytestmark = pytest.mark.django_db
LABELS = ("happy", "sad")
OURS = ("classifier", "labeling", "api", "auth")


def make_version(label_set: LabelSet, *, favourite: str, confidence: float) -> ModelVersion:
    artifact, card = tiny_artifact(favourite=favourite, labels=LABELS, confidence=confidence)
    return register(artifact, card | {"label_set": label_set.slug})


def fill(label_set: LabelSet, face: Face, user: User, *, confidence: float) -> None:
    """A row of every kind, and every file."""
    happy, sad = label_set.labels.all()
    shared = make_version(label_set, favourite="happy", confidence=0.75)
    own = make_version(label_set, favourite="sad", confidence=confidence)
    for version in (shared, own):
        promote(version)
    roll_back(label_set)
    said = Prediction.objects.create(
        face=face,
        model_version=own,
        label_set=label_set,
        label=happy,
        confidence=0.9,
        probabilities=[0.9, 0.1],
    )
    about = {"face": face, "label_set": label_set}
    Feedback.objects.create(**about, user=user, said="wrong", label=sad, prediction=said)
    Decision.objects.create(**about, label=sad)
    ReviewItem.objects.create(
        **about,
        state="settled",
        settled_at="2026-01-01T00:00Z",
        label=sad,
        entropy=0.5,
        rank=0,
        perceptual_hash=0,
    )
    given = {"verdict": "correct", "label": sad, "suggestion_hidden": False, "probe": False}
    first = Annotation.objects.create(**about, **given, labeler=user, prediction=said)
    Annotation.objects.create(**about, **given, labeler=user, supersedes=first)
    example = Example.objects.create(
        **about,
        label=sad,
        source="review",
        crop=face.crop,
        digest=f"{label_set.pk}".zfill(64),
        perceptual_hash=0,
        group="g",
        split="train",
    )
    ExampleChange.objects.create(example=example, kind="relabelled", before=happy, after=sad, reason="clear")
    aside = SetAsidePicture.objects.create(
        label_set=label_set, label=sad, reason="several_faces", digest="d" * 64, copy=b"x", width=9, height=9
    )
    FoundFace.objects.create(picture=aside, position=0, x=0, y=0, w=1, h=1, size=9, crop=b"x")
    dataset_of(label_set, face)
    job = DatasetJob(kind="import", label_set=label_set, state="planned")
    for field in (job.given, job.votes, job.file):
        field.save(f"{field.field.name}.csv", ContentFile(b"x"), save=False)
    job.save()


def dataset_of(label_set: LabelSet, face: Face) -> None:
    call_command("freeze_dataset", label_set=label_set.slug, stdout=io.StringIO())
    dataset = label_set.dataset_versions.get()
    dataset.faces.add(face)
    first, second = label_set.versions.order_by("number")
    TrainingRun.objects.create(
        label_set=label_set,
        estimator="svm",
        dataset=dataset,
        champion=first,
        version=second,
        state="done",
        outcome="promoted",
        ended_at="2026-01-01T00:00Z",
    )


def rows() -> dict[str, list[dict[str, Any]]]:
    """Every row of ours, also of the tables that join two."""
    models = [model for model in apps.get_models(include_auto_created=True) if model._meta.app_label in OURS]
    return {model._meta.label: list(model._base_manager.order_by("pk").values()) for model in models}


def files() -> set[Path]:
    return {path for path in Path(settings.MEDIA_ROOT).rglob("*") if path.is_file()}


@pytest.fixture
def face(ada: User) -> Face:
    make_active_model()
    return make_upload(ada, consent=True).faces.get()


@pytest.fixture
def kept(face: Face, bob: User) -> LabelSet:
    made = create_label_set("happy-sad", LABELS)
    fill(made, face, bob, confidence=0.8)
    return made


@pytest.fixture
def gone(kept: LabelSet, face: Face, bob: User) -> LabelSet:
    made = create_label_set("joy-grief", LABELS)
    fill(made, face, bob, confidence=0.85)
    return made


def delete(label_set: LabelSet) -> None:
    with TestCase.captureOnCommitCallbacks(execute=True):
        delete_label_set(label_set)


def test_everything_of_it_goes_and_nothing_else(kept: LabelSet, face: Face, bob: User) -> None:
    rows_before, files_before = rows(), files()
    made = create_label_set("joy-grief", LABELS)
    fill(made, face, bob, confidence=0.85)
    counts = {going.name: going.count for going in what_goes(made)}
    assert counts == {
        "training runs": 1,
        "jobs": 1,
        "what labelers said": 2,
        "faces in review": 1,
        "photographs set aside": 1,
        "changes of examples": 1,
        "examples": 1,
        "dataset versions": 1,
        "what users said": 1,
        "decisions": 1,
        "predictions": 1,
        "activations": 3,
        "model versions": 2,
        "labels": 2,
        "files": 5,
    }
    assert len(files() - files_before) == 5
    delete(made)
    assert rows() == rows_before
    assert files() == files_before


def test_an_artifact_that_another_label_set_has_too_stays_and_answers(kept: LabelSet, gone: LabelSet) -> None:
    shared = kept.versions.get(number=1)
    assert shared.artifact.name == gone.versions.get(number=1).artifact.name
    delete(gone)
    assert active_model("happy-sad").version == shared
    delete(kept)
    assert not default_storage.exists(str(shared.artifact.name))


def test_what_was_loaded_of_it_answers_no_more(gone: LabelSet) -> None:
    active_model("joy-grief")
    delete(gone)
    with pytest.raises(NoActiveModelError):
        active_model("joy-grief")
    again = create_label_set("joy-grief", LABELS)
    with pytest.raises(NoActiveModelError):
        active_model("joy-grief")
    made = make_version(again, favourite="sad", confidence=0.6)
    promote(made)
    # Nor does the old one answer in the place of a broken one.
    artifact = default_storage.open(str(made.artifact.name)).read()
    default_storage.delete(str(made.artifact.name))
    with pytest.raises(ArtifactError):
        active_model("joy-grief")
    default_storage.save(str(made.artifact.name), ContentFile(artifact))
    assert active_model("joy-grief").version.label_set == again


def test_files_go_only_when_all_is_committed(gone: LabelSet) -> None:
    before = files()
    with TestCase.captureOnCommitCallbacks():
        delete_label_set(gone)
    assert files() == before


def test_every_table_that_points_to_a_label_set_is_thought_of() -> None:
    thought_of = {model for model, _way, _name in OF_A_LABEL_SET} | {LabelSet, Label}
    joined = {LabelSet.groups.through, Bulk.label_sets.through}  # of which the row alone goes
    pointing = {
        model
        for model in apps.get_models(include_auto_created=True)
        for field in model._meta.get_fields()
        if isinstance(field, ForeignKey | ManyToManyField)
        and field.related_model in {LabelSet, Label, ModelVersion, Prediction, Example, Activation}
    }
    assert pointing - thought_of - joined <= {Bulk}


def training(label_set: LabelSet) -> None:
    TrainingRun.objects.create(label_set=label_set, estimator="svm", state="running")


def import_under_way(label_set: LabelSet) -> None:
    DatasetJob.objects.create(kind="import", label_set=label_set, state="running")


def bulk_under_way(label_set: LabelSet) -> None:
    bulk = Bulk.objects.create(owner=make_user(), state="waiting", total=1)
    bulk.label_sets.add(label_set)


@pytest.mark.parametrize(
    ("begin", "words"),
    [
        (training, "One run of a label set at a time"),
        (import_under_way, "still: import of"),
        (bulk_under_way, "still: 1 files of"),
    ],
)
def test_what_is_under_way_keeps_it(
    begin: Callable[[LabelSet], None], words: str, gone: LabelSet, kept: LabelSet
) -> None:
    begin(gone)
    before = rows()
    with pytest.raises(LabelSetError, match=words):
        delete_label_set(gone)
    assert rows() == before
    delete(kept)


def test_the_default_label_set_stays(gone: LabelSet) -> None:
    with pytest.raises(LabelSetError, match="default label set"):
        delete_label_set(LabelSet.objects.get(slug="expressions"))


def test_the_command_tells_what_goes_and_wants_the_slug_again(gone: LabelSet) -> None:
    told = io.StringIO()
    call_command("delete_label_set", "joy-grief", dry_run=True, stdout=told)
    assert "  1 examples\n" in told.getvalue()
    with pytest.raises(CommandError, match="not its slug: nothing was deleted"):
        call_command("delete_label_set", "joy-grief", confirm="happy-sad", stdout=told)
    assert LabelSet.objects.filter(slug="joy-grief").exists()
    call_command("delete_label_set", "joy-grief", confirm="joy-grief", stdout=told)
    assert not LabelSet.objects.filter(slug="joy-grief").exists()
    with pytest.raises(CommandError, match="There is no label set 'joy-grief'"):
        call_command("delete_label_set", "joy-grief", confirm="joy-grief", stdout=told)


@pytest.mark.parametrize(
    ("answers", "sentence"),
    [
        ([""], "Nothing was deleted"),
        (["n"], "Nothing was deleted"),
        (["joy-grief"], "Nothing was deleted"),
        (["y", ""], "not its slug"),
        (["y", "yes"], "not its slug"),
        (["y"], "say --confirm SLUG"),
        ([], "say --confirm SLUG"),
        (["yes", " joy-grief"], ""),
    ],
)
def test_the_command_asks_twice(
    answers: list[str], sentence: str, gone: LabelSet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("".join(f"{answer}\n" for answer in answers)))
    refused = pytest.raises(CommandError, match=sentence) if sentence else nullcontext()
    with refused:
        call_command("delete_label_set", "joy-grief", stdout=io.StringIO())
    assert LabelSet.objects.filter(slug="joy-grief").exists() == bool(sentence)


def test_nothing_is_left_where_one_row_can_t_go(gone: LabelSet, monkeypatch: pytest.MonkeyPatch) -> None:
    before = rows()

    def fail(*arguments: Any) -> None:
        raise OSError("no")

    monkeypatch.setattr(LabelSet, "delete", fail)
    with pytest.raises(OSError, match="no"):
        delete_label_set(gone)
    assert rows() == before
    assert Activation.objects.filter(restores__isnull=False).exists()
