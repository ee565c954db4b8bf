"""A label set gets a label that its active model does not know: it answers on, and the pages say so."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from django.core.management import call_command
from django.test import Client
from django.urls import reverse

from classifier.label_sets import add_labels
from classifier.ml.dataset import EXPRESSIONS
from classifier.models import LabelSet, ModelVersion, Prediction, Upload, User
from classifier.registry import install_bundled, promote, register
from classifier.rescoring import rescore
from tests.artifacts import tiny_artifact
from tests.factories import make_active_model, make_upload
from tests.photographs import astronaut
from tests.versions import make_version

pytestmark = pytest.mark.django_db
SAID = "The model does not know “Contempt” yet."


@pytest.fixture
def version(db: None) -> ModelVersion:
    known = make_version("happy", promoted=True)
    add_labels(known.label_set, ["Contempt"])
    return known


def text(client: Client, url: str) -> str:
    answered = client.get(url)
    assert answered.status_code == 200
    return answered.content.decode()


def promote_one_that_knows() -> ModelVersion:
    better = register(*tiny_artifact(favourite="contempt", labels=(*EXPRESSIONS, "contempt")))
    promote(better)
    return better


def sent(client: Client) -> Upload:
    client.post("/uploads/", {"photos": io.BytesIO(astronaut())})
    return Upload.objects.get()


def test_a_photograph_is_read_and_shown_by_what_knows_fewer_labels(
    version: ModelVersion, ada_client: Client
) -> None:
    upload = sent(ada_client)
    assert len(Prediction.objects.get().probabilities) == 7
    page = text(ada_client, reverse("upload", args=[upload.pk]))
    assert page.count(SAID) == 1
    [face] = ada_client.get(reverse("upload-json", args=[upload.pk])).json()["faces"]
    assert list(face["probabilities"]) == list(EXPRESSIONS)
    assert text(ada_client, reverse("uploads"))
    assert ada_client.get(reverse("upload-annotated", args=[upload.pk])).status_code == 200


def test_what_was_read_before_is_shown_beside_what_a_model_with_the_label_says(ada: User) -> None:
    before = make_active_model()
    upload = make_upload(ada, shows=["happy", "sad"], consent=True, version=before)
    add_labels(before.label_set, ["Contempt"])
    after = promote_one_that_knows()
    client = Client()
    client.force_login(ada)
    page = text(client, reverse("upload", args=[upload.pk]))
    assert "The model that read this did not know all labels of today." in page
    assert rescore(after.pk) == 2
    page = text(client, reverse("upload", args=[upload.pk]))
    assert "know" not in page.split("result-foot")[1].split("</footer>")[0]
    [face, _other] = client.get(reverse("upload-json", args=[upload.pk])).json()["faces"]
    assert (face["label"], len(face["probabilities"])) == ("contempt", 8)
    # And back again: what the first one said is kept.
    promote(before)
    assert rescore(before.pk) == 2
    [face, _other] = client.get(reverse("upload-json", args=[upload.pk])).json()["faces"]
    assert (face["label"], len(face["probabilities"])) == ("happy", 7)


def test_programs_are_answered_as_before(version: ModelVersion, ada_client: Client) -> None:
    answered = ada_client.post("/api/v1/predictions/", {"image": io.BytesIO(astronaut())})
    assert answered.status_code == 201
    [face] = answered.json()["faces"]
    assert list(face["probabilities"]) == list(EXPRESSIONS)
    [told] = ada_client.get("/api/v1/label-sets/").json()
    assert (told["labels"][-1]["slug"], told["unknown_labels"]) == ("contempt", ["contempt"])
    promote_one_that_knows()
    assert ada_client.get("/api/v1/label-sets/").json()[0]["unknown_labels"] == []


@pytest.mark.parametrize(
    "address",
    [
        "/admin/classifier/modelversion/",
        "/admin/classifier/modelversion/{pk}/change/",
        "/about/",
        "/admin/labeling/trainingrun/train/expressions/",
    ],
)
def test_the_pages_about_the_model_say_what_it_does_not_know(
    address: str, version: ModelVersion, root_client: Client
) -> None:
    url = address.format(pk=version.pk)
    assert SAID in text(root_client, url)
    promote_one_that_knows()
    if "{pk}" not in address:
        assert "does not know “" not in text(root_client, url)


def test_whoever_promotes_what_does_not_know_a_label_is_told(
    version: ModelVersion, root_client: Client
) -> None:
    better = promote_one_that_knows()
    assert SAID in text(root_client, f"/admin/classifier/modelversion/{version.pk}/promote/")
    compared = text(root_client, f"/admin/classifier/modelversion/{better.pk}/change/")
    assert "Contempt" in compared


def test_the_confusion_matrix_of_what_knows_fewer_labels_is_drawn(
    version: ModelVersion, root_client: Client
) -> None:
    url = reverse("admin:classifier_confusion", args=[version.pk, 0])
    assert url in text(root_client, reverse("admin:classifier_modelversion_change", args=[version.pk]))
    assert root_client.get(url)["Content-Type"] == "image/png"


def test_the_bundled_model_is_installed_whatever_labels_came_later(version: ModelVersion) -> None:
    assert [one.card["labels"] for one in install_bundled()] == [list(EXPRESSIONS)] * 2


def test_the_shell_reads_with_it_too(version: ModelVersion, tmp_path: Path) -> None:
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(astronaut())
    told = io.StringIO()
    call_command("classify", str(photo), stdout=told)
    assert "happy" in told.getvalue().lower()


def test_the_bundled_model_of_a_label_set_that_was_deleted_is_passed_over() -> None:
    LabelSet.objects.all().delete()
    assert install_bundled() == []
