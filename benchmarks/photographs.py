"""Photograph in, expression out: how often right, on photographs of single faces.

    python -m benchmarks.photographs --data ../shared/data/photos [--fer-python fer-env/bin/python]

The folder holds `labels.csv` (`image,expression`) and `images/`. A photograph without a face counts as wrong.
Intervals are by bootstrap over the photographs of each label; that of the difference draws the same ones for
both.
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
from classifier.vision.detect import Detector, make_detector
from classifier.vision.image import decode_photograph

WEIGHTS = Path(__file__).parent.parent / "classifier" / "weights" / "expressions-cnn.onnx"
Reader = Callable[[Path], str | None]
ROUNDS = 2000


def labelled(folder: Path) -> list[tuple[Path, str]]:
    with (folder / "labels.csv").open(newline="") as file:
        return [(folder / "images" / row["image"], row["expression"]) for row in csv.DictReader(file)]


def largest_face(path: Path, detector: Detector) -> NDArray[np.uint8] | None:
    """The crop, (112, 112, 3) RGB, that the site reads."""
    pixels = decode_photograph(path.read_bytes()).pixels
    faces = detector.detect(pixels)
    return align_face(pixels, faces[0]) if faces else None


def our_reader(classifier: Classifier) -> Reader:
    detector = make_detector("yunet")

    def read(path: Path) -> str | None:
        crop = largest_face(path, detector)
        if crop is None:
            return None
        return classifier.labels[int(classifier.predict(crop[None])[0].argmax())]

    return read


def fer_reader(python: Path) -> Reader:
    reference = FerReference(python)

    def read(path: Path) -> str | None:
        probabilities = reference.read(path)["probabilities"]
        return max(probabilities, key=probabilities.__getitem__) if probabilities else None

    return read


def score(read: Reader, photographs: list[tuple[Path, str]]) -> NDArray[np.int64]:
    """(N,) what was read in each, a place in EXPRESSIONS; after them comes "no face"."""
    said = [read(path) for path, _label in photographs]
    return np.array([EXPRESSIONS.index(one) if one else len(EXPRESSIONS) for one in said])


def drawn_recalls(right: NDArray[np.bool_], labels: NDArray[np.int64]) -> NDArray[np.float64]:
    """(ROUNDS,) balanced accuracy in bootstrap samples, the same ones at every call."""
    rng = np.random.default_rng(0)
    of_each = [right[labels == label] for label in np.unique(labels)]
    draws = [one[rng.integers(0, len(one), (ROUNDS, len(one)))].mean(axis=1) for one in of_each]
    return np.asarray(np.mean(draws, axis=0))


def in_brackets(draws: NDArray[np.float64]) -> str:
    low, high = np.percentile(draws, [2.5, 97.5])
    return f"(95 %: {low:.3f} to {high:.3f})"


def report(name: str, said: NDArray[np.int64], labels: NDArray[np.int64]) -> None:
    counts = np.zeros((len(EXPRESSIONS), len(EXPRESSIONS) + 1), np.int64)
    np.add.at(counts, (labels, said), 1)
    recall = np.diag(counts) / counts.sum(axis=1)
    print(f"\n{name}: {len(labels)} photographs")
    print(f"  a face in        {(said < len(EXPRESSIONS)).mean():.1%}")
    print(f"  accuracy         {(said == labels).mean():.3f}")
    print(f"  balanced         {recall.mean():.3f}  {in_brackets(drawn_recalls(said == labels, labels))}\n")
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
    labels = np.array([EXPRESSIONS.index(label) for _path, label in photographs])
    ours = score(our_reader(Classifier.load(*artifacts.read(options.artifact))), photographs)
    report("this site", ours, labels)
    if options.fer_python:
        theirs = score(fer_reader(options.fer_python), photographs)
        report("fer, Haar and TensorFlow Lite", theirs, labels)
        more = drawn_recalls(ours == labels, labels) - drawn_recalls(theirs == labels, labels)
        print(f"\nthis site has more balanced accuracy by {more.mean():.3f}  {in_brackets(more)}")


if __name__ == "__main__":
    main()
