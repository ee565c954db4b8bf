"""The one secret that must exist before Django starts."""

from __future__ import annotations

from pathlib import Path

from emotion_site.secret_key import ensure_secret_key


def test_a_new_file_holds_a_long_key_that_only_its_owner_reads(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    assert ensure_secret_key(file)
    assert len(file.read_text()) > 60
    assert file.stat().st_mode & 0o777 == 0o600


def test_a_key_that_is_there_stays(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    ensure_secret_key(file)
    before = file.read_text()
    assert not ensure_secret_key(file)
    assert file.read_text() == before


def test_other_settings_in_the_file_stay(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_text("MAX_FACES=7\nSECRET_KEY=")
    assert ensure_secret_key(file)
    lines = file.read_text().splitlines()
    assert lines[0] == "MAX_FACES=7"
    assert lines[-1].startswith("SECRET_KEY=")
    assert len(lines[-1]) > 60


def test_every_key_is_another(tmp_path: Path) -> None:
    ensure_secret_key(tmp_path / "one")
    ensure_secret_key(tmp_path / "two")
    assert (tmp_path / "one").read_text() != (tmp_path / "two").read_text()
