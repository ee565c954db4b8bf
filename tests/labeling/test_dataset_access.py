"""The curators' pages cost the same at any length, and each asks for its permission."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from classifier.models import LabelSet, Prediction, Upload, User
from classifier.vision.image import encode_png
from labeling.models import (
    Annotation,
    DatasetJob,
    DatasetVersion,
    Example,
    FoundFace,
    ReviewItem,
    SetAsidePicture,
)
from tests.conftest import logged_in
from tests.crops import gray_crop
from tests.factories import make_active_model, make_upload, make_user
from tests.labeling.cast import expressions, make_labeler, text

pytestmark = pytest.mark.django_db

LIST = "/admin/labeling/example/"
PAGE = "/admin/labeling/example/dataset/expressions/"


def curator(*permissions: str) -> Client:
    user = make_user("cora", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    return logged_in(user)


def grow(number: int, owner: User, labeler: User) -> None:
    """So many examples from review, answered by one labeler, and as many that were imported."""
    version = make_active_model()
    label = expressions().labels.get(slug="happy")
    upload = make_upload(owner, shows=(), consent=True)
    crop = encode_png(gray_crop(0))
    faces = upload.faces.model.objects.bulk_create(
        upload.faces.model(upload=upload, position=place, x=0, y=0, w=9, h=9, score=1, crop=crop, sharpness=1)
        for place in range(number)
    )
    fields = {"label_set": expressions(), "label": label}
    predictions = Prediction.objects.bulk_create(
        Prediction(face=face, model_version=version, confidence=0.9, probabilities=[], **fields)
        for face in faces
    )
    ReviewItem.objects.bulk_create(
        ReviewItem(
            face=face, state="settled", settled_at=upload.created_at, rank=0, perceptual_hash=0, **fields
        )
        for face in faces
    )
    Annotation.objects.bulk_create(
        Annotation(
            face=face,
            labeler=labeler,
            verdict="accept",
            prediction=said,
            suggestion_hidden=False,
            probe=False,
            **fields,
        )
        for face, said in zip(faces, predictions, strict=True)
    )
    places = {"group": "g", "split": "train", "perceptual_hash": 0, "crop": crop}
    Example.objects.bulk_create(
        Example(face=face, source="review", digest=f"{place:064}", **fields, **places)
        for place, face in enumerate(faces)
    )
    Example.objects.bulk_create(
        Example(source="fer2013", digest=f"i{place:063}", **fields, **places) for place in range(number)
    )


@pytest.mark.parametrize("url", [LIST, f"{LIST}?place=doubtful", f"{LIST}?agreement=none&q=1", PAGE])
def test_pages_take_as_many_queries_for_1000_rows_as_for_10(url: str, ada: User, root_client: Client) -> None:
    labeler = make_labeler("lena")
    taken = []
    for number in (10, 1000):
        Example.objects.all().delete()
        Upload.objects.all().delete()
        grow(number, ada, labeler)
        root_client.get(url)
        with CaptureQueriesContext(
            connection,
        ) as queries:
            assert root_client.get(url).status_code == 200
        taken.append(len(queries))
    assert taken[0] == taken[1] < 40


def test_the_list_reads_no_crop(examples: LabelSet, root_client: Client) -> None:
    with CaptureQueriesContext(connection) as queries:
        root_client.get(LIST)
    assert not [query for query in queries if '"labeling_example"."crop"' in query["sql"]]


VIEW, CHANGE, EXPORT = "view_example", "change_example", "export_examples"
IMPORT = "import_examples"
NEEDS: dict[str, tuple[str, str | tuple[str, ...], Callable[[Any], list[Any]]]] = {
    "labeling_example_changelist": ("get", VIEW, lambda rows: []),
    "labeling_example_change": ("get", VIEW, lambda rows: [rows["example"].pk]),
    "labeling_example_crop": ("get", VIEW, lambda rows: [rows["example"].pk]),
    "labeling_dataset_start": ("get", VIEW, lambda rows: []),
    "labeling_dataset": ("get", VIEW, lambda rows: ["expressions"]),
    "labeling_dataset_job": ("get", VIEW, lambda rows: [rows["job"].pk]),
    "labeling_dataset_job_file": ("get", EXPORT, lambda rows: [rows["job"].pk]),
    "labeling_version_file": ("get", EXPORT, lambda rows: [rows["version"].pk]),
    "labeling_dataset_export": ("post", EXPORT, lambda rows: ["expressions"]),
    "labeling_dataset_import": ("post", IMPORT, lambda rows: ["expressions"]),
    "labeling_import_new": ("get", (IMPORT, "add_labelset"), lambda rows: []),
    "labeling_set_aside": ("get", IMPORT, lambda rows: ["expressions"]),
    "labeling_set_aside_photo": ("get", IMPORT, lambda rows: [rows["aside"].pk]),
    "labeling_set_aside_crop": ("get", IMPORT, lambda rows: [rows["found"].pk]),
    "labeling_dataset_freeze": ("post", "freeze_dataset", lambda rows: ["expressions"]),
    "labeling_dataset_doubts": ("post", CHANGE, lambda rows: ["expressions"]),
    "labeling_relabel": ("post", CHANGE, lambda rows: ["expressions"]),
    "labeling_withdraw": ("post", CHANGE, lambda rows: ["expressions"]),
    "labeling_restore": ("post", CHANGE, lambda rows: ["expressions"]),
    "labeling_datasetversion_changelist": ("get", "view_datasetversion", lambda rows: []),
    "labeling_datasetversion_change": ("get", "view_datasetversion", lambda rows: [rows["version"].pk]),
}


def needed(permission: str | tuple[str, ...]) -> set[str]:
    return {permission} if isinstance(permission, str) else set(permission)


ALL = set().union(*(needed(permission) for _method, permission, _arguments in NEEDS.values()))
WITHOUT_PAGE = {"add", "delete", "history"}


@pytest.fixture
def rows(examples: LabelSet) -> dict[str, Any]:
    fields: dict[str, Any] = {"label_set": examples, "size": 1, "examples": 1, "counts": {}}
    label = examples.labels.all()[0]
    sizes = {"width": 9, "height": 9}
    aside = SetAsidePicture.objects.create(label_set=examples, label=label, copy=b"x", **sizes)
    return {
        "aside": aside,
        "found": FoundFace.objects.create(picture=aside, position=0, x=0, y=0, w=1, h=1, size=9, crop=b"x"),
        "example": Example.objects.order_by("pk")[0],
        "job": DatasetJob.objects.create(kind="export", label_set=examples, state="done"),
        "version": DatasetVersion.objects.create(digest="d" * 64, **fields),
    }


@pytest.mark.parametrize("name", NEEDS)
def test_each_address_asks_for_its_permission(
    name: str, rows: dict[str, Any], client: Client, ada_client: Client
) -> None:
    method, permission, arguments = NEEDS[name]
    url = reverse(f"admin:{name}", args=arguments(rows))
    for stranger in (client, ada_client):
        answered = getattr(stranger, method)(url)
        assert answered.status_code == 302 if stranger is client else answered.status_code in {302, 403}
        assert "/login/" in answered.get("Location", "/login/")
    # Whoever may change examples may see them: so the stock admin has it.
    for one in needed(permission):
        enough = {VIEW, CHANGE} if one == VIEW else {one}
        assert getattr(curator(*(ALL - enough)), method)(url).status_code == 403
        User.objects.filter(username="cora").delete()
    assert getattr(curator(*needed(permission)), method)(url).status_code not in {403, 500}


def test_the_table_above_knows_every_address() -> None:
    patterns = [
        pattern for model in (Example, DatasetVersion) for pattern in admin.site._registry[model].get_urls()
    ]
    known = {pattern.name for pattern in patterns if pattern.name}
    assert {name for name in known if name.rsplit("_", 1)[-1] not in WITHOUT_PAGE} == set(NEEDS)


def test_a_plan_is_confirmed_only_by_who_may_import(rows: dict[str, Any]) -> None:
    url = reverse("admin:labeling_dataset_job", args=[rows["job"].pk])
    assert curator(VIEW).post(url).status_code == 403


def test_labelers_see_the_dataset_but_not_who_of_them_is_how_good(examples: LabelSet) -> None:
    lena = logged_in(make_labeler("lena"))
    page = text(lena, PAGE)
    assert 'id="labelers"' not in page
    assert 'id="import"' not in page
    assert "Export" in page
    assert lena.post(f"{LIST}withdraw/expressions/", {}).status_code == 403
