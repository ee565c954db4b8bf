"""Photographs are cleaned as they are imported: one usable face each, or set aside with the reason."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.utils import timezone
from PIL import Image

from classifier.models import LabelSet
from labeling import aside
from labeling.aside import KEPT_FOR, forget_old
from labeling.models import DatasetJob, Example, FoundFace, SetAsidePicture
from labeling.neighbours import decode
from tests.photographs import astronaut, grace_hopper, no_face, to_jpeg

pytestmark = pytest.mark.django_db


def pixels_of(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def two_people(share: float) -> bytes:
    """Collins, and beside her Hopper, whose face is about `share` as wide as hers."""
    one, other = pixels_of(astronaut()), pixels_of(grace_hopper())
    # Their faces are 90 and 170 pixels wide.
    small = cv2.resize(other, None, fx=share * 90 / 170, fy=share * 90 / 170, interpolation=cv2.INTER_AREA)
    wide = np.full((512, 900, 3), 120, np.uint8)
    wide[:, :512] = one
    wide[: small.shape[0], 520 : 520 + small.shape[1]] = small[:, :380]
    return to_jpeg(wide)


def blurred(data: bytes, sigma: float) -> bytes:
    return to_jpeg(cv2.GaussianBlur(pixels_of(data), (0, 0), sigma))


def resized(data: bytes, side: int) -> bytes:
    return to_jpeg(np.asarray(Image.open(io.BytesIO(data)).convert("RGB").resize((side, side))))


def folder_of(path: Path, **photographs: bytes) -> Path:
    """A folder for happy faces."""
    (path / "happy").mkdir(parents=True)
    for name, data in photographs.items():
        (path / "happy" / f"{name}.jpg").write_bytes(data)
    return path


def run(path: Path, **options: Any) -> dict[str, Any]:
    out = io.StringIO()
    call_command("import_dataset", path, json=True, detect=True, stdout=out, **options)
    return json.loads(out.getvalue())


def reasons(path: Path, **options: Any) -> dict[str, int]:
    return run(path, dry_run=True, **options)["set_aside_by_reason"]


@pytest.mark.parametrize("ending", ["jfif", "png", "webp", "gif", "tif", "heic", "avif", "bmp"])
def test_any_format_is_read_whatever_its_name_says(ending: str, tmp_path: Path) -> None:
    kind = {"jfif": "JPEG", "tif": "TIFF", "heic": "HEIF"}.get(ending, ending.upper())
    folder = folder_of(tmp_path / "photographs")
    for name in (f"eileen.{ending}", "eileen"):
        Image.fromarray(pixels_of(astronaut())).save(folder / "happy" / name, kind)
    said = run(folder)
    assert (said["added"], said["duplicates"], said["skipped"]) == (1, 1, 0)


def test_without_a_face_a_photograph_is_set_aside(tmp_path: Path) -> None:
    assert reasons(folder_of(tmp_path / "photographs", wall=no_face())) == {"no_face": 1}


def test_a_face_that_a_first_look_overlooks_is_found(tmp_path: Path) -> None:
    flat = (pixels_of(astronaut()) * 0.05 + 110).astype(np.uint8)
    folder = folder_of(tmp_path / "photographs", flat=to_jpeg(flat))
    assert "no_face" not in reasons(folder, min_sharpness=0)


def test_a_face_beside_one_that_is_nearly_as_large_is_one_too_many(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "photographs", two=two_people(0.9))
    assert reasons(folder) == {"several_faces": 1}
    assert reasons(folder, bystander=1) == {}


def test_a_clearly_smaller_face_is_a_bystander_s(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "photographs", two=two_people(0.5))
    assert reasons(folder, bystander=0) == {"several_faces": 1}
    run(folder)
    run(folder_of(tmp_path / "alone", eileen=astronaut()))
    run(folder_of(tmp_path / "other", grace=grace_hopper()))
    taken, eileen, grace = (decode(bytes(one.crop)).ravel() for one in Example.objects.order_by("pk"))
    assert np.corrcoef(taken, eileen)[0, 1] > 0.75 > np.corrcoef(taken, grace)[0, 1]


def test_a_blurred_face_beside_a_sharp_one_does_not_count(tmp_path: Path) -> None:
    wide = np.concatenate([pixels_of(astronaut()), pixels_of(blurred(astronaut(), 9))], axis=1)
    folder = folder_of(tmp_path / "photographs", two=to_jpeg(wide))
    assert reasons(folder) == {}
    assert reasons(folder, min_sharpness=0) == {"several_faces": 1}


def test_a_small_face_is_too_small_by_the_pixels_of_the_photograph(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "photographs", small=resized(astronaut(), 90))
    assert reasons(folder) == {"too_small": 1}
    assert reasons(folder, min_face=10) == {}
    assert reasons(folder_of(tmp_path / "large", large=astronaut()), min_face=100) == {"too_small": 1}


def test_a_blurred_face_is_too_blurred(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "photographs", blurred=blurred(astronaut(), 9))
    assert reasons(folder) == {"too_blurred": 1}
    assert reasons(folder, min_sharpness=0.001) == {}


def test_the_classical_rule_asks_for_exactly_two_eyes(tmp_path: Path) -> None:
    masked = pixels_of(astronaut()).copy()
    masked[90:112, 180:270] = masked[120, 220]
    folder = folder_of(tmp_path / "photographs", masked=to_jpeg(masked), open=grace_hopper())
    assert reasons(folder) == {}
    said = run(folder, require_two_eyes=True)
    assert said["set_aside_by_reason"] == {"eyes_not_found": 1}
    assert said["reasons"]["set_aside"][0]["where"] == "happy/masked.jpg"


def test_thresholds_without_detection_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="go with --detect"):
        call_command("import_dataset", folder_of(tmp_path / "x", wall=no_face()), min_face=40)


def test_the_report_counts_reasons_for_each_label_and_for_all(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "photographs", wall=no_face(), eileen=astronaut(), two=two_people(0.9))
    (folder / "sad").mkdir()
    (folder / "sad" / "void.jpg").write_bytes(blurred(no_face(), 2))
    said = run(folder)
    assert said["set_aside_by_reason"] == {"no_face": 2, "several_faces": 1}
    happy, sad = said["by_label"]
    assert (happy["label"], happy["pictures"], happy["added"], happy["set_aside"]) == ("happy", 3, 1, 2)
    assert happy["reasons"] == {"no_face": 1, "several_faces": 1}
    assert (sad["label"], sad["added"], sad["reasons"]) == ("sad", 0, {"no_face": 1})


def test_the_text_of_the_report_says_so_too(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "photographs", wall=no_face(), eileen=astronaut())
    out = io.StringIO()
    call_command("import_dataset", folder, detect=True, stdout=out)
    assert out.getvalue().splitlines()[:3] == [
        "2 rows: 1 added, 0 duplicates, 0 refused, 1 set aside",
        "  set aside in all: 1 no face was found",
        "  happy: 1 of 2 pictures, 1 set aside (1 no face was found)",
    ]


def test_damaged_photographs_cost_themselves_alone(tmp_path: Path) -> None:
    page = b"<!doctype html><title>404</title>"
    folder = folder_of(tmp_path / "photographs", a=page, b=astronaut()[:9000], c=astronaut(), d=b"")
    said = run(folder)
    assert (said["added"], said["refused"], said["set_aside"]) == (1, 3, 0)


def test_a_photograph_set_aside_is_kept_small_with_its_faces(tmp_path: Path) -> None:
    run(folder_of(tmp_path / "photographs", two=two_people(0.9), wall=no_face()))
    two = SetAsidePicture.objects.get(reason="several_faces")
    assert (two.label.slug, two.origin) == ("happy", "photographs, happy/two.jpg")
    assert two.copy is not None
    with Image.open(io.BytesIO(two.copy)) as copy:
        assert copy.size == (two.width, two.height)
        assert max(copy.size) <= 480
        assert not copy.getexif()
    larger, smaller = FoundFace.objects.filter(picture=two)
    assert decode(bytes(larger.crop)).shape == (112, 112, 3)
    assert larger.size > smaller.size > 60
    assert larger.x < 0.4 < smaller.x, "as shares of the width"


def test_a_dry_run_keeps_nothing(tmp_path: Path) -> None:
    run(folder_of(tmp_path / "photographs", wall=no_face()), dry_run=True)
    assert not SetAsidePicture.objects.exists()


def test_what_waits_already_is_judged_anew_and_never_waits_twice(tmp_path: Path) -> None:
    folder = folder_of(tmp_path / "photographs", two=two_people(0.9), wall=no_face())
    run(folder)
    assert run(folder)["set_aside"] == 2
    assert SetAsidePicture.objects.count() == 2
    run(folder, min_face=300)
    assert {one.reason for one in SetAsidePicture.objects.all()} == {"too_small", "no_face"}
    assert run(folder, bystander=1)["added"] == 1
    assert list(SetAsidePicture.objects.values_list("reason", flat=True)) == ["no_face"]


def test_beyond_a_number_they_are_counted_and_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(aside, "MOST_WAITING", 1)
    said = run(folder_of(tmp_path / "photographs", wall=no_face(), two=two_people(0.9)))
    assert (said["set_aside"], said["not_kept"], SetAsidePicture.objects.count()) == (2, 1, 1)


def test_what_nobody_settles_is_forgotten_in_time(tmp_path: Path) -> None:
    run(folder_of(tmp_path / "photographs", wall=no_face()))
    forget_old()
    assert SetAsidePicture.objects.count() == 1
    SetAsidePicture.objects.update(created_at=timezone.now() - KEPT_FOR)
    forget_old()
    assert not SetAsidePicture.objects.exists()


def test_they_go_with_their_label_set(tmp_path: Path) -> None:
    run(folder_of(tmp_path / "photographs", two=two_people(0.9)))
    DatasetJob.objects.all().delete()
    LabelSet.objects.get(slug="expressions").delete()
    assert not SetAsidePicture.objects.exists()
    assert not FoundFace.objects.exists()
