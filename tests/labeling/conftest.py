from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db import connection, connections

from classifier.models import LabelSet
from tests.labeling.cast import expressions
from tests.labeling.files import fer_file, fer_rows


@pytest.fixture
def examples(db: None, tmp_path: Path) -> LabelSet:
    """14 imported examples, two of each label."""
    call_command("import_dataset", fer_file(tmp_path / "fer.csv", fer_rows(range(14))), stdout=io.StringIO())
    return expressions()


@pytest.fixture
def database_for_threads(db: None, tmp_path: Path) -> Iterator[None]:
    """One that other threads can write to: on SQLite a file, of which the test's own is in memory."""
    if connection.vendor != "sqlite":
        yield
        return
    in_memory, settings = connections["default"], connections.settings["default"]
    name, settings["NAME"] = settings["NAME"], str(tmp_path / "db.sqlite3")
    in_file = connections.create_connection("default")
    in_file.ensure_connection()
    with in_file.constraint_checks_disabled():
        in_file.connection.executescript("".join(in_memory.connection.iterdump()))
    connections["default"] = in_file
    yield
    in_file.close()
    connections["default"], settings["NAME"] = in_memory, name
