"""Read photographs from the shell, storing nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from classifier.ml.artifact import ArtifactError
from classifier.pipeline import read_photograph
from classifier.results import describe_reading
from classifier.serving import NoActiveModelError, active_model
from classifier.vision.image import ImageDecodeError

NOT_READ: dict[str, Any] = {"width": None, "height": None, "model": None, "faces_found": 0, "faces": []}


class Command(BaseCommand):
    help = (
        "Find the faces in photographs and read their expressions. Stores nothing. Exit status 1: one failed."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("photographs", nargs="+", metavar="PHOTO", type=Path)
        parser.add_argument("--json", action="store_true", help="print one JSON list")
        parser.add_argument(
            "--label-set",
            action="append",
            default=[],
            help=f"{settings.DEFAULT_LABEL_SET} unless told; may be given several times",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            for label_set in options["label_set"] or [settings.DEFAULT_LABEL_SET]:
                active_model(label_set)
        except (NoActiveModelError, ArtifactError) as error:
            raise CommandError(f"{error} `manage.py install_models` installs the bundled models.") from error
        results = [_read(path, options["label_set"]) for path in options["photographs"]]
        if options["json"]:
            self.stdout.write(json.dumps(results, ensure_ascii=False, indent=1))
        else:
            self.stdout.write("\n".join(line for result in results for line in _lines(result)))
        if any(result["error"] for result in results):
            raise SystemExit(1)


def _read(path: Path, label_sets: list[str]) -> dict[str, Any]:
    try:
        reading = read_photograph(path.read_bytes(), label_sets=label_sets)
    except ImageDecodeError as error:
        return {"path": str(path), "error": str(error), **NOT_READ}
    except OSError as error:
        return {"path": str(path), "error": f"The file can't be read: {error.strerror}.", **NOT_READ}
    return {"path": str(path), "error": None, **describe_reading(reading)}


def _lines(result: dict[str, Any]) -> list[str]:
    if result["error"]:
        return [f"{result['path']}: {result['error']}"]
    found = result["faces_found"]
    return [
        f"{result['path']}: {found or 'no'} face{'' if found == 1 else 's'}",
        *(_face_line(face, reading) for face in result["faces"] for reading in face["readings"]),
    ]


def _face_line(face: dict[str, Any], reading: dict[str, Any]) -> str:
    x, y, w, h = (round(side) for side in face["box"])
    best = sorted(reading["probabilities"].items(), key=lambda pair: -pair[1])
    # Of two, one percentage says both.
    told = best[:1] if len(best) == 2 else best
    percentages = ", ".join(f"{slug} {share:.0%}" for slug, share in told)
    doubt = (face["quality"]["unreadable"] or "unsure").replace("_", " ") if reading["unsure"] else ""
    return f"  {w} × {h} at {x}, {y}: {percentages}{f'  ({doubt})' if doubt else ''}"
