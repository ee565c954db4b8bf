"""Misconfiguration has a number and a way out."""

from __future__ import annotations

from pathlib import Path

import pytest
from pytest_django import Settings

from classifier.models import LabelSet
from emotion_site import checks


def test_a_data_dir_that_cannot_be_written_is_an_error(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.DATA_DIR = tmp_path
    assert checks.data_dir_is_writable() == []
    # Root may write anywhere, so the answer of the system is stood in for.
    monkeypatch.setattr(checks.os, "access", lambda path, mode: False)
    (message,) = checks.data_dir_is_writable()
    assert message.id == "emotion_site.E001"
    assert str(tmp_path) in message.msg


@pytest.mark.django_db
def test_a_default_label_set_that_does_not_exist_is_warned_of(settings: Settings) -> None:
    assert checks.default_label_set_exists(databases=["default"]) == []
    settings.DEFAULT_LABEL_SET = "names"
    (message,) = checks.default_label_set_exists(databases=["default"])
    assert (message.id, message.is_serious()) == ("emotion_site.W001", False)
    assert "DEFAULT_LABEL_SET=names" in message.msg
    assert str(message.hint).endswith("one of: expressions.")
    assert checks.default_label_set_exists() == [], "commands that leave the database alone don't ask it"
    LabelSet.objects.create(slug="names", name="Names")
    assert checks.default_label_set_exists(databases=["default"]) == []
