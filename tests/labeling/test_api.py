"""The dataset by the API: for labelers alone, and a line at a time."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from pytest_django import Settings

from classifier.models import LabelSet, User
from labeling.exporting import csv_lines
from tests.classifier.api.conftest import bearer
from tests.labeling.cast import make_labeler
from tests.labeling.files import fer_file, fer_rows

EXPORT = "/api/v1/dataset/export.csv"
pytestmark = pytest.mark.django_db


@pytest.fixture
def labelers_api() -> Client:
    return Client(headers=bearer(make_labeler("lena")))


def test_a_labeler_gets_what_the_export_writes(labelers_api: Client, tmp_path: Path) -> None:
    call_command("import_dataset", fer_file(tmp_path / "fer.csv", fer_rows(range(3))), stdout=io.StringIO())
    answer: Any = labelers_api.get(EXPORT)
    assert (answer.status_code, answer["Content-Type"]) == (200, "text/csv")
    assert answer["Content-Disposition"] == 'attachment; filename="expressions.csv"'
    lines = csv_lines(LabelSet.objects.get(slug="expressions"))
    got = b"".join(answer.streaming_content)
    assert got == "".join(lines).encode()
    assert got.count(b"\r\n") == 1 + 3
    assert answer.streaming


def test_another_label_set_can_be_named(labelers_api: Client) -> None:
    LabelSet.objects.create(slug="names", name="Names")
    answer: Any = labelers_api.get(f"{EXPORT}?label_set=names")
    assert b"".join(answer.streaming_content) == b"label,pixels\r\n"
    assert labelers_api.get(f"{EXPORT}?label_set=colors").status_code == 400


def test_without_the_sites_default_one_has_to_be_named(labelers_api: Client, settings: Settings) -> None:
    settings.DEFAULT_LABEL_SET = "gone"
    answer = labelers_api.get(EXPORT)
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (400, "label_set")
    assert labelers_api.get(f"{EXPORT}?label_set=expressions").status_code == 200


def test_nobody_else_gets_it(ada: User) -> None:
    answer = Client(headers=bearer(ada)).get(EXPORT)
    assert (answer.status_code, answer.json()["type"]) == (403, "/api/problems/#forbidden")
    assert answer.json()["detail"] == "Only labelers may take the dataset out."
