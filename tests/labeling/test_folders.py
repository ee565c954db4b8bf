"""Folders as people have them: with odd names, links, other files; and label sets that are made of them."""

from __future__ import annotations

import io
import json
import os
import tracemalloc
import unicodedata
import zipfile
from pathlib import Path
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.core.management.base import CommandError
from PIL import Image

from classifier.label_sets import create_label_set
from classifier.models import LabelSet, User
from classifier.vision.image import Photograph, decode_photograph, encode_png
from labeling.importing import import_dataset
from labeling.jobs import request_job
from labeling.models import DatasetJob, Example
from tests.crops import crop
from tests.photographs import astronaut, grace_hopper, no_face

pytestmark = pytest.mark.django_db

PEOPLE = {"names_people": True, "purpose": "A family album", "consent_basis": "They all signed"}


def folders(path: Path, **pictures: int) -> Path:
    """A folder for each name, with so many crops that are all different."""
    number = 0
    for name, count in pictures.items():
        (path / name).mkdir(parents=True)
        for _ in range(count):
            Image.fromarray(crop(number)).save(path / name / f"{number}.png")
            number += 1
    return path


def run(path: Path, **options: Any) -> dict[str, Any]:
    out = io.StringIO()
    call_command("import_dataset", path, json=True, stdout=out, **options)
    return json.loads(out.getvalue())


def create(path: Path, **options: Any) -> dict[str, Any]:
    return run(path, label_set="people", create=True, **options)


def labels(slug: str = "people") -> list[tuple[str, str]]:
    return list(LabelSet.objects.get(slug=slug).labels.values_list("slug", "name"))


def test_a_label_set_is_made_of_the_folders_names(tmp_path: Path) -> None:
    said = create(folders(tmp_path / "album", **{"Ann Bo": 2, "Zoë": 3}), name="The family", **PEOPLE)
    assert said["added"] == 5
    made = LabelSet.objects.get(slug="people")
    assert (made.name, made.names_people, made.purpose) == ("The family", True, "A family album")
    assert labels() == [("ann-bo", "Ann Bo"), ("zoë", "Zoë")]
    assert Example.objects.filter(label_set=made, label__slug="zoë").count() == 3


def test_names_in_any_script_are_labels(tmp_path: Path) -> None:
    names = ["مريم", "مَريم", "Иван Петров", "O’Neil, Shaun", "李 小龙", "किरण", "करण", "Ñuñoa", "Nunoa"]
    album = folders(tmp_path / "album", **dict.fromkeys(names, 1))
    assert create(album)["added"] == len(names)
    assert {name for _slug, name in labels()} == set(names)
    # Each folder is found again by its label, and what goes out comes in.
    assert run(album, label_set="people")["duplicates"] == len(names)
    call_command("export_dataset", label_set="people", format_name="folders", output=tmp_path / "out")
    assert run(tmp_path / "out", label_set="people")["duplicates"] == len(names)


def test_a_name_is_the_same_in_either_normal_form_and_in_any_case(tmp_path: Path) -> None:
    create_label_set("people", ["Zoë Kravitz", "Ann"])
    name = unicodedata.normalize("NFD", "ZOË KRAVITZ")
    assert run(folders(tmp_path / "album", **{name: 1, "ann": 1}), label_set="people")["added"] == 2


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Anna", "anna"),
        ("Zoë", unicodedata.normalize("NFD", "Zoë")),
        ("Jean-Luc", "jean luc"),
        ("किरण", "किरण!"),
        ("مريم", "«مريم»"),
        ("ÑUÑOA", "ñuñoa"),
    ],
)
def test_two_folders_for_one_label_are_refused_by_name(one: str, other: str, tmp_path: Path) -> None:
    album = folders(tmp_path / "album", **{one: 1, other: 1, "Bob": 1})
    with pytest.raises(CommandError) as refused:
        create(album)
    assert f"“{one}”" in str(refused.value)
    assert f"“{other}”" in str(refused.value)
    assert not LabelSet.objects.filter(slug="people").exists()
    create_label_set("people", ["Bob", one])
    with pytest.raises(CommandError, match="would be one label"):
        run(album, label_set="people")
    assert not Example.objects.exists()


