"""What the environment may say, and what the site makes of it."""

from __future__ import annotations

import os
import runpy
import string
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

from tests.settings import SETTINGS_FILE, VARIABLES

ROOT = SETTINGS_FILE.parent.parent
ENOUGH = {"SECRET_KEY": string.ascii_letters, "ENV_FILE": os.devnull}

BAD_VALUES = {
    "SECRET_KEY": "short",
    "DEBUG": "maybe",
    "DATA_DIR": "/dev/null/data",
    "LOOPBACK_HTTP": "2",
    "ALLOWED_HOSTS": "https://faces.example.org",
    "CSRF_TRUSTED_ORIGINS": "faces.example.org",
    "TRUST_PROXY": "yes",
    "PORT": "70000",
    "WEB_WORKERS": "0",
    "WEB_THREADS": "four",
    "FACE_DETECTOR": "mtcnn",
    "DEFAULT_LABEL_SET": "two words",
    "MAX_UPLOAD_MB": "0",
    "MAX_MEGAPIXELS": "-5",
    "MAX_FILES_PER_UPLOAD": "many",
    "MAX_FACES": "1e3",
    "UPLOAD_RATE": "60 a minute",
    "API_RATE": "fast",
    "API_ADDRESS_RATE": "0/min",
    "BULK_RATE": "10/week",
    "MAX_BULK_MB": "0",
    "MAX_BULK_FILES": "many",
    "MAX_IMPORT_MB": "0",
    "FETCH_URLS": "some",
    "REVIEW_LEASE_MINUTES": "0",
    "REVIEW_PROBE_SHARE": "10%",
    "REVIEW_HIDDEN_SHARE": "1.1",
    "GATE_LEVEL": "5%",
    "GATE_RECALL_FALL": "3",
    "GATE_CALIBRATION": "-0.05",
    "GATE_LATENCY_MS": "0",
    "GATE_LEAST_EXAMPLES": "0",
    "GATE_LEAST_OF_LABEL": "few",
    "RESCORE_DAYS": "a month",
    "RESCORE_AT_MOST": "-1",
    "STORED_LONG_SIDE": "10",
    "DATABASE_URL": "mysql://user:hunter2@host/name",
    "EMAIL_URL": "smtp://user:hunter2@host:notaport",
    "TIME_ZONE": "Mars/Olympus_Mons",
    "LOG_LEVEL": "LOUD",
}
MORE_BAD_VALUES = [
    ("ALLOWED_HOSTS", ","),
    ("ALLOWED_HOSTS", "faces.example.org:8000"),
    ("CSRF_TRUSTED_ORIGINS", "https://["),
    ("CSRF_TRUSTED_ORIGINS", ","),
    ("CSRF_TRUSTED_ORIGINS", "https://faces.example.org/"),
    ("CSRF_TRUSTED_ORIGINS", "https://ada:hunter@faces.example.org"),
    ("DATABASE_URL", "sqlite://"),
    ("DATABASE_URL", "sqlite://:memory:"),
    ("DATABASE_URL", "sqlite:///not/absolute"),
    ("DATABASE_URL", "sqlite:////a/folder/"),
    ("DATABASE_URL", "mongodb://user:hunter2@host/name"),
    ("DATABASE_URL", "postgres://user:hunter2@host"),
    ("DATABASE_URL", "postgres://user:hunter2@host/"),
    ("DATABASE_URL", "postgres://user:hunter2@host:port/name"),
    ("DATABASE_URL", "postgres://["),
    ("DATABASE_URL", "the database"),
    ("EMAIL_URL", "smtp://["),
    ("TIME_ZONE", "Europe"),
    ("TIME_ZONE", "/etc/localtime"),
]
FREE_TEXT = {"BIND_HOST", "DEFAULT_FROM_EMAIL"}


def load_settings(monkeypatch: pytest.MonkeyPatch, **environment: str) -> dict[str, Any]:
    """The settings as a process with nothing but `environment` sees them."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    for name, value in (ENOUGH | environment).items():
        monkeypatch.setenv(name, value)
    return runpy.run_path(str(SETTINGS_FILE))


@pytest.fixture(autouse=True)
def own_data_dir(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Settings make DATA_DIR; here that is never the checkout's own."""
    monkeypatch.setitem(ENOUGH, "DATA_DIR", str(tmp_path / "data"))


