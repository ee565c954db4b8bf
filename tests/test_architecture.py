"""Imports run one way, and a web process stays light."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from classifier.ml import artifact as artifacts
from tests.artifacts import tiny_artifact
from tests.photographs import astronaut

ROOT = Path(__file__).resolve().parent.parent
FORBIDDEN = [
    ("classifier", "labeling"),
    ("classifier/vision", "django"),
    ("classifier/vision", "classifier.ml"),
    ("classifier/ml", "django"),
]
# What only a training process may load: each costs a web worker seconds or hundreds of megabytes.
HEAVY = {
    *("tensorflow", "keras", "tf2onnx", "onnx", "sklearn", "matplotlib", "skimage", "torch"),
    *("pandas", "pyarrow", "cleanlab"),
    # What Django REST framework would load because it is there: 16 MB, for nothing.
    *("requests", "pygments", "yaml"),
}


def modules(folder: str) -> Iterator[tuple[Path, str]]:
    """Every file in a folder, with the dotted name of its module."""
    for path in sorted((ROOT / folder).rglob("*.py")):
        yield path, ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")


def imported(path: Path, module: str) -> set[str]:
    """Dotted names that a file imports anywhere, also inside functions and for type checking alone."""
    found: set[str] = set()
    package = module.split(".") if path.name == "__init__.py" else module.split(".")[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            start = ".".join([*base, *([node.module] if node.module else [])])
            found |= {start} | {f"{start}.{alias.name}" for alias in node.names}
    return found


def within(name: str, package: str) -> bool:
    return name == package or name.startswith(f"{package}.")


@pytest.mark.parametrize(("folder", "forbidden"), FORBIDDEN)
def test_imports_run_one_way(folder: str, forbidden: str) -> None:
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path, module in modules(folder)
        for name in imported(path, module)
        if within(name, forbidden)
    ]
    assert any(modules(folder))
    assert wrong == []


@pytest.mark.parametrize(
    ("folder", "known"),
    [
        ("classifier/vision", ["classifier.vision"]),
        # What learns from faces that others cut out cuts them as photographs' faces are cut.
        ("classifier/ml", ["classifier.ml", "classifier.vision"]),
    ],
)
def test_vision_and_ml_know_nothing_of_the_site_around_them(folder: str, known: list[str]) -> None:
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path, module in modules(folder)
        for name in imported(path, module)
        if within(name, "classifier") and name != "classifier" and not any(within(name, own) for own in known)
    ]
    assert wrong == []


def test_nothing_loads_what_could_run_code() -> None:
    sources = [
        path
        for folder in ("benchmarks", "classifier", "docs", "emotion_site", "labeling")
        for path in (ROOT / folder).rglob("*.py")
    ]
    dangerous = re.compile(r"pickle|joblib\.load|torch\.load", re.IGNORECASE)
    found = [str(path.relative_to(ROOT)) for path in sources if dangerous.search(path.read_text("utf-8"))]
    assert len(sources) > 100
    assert found == []


def test_the_gate_knows_arrays_and_nothing_of_the_site() -> None:
    names = imported(ROOT / "labeling/gate.py", "labeling.gate")
    ours = {name for name in names if within(name, "classifier") or within(name, "labeling")}
    assert {name for name in ours if not within(name, "classifier.ml")} == set()
    assert not any(within(name, "django") for name in names)


def test_models_reach_into_no_stage() -> None:
    names = imported(ROOT / "classifier/models.py", "classifier.models")
    models = ("classifier.activation", "classifier.labels", "classifier.worker_job")  # no stages
    reached = {name for name in names if within(name, "classifier")}
    assert [name for name in reached if not any(within(name, module) for module in models)] == []


def test_no_file_is_too_long_to_be_read_at_once() -> None:
    folders = ("classifier", "emotion_site", "labeling", "tests", "benchmarks")
    long = {
        str(path.relative_to(ROOT)): lines
        for folder in folders
        for path, _ in modules(folder)
        if "migrations" not in path.parts and (lines := len(path.read_text().splitlines())) >= 400
    }
    assert long == {}


WEB_WORKER = """
import json, sys
from pathlib import Path

import emotion_site.wsgi
from django.contrib import admin
from django.core.management import call_command
from django.test import Client
from classifier.models import User
from classifier.registry import promote, register

folder = Path(sys.argv[1])
call_command("migrate", verbosity=0)
call_command("createcachetable", verbosity=0)
promote(register((folder / "model.onnx").read_bytes(), json.loads((folder / "model.json").read_text())))
admin.autodiscover()
client = Client(headers={"host": "localhost"})
client.force_login(User.objects.create_user("ada"))
with open(folder / "photo.jpg", "rb") as photo:
    sent = client.post("/uploads/", {"photos": photo})
result = client.get(sent["Location"] + "result.json").json()
picture = client.get(sent["Location"] + "annotated.jpg")
with open(folder / "photo.jpg", "rb") as photo:
    answer = client.post("/api/v1/predictions/", {"image": photo})
assert answer.status_code == 201, answer.content
print(json.dumps({
    "labels": [face["label"] for face in result["faces"]],
    "picture": picture.status_code,
    "modules": sorted(sys.modules),
}))
"""


def test_a_web_worker_that_read_a_photograph_has_not_loaded_what_only_training_needs(tmp_path: Path) -> None:
    """In a process of its own: this one has loaded whatever other tests needed."""
    artifacts.write(tmp_path, "model", *tiny_artifact(favourite="surprise"))
    (tmp_path / "photo.jpg").write_bytes(astronaut())
    environment = {
        "PATH": os.environ["PATH"],
        "ENV_FILE": os.devnull,
        "SECRET_KEY": "k" * 50,
        "DATA_DIR": str(tmp_path / "data"),
        "LOOPBACK_HTTP": "1",
        "LOG_LEVEL": "WARNING",
    }
    command = [sys.executable, "-c", WEB_WORKER, str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    said = json.loads(done.stdout)
    assert (said["labels"], said["picture"]) == (["surprise"], 200)
    assert "onnxruntime" in said["modules"]
    assert HEAVY & set(said["modules"]) == set()
