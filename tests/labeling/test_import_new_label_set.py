"""A label set made in the admin of an archive's folders: planned first, made once it is confirmed."""

from __future__ import annotations

import io
import zipfile
from typing import Any

import pytest
from django.contrib.auth.models import Permission
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.urls import reverse
from pytest_django import Settings

from classifier.label_sets import create_label_set
from classifier.models import LabelSet, User
from classifier.vision.image import encode_png
from labeling import importing
from labeling.jobs import request_job
from labeling.models import DatasetJob, Example, SetAsidePicture
from tests.conftest import logged_in
from tests.crops import crop
from tests.factories import make_user
from tests.photographs import astronaut, grace_hopper, no_face

pytestmark = pytest.mark.django_db

State = DatasetJob.State
PEOPLE = {"names_people": "on", "purpose": "A family album", "consent_basis": "They all signed"}


def archive(*folders: str, more: dict[str, bytes] | None = None, of_each: int = 2) -> SimpleUploadedFile:
    """A folder for each name, with crops that are all different."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as zipped:
        for place, folder in enumerate(folders):
            for number in range(of_each):
                zipped.writestr(f"album/{folder}/{number}.png", encode_png(crop(10 * place + number)))
        for name, content in (more or {}).items():
            zipped.writestr(name, content)
    return SimpleUploadedFile("album.zip", file.getvalue())


def plan(client: Client, given: SimpleUploadedFile, *, slug: str = "people", **form: Any) -> str:
    url = reverse("admin:labeling_import_new")
    return client.post(url, {"given": given, "slug": slug, **form}, follow=True).content.decode()


def page_of(job: DatasetJob) -> str:
    return reverse("admin:labeling_dataset_job", args=[job.pk])


def confirm(client: Client) -> str:
    return client.post(page_of(DatasetJob.objects.get()), follow=True).content.decode()


def test_it_is_made_once_the_plan_is_confirmed(root_client: Client) -> None:
    page = plan(root_client, archive("Ann Bo", "Zoë", "مريم"), name="The family", **PEOPLE)
    for told in ("Make it and add 6 examples", "The family", "Ann Bo", "مريم", "They all signed"):
        assert told in page
    assert not LabelSet.objects.filter(slug="people").exists()
    assert "Back to the dataset" in confirm(root_client)
    made = LabelSet.objects.get(slug="people")
    assert (made.name, made.names_people, made.purpose) == ("The family", True, "A family album")
    assert sorted(made.labels.values_list("name", flat=True)) == ["Ann Bo", "Zoë", "مريم"]
    assert Example.objects.filter(label_set=made).count() == 6
    job = DatasetJob.objects.get()
    assert (job.label_set, job.state, job.given.name) == (made, State.DONE, "")


def test_photographs_without_one_face_wait_in_the_label_set_that_is_made(root_client: Client) -> None:
    photographs = {
        "a/Eileen/1.jpg": astronaut(),
        "a/Grace/1.jpg": grace_hopper(),
        "a/Grace/wall.jpg": no_face(),
    }
    page = plan(root_client, archive(more=photographs), detect="on")
    assert "Make it and add 2 examples, keep 1 to look at" in page
    assert not SetAsidePicture.objects.exists()
    confirm(root_client)
    assert SetAsidePicture.objects.get().label_set == LabelSet.objects.get(slug="people")


@pytest.mark.parametrize(
    ("form", "sentence"),
    [
        ({"slug": "no spaces"}, "Enter a valid “slug”"),
        ({"slug": ""}, "This field is required"),
        ({"slug": "expressions"}, "Label set with this Slug already exists"),
        ({"names_people": "on"}, "Needed where the labels are people"),
        ({"purpose": "A family album"}, "for labels that are people"),
        ({"min_sharpness": "2"}, "less than or equal to 1"),
        ({"given": SimpleUploadedFile("rows.csv", b"label,pixels")}, "Only a .zip has folders"),
        ({"given": ""}, "This field is required"),
    ],
)
def test_what_can_t_be_is_said_at_once(form: dict[str, Any], sentence: str, root_client: Client) -> None:
    url = reverse("admin:labeling_import_new")
    answered = root_client.post(url, {"given": archive("Ann", "Bob"), "slug": "people", **form})
    assert answered.status_code == 400
    assert sentence in answered.content.decode()
    assert not DatasetJob.objects.exists()


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        (archive("Ann"), "one folder, “Ann”"),
        (archive("Ann", "Bob", more={"album/Eve/": b""}), "folder Eve has no pictures"),
        (archive("Ann", more={"album/Bob/notes.txt": b"later"}), "folder Bob has no pictures"),
        (archive("Ann", "ann"), "“Ann” and “ann”"),
        (archive("Ann", "!!!"), "needs a letter or a digit"),
        (archive("Ann", more={"a/Bob/1.png": b"\x89PNG\r\n\x1a\n"}), "1 of 3 rows"),
        (archive(), "has no folders"),
        (SimpleUploadedFile("album.zip", b"PK"), "can&#x27;t be unpacked"),
    ],
)
def test_an_archive_that_makes_none_is_refused_with_the_reason(
    given: SimpleUploadedFile, sentence: str, root_client: Client, settings: Settings
) -> None:
    given.seek(0)
    page = plan(root_client, given)
    assert sentence in page
    assert str(settings.FILE_UPLOAD_TEMP_DIR) not in page, "where it was unpacked is nobody's business"
    assert DatasetJob.objects.get().state == State.REFUSED
    assert not LabelSet.objects.filter(slug="people").exists()


def test_photographs_without_any_face_make_none(root_client: Client) -> None:
    walls = {f"a/{name}/wall.jpg": no_face() for name in ("Ann", "Bob")}
    assert "No picture can be used" in plan(root_client, archive(more=walls), detect="on")
    assert DatasetJob.objects.get().state == State.REFUSED


def test_one_that_somebody_made_meanwhile_is_not_touched(root_client: Client) -> None:
    plan(root_client, archive("Ann", "Bob"))
    create_label_set("people", ["Ann", "Bob"])
    page = confirm(root_client)
    assert "There is a label set “people” already" in page
    assert DatasetJob.objects.get().state == State.REFUSED
    assert not Example.objects.exists()


def test_an_import_that_fails_half_way_leaves_nothing(
    root: User, root_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def add(*arguments: Any) -> None:
        added(*arguments)
        if Example.objects.count() >= 2:
            raise OSError("disk full")

    added = importing._add
    monkeypatch.setattr(importing, "_add", add)
    monkeypatch.setattr(importing, "ROWS_AT_ONCE", 1)
    plan(root_client, archive("Ann", "Bob"))
    confirm(root_client)
    job = DatasetJob.objects.get()
    assert (job.state, job.label_set) == (State.FAILED, None)
    assert not LabelSet.objects.filter(slug="people").exists()
    assert not Example.objects.exists()
    assert "No label set was made" in root_client.get(page_of(job)).content.decode()
    monkeypatch.undo()
    plan(root_client, archive("Ann", "Bob"))
    root_client.post(page_of(DatasetJob.objects.first()))  # type: ignore[arg-type]
    assert Example.objects.count() == 4


def maker(username: str, *permissions: str) -> Client:
    user = make_user(username, is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    return logged_in(user)


def test_a_plan_is_seen_by_whoever_asked_for_it_alone(root_client: Client) -> None:
    may = ("import_examples", "add_labelset", "view_example")
    cora, stranger = maker("cora", *may), maker("sam", *may)
    plan(cora, archive("Ann", "Bob"))
    job = DatasetJob.objects.get()
    assert cora.get(page_of(job)).status_code == 200
    for other in (stranger, root_client):
        assert other.get(page_of(job)).status_code == 404
        assert other.post(page_of(job)).status_code == 404
        assert page_of(job) not in other.get(reverse("admin:labeling_import_new")).content.decode()
    assert page_of(job) in cora.get(reverse("admin:labeling_import_new")).content.decode()
    User.objects.get(username="cora").user_permissions.remove(Permission.objects.get(codename="add_labelset"))
    assert cora.post(page_of(job)).status_code == 403
    assert not LabelSet.objects.filter(slug="people").exists()


def test_the_way_there_is_shown_to_whoever_may_go_it(root_client: Client) -> None:
    way = reverse("admin:labeling_import_new")
    pages = [reverse("admin:labeling_dataset", args=["expressions"]), "/admin/classifier/labelset/add/"]
    for page in pages:
        assert way in root_client.get(page).content.decode()
    cora = maker("cora", "import_examples", "view_example")
    assert way not in cora.get(pages[0]).content.decode()


def test_two_clicks_make_one_plan(root: User, root_client: Client) -> None:
    new = importing.NewLabelSet("people")
    job = request_job(DatasetJob.Kind.IMPORT, new, by=root, given=archive("Ann", "Bob"), dry_run=True)
    DatasetJob.objects.filter(pk=job.pk).update(state=State.WAITING)
    assert "Another import of people is not done yet" in plan(root_client, archive("Ann", "Bob"))
    assert DatasetJob.objects.count() == 1
    plan(root_client, archive("Ann", "Bob"), slug="others")
    assert DatasetJob.objects.count() == 2


def test_what_lies_beside_an_archive_s_folders_is_counted_and_no_label(root_client: Client) -> None:
    beside = {"album/readme.txt": b"hello", "notes.txt": b"hello", "album/.DS_Store": b"\0"}
    plan(root_client, archive("Ann", "Bob", more=beside))
    job = DatasetJob.objects.get()
    assert (job.state, job.report["added"], job.report["skipped"]) == (State.PLANNED, 4, 2)
    assert [label["name"] for label in job.report["new_labels"]] == ["Ann", "Bob"]
