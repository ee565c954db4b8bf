"""Copies of test images, however they were altered, that come in by the site teach nothing."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path

import cv2
import numpy as np
import pyarrow.parquet as pq
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.test import Client
from pytest_django import Settings

from classifier.handover import set_consent
from classifier.models import Face, User
from labeling.freezing import freeze_dataset
from labeling.models import Example, KnownPhotograph, ReviewItem, Split
from tests.conftest import logged_in
from tests.crops import mirrored, recompressed
from tests.factories import make_active_model
from tests.labeling.cast import expressions, make_labeler
from tests.labeling.files import fer_file, written
from tests.photographs import stranger, to_jpeg

pytestmark = pytest.mark.django_db

REVIEW = "/admin/labeling/reviewitem/"
Pixels = np.ndarray


def resized(pixels: Pixels, share: float) -> Pixels:
    how = cv2.INTER_AREA if share < 1 else cv2.INTER_CUBIC
    return np.asarray(cv2.resize(pixels, None, fx=share, fy=share, interpolation=how), np.uint8)


def brightened(pixels: Pixels) -> Pixels:
    return np.clip(pixels * 0.85 + 35, 0, 255).astype(np.uint8)


def cut(pixels: Pixels, share: float = 0.03) -> Pixels:
    height, width = (round(share * side) for side in pixels.shape[:2])
    return np.ascontiguousarray(pixels[height:-height, width:-width])


ALTERED: list[Callable[[Pixels], Pixels]] = [
    mirrored,
    lambda pixels: resized(pixels, 0.6),
    recompressed,
    brightened,
    lambda pixels: recompressed(resized(cut(mirrored(pixels)), 1.5), quality=60),
]
ORIGINALS = range(10)


@pytest.fixture(autouse=True)
def site(db: None, settings: Settings) -> None:
    settings.UPLOAD_RATE = "1000/min"
    settings.REVIEW_PROBE_SHARE = settings.REVIEW_HIDDEN_SHARE = 0
    make_active_model()


@pytest.fixture
def lena_client(db: None) -> Client:
    return logged_in(make_labeler("lena"))


def send(client: Client, photographs: Iterable[Pixels]) -> None:
    """By the form, twenty at a time, with consent."""
    files = [
        SimpleUploadedFile(f"{number}.jpg", to_jpeg(pixels), "image/jpeg")
        for number, pixels in enumerate(photographs)
    ]
    for first in range(0, len(files), 20):
        answer = client.post("/uploads/", {"photos": files[first : first + 20], "consent": "on"})
        assert answer.status_code == 302


def accept_all(labeler: Client) -> None:
    """Every face that waits is what the model says, many at a time."""
    waiting = ReviewItem.objects.filter(state="waiting").values_list("pk", flat=True)
    form = {"action": "accept_many", "_selected_action": list(waiting)}
    page = labeler.post(REVIEW, form, follow=True).content.decode()
    ticked = re.findall(r'name="faces" value="([^"]+)" checked', page)
    assert len(ticked) == len(waiting)
    labeler.post(f"{REVIEW}bulk/expressions/", {"faces": ticked})


def frozen_splits(folder: Path) -> dict[str, set[str]]:
    """The digests of the frozen dataset's pictures, by split."""
    file = folder / "frozen.parquet"
    file.write_bytes(freeze_dataset(expressions()).file.read())
    found: dict[str, set[str]] = {split: set() for split in Split}
    for row in pq.read_table(file, columns=["digest", "split"]).to_pylist():
        found[row["split"]].add(row["digest"])
    return found


def test_fifty_altered_copies_of_test_photographs_are_all_caught(
    ada_client: Client, bob_client: Client, lena_client: Client, tmp_path: Path
) -> None:
    originals = [stranger(seed) for seed in ORIGINALS]
    send(ada_client, originals)
    accept_all(lena_client)
    groups = set(Example.objects.values_list("group", flat=True))
    assert len(groups) == len(originals), "they are like each other"
    Example.objects.update(split=Split.TEST)

    send(bob_client, [alter(pixels) for pixels in originals for alter in ALTERED])
    accept_all(lena_client)
    assert Face.objects.count() == 60
    assert set(Example.objects.values_list("group", flat=True)) == groups
    splits = frozen_splits(tmp_path)
    assert (splits["train"], splits["validation"]) == (set(), set())


def as_fer2013(pixels: Pixels) -> Pixels:
    """(48, 48) gray: the face, loosely cut."""
    gray = cv2.cvtColor(pixels[60:300, 8:248], cv2.COLOR_RGB2GRAY)
    return np.asarray(cv2.resize(gray, (48, 48), interpolation=cv2.INTER_AREA), np.uint8)


def in_colour(pixels: Pixels, *, side: int) -> Pixels:
    return np.stack([resized(pixels, side / len(pixels))] * 3, axis=2)


def test_so_are_fifty_of_an_imported_files_test_images(
    ada_client: Client, lena_client: Client, tmp_path: Path
) -> None:
    originals = [as_fer2013(stranger(seed)) for seed in ORIGINALS]
    rows = [f"3,{written(pixels)},PublicTest" for pixels in originals]
    call_command("import_dataset", fer_file(tmp_path / "fer.csv", rows), verbosity=0)

    send(ada_client, [alter(in_colour(pixels, side=192)) for pixels in originals for alter in ALTERED])
    accept_all(lena_client)
    assert Face.objects.count() == 50
    splits = frozen_splits(tmp_path)
    assert (splits["train"], splits["validation"]) == (set(), set())
    assert len(splits["test"]) > len(originals)


def test_who_is_nobodys_copy_goes_where_its_own_hash_says(
    ada_client: Client, lena_client: Client, tmp_path: Path
) -> None:
    send(ada_client, [stranger(seed) for seed in ORIGINALS])
    accept_all(lena_client)
    Example.objects.update(split=Split.TEST)
    send(ada_client, [stranger(seed) for seed in range(10, 30)])
    accept_all(lena_client)
    splits = frozen_splits(tmp_path)
    assert len(splits["test"]) < 20 < sum(map(len, splits.values()))
    assert splits["train"]


def test_a_photograph_is_forgotten_with_the_consent(
    ada: User, ada_client: Client, lena_client: Client
) -> None:
    send(ada_client, [stranger(0)])
    accept_all(lena_client)
    [known] = KnownPhotograph.objects.all()
    assert known.upload.owner == ada
    set_consent(known.upload, False)
    assert not KnownPhotograph.objects.exists()
