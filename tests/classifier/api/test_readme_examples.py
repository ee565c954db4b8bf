"""Every example of the README's section on the API runs, as it stands there, against a real site."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from benchmarks.site import environment_of, make_token, prepare, serving
from tests.photographs import astronaut
from tests.smoke import sign_up

README = Path(__file__).resolve().parents[3] / "README.md"
SECTION = README.read_text("utf-8").partition("## The API\n")[2].partition("\n## ")[0]
EXAMPLES = re.findall(r"^```(sh|python)\n(.*?)^```", SECTION, re.MULTILINE | re.DOTALL)
SHELLS = {"sh": ["bash", "-euo", "pipefail", "-c"], "python": [sys.executable, "-c"]}


@pytest.fixture(scope="module")
def site() -> Iterator[dict[str, str]]:
    """Gunicorn on a database of its own; where it is, and a token for it, as the examples expect them."""
    with tempfile.TemporaryDirectory() as folder:
        environment = environment_of(
            Path(folder), DATABASE_URL="", DJANGO_SETTINGS_MODULE="emotion_site.settings"
        )
        prepare(environment)
        with serving(environment) as (url, _), httpx.Client(base_url=url, follow_redirects=True) as client:
            sign_up(client, "ada", "correct horse battery")
            yield {"SITE": url, "TOKEN": make_token(client)}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "photo.jpg").write_bytes(astronaut())
    with zipfile.ZipFile(tmp_path / "photos.zip", "w") as archive:
        archive.write(tmp_path / "photo.jpg", "photo.jpg")
    return tmp_path


def run(language: str, example: str, site: dict[str, str], folder: Path) -> str:
    environment = {"PATH": os.environ["PATH"], **site}
    command = [*SHELLS[language], example]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_there_are_examples_of_both_kinds() -> None:
    assert {language for language, _ in EXAMPLES} == {"sh", "python"}
    assert all("curl" in example or "httpx" in example for _, example in EXAMPLES)


@pytest.mark.parametrize(("language", "example"), EXAMPLES, ids=[example[:40] for _, example in EXAMPLES])
def test_an_example_runs_and_is_answered(
    language: str, example: str, site: dict[str, str], folder: Path
) -> None:
    said = run(language, example, site, folder)
    if language == "python":
        assert re.match(r"\w+ \d+%", said)
        return
    answer = json.loads(said)
    assert "type" not in answer, "a problem"
    if "archive" in example:
        assert (answer["state"], answer["total"]) == ("waiting", 1)
        assert (folder / "my-data.zip").stat().st_size
    else:
        assert len(answer["faces"]) == 1
        assert ("id" in answer) == ("store" not in example)


def test_the_problem_that_is_shown_is_what_comes(site: dict[str, str]) -> None:
    [shown] = re.findall(r"^```json\n(.*?)^```", SECTION, re.MULTILINE | re.DOTALL)
    answer = httpx.get(
        f"{site['SITE']}/api/v1/models/active/?label_set=colors",
        headers={"Authorization": f"Bearer {site['TOKEN']}"},
    )
    assert answer.json() == json.loads(shown)
