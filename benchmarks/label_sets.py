"""How well a label set is told from a few dozen pictures of each label, by the site's own commands.

    python -m benchmarks.label_sets --photographs PHOTOS [--labels happy,sad] [--draws 10]
    python -m benchmarks.label_sets --folder PEOPLE

PHOTOS holds `labels.csv` (`image,expression`) and `images/`. Of each label 40 are drawn to learn from:
imported by `import_dataset --create --detect`, trained on by `retrain --estimator auto`. The version that
came of it reads all others; a photograph without a face counts as wrong. All choices are made among the 40.

PEOPLE is a folder of pictures for each label. All are imported and trained on; what cross-validation by
groups of near-duplicates says of them is printed, and how long that took. Both on a database of their own.
"""

from __future__ import annotations

import argparse
import io
import json
import shutil
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.history import set_up_django
from benchmarks.photographs import labelled, our_reader
from classifier.ml.metrics import wilson_interval
from classifier.ml.runtime import Classifier

LEARNED_FROM = 40


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    given = parser.add_mutually_exclusive_group(required=True)
    given.add_argument("--photographs", type=Path)
    given.add_argument("--folder", type=Path)
    parser.add_argument("--labels", default="happy,sad")
    parser.add_argument("--draws", type=int, default=10)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        set_up_django(folder)
        if options.folder:
            import_and_train(options.folder, "people")
        else:
            draw_often(options.photographs, options.labels.split(","), options.draws, Path(folder))


def draw_often(photographs: Path, labels: list[str], draws: int, folder: Path) -> None:
    """Prints a line for each draw, and the mean with its 95 % interval over all pictures that were read."""
    known = {label: [path for path, said in labelled(photographs) if said == label] for label in labels}
    hits = read = 0
    shares = []
    for draw in range(draws):
        rng = np.random.default_rng(draw)
        others: list[tuple[Path, str]] = []
        learn = folder / f"draw-{draw}"
        for label, paths in known.items():
            (learn / label).mkdir(parents=True)
            order = rng.permutation(len(paths))
            for place in order[:LEARNED_FROM]:
                shutil.copy(paths[place], learn / label)
            others += [(paths[place], label) for place in order[LEARNED_FROM:]]
        told = import_and_train(learn, f"draw-{draw}")
        right = count_right(told["label_set"], others)
        hits, read = hits + right, read + len(others)
        shares.append(right / len(others))
        print(f"draw {draw}: {right} of {len(others)} others rightly, {shares[-1]:.3f}", flush=True)
    low, high = wilson_interval(hits, read)
    print(f"\nmean {np.mean(shares):.3f} (95 % interval {low:.3f} to {high:.3f}), least {min(shares):.3f}")


def import_and_train(folder: Path, slug: str) -> dict[str, Any]:
    """Prints what came of it; returns what `retrain --json` tells."""
    began = time.monotonic()
    imported = _call("import_dataset", str(folder), "--label-set", slug, "--create", "--detect", "--json")
    took = time.monotonic() - began
    kept = f"{imported['added']} of {imported['rows']} pictures in {took:.0f} s"
    print(f"{slug}: imported {kept}, {imported['set_aside']} set aside", flush=True)
    began = time.monotonic()
    told = _call("retrain", "--label-set", slug, "--estimator", "auto", "--json")
    best, figures = told["cross_validation"][0], told["metrics"]["left_out"]
    low, high = figures["accuracy_95"]
    print(f"  {told['outcome']} after {time.monotonic() - began:.0f} s: {told['message']}")
    print(f"  {best['features']}, {best['estimator']} {best['parameters']}")
    print(
        f"  cross-validation {figures['accuracy']:.3f} ({low:.3f} to {high:.3f}) of {figures['faces']} faces"
    )
    print(f"  its test split {told['metrics']['candidate']['accuracy']:.3f}", flush=True)
    return told


def _call(command: str, *arguments: str) -> dict[str, Any]:
    """What a command prints with `--json`; what the gate refuses is told, too."""
    from django.core.management import CommandError, call_command

    out = io.StringIO()
    try:
        call_command(command, *arguments, stdout=out, stderr=io.StringIO())
    except CommandError:
        if not out.getvalue():
            raise
    told: dict[str, Any] = json.loads(out.getvalue())
    return told


def count_right(slug: str, photographs: list[tuple[Path, str]]) -> int:
    """By the newest version of the label set, of the largest face in each."""
    from classifier.models import ModelVersion
    from classifier.serving import read_artifact

    version = ModelVersion.objects.filter(label_set__slug=slug).latest("number")
    read = our_reader(Classifier.load(read_artifact(version), version.card))
    return sum(read(path) == label for path, label in photographs)


if __name__ == "__main__":
    main()
