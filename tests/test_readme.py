"""What the README promises about commands, modules and files is so."""

from __future__ import annotations

import re
from pathlib import Path

from classifier.management.commands.install_models import FILES

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text("utf-8")


def test_every_make_target_exists() -> None:
    targets = set(re.findall(r"\bmake ([a-z-]+)", README))
    assert {"run", "test"} <= targets
    assert targets <= set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text("utf-8"), re.MULTILINE))


def test_every_module_that_is_run_exists() -> None:
    for module in set(re.findall(r"python -m ([a-z_.]+)", README)):
        assert (ROOT / (module.replace(".", "/") + ".py")).is_file(), module


def test_every_path_exists() -> None:
    for path in re.findall(r"`((?:classifier|labeling|benchmarks|docs)/[\w./-]*)`", README):
        assert (ROOT / path).exists(), path
    for path in re.findall(r"\]\(((?!http|#)[^)]+)\)", README):
        assert (ROOT / path).exists(), path


def test_every_management_command_exists() -> None:
    commands = {path.stem for path in ROOT.glob("*/management/commands/*.py")}
    named = set(re.findall(r"manage\.py ([a-z_]+)", README)) - {"changepassword", "check", "spectacular"}
    assert named <= commands


def test_every_option_of_a_module_exists() -> None:
    both_trainings = (ROOT / "classifier/ml/fer2013.py").read_text("utf-8")
    runs = re.findall(r"-m ((?:benchmarks|classifier)\.[\w.]+)([^`\n]*)", README)
    assert len(runs) > 10
    for module, given in runs:
        source = (ROOT / f"{module.replace('.', '/')}.py").read_text("utf-8") + both_trainings
        for option in re.findall(r"--[a-z-]+", given):
            assert f'"{option}"' in source, f"{module} {option}"


def test_what_was_trained_is_copied_to_the_names_that_are_installed() -> None:
    copies = re.findall(r"^cp var/(?:taught|svm)/(\S+) classifier/weights/(\S+)$", README, re.MULTILINE)
    assert copies == [(name.partition("-")[2], name) for name in FILES]