def test_every_variable_is_tried_with_a_bad_value() -> None:
    assert set(BAD_VALUES) == VARIABLES - FREE_TEXT


@pytest.mark.parametrize(("name", "value"), [*BAD_VALUES.items(), *MORE_BAD_VALUES])
def test_a_bad_value_stops_the_start_and_says_what_is_accepted(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    with pytest.raises(ImproperlyConfigured, match=rf"^{name}.*{name} accepts") as caught:
        load_settings(monkeypatch, **{name: value})
    assert "hunter2" not in str(caught.value)


def test_without_a_secret_key_nothing_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ImproperlyConfigured, match=r"SECRET_KEY is not set.*make install"):
        load_settings(monkeypatch, SECRET_KEY="")


def test_https_is_on_unless_asked_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    found = load_settings(monkeypatch)
    assert found["SECURE_SSL_REDIRECT"]
    assert found["SESSION_COOKIE_SECURE"]
    assert found["CSRF_COOKIE_SECURE"]
    assert found["SECURE_HSTS_SECONDS"] >= 31_536_000
    assert found["SECURE_PROXY_SSL_HEADER"] is None
    assert not found["DEBUG"]


def test_plain_http_is_for_this_machine_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    found = load_settings(
        monkeypatch, LOOPBACK_HTTP="1", ALLOWED_HOSTS="faces.example.org", BIND_HOST="0.0.0.0"
    )
    assert not found["SECURE_SSL_REDIRECT"]
    assert found["SECURE_HSTS_SECONDS"] == 0
    assert found["ALLOWED_HOSTS"] == ["localhost", "127.0.0.1", "[::1]"]
    assert found["BIND_HOST"] == "127.0.0.1"


def test_plain_http_behind_a_proxy_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ImproperlyConfigured, match="TRUST_PROXY accepts only 0"):
        load_settings(monkeypatch, LOOPBACK_HTTP="1", TRUST_PROXY="1")


def test_debug_pages_never_face_the_world(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ImproperlyConfigured, match=r"DEBUG accepts 1 only beside LOOPBACK_HTTP=1"):
        load_settings(monkeypatch, DEBUG="1", ALLOWED_HOSTS="faces.example.org")
    found = load_settings(monkeypatch, DEBUG="1", LOOPBACK_HTTP="1", ALLOWED_HOSTS="faces.example.org")
    assert found["DEBUG"]
    assert "faces.example.org" not in found["ALLOWED_HOSTS"]


def test_names_and_origins_of_every_kind_are_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    origins = ["https://faces.example.org", "https://*.example.org", "http://127.0.0.1:8000", "https://[::1]"]
    hosts = ["faces.example.org", ".example.org", "10.0.0.7", "[2001:db8::7]"]
    found = load_settings(
        monkeypatch, ALLOWED_HOSTS=" , ".join(hosts), CSRF_TRUSTED_ORIGINS=",".join(origins) + ","
    )
    assert found["ALLOWED_HOSTS"] == hosts
    assert found["CSRF_TRUSTED_ORIGINS"] == origins