@pytest.mark.parametrize(
    ("pictures", "sentence"),
    [
        ({"Ann": 3}, "one folder, “Ann”"),
        ({"Ann": 3, "Bob": 0}, "folder Bob has no pictures"),
        ({}, "has no folders"),
        ({"Ann": 1, "!!!": 1}, "needs a letter or a digit"),
    ],
)
def test_folders_that_make_no_label_set_are_refused(
    pictures: dict[str, int], sentence: str, tmp_path: Path
) -> None:
    (tmp_path / "album").mkdir()
    with pytest.raises(CommandError, match=sentence):
        create(folders(tmp_path / "album", **pictures))
    assert not LabelSet.objects.filter(slug="people").exists()


def test_a_folder_with_other_files_alone_is_empty(tmp_path: Path) -> None:
    album = folders(tmp_path / "album", Ann=1, Bob=0)
    (album / "Bob" / "notes.txt").write_text("no pictures yet")
    with pytest.raises(CommandError, match="folder Bob has no pictures"):
        create(album)


def test_nothing_is_created_by_a_dry_run_or_a_refused_import(tmp_path: Path) -> None:
    album = folders(tmp_path / "album", Ann=1, Bob=1)
    assert create(album, dry_run=True)["added"] == 2
    (album / "Ann" / "damaged.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    with pytest.raises(CommandError, match="1 of 3 rows"):
        create(album)
    for name in ("Ann", "Bob"):
        (tmp_path / "walls" / name).mkdir(parents=True)
        (tmp_path / "walls" / name / "wall.jpg").write_bytes(no_face())
    with pytest.raises(CommandError, match="No picture can be used"):
        create(tmp_path / "walls", detect=True)
    assert not LabelSet.objects.filter(slug="people").exists()
    assert not Example.objects.exists()


def test_a_label_set_that_is_there_is_not_made_again(tmp_path: Path) -> None:
    create_label_set("people", ["Ann", "Bob"])
    with pytest.raises(CommandError, match="There is a label set “people” already"):
        create(folders(tmp_path / "album", Ann=1, Bob=1))


def test_people_are_told_apart_for_a_purpose(tmp_path: Path) -> None:
    album = folders(tmp_path / "album", Ann=1, Bob=1)
    with pytest.raises(CommandError, match="biometric identification"):
        create(album, names_people=True)
    with pytest.raises(CommandError, match="go with --create"):
        run(album, label_set="expressions", purpose="None")
    assert not LabelSet.objects.filter(slug="people").exists()


def test_a_table_makes_no_label_set(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("label,pixels\n")
    with pytest.raises(CommandError, match="folders' names alone"):
        create(tmp_path / "rows.csv")


@pytest.mark.parametrize("detect", [False, True])
def test_links_that_lead_out_are_not_followed_and_counted(detect: bool, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "grace.jpg").write_bytes(grace_hopper())
    album = tmp_path / "album"
    for name in ("happy", "sad"):
        (album / name).mkdir(parents=True)
    (album / "happy" / "eileen.jpg").write_bytes(astronaut())
    (album / "happy" / "grace.jpg").symlink_to(outside / "grace.jpg")
    (album / "happy" / "more").symlink_to(outside, target_is_directory=True)
    (album / "fear").symlink_to(outside, target_is_directory=True)
    (album / "sad" / "within.jpg").symlink_to("../happy/eileen.jpg")
    said = run(album, detect=detect)
    assert (said["added"], said["duplicates"], said["skipped"]) == (1, 1, 3)
    assert {fate["where"] for fate in said["reasons"]["skipped"]} == {"fear", "happy/grace.jpg", "happy/more"}
    assert Example.objects.get().origin == "album, happy/eileen.jpg"


def test_what_is_no_picture_is_skipped_and_counted(tmp_path: Path) -> None:
    album = folders(tmp_path / "album", happy=1)
    (album / "readme.txt").write_text("beside the folders")
    (album / "happy" / "notes.txt").write_text("beside the pictures")
    (album / "happy" / "more").mkdir()
    (album / "happy" / ".DS_Store").write_bytes(b"\0")
    os.mkfifo(album / "happy" / "pipe.png")
    said = run(album)
    assert (said["rows"], said["added"], said["skipped"]) == (1, 1, 4)


def test_a_file_that_comes_again_is_not_decoded_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded = []

    def decode(data: bytes, **options: Any) -> Photograph:
        decoded.append(data)
        return decode_photograph(data, **options)

    monkeypatch.setattr("labeling.folders.decode_photograph", decode)
    happy = folders(tmp_path / "album", happy=0) / "happy"
    (happy / "0.jpg").write_bytes(astronaut())
    for number in range(50):
        os.link(happy / "0.jpg", happy / f"copy-{number}.jpg")
    said = run(tmp_path / "album", detect=True)
    assert (said["rows"], said["added"], said["duplicates"]) == (51, 1, 50)
    copy = {"where": "happy/copy-0.jpg", "why": "the same file as happy/0.jpg"}
    assert said["reasons"]["duplicates"][0] == copy
    assert len(decoded) == 1


def test_rows_keep_the_order_of_their_names(tmp_path: Path) -> None:
    run(folders(tmp_path / "album", happy=30))
    names = sorted(f"{number}.png" for number in range(30))
    origins = Example.objects.order_by("pk").values_list("origin", flat=True)
    assert list(origins) == [f"album, happy/{name}" for name in names]


def test_a_folder_in_which_all_is_nearly_the_same_becomes_one_group(tmp_path: Path) -> None:
    (tmp_path / "album" / "happy").mkdir(parents=True)
    for number in range(60):
        pixels = crop(1).copy()
        pixels[number, 0:8] = 255
        Image.fromarray(pixels).save(tmp_path / "album" / "happy" / f"{number}.png")
    said = run(tmp_path / "album")
    assert said["added"] + said["duplicates"] == 60
    assert said["added"] > 40
    assert Example.objects.values("group").distinct().count() == 1


def test_an_archive_is_held_to_the_same_rules(root: User) -> None:
    link = zipfile.ZipInfo("album/happy/link.png")
    link.external_attr = 0o120777 << 16
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("album/happy/one.png", encode_png(crop(1)))
        archive.writestr("album/happy/notes.txt", "no picture")
        archive.writestr(link, "/etc/passwd")
    happy = LabelSet.objects.get(slug="expressions")
    given = SimpleUploadedFile("album.zip", file.getvalue())
    job = request_job(DatasetJob.Kind.IMPORT, happy, by=root, given=given, dry_run=False)
    job.refresh_from_db()
    assert (job.report["added"], job.report["skipped"], job.report["refused"]) == (1, 2, 0)
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr("album/Happy/two.png", encode_png(crop(2)))
    given = SimpleUploadedFile("album.zip", file.getvalue())
    job = request_job(DatasetJob.Kind.IMPORT, happy, by=root, given=given, dry_run=False)
    job.refresh_from_db()
    assert job.state == DatasetJob.State.REFUSED
    assert "“Happy” and “happy”" in job.report["sentence"]


def test_a_large_folder_is_told_of_as_it_is_read_and_never_held(
    tmp_path: Path, db: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("labeling.importing.ROWS_AT_ONCE", 20)
    happy = LabelSet.objects.get(slug="expressions")
    told: list[tuple[str, int, int | None]] = []

    def most_held(count: int) -> int:
        album = folders(tmp_path / f"album{count}", happy=0)
        for number in range(count):
            # What an example is compared by is no part of what is asked here: each is like no other.
            Image.fromarray(crop(1000 * count + number)).save(album / "happy" / f"{number}.png")
        told.clear()
        tracemalloc.start()
        report = import_dataset(album, happy, progress=lambda *what: told.append(what))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert report.added.total() == count
        return peak

    most_held(10)  # what is loaded once
    # The lesser of two: Python's table of interned strings, once it is full, takes 8 MB at whatever moment.
    few, many = most_held(100), min(most_held(401), most_held(400))
    # A crop is 37 KB before it is packed, and some 10 KB as PNG.
    assert (many - few) / 300 < 3_000
    assert [done for stage, done, total in told if stage == "Reading" and total == 400] == list(range(1, 401))
    assert [stage for stage, _done, _total in told[400:]][:2] == ["Comparing", "Adding"]
    assert told[-1] == ("Adding", 400, 400)
