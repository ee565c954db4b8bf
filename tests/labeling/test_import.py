"""Files of labelled faces become examples, row by row, once."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from PIL import Image

from classifier.models import LabelSet, User
from labeling.curation import settle_example, withdraw
from labeling.importing import import_dataset
from labeling.models import Example
from labeling.neighbours import decode
from tests.crops import crop, face_showing, gray_crop, mirrored, recompressed
from tests.labeling.files import agreed, fer_file, fer_rows, votes_file, written
from tests.photographs import astronaut, no_face

pytestmark = pytest.mark.django_db


def run(path: Path, **options: Any) -> dict[str, Any]:
    out = io.StringIO()
    call_command("import_dataset", path, json=True, stdout=out, **options)
    return json.loads(out.getvalue())


def counts(said: dict[str, Any]) -> tuple[int, int, int, int]:
    return said["added"], said["duplicates"], said["refused"], said["set_aside"]


@pytest.fixture
def faces(tmp_path: Path) -> Path:
    rows = fer_rows(range(14)) + fer_rows(range(14, 21), usage="PublicTest")
    return fer_file(tmp_path / "fer2013.csv", rows)


def test_every_row_becomes_an_example_with_its_pixels_label_and_official_split(faces: Path) -> None:
    assert counts(run(faces)) == (21, 0, 0, 0)
    first = Example.objects.get(origin="fer2013.csv, line 2")
    assert (decode(bytes(first.crop)) == gray_crop(0)).all()
    assert (first.label.slug, first.split, first.source) == ("angry", "train", "fer2013")
    assert Example.objects.filter(split="test").count() == 7
    assert Example.objects.filter(label__slug="happy").count() == 3


@pytest.mark.parametrize("suffix", [".csv", ".csv.gz", ".csv.xz"])
def test_packed_files_are_read_alike(suffix: str, tmp_path: Path) -> None:
    assert counts(run(fer_file(tmp_path / f"fer{suffix}", fer_rows(range(3))))) == (3, 0, 0, 0)


def test_running_it_again_adds_nothing(faces: Path) -> None:
    run(faces)
    said = run(faces)
    assert counts(said) == (0, 21, 0, 0)
    assert said["reasons"]["duplicates"][0] == {"where": "line 16", "why": "is in the dataset"}
    assert Example.objects.count() == 21


def test_a_dry_run_tells_the_same_and_changes_nothing(faces: Path) -> None:
    planned = run(faces, dry_run=True)
    assert not Example.objects.exists()
    assert planned.pop("dry_run")
    done = run(faces)
    assert not done.pop("dry_run")
    assert planned == done
    assert {"label": "happy", "split": "train", "count": 2} in done["reasons"]["added"]


def test_votes_come_along(tmp_path: Path) -> None:
    faces = fer_file(tmp_path / "fer.csv", fer_rows(range(3)))
    votes = votes_file(tmp_path / "votes.csv", [("Training", agreed(number)) for number in range(3)])
    run(faces, votes=votes)
    example = Example.objects.get(label__slug="angry")
    assert example.votes == {"angry": 9, "contempt": 1}
    assert example.agreement == pytest.approx(0.9)


def test_votes_for_rows_that_the_file_lacks_are_passed_over(tmp_path: Path) -> None:
    faces = fer_file(tmp_path / "fer.csv", fer_rows(range(2)))
    rows = [("PrivateTest", {"NF": 10}), ("Training", agreed(0)), ("Training", agreed(1))]
    run(faces, votes=votes_file(tmp_path / "votes.csv", rows))
    assert Example.objects.get(label__slug="disgust").votes == {"disgust": 9, "contempt": 1}


def test_what_most_annotators_call_no_face_is_set_aside(tmp_path: Path) -> None:
    faces = fer_file(tmp_path / "fer.csv", fer_rows(range(2)))
    votes = votes_file(
        tmp_path / "v.csv", [("Training", {"NF": 6, "fear": 4}), ("Training", {"NF": 5, "fear": 5})]
    )
    said = run(faces, votes=votes)
    assert counts(said) == (1, 0, 0, 1)
    assert said["reasons"]["set_aside"][0]["where"] == "line 2"


@pytest.mark.parametrize(
    ("row", "why"),
    [
        ("7,{full},Training", "no emotion"),
        ("happy,{full},Training", "no emotion"),
        ("3,1 2 3,Training", "3 gray values, not 2304"),
        ("3,{short} 256,Training", "not from 0 to 255"),
        ("3,{short} x,Training", "can't be read"),
        ("3,{full},Holiday", "no Usage"),
        ("3,{full}", "columns"),
        ('"3,{full},Training', "columns"),
    ],
)
def test_a_damaged_row_is_told_by_its_line_and_skipped(row: str, why: str, tmp_path: Path) -> None:
    short = " ".join(["7"] * 2303)
    rows = fer_rows(range(99))
    rows.insert(50, row.format(full=f"{short} 7", short=short))
    said = run(fer_file(tmp_path / "fer.csv", rows))
    assert counts(said) == (99, 0, 1, 0)
    refused = said["reasons"]["refused"][0]
    assert refused["where"] == "line 52"
    assert why in refused["why"]


def test_more_than_one_damaged_row_in_a_hundred_refuses_the_file(tmp_path: Path) -> None:
    rows = [*fer_rows(range(197)), *["3,1 2,Training"] * 2]
    with pytest.raises(CommandError, match=r"2 of 199 rows .* line 199"):
        run(fer_file(tmp_path / "fer.csv", rows))
    assert not Example.objects.exists()
    rows.insert(0, fer_rows([200])[0])
    assert counts(run(fer_file(tmp_path / "fer.csv", rows))) == (198, 0, 2, 0)


def test_a_file_that_breaks_off_is_refused_whole(faces: Path, tmp_path: Path) -> None:
    packed = fer_file(tmp_path / "fer.csv.xz", fer_rows(range(7)))
    packed.write_bytes(packed.read_bytes()[:-50])
    with pytest.raises(CommandError, match="to its end"):
        run(packed)
    assert not Example.objects.exists()


@pytest.mark.parametrize(
    ("name", "content", "sentence"),
    [
        ("photo.jpg", astronaut(), "no known format"),
        ("empty.csv", b"", "no known format"),
        ("other.csv", b"a,b\n1,2\n", "no known format"),
        ("only-names.csv", b"label,pixels\n", "nothing in it"),
        ("broken.parquet", b"PAR1", "Parquet"),
        ("not-xz.csv.xz", b"emotion,pixels,Usage\n", "to its end"),
    ],
)
def test_what_is_no_dataset_is_refused_in_a_sentence(
    name: str, content: bytes, sentence: str, tmp_path: Path
) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(CommandError, match=sentence):
        run(tmp_path / name)


def test_an_unknown_label_set_and_a_missing_file_are_named(faces: Path, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"no label set 'people'\. There are: expressions"):
        run(faces, label_set="people")
    with pytest.raises(CommandError, match="no file"):
        run(tmp_path / "nowhere.csv")


def test_the_same_picture_twice_is_a_duplicate_and_the_test_row_stays(tmp_path: Path) -> None:
    rows = [*fer_rows([1, 1, 2]), *fer_rows([2], usage="PublicTest")]
    said = run(fer_file(tmp_path / "fer.csv", rows))
    assert counts(said) == (2, 2, 0, 0)
    assert {fate["where"] for fate in said["reasons"]["duplicates"]} == {"line 3", "line 4"}
    assert set(Example.objects.values_list("split", flat=True)) == {"train", "test"}


@pytest.mark.parametrize("alter", [recompressed, mirrored])
def test_a_training_row_that_is_nearly_a_test_row_is_set_aside(alter: Any, tmp_path: Path) -> None:
    copy = f"3,{written(alter(gray_crop(1)))},Training"
    said = run(fer_file(tmp_path / "fer.csv", [copy, *fer_rows([1], usage="PublicTest"), *fer_rows([2])]))
    assert counts(said) == (2, 0, 0, 1)
    assert said["reasons"]["set_aside"] == [
        {"where": "line 2", "why": "nearly the same as line 3, which is in test"}
    ]
    # A file of its own, later, fares no better.
    assert counts(run(fer_file(tmp_path / "more.csv", [copy]))) == (0, 0, 0, 1)


def test_near_duplicates_of_one_split_share_a_group(tmp_path: Path) -> None:
    copy = f"3,{written(recompressed(gray_crop(1)))},Training"
    run(fer_file(tmp_path / "fer.csv", [*fer_rows([1, 2]), copy]))
    groups = dict(Example.objects.values_list("origin", "group"))
    assert groups["fer.csv, line 2"] == groups["fer.csv, line 4"] != groups["fer.csv, line 3"]


def test_rows_join_what_labelers_settled(tmp_path: Path, ada: User) -> None:
    face = face_showing(crop(1), ada)
    label_set = LabelSet.objects.get(slug="expressions")
    happy = label_set.labels.get(slug="happy")
    settled = settle_example(face=face, label_set=label_set, label=happy, votes={"happy": 1}, labeler=ada)
    assert settled
    folder = tmp_path / "faces" / "happy"
    folder.mkdir(parents=True)
    Image.fromarray(recompressed(crop(1))).save(folder / "copy.png")
    run(tmp_path / "faces")
    imported = Example.objects.get(face=None)
    assert (imported.group, imported.split) == (settled.group, settled.split)


def test_a_face_that_is_settled_while_rows_are_added_keeps_its_like_out_of_other_splits(
    tmp_path: Path, ada: User
) -> None:
    label_set = LabelSet.objects.get(slug="expressions")
    face = face_showing(recompressed(crop(1)), ada)
    settled: dict[str, Any] = {"votes": {}, "labeler": ada, "label": label_set.labels.get(slug="happy")}

    def settle(stage: str, done: int, total: int | None) -> None:
        if stage == "Comparing":
            settle_example(face=face, label_set=label_set, **settled)
            Example.objects.update(split="test")

    folder = tmp_path / "faces" / "happy"
    folder.mkdir(parents=True)
    for name, pixels in (("copy", crop(1)), ("mirrored", mirrored(crop(1))), ("other", crop(2))):
        Image.fromarray(pixels).save(folder / f"{name}.png")
    report = import_dataset(tmp_path / "faces", label_set, progress=settle)
    assert {fate.where for fate in report.set_aside} == {"faces, happy/copy.png", "faces, happy/mirrored.png"}
    assert Example.objects.get(face=None).origin == "faces, happy/other.png"


def test_a_withdrawn_example_does_not_come_back_by_import(faces: Path, ada: User) -> None:
    run(faces)
    withdraw(Example.objects.all(), why=Example.Withdrawn.CURATOR, reason="a statue", by=ada)
    said = run(faces)
    assert counts(said) == (0, 21, 0, 0)
    assert said["reasons"]["duplicates"][0]["why"] == "is in the dataset, withdrawn: a statue"
    assert not Example.objects.kept().exists()


def test_a_folder_for_each_label_is_read(tmp_path: Path) -> None:
    for number, name in enumerate(("happy", "Sad")):
        (tmp_path / name).mkdir()
        Image.fromarray(gray_crop(number)).save(tmp_path / name / "gray.png")
        Image.fromarray(crop(number + 10, side=300)).save(tmp_path / name / "large.jpg")
        (tmp_path / name / "notes.txt").write_text("not a picture")
    said = run(tmp_path)
    assert (counts(said), said["skipped"]) == ((4, 0, 0, 0), 2)
    sizes = {decode(bytes(one.crop)).shape for one in Example.objects.filter(label__slug="sad")}
    assert sizes == {(48, 48), (112, 112, 3)}
    assert Example.objects.get(origin=f"{tmp_path.name}, happy/gray.png").source == "folder"


def test_a_folder_for_what_is_no_label_refuses_them_all(tmp_path: Path) -> None:
    (tmp_path / "bored").mkdir()
    with pytest.raises(CommandError, match="folders for bored"):
        run(tmp_path)


def test_faces_are_found_and_aligned_in_photographs(tmp_path: Path) -> None:
    (tmp_path / "happy").mkdir()
    (tmp_path / "happy" / "eileen.jpg").write_bytes(astronaut())
    (tmp_path / "happy" / "wall.jpg").write_bytes(no_face())
    said = run(tmp_path, detect=True)
    assert counts(said) == (1, 0, 0, 1)
    assert said["reasons"]["set_aside"] == [{"where": "happy/wall.jpg", "why": "no face was found"}]
    example = Example.objects.get()
    assert (decode(bytes(example.crop)).shape, example.source) == ((112, 112, 3), "photographs")


def test_labels_that_a_label_set_lacks_are_set_aside(faces: Path) -> None:
    pair = LabelSet.objects.create(slug="happy-sad", name="Happy or sad")
    for position, slug in enumerate(("happy", "sad")):
        pair.labels.create(position=position, slug=slug, name=slug.title())
    assert counts(run(faces, label_set="happy-sad")) == (6, 0, 0, 15)
    assert set(Example.objects.values_list("label__slug", flat=True)) == {"happy", "sad"}


def test_without_json_a_summary_and_the_reasons_are_printed(tmp_path: Path) -> None:
    rows = [*fer_rows(range(100)), "3,1 2,Training"]
    out = io.StringIO()
    call_command("import_dataset", fer_file(tmp_path / "fer.csv", rows), stdout=out)
    assert out.getvalue().splitlines() == [
        "101 rows: 100 added, 0 duplicates, 1 refused, 0 set aside",
        "  refused: line 102: the pixels can't be read: 2 gray values, not 2304",
    ]


def test_a_crop_of_random_noise_survives_unchanged(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (48, 48), dtype=np.uint8)
    run(fer_file(tmp_path / "fer.csv", [f"0,{written(noise)},Training"]))
    assert (decode(bytes(Example.objects.get().crop)) == noise).all()
