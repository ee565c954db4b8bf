"""Whenever a registration or a promotion is killed, one whole version is active, and nothing in the way."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from classifier.ml import artifact as artifacts
from tests.artifacts import tiny_artifact

ROOT = Path(__file__).resolve().parents[2]


def test_a_kill_at_any_line_leaves_one_valid_active_version(tmp_path: Path) -> None:
    artifacts.write(tmp_path, "one", *tiny_artifact(favourite="happy"))
    artifacts.write(tmp_path, "other", *tiny_artifact(favourite="sad"))
    environment = {
        "PATH": os.environ["PATH"],
        "DJANGO_SETTINGS_MODULE": "emotion_site.settings",
        "ENV_FILE": os.devnull,
        "SECRET_KEY": "k" * 50,
        "DATA_DIR": str(tmp_path / "data"),
        "LOOPBACK_HTTP": "1",
        "LOG_LEVEL": "ERROR",
    }
    command = [sys.executable, "-m", "tests.classifier.killed", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    # A test that kills nothing proves nothing.
    assert told["registered"] > 30
    assert told["promoted"] > 15
    assert 1 < told["activations"] <= told["promoted"]
