"""The dataset goes out as files, comes in again unchanged, and is frozen under the digest of its content."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow.parquet
import pytest
from django.core.files.storage import default_storage
from django.core.management import call_command
from django.core.management.base import CommandError

from classifier.accounts import delete_uploads, erase_account
from classifier.handover import set_consent
from classifier.models import Label, LabelSet, User
from labeling import freezing
from labeling.curation import relabel, settle_example, withdraw
from labeling.exporting import csv_lines, write_files, write_zip
from labeling.freezing import TakenBackError, freeze_dataset
from labeling.models import DatasetVersion, Example
from labeling.neighbours import Fingerprint, decode
from tests.crops import crop, face_showing, gray_crop
from tests.labeling.files import agreed, fer_file, fer_rows, votes_file, written

pytestmark = pytest.mark.django_db

# Of three pictures of noise. Another one would mean that no file frozen before could be made again.
DIGEST = "01b6f11b74b65c522058ac4de0fa4f2d2ea69264f3b8ede6438c68bf63d3304e"


def settle(seed: int, owner: User, said: str = "happy") -> Example:
    label = Label.objects.get(label_set__slug="expressions", slug=said)
    face = face_showing(crop(seed), owner)
    example = settle_example(
        face=face, label_set=label.label_set, label=label, votes={said: 1}, labeler=owner
    )
    assert example
    return example


@pytest.fixture
def label_set(db: None) -> LabelSet:
    return LabelSet.objects.get(slug="expressions")


@pytest.fixture
def dataset(tmp_path: Path, label_set: LabelSet) -> LabelSet:
    """21 rows of FER2013 with votes, seven of them for the test."""
    rows = fer_rows(range(14)) + fer_rows(range(14, 21), usage="PublicTest")
    votes = votes_file(tmp_path / "votes.csv", [("Training", agreed(number)) for number in range(21)])
    call_command("import_dataset", fer_file(tmp_path / "fer.csv", rows), votes=votes, stdout=io.StringIO())
    return label_set


def content() -> list[tuple[Any, ...]]:
    columns = ("digest", "label__slug", "split", "group", "source", "withdrawn")
    return sorted(Example.objects.values_list(*columns))


def test_a_csv_has_a_label_and_the_gray_values_of_each_crop(dataset: LabelSet, ada: User) -> None:
    settle(50, ada, "sad")
    lines = "".join(csv_lines(dataset)).splitlines()
    assert lines[0] == "label,pixels"
    assert len(lines) == 1 + 22
    label, _, pixels = lines[1].partition(",")
    assert (label, np.array(pixels.split(), np.uint8).reshape(48, 48).tolist()) == (
        "angry",
        gray_crop(0).tolist(),
    )
    label, _, pixels = lines[-1].partition(",")
    assert (label, len(pixels.split())) == ("sad", 2304)


def test_what_is_withdrawn_is_in_no_file(dataset: LabelSet, ada: User, tmp_path: Path) -> None:
    happy = Example.objects.filter(label__slug="happy")
    withdraw(happy, why=Example.Withdrawn.CURATOR, reason="no", by=ada)
    assert not [line for line in csv_lines(dataset) if line.startswith("happy")]
    assert write_files(tmp_path / "out", dataset, format_name="folders") == 18
    assert list((tmp_path / "out" / "happy").iterdir()) == []
    assert "happy" not in freeze_dataset(dataset).counts["train"]


@pytest.mark.parametrize("format_name", ["csv", "folders", "parquet"])
def test_what_goes_out_is_a_duplicate_when_it_comes_in_again(
    format_name: str, dataset: LabelSet, ada: User, tmp_path: Path
) -> None:
    settle(50, ada, "sad")
    target = tmp_path / {"csv": "out.csv", "folders": "out", "parquet": "out.parquet"}[format_name]
    out = io.StringIO()
    call_command("export_dataset", format_name=format_name, output=target, stdout=out)
    assert out.getvalue().startswith("22 examples written")
    out = io.StringIO()
    call_command("import_dataset", target, json=True, stdout=out)
    said = json.loads(out.getvalue())
    assert (said["added"], said["duplicates"]) == (0, 22)


def test_a_frozen_file_makes_the_same_dataset_elsewhere(dataset: LabelSet, ada: User, tmp_path: Path) -> None:
    settle(50, ada, "sad")
    before = content()
    version = freeze_dataset(dataset)
    file = tmp_path / "frozen.parquet"
    file.write_bytes(version.file.read())
    DatasetVersion.objects.all().delete()
    Example.objects.all().delete()
    call_command("import_dataset", file, stdout=io.StringIO())
    assert content() == before
    assert freeze_dataset(dataset).digest == version.digest


def test_a_frozen_row_whose_group_is_in_another_split_here_is_set_aside(
    dataset: LabelSet, tmp_path: Path
) -> None:
    target = tmp_path / "frozen.parquet"
    write_files(target, dataset, format_name="parquet")
    first, *_others = Example.objects.filter(split="train").order_by("pk")
    Example.objects.exclude(pk=first.pk).delete()
    other = Fingerprint.of(gray_crop(99))
    Example.objects.update(split="test", digest=other.digest, perceptual_hash=other.hash)
    out = io.StringIO()
    call_command("import_dataset", target, json=True, stdout=out)
    said = json.loads(out.getvalue())
    assert (said["added"], said["set_aside"]) == (20, 1)
    assert said["reasons"]["set_aside"][0]["why"] == "its group is in test here"


def test_a_version_is_a_parquet_file_named_by_its_digest(dataset: LabelSet, ada: User) -> None:
    version = freeze_dataset(dataset, by=ada)
    content = version.file.read()
    assert version.file.name == f"datasets/{hashlib.sha256(content).hexdigest()}.parquet"
    assert (version.digest in str(version.file.name), version.size) == (True, len(content))
    assert (version.examples, version.created_by) == (21, ada)
    assert version.counts["test"] == dict.fromkeys(sorted(version.counts["test"]), 1)
    assert sum(sum(labels.values()) for labels in version.counts.values()) == 21
    table = pyarrow.parquet.read_table(io.BytesIO(content)).to_pylist()
    assert [row["digest"] for row in table] == sorted(row["digest"] for row in table)
    first = next(row for row in table if row["digest"] == Fingerprint.of(gray_crop(0)).digest)
    assert np.frombuffer(first["pixels"], np.uint8).reshape(48, 48).tolist() == gray_crop(0).tolist()
    assert (first["label"], first["votes"], first["other_votes"]) == ("angry", [9, 0, 0, 0, 0, 0, 0], 1)


def test_the_same_examples_give_the_same_digest_on_any_machine(label_set: LabelSet, tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (3, 48, 48), dtype=np.uint8)
    rows = [f"{number},{written(pixels)},Training" for number, pixels in enumerate(noise)]
    call_command("import_dataset", fer_file(tmp_path / "fer.csv", rows), stdout=io.StringIO())
    assert freeze_dataset(label_set).digest == DIGEST
    assert freeze_dataset(label_set) == DatasetVersion.objects.get()


def test_neither_ids_nor_the_order_of_adding_nor_how_crops_are_packed_matter(
    dataset: LabelSet, tmp_path: Path
) -> None:
    digest = freeze_dataset(dataset).digest
    Example.objects.all().delete()
    DatasetVersion.objects.all().delete()
    rows = fer_rows(range(14, 21), usage="PublicTest") + fer_rows(reversed(range(14)))
    numbers = [*range(14, 21), *reversed(range(14))]
    votes = votes_file(tmp_path / "votes.csv", [("Training", agreed(number)) for number in numbers])
    call_command("import_dataset", fer_file(tmp_path / "f.csv.xz", rows), votes=votes, stdout=io.StringIO())

    for example in Example.objects.all():
        packed = cv2.imencode(".png", decode(bytes(example.crop)), [cv2.IMWRITE_PNG_COMPRESSION, 9])[
            1
        ].tobytes()
        assert packed != bytes(example.crop)
        Example.objects.filter(pk=example.pk).update(crop=packed)
    assert freeze_dataset(dataset).digest == digest


def test_any_change_gives_another_digest(dataset: LabelSet, ada: User) -> None:
    first = freeze_dataset(dataset)
    relabel(Example.objects.filter(label__slug="angry"), dataset.labels.get(slug="sad"), reason="sad", by=ada)
    second = freeze_dataset(dataset)
    assert second.digest != first.digest
    assert list(DatasetVersion.objects.all()) == [second, first]


def test_freezing_nothing_is_refused(label_set: LabelSet) -> None:
    with pytest.raises(CommandError, match="no examples yet"):
        call_command("freeze_dataset")
    assert not DatasetVersion.objects.exists()


def test_the_command_tells_digest_and_counts(dataset: LabelSet) -> None:
    out = io.StringIO()
    call_command("freeze_dataset", json=True, stdout=out)
    said = json.loads(out.getvalue())
    assert (said["examples"], said["digest"]) == (21, DatasetVersion.objects.get().digest)
    assert sum(said["counts"]["train"].values()) == 14


def test_a_folder_that_holds_something_is_not_written_into(dataset: LabelSet, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="not empty"):
        call_command("export_dataset", format_name="folders", output=tmp_path)


def test_the_zip_of_folders_has_every_crop(dataset: LabelSet) -> None:
    file = io.BytesIO()
    assert write_zip(file, dataset) == 21
    with zipfile.ZipFile(file) as archive:
        names = archive.namelist()
        assert len(names) == 21
        first = next(name for name in names if name.startswith("angry/"))
        assert archive.read(first).startswith(b"\x89PNG")


def take_consent_back(example: Example) -> None:
    assert example.face
    set_consent(example.face.upload, False)


def delete_upload(example: Example) -> None:
    assert example.face
    delete_uploads(example.face.upload.owner, [example.face.upload_id])


def delete_account(example: Example) -> None:
    assert example.face
    erase_account(example.face.upload.owner)


@pytest.mark.parametrize("take_back", [take_consent_back, delete_upload, delete_account])
def test_taking_a_photograph_back_removes_its_examples_and_every_file_that_holds_them(
    take_back: Any, dataset: LabelSet, ada: User, bob: User
) -> None:
    without = freeze_dataset(dataset)
    mine = settle(50, ada, "sad")
    settle(51, bob, "sad")
    version = freeze_dataset(dataset)
    name = str(version.file.name)
    take_back(mine)
    assert not Example.objects.filter(pk=mine.pk).exists()
    assert Example.objects.count() == 22
    version.refresh_from_db()
    without.refresh_from_db()
    assert (version.erased_at is not None, version.file.name) == (True, "")
    assert not default_storage.exists(name)
    assert without.erased_at is None
    assert default_storage.exists(str(without.file.name))


def test_a_face_that_is_taken_back_while_it_is_frozen_is_left_out(
    dataset: LabelSet, ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = settle(50, ada, "sad")
    write = freezing.write_parquet

    def taken_back_once_written(*arguments: Any) -> Any:
        done = write(*arguments)
        if Example.objects.filter(pk=mine.pk).exists():
            take_consent_back(mine)
        return done

    monkeypatch.setattr(freezing, "write_parquet", taken_back_once_written)
    version = freeze_dataset(dataset)
    assert (version.examples, version.faces.count()) == (21, 0)


def test_freezing_gives_up_when_faces_are_taken_back_again_and_again(
    dataset: LabelSet, ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    write = freezing.write_parquet

    def always(*arguments: Any) -> Any:
        mine = settle(50, ada)
        done = write(*arguments)
        take_consent_back(mine)
        return done

    monkeypatch.setattr(freezing, "write_parquet", always)
    with pytest.raises(TakenBackError):
        freeze_dataset(dataset)
    assert not DatasetVersion.objects.exists()


def test_a_version_whose_file_is_lost_gets_it_back(dataset: LabelSet) -> None:
    version = freeze_dataset(dataset)
    default_storage.delete(str(version.file.name))
    again = freeze_dataset(dataset)
    assert again == version
    assert hashlib.sha256(again.file.read()).hexdigest() == version.digest
