"""Every page of the admin opens; records can't be changed there; deleting a user erases."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib import admin
from django.core.files.storage import default_storage
from django.db import IntegrityError, transaction
from django.test import Client
from django.urls import reverse

from classifier.models import Activation, Face, Label, LabelSet, ModelVersion, Prediction, Upload, User
from tests.factories import make_upload

pytestmark = pytest.mark.django_db

MODELS = sorted(admin.site._registry, key=lambda model: model._meta.label)


def url(model: Any, page: str, *arguments: object) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{page}", args=arguments)


@pytest.mark.parametrize("model", MODELS, ids=lambda model: model._meta.label)
def test_every_list_and_page_opens_and_searches(model: Any, ada: User, root_client: Client) -> None:
    make_upload(ada)
    listing = url(model, "changelist")
    assert root_client.get(listing).status_code == 200
    if admin.site._registry[model].search_fields:
        assert root_client.get(listing, {"q": "ada"}).status_code == 200
    row = model.objects.first()
    if row is not None:
        assert root_client.get(url(model, "change", row.pk)).status_code == 200


@pytest.mark.parametrize("model", [Upload, Face, Prediction, ModelVersion, Activation])
def test_records_are_read_only(model: Any, ada: User, root_client: Client) -> None:
    make_upload(ada)
    row = model.objects.get()
    assert root_client.get(url(model, "add")).status_code == 403
    assert root_client.post(url(model, "change", row.pk), {}).status_code in (403, 405)
    assert root_client.post(url(model, "delete", row.pk), {"post": "yes"}).status_code == 403
    assert model.objects.filter(pk=row.pk).exists()


def test_neither_photograph_nor_crop_is_shown(ada: User, root_client: Client) -> None:
    upload = make_upload(ada)
    for model, row in ((Upload, upload), (Face, upload.faces.get())):
        page = root_client.get(url(model, "change", row.pk)).content.decode()
        assert str(upload.photo.name) not in page
        assert "data:image" not in page


def delete_alone(client: Client, user: User) -> Any:
    return client.post(url(User, "delete", user.pk), {"post": "yes"})


def delete_selected(client: Client, user: User) -> Any:
    fields = {"action": "delete_selected", "_selected_action": user.pk, "post": "yes"}
    return client.post(url(User, "changelist"), fields)


@pytest.mark.parametrize("delete", [delete_alone, delete_selected])
def test_deleting_a_user_in_the_admin_erases_their_files(
    delete: Callable[[Client, User], Any], ada: User, bob: User, root_client: Client
) -> None:
    hers, his = make_upload(ada), make_upload(bob)
    assert delete(root_client, ada).status_code == 302
    assert not User.objects.filter(pk=ada.pk).exists()
    for file in (hers.photo, hers.thumbnail):
        assert not default_storage.exists(str(file.name))
    assert User.objects.filter(pk=bob.pk).exists()
    assert default_storage.exists(str(his.photo.name))


@pytest.mark.parametrize("model", [Upload, Face, Prediction])
def test_lists_cost_the_same_at_any_length(
    model: Any, ada: User, root_client: Client, django_assert_max_num_queries: object
) -> None:
    for _ in range(30):
        make_upload(ada)
    with django_assert_max_num_queries(12):  # type: ignore[operator]
        root_client.get(url(model, "changelist"))


@pytest.mark.parametrize("color", ["red", "#12345", "#12345g", "123456#"])
def test_a_label_color_that_cannot_be_drawn_is_refused(color: str, root_client: Client) -> None:
    label_set = LabelSet.objects.get(slug="expressions")
    page = url(LabelSet, "change", label_set.pk)
    fields: dict[str, Any] = {"act": "labels"}
    for label in label_set.labels.all():
        fields |= {f"label-{label.pk}-name": label.name, f"label-{label.pk}-color": label.color}
    happy = label_set.labels.get(slug="happy")
    answer = root_client.post(page, fields | {f"label-{happy.pk}-color": color})
    assert "Write the color as # and six hexadecimal digits" in answer.content.decode()
    assert root_client.post(page, fields | {f"label-{happy.pk}-color": "#FFB000"}).status_code == 302
    assert label_set.labels.get(position=3).color == "#FFB000"


def test_the_database_refuses_such_a_color_too(db: None) -> None:
    with pytest.raises(IntegrityError, match="label_color_is_rrggbb"), transaction.atomic():
        Label.objects.filter(slug="happy").update(color="red")


def test_a_plain_user_is_kept_out(ada_client: Client) -> None:
    assert ada_client.get(reverse("admin:index"), follow=True).status_code == 403
