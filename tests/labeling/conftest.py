from __future__ import annotations

import io
from pathlib import Path

import pytest
from django.core.management import call_command

from classifier.models import LabelSet
from tests.labeling.cast import expressions
from tests.labeling.files import fer_file, fer_rows


@pytest.fixture
def examples(db: None, tmp_path: Path) -> LabelSet:
    """14 imported examples, two of each label."""
    call_command("import_dataset", fer_file(tmp_path / "fer.csv", fer_rows(range(14))), stdout=io.StringIO())
    return expressions()
