"""The cast that every test knows, and what must be the same for all of them.

ada is who the test is about, bob is the stranger, root is the superuser; `ada_client` and the like are logged
in, `client` is nobody.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.core.cache import cache
from django.test import Client
from pytest_django import Settings

from classifier import serving
from classifier.models import User
from tests.factories import make_superuser, make_user

NO_SHARED_DATA = "no shared data"


@pytest.fixture
def ada(db: None) -> User:
    return make_user("ada")


@pytest.fixture
def bob(db: None) -> User:
    return make_user("bob")


@pytest.fixture
def root(db: None) -> User:
    return make_superuser("root")


def logged_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def ada_client(ada: User) -> Client:
    return logged_in(ada)


@pytest.fixture
def bob_client(bob: User) -> Client:
    return logged_in(bob)


@pytest.fixture
def root_client(root: User) -> Client:
    return logged_in(root)


@pytest.fixture(autouse=True)
def own_media(settings: Settings, tmp_path: Path) -> None:
    """No test sees another's files."""
    settings.MEDIA_ROOT = tmp_path / "media"


@pytest.fixture(autouse=True)
def empty_cache() -> Iterator[None]:
    """No test uses up another's rate limits."""
    yield
    cache.clear()


@pytest.fixture(autouse=True)
def nothing_loaded() -> None:
    """No test is answered by another's model."""
    serving.forget()


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of data sets that are not part of the project, or a skip where it is absent."""
    default = Path(__file__).resolve().parents[2] / "shared" / "data"
    folder = Path(os.environ.get("SHARED_DATA") or default)
    if not folder.is_dir():
        pytest.skip(f"{NO_SHARED_DATA}: {folder} is not there")
    return folder


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--forbid-skips",
        action="store_true",
        help="fail the run when a test is skipped, unless for want of the shared data",
    )


def pytest_sessionfinish(session: pytest.Session) -> None:
    config = session.config
    if not config.getoption("--forbid-skips") or hasattr(config, "workerinput"):
        return
    reporter = config.pluginmanager.getplugin("terminalreporter")
    assert reporter is not None
    skipped = [
        report for report in reporter.stats.get("skipped", []) if NO_SHARED_DATA not in str(report.longrepr)
    ]
    for report in skipped:
        reporter.write_line(f"SKIPPED, which this run forbids: {report.nodeid} {report.longrepr}", red=True)
    if skipped:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
