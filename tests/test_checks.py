"""Misconfiguration has a number and a way out."""

from __future__ import annotations

from pathlib import Path

import pytest
from pytest_django import Settings

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
