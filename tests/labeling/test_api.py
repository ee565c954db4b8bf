"""The dataset by the API: for labelers alone, and a line at a time."""

from __future__ import annotations

import pytest
from django.test import Client

from classifier.models import LabelSet, User
from labeling.exporting import csv_lines
from tests.classifier.api.conftest import bearer
from tests.labeling.cast import make_labeler

EXPORT = "/api/v1/dataset/export.csv"
pytestmark = pytest.mark.django_db


@pytest.fixture
def labelers_api() -> Client:
    return Client(headers=bearer(make_labeler("lena")))


def test_a_labeler_gets_what_the_export_writes(labelers_api: Client) -> None:
    answer = labelers_api.get(EXPORT)
    assert (answer.status_code, answer["Content-Type"]) == (200, "text/csv")
    assert answer["Content-Disposition"] == 'attachment; filename="expressions.csv"'
    lines = csv_lines(LabelSet.objects.get(slug="expressions"))
    assert b"".join(answer.streaming_content) == "".join(lines).encode()
    assert answer.streaming


def test_another_label_set_can_be_named(labelers_api: Client) -> None:
    LabelSet.objects.create(slug="names", name="Names")
    assert b"".join(labelers_api.get(f"{EXPORT}?label_set=names").streaming_content) == b"label,pixels\r\n"
    assert labelers_api.get(f"{EXPORT}?label_set=colors").status_code == 400


def test_nobody_else_gets_it(ada: User) -> None:
    answer = Client(headers=bearer(ada)).get(EXPORT)
    assert (answer.status_code, answer.json()["type"]) == (403, "/api/problems/#forbidden")
    assert answer.json()["detail"] == "Only labelers may take the dataset out."
