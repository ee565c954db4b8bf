"""Photographs that an import set aside are listed for curators, who choose a face in each or drop it."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.contrib.auth.models import Group, Permission
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse

from classifier.models import LabelSet, User
from labeling.importing import import_dataset
from labeling.models import DatasetJob, Example, FoundFace, SetAsidePicture
from labeling.neighbours import decode
from tests.labeling.cast import expressions, text
from tests.labeling.test_cleaning import folder_of, pixels_of, two_people
from tests.photographs import no_face, to_jpeg

pytestmark = pytest.mark.django_db

DATASET = "/admin/labeling/example/dataset/expressions/"
PAGE = f"{DATASET}set-aside/"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return folder_of(tmp_path / "web", two=two_people(0.9), wall=no_face())


@pytest.fixture
def two(folder: Path, db: None) -> SetAsidePicture:
    """Of the two people the right face is the second. Beside it waits a wall."""
    import_dataset(folder, expressions(), detect=True)
    return SetAsidePicture.objects.get(reason="several_faces")


@pytest.fixture
def wall(two: SetAsidePicture) -> SetAsidePicture:
    return SetAsidePicture.objects.get(reason="no_face")


def choose(client: Client, picture: SetAsidePicture, choice: Any, **form: Any) -> str:
    return client.post(PAGE, {f"picture-{picture.pk}": choice, **form}, follow=True).content.decode()


def test_they_are_listed_with_their_faces_and_reasons(two: SetAsidePicture, root_client: Client) -> None:
    assert "2 photographs set aside" in text(root_client, DATASET)
    page = text(root_client, PAGE)
    assert "several faces" in page
    assert "web, happy/two.jpg" in page
    for face in two.faces.all():
        assert reverse("admin:labeling_set_aside_crop", args=[face.pk]) in page
    assert "two.jpg" not in text(root_client, f"{PAGE}?reason=no_face")


def test_pictures_and_crops_are_shown_while_they_wait(two: SetAsidePicture, root_client: Client) -> None:
    photo = reverse("admin:labeling_set_aside_photo", args=[two.pk])
    crop = reverse("admin:labeling_set_aside_crop", args=[two.faces.all()[0].pk])
    assert root_client.get(photo)["Content-Type"] == "image/jpeg"
    assert root_client.get(crop)["Content-Type"] == "image/png"
    choose(root_client, two, "drop")
    assert root_client.get(photo).status_code == root_client.get(crop).status_code == 404


def test_a_chosen_face_becomes_an_example(two: SetAsidePicture, root: User, root_client: Client) -> None:
    face = two.faces.get(position=1)
    pixels = decode(bytes(face.crop))
    assert "1 photograph is rescued" in choose(root_client, two, face.pk)
    example = Example.objects.get()
    assert (decode(bytes(example.crop)) == pixels).all()
    assert (example.label.slug, example.source, example.origin) == ("happy", "photographs", two.origin)
    assert example.added_by == root
    two.refresh_from_db()
    assert (two.state, two.copy, two.settled_by) == ("rescued", None, root)
    assert not two.faces.exists()


def test_a_dropped_photograph_is_gone(two: SetAsidePicture, root_client: Client) -> None:
    assert "1 photograph is dropped" in choose(root_client, two, "drop")
    two.refresh_from_db()
    assert (two.state, two.copy) == ("dropped", None)
    assert not FoundFace.objects.exists()
    assert not Example.objects.exists()


def test_what_is_left_for_later_waits_on(two: SetAsidePicture, root_client: Client) -> None:
    assert "Nothing was chosen" in choose(root_client, two, "")
    assert SetAsidePicture.objects.waiting().count() == 2


@pytest.mark.parametrize("choice", ["drop", "rescue"])
def test_a_settled_photograph_does_not_come_back(
    choice: str, two: SetAsidePicture, folder: Path, root_client: Client
) -> None:
    choose(root_client, two, "drop" if choice == "drop" else two.faces.all()[0].pk)
    report = import_dataset(folder, expressions(), detect=True)
    assert [fate.where for fate in report.duplicates] == ["happy/two.jpg"]
    assert [fate.where for fate in report.set_aside] == ["happy/wall.jpg"]


def test_a_rescued_face_that_is_in_the_dataset_is_not_added_twice(
    two: SetAsidePicture, folder: Path, root_client: Client
) -> None:
    face = two.faces.all()[0]
    import_dataset(folder, expressions(), detect=True, cleaning=None)
    again = SetAsidePicture.objects.get(reason="several_faces")
    same = SetAsidePicture.objects.get(pk=again.pk)
    same.pk, same.digest = None, "0" * 64
    same.save()
    twin = FoundFace.objects.get(picture=again, position=face.position)
    twin.pk, twin.picture = None, same
    twin.save()
    first = again.faces.all()[0].pk
    said = root_client.post(
        PAGE, {f"picture-{again.pk}": first, f"picture-{same.pk}": twin.pk}, follow=True
    ).content.decode()
    assert "1 photograph is rescued" in said
    assert "the same picture as" in said
    assert Example.objects.count() == 1


def test_a_rescued_face_that_is_nearly_an_example_joins_its_group(
    two: SetAsidePicture, folder: Path, tmp_path: Path, root_client: Client
) -> None:
    darker = (pixels_of(two_people(0.5)) * 0.8).astype(np.uint8)
    alone = folder_of(tmp_path / "alone", two=to_jpeg(darker))
    import_dataset(alone, expressions(), detect=True)
    Example.objects.update(split="test")
    choose(root_client, two, two.faces.all()[0].pk)
    one, other = Example.objects.all()
    assert (one.group, one.split) == (other.group, other.split)


def test_those_without_a_face_are_dropped_at_once(
    two: SetAsidePicture, wall: SetAsidePicture, root_client: Client
) -> None:
    root_client.post(PAGE, {"do": "drop-faceless"})
    assert list(SetAsidePicture.objects.waiting()) == [two]
    wall.refresh_from_db()
    assert wall.state == "dropped"


def test_a_face_of_another_photograph_is_no_answer(
    two: SetAsidePicture, wall: SetAsidePicture, root_client: Client
) -> None:
    choose(root_client, wall, two.faces.all()[0].pk)
    assert not Example.objects.exists()
    assert SetAsidePicture.objects.waiting().count() == 2


def test_somebody_who_comes_second_is_told(two: SetAsidePicture, root_client: Client) -> None:
    choose(root_client, two, "drop")
    assert "1 was settled by somebody else meanwhile" in choose(root_client, two, "drop")


def may_only_look(user: User) -> None:
    user.is_staff = True
    user.save()
    user.user_permissions.add(Permission.objects.get(codename="view_example"))


def test_only_those_who_may_import_see_them(two: SetAsidePicture, ada: User, ada_client: Client) -> None:
    may_only_look(ada)
    face = two.faces.all()[0]
    ways = [
        PAGE,
        reverse("admin:labeling_set_aside_photo", args=[two.pk]),
        reverse("admin:labeling_set_aside_crop", args=[face.pk]),
    ]
    assert [ada_client.get(way).status_code for way in ways] == [403] * 3
    ada.user_permissions.add(Permission.objects.get(codename="import_examples"))
    assert [ada_client.get(way).status_code for way in ways] == [200] * 3
    LabelSet.objects.filter(slug="expressions").update(open_to_all=False)
    expressions().groups.add(Group.objects.create(name="others"))
    assert [ada_client.get(way).status_code for way in ways] == [404] * 3


def test_an_import_of_the_admin_sets_aside_by_the_form_s_thresholds(
    folder: Path, root_client: Client
) -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for photograph in sorted((folder / "happy").iterdir()):
            archive.writestr(f"happy/{photograph.name}", photograph.read_bytes())
    form = {"detect": "on", "min_face": "20", "min_sharpness": "0.04", "bystander": "1"}
    given = SimpleUploadedFile("web.zip", file.getvalue())
    page = root_client.post(f"{DATASET}import/", {"given": given, **form}, follow=True).content.decode()
    assert "No face was found" in page
    assert "Several faces" not in page
    assert not SetAsidePicture.objects.exists()
    job = DatasetJob.objects.get()
    root_client.post(reverse("admin:labeling_dataset_job", args=[job.pk]))
    assert Example.objects.count() == 1
    assert [one.reason for one in SetAsidePicture.objects.all()] == ["no_face"]
    assert PAGE in text(root_client, reverse("admin:labeling_dataset_job", args=[job.pk]))


def test_a_threshold_that_is_none_is_refused(root_client: Client) -> None:
    given = SimpleUploadedFile("web.zip", b"PK")
    form = {"detect": "on", "min_face": "20", "min_sharpness": "0.04", "bystander": "7"}
    answered = root_client.post(f"{DATASET}import/", {"given": given, **form})
    assert answered.status_code == 400
    assert "less than or equal to 1" in answered.content.decode()
    assert not DatasetJob.objects.exists()


def test_an_archive_with_nothing_to_add_can_be_confirmed_for_what_is_to_be_looked_at(
    root_client: Client,
) -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("happy/two.jpg", two_people(0.9))
    given = SimpleUploadedFile("web.zip", file.getvalue())
    page = root_client.post(f"{DATASET}import/", {"given": given, "detect": "on"}, follow=True)
    assert "Add 0 examples, keep 1 to look at" in page.content.decode()
    root_client.post(reverse("admin:labeling_dataset_job", args=[DatasetJob.objects.get().pk]))
    assert SetAsidePicture.objects.waiting().count() == 1