def test_days_begin_where_the_site_is(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_settings(monkeypatch)["TIME_ZONE"] == "UTC"
    assert load_settings(monkeypatch, TIME_ZONE="Asia/Tokyo")["TIME_ZONE"] == "Asia/Tokyo"


def test_a_trusted_proxy_says_what_is_https_and_who_connects(monkeypatch: pytest.MonkeyPatch) -> None:
    found = load_settings(monkeypatch, TRUST_PROXY="2")
    assert found["SECURE_PROXY_SSL_HEADER"] == ("HTTP_X_FORWARDED_PROTO", "https")
    assert found["ALLAUTH_TRUSTED_PROXY_COUNT"] == 2


def test_everything_written_lies_in_a_private_data_dir(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    found = load_settings(monkeypatch, DATA_DIR=str(tmp_path / "elsewhere"))
    folder = tmp_path / "elsewhere"
    assert folder.stat().st_mode & 0o777 == 0o700
    assert found["DATABASES"]["default"]["NAME"] == str(folder / "db.sqlite3")
    assert found["MEDIA_ROOT"].is_relative_to(folder)
    assert found["STATIC_ROOT"].is_relative_to(folder)
    assert found["FILE_UPLOAD_TEMP_DIR"].is_relative_to(folder)


def test_uploads_wait_in_a_private_folder_that_exists(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    found = load_settings(monkeypatch, DATA_DIR=str(tmp_path / "elsewhere"))
    assert found["FILE_UPLOAD_TEMP_DIR"].stat().st_mode & 0o777 == 0o700


def test_a_data_dir_that_cannot_hold_that_folder_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "tmp").write_text("a file where the folder should be")
    with pytest.raises(ImproperlyConfigured, match="DATA_DIR accepts a folder"):
        load_settings(monkeypatch, DATA_DIR=str(tmp_path))


def test_a_data_dir_may_have_any_name(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folder = tmp_path / "c++ #1 50%25?"
    database = load_settings(monkeypatch, DATA_DIR=str(folder))["DATABASES"]["default"]
    assert database["NAME"] == str(folder / "db.sqlite3")


def test_sqlite_waits_for_other_writers(monkeypatch: pytest.MonkeyPatch) -> None:
    options = load_settings(monkeypatch)["DATABASES"]["default"]["OPTIONS"]
    assert options["transaction_mode"] == "IMMEDIATE"
    assert "journal_mode=WAL" in options["init_command"]


def test_a_database_url_means_postgresql(monkeypatch: pytest.MonkeyPatch) -> None:
    database = load_settings(monkeypatch, DATABASE_URL="postgres://ada:pass%21@db.example.org:5433/faces")[
        "DATABASES"
    ]["default"]
    assert database["ENGINE"] == "django.db.backends.postgresql"
    assert (database["HOST"], database["PORT"], database["NAME"]) == ("db.example.org", 5433, "faces")
    assert (database["USER"], database["PASSWORD"]) == ("ada", "pass!")
    assert "transaction_mode" not in database.get("OPTIONS", {})


def test_mail_goes_where_the_url_says(monkeypatch: pytest.MonkeyPatch) -> None:
    found = load_settings(monkeypatch, EMAIL_URL="smtp+tls://post:secret@mail.example.org:587")
    assert found["EMAIL_BACKEND"].endswith("smtp.EmailBackend")
    assert (found["EMAIL_HOST"], found["EMAIL_PORT"], found["EMAIL_USE_TLS"]) == (
        "mail.example.org",
        587,
        True,
    )


def test_the_process_environment_wins_over_the_env_file(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "env"
    file.write_text("MAX_FACES=7\nMAX_UPLOAD_MB=3\n")
    found = load_settings(monkeypatch, ENV_FILE=str(file), MAX_FACES="8")
    assert (found["MAX_FACES"], found["MAX_UPLOAD_MB"]) == (8, 3)


PRODUCTION = {
    "ALLOWED_HOSTS": "faces.example.org",
    "CSRF_TRUSTED_ORIGINS": "https://faces.example.org",
    "TRUST_PROXY": "1",
    "DATABASE_URL": "postgres://ada:secret@db.example.org/faces",
    "EMAIL_URL": "smtp+tls://post:secret@mail.example.org:587",
    "TIME_ZONE": "Europe/Berlin",
}


@pytest.mark.parametrize("set_by_operator", [{}, PRODUCTION], ids=["nothing", "production"])
def test_the_deployment_checks_find_nothing(tmp_path: Path, set_by_operator: dict[str, str]) -> None:
    """As an operator runs them: with a secret key alone, and with everything that a public site sets."""
    environment = ENOUGH | {"PATH": os.environ["PATH"], "DATA_DIR": str(tmp_path)} | set_by_operator
    done = subprocess.run(
        [sys.executable, "manage.py", "check", "--deploy", "--fail-level", "WARNING"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    assert "no issues" in done.stdout
