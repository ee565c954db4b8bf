"""The chart of expressions over time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client

from classifier import timeline
from classifier.models import Upload, User
from classifier.timeline import LEAST_COLUMNS, draw_timeline
from tests.factories import make_upload

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 3, 15, 12, tzinfo=UTC)


def drawn(owner: User) -> timeline.Timeline:
    chart = draw_timeline(Upload.objects.owned_by(owner), "expressions")
    assert chart
    return chart


def test_without_readings_there_is_no_chart(ada: User, ada_client: Client) -> None:
    make_upload(ada, shows=())
    make_upload(ada, unsure=True)
    assert draw_timeline(Upload.objects.owned_by(ada), "expressions") is None
    assert "timeline-title" not in ada_client.get("/uploads/").content.decode()


def test_a_photograph_counts_once_for_each_expression(ada: User) -> None:
    make_upload(ada, shows=["happy", "happy", "sad"], created_at=NOON)
    make_upload(ada, shows=["happy"], created_at=NOON)
    assert [(label.slug, total) for label, total in drawn(ada).totals] == [("happy", 2), ("sad", 1)]


@pytest.mark.parametrize(
    ("days", "unit"), [(0, "day"), (21, "day"), (22, "week"), (154, "week"), (155, "month"), (800, "year")]
)
def test_the_unit_suits_the_span(days: int, unit: str, ada: User) -> None:
    make_upload(ada, created_at=NOON)
    make_upload(ada, created_at=NOON - timedelta(days=days))
    chart = drawn(ada)
    assert chart.unit == unit
    assert LEAST_COLUMNS <= len(chart.columns) <= 26


def test_quiet_days_are_empty_columns_and_the_newest_is_last(ada: User) -> None:
    make_upload(ada, created_at=NOON)
    make_upload(ada, created_at=NOON - timedelta(days=11))
    totals = [column.total for column in drawn(ada).columns]
    assert totals == [1, *[0] * 10, 1]


def test_slices_fill_the_highest_column_from_the_bottom(ada: User) -> None:
    for label in ("happy", "sad", "sad"):
        make_upload(ada, shows=[label], created_at=NOON)
    slices = drawn(ada).columns[-1].slices
    assert [(one.label.slug, one.y, one.height) for one in slices] == [
        ("happy", "66.667%", "33.333%"),
        ("sad", "0.000%", "66.667%"),
    ]


def test_only_the_newest_are_counted(ada: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timeline, "NEWEST", 2)
    for hour in range(4):
        label = "happy" if hour < 2 else "sad"
        make_upload(ada, shows=[label], created_at=NOON + timedelta(hours=hour))
    chart = drawn(ada)
    assert chart.photographs == 2
    assert [(label.slug, total) for label, total in chart.totals] == [("sad", 2)]


@pytest.mark.parametrize(
    ("filters", "sentence"),
    [
        ("", "Counted in your newest 2 photographs: each counts once"),
        ("?showing=sad", "Counted in your newest 2 photographs: each counts once"),
        ("?first=2026-03-15", "Counted in your newest photograph from 15 March 2026: each"),
        ("?last=2026-03-15", "Counted in your newest 2 photographs up to 15 March 2026: each"),
        (
            "?first=2026-03-01&last=2026-03-15",
            "Counted in your newest 2 photographs from 1 March 2026 up to 15 March 2026: each",
        ),
    ],
)
def test_it_says_which_photographs_are_counted(
    filters: str, sentence: str, ada: User, ada_client: Client
) -> None:
    make_upload(ada, created_at=NOON)
    make_upload(ada, shows=["sad"], created_at=NOON - timedelta(days=1))
    assert sentence in ada_client.get(f"/uploads/{filters}").content.decode()


def test_the_same_numbers_stand_in_a_table(ada: User, ada_client: Client) -> None:
    make_upload(ada, shows=["happy"], created_at=NOON)
    page = ada_client.get("/uploads/").content.decode()
    assert '<th scope="row">15 Mar</th><td>1</td>' in page
