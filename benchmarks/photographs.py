"""Photograph in, expression out: how often right, on photographs of single faces.

    python -m benchmarks.photographs --data ../shared/data/photos [--fer-python fer-env/bin/python]

The folder holds `labels.csv` (`image,expression`) and `images/`. A photograph without a face counts as wrong.
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.reference import FerReference
from classifier.ml import artifact as artifacts
from classifier.ml.dataset import EXPRESSIONS
from classifier.ml.runtime import Classifier
from classifier.vision.align import align_face
from classifier.vision.detect import make_detector
from classifier.vision.image import decode_photograph

WEIGHTS = Path(__file__).parent.parent / "classifier" / "weights" / "expressions-cnn.onnx"
Reader = Callable[[Path], str | None]


def labelled(folder: Path) -> list[tuple[Path, str]]:
    with (folder / "labels.csv").open(newline="") as file:
        return [(folder / "images" / row["image"], row["expression"]) for row in csv.DictReader(file)]


def our_reader(artifact: Path) -> Reader:
    """Reads the largest face as the site does."""
    detector, classifier = make_detector("yunet"), Classifier.load(*artifacts.read(artifact))

    def read(path: Path) -> str | None:
        pixels = decode_photograph(path.read_bytes()).pixels
        faces = detector.detect(pixels)
        if not faces:
            return None
        answer = classifier.predict(align_face(pixels, faces[0])[None])[0]
        return classifier.labels[int(answer.argmax())]

    return read


def fer_reader(python: Path) -> Reader:
    reference = FerReference(python)

    def read(path: Path) -> str | None:
        probabilities = reference.read(path)["probabilities"]
        return max(probabilities, key=probabilities.__getitem__) if probabilities else None

    return read


def score(read: Reader, photographs: list[tuple[Path, str]]) -> NDArray[np.int64]:
    """Counts (7, 8): rows are the labels, columns what was read; the last column is "no face"."""
    counts = np.zeros((len(EXPRESSIONS), len(EXPRESSIONS) + 1), np.int64)
    for path, label in photographs:
        said = read(path)
        column = EXPRESSIONS.index(said) if said else len(EXPRESSIONS)
        counts[EXPRESSIONS.index(label), column] += 1
    return counts


def report(name: str, counts: NDArray[np.int64]) -> None:
    recall = np.diag(counts) / counts.sum(axis=1)
    rng = np.random.default_rng(0)
    draws = [
        rng.binomial(total, share, 2000) / total
        for total, share in zip(counts.sum(axis=1), recall, strict=True)
    ]
    low, high = np.percentile(np.mean(draws, axis=0), [2.5, 97.5])
    print(f"\n{name}: {counts.sum()} photographs")
    print(f"  a face in        {1 - counts[:, -1].sum() / counts.sum():.1%}")
    print(f"  accuracy         {np.trace(counts) / counts.sum():.3f}")
    print(f"  balanced         {recall.mean():.3f}  (95 %: {low:.3f} to {high:.3f})\n")
    print(" " * 10, *(f"{column:>9}" for column in (*EXPRESSIONS, "no face")), f"{'recall':>8}")
    for label, row, share in zip(EXPRESSIONS, counts, recall, strict=True):
        print(f"{label:>10}", *(f"{count:>9}" for count in row), f"{share:8.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--artifact", type=Path, default=WEIGHTS)
    parser.add_argument("--fer-python", type=Path, help="also score `fer`, in this environment")
    options = parser.parse_args()
    photographs = labelled(options.data)
    report("this site", score(our_reader(options.artifact), photographs))
    if options.fer_python:
        report("fer 25.10.3, Haar and TensorFlow Lite", score(fer_reader(options.fer_python), photographs))


if __name__ == "__main__":
    main()
