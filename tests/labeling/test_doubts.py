"""Wrong labels are found by models that have not seen the example they judge."""

from __future__ import annotations

import io
import json
from pathlib import Path

import cv2
import numpy as np
import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from classifier.models import LabelSet
from labeling import doubts
from labeling.models import Example
from tests.labeling.files import fer_file, fer_rows, written

pytestmark = pytest.mark.django_db

WRONG = {3, 20, 41}


def striped(number: int) -> np.ndarray:
    """(48, 48) uint8: odd numbers have upright stripes, even ones level stripes, under noise."""
    rng = np.random.default_rng(number)
    waves = np.sin(np.arange(48) / (1.5 + number % 5 / 4) + rng.uniform(0, 6))
    stripes = np.tile(waves, (48, 1)) if number % 2 else np.tile(waves, (48, 1)).T
    return cv2.GaussianBlur(
        (128 + 60 * stripes + rng.normal(0, 20, (48, 48))).clip(0, 255).astype(np.uint8), (3, 3), 0
    )


@pytest.fixture
def stripes(tmp_path: Path) -> LabelSet:
    """60 examples, of which three have the other label."""
    rows = []
    for number in range(60):
        right = number % 2
        label = 3 + (1 - right if number in WRONG else right)
        rows.append(f"{label},{written(striped(number))},Training")
    call_command("import_dataset", fer_file(tmp_path / "fer.csv", rows), stdout=io.StringIO())
    return LabelSet.objects.get(slug="expressions")


def test_the_wrong_labels_come_first(stripes: LabelSet) -> None:
    out = io.StringIO()
    call_command("find_label_errors", json=True, stdout=out)
    doubtful = list(Example.objects.doubtful().values_list("origin", flat=True))
    assert json.loads(out.getvalue())["doubtful"] == len(doubtful)
    assert set(doubtful[:3]) == {f"fer.csv, line {number + 2}" for number in WRONG}
    assert len(doubtful) <= 6


def test_looking_again_forgets_the_doubts_of_before(stripes: LabelSet) -> None:
    Example.objects.update(suspicion=0.9)
    doubts.mark_doubtful(stripes)
    assert Example.objects.doubtful().count() <= 6


def test_no_example_is_judged_by_a_model_that_saw_its_like() -> None:
    """Every row has a copy. Were the copy of a judged one learned from, noise would be told rightly."""
    rng = np.random.default_rng(0)
    noise = rng.normal(size=(100, 90)).astype(np.float32)
    labels = rng.integers(0, 2, 100)
    twice = doubts._Labelled(
        np.arange(200), np.tile(noise, (2, 1)), np.tile(labels, 2), np.tile(np.arange(100), 2).astype(str)
    )
    told = doubts._out_of_sample(twice).argmax(axis=1)
    assert 0.3 < (told == twice.labels).mean() < 0.7


def test_too_few_examples_are_said_to_be_too_few(tmp_path: Path) -> None:
    with pytest.raises(CommandError, match="at least two labels of expressions need 5"):
        call_command("find_label_errors")
    call_command("import_dataset", fer_file(tmp_path / "fer.csv", fer_rows(range(14))), stdout=io.StringIO())
    with pytest.raises(CommandError, match="at least two labels"):
        call_command("find_label_errors")
