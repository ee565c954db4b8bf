"""Every installation is the same, and a site installs nothing that only development needs."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import requires, version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).resolve().parent.parent
FILES = ["requirements.txt", "requirements-dev.txt"]
# The last section of each file: what stands there only because something above needs it.
OTHERS = "# What those need"


def listed(text: str) -> list[Requirement]:
    lines = [line for line in text.splitlines() if line and not line.startswith(("#", "-r"))]
    pinned = [Requirement(line) for line in lines]
    return [pin for pin in pinned if pin.marker is None or pin.marker.evaluate()]


def chosen(file: str) -> list[Requirement]:
    return listed((ROOT / file).read_text("utf-8").partition(OTHERS)[0])


def pins(file: str) -> dict[str, Requirement]:
    return {canonicalize_name(pin.name): pin for pin in listed((ROOT / file).read_text("utf-8"))}


def needs(pin: Requirement) -> Iterator[Requirement]:
    """What a requirement asks for in turn, on this machine and with its extras."""
    for line in requires(pin.name) or []:
        need = Requirement(line)
        extras = ["", *pin.extras]
        if need.marker is None or any(need.marker.evaluate({"extra": extra}) for extra in extras):
            yield need


def reachable(pinned: list[Requirement]) -> set[str]:
    found: set[tuple[str, frozenset[str]]] = set()
    waiting = list(pinned)
    while waiting:
        need = waiting.pop()
        key = (canonicalize_name(need.name), frozenset(need.extras))
        if key not in found:
            found.add(key)
            waiting.extend(needs(need))
    return {name for name, _ in found}


@pytest.mark.parametrize("file", FILES)
def test_every_requirement_is_pinned_to_the_version_that_is_tested(file: str) -> None:
    for name, pin in pins(file).items():
        assert str(pin.specifier) == f"=={version(name)}", file


def test_the_site_pins_all_that_it_installs_and_nothing_else() -> None:
    assert reachable(chosen("requirements.txt")) == set(pins("requirements.txt"))


def test_development_pins_only_what_the_site_does_not() -> None:
    wanted = reachable(chosen("requirements-dev.txt"))
    assert wanted - set(pins("requirements.txt")) == set(pins("requirements-dev.txt"))
