"""How good is it: figures over (N, K) probabilities, and a command that prints them for an artifact.

python -m classifier.ml.evaluate --artifact classifier/weights/expressions-cnn.onnx --data fer2013.csv.xz
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import artifact as artifacts
from .dataset import read_fer2013
from .runtime import Classifier


def confusion_matrix(
    labels: NDArray[np.int64], predicted: NDArray[np.int64], classes: int
) -> NDArray[np.int64]:
    """(K, K) counts: rows are the true classes, columns the predicted ones."""
    return np.bincount(labels * classes + predicted, minlength=classes**2).reshape(classes, classes)


def balanced_accuracy(matrix: NDArray[np.int64]) -> float:
    """Mean recall over the classes that occur, 0 to 1, from a confusion matrix."""
    present = matrix.sum(axis=1) > 0
    return float((np.diag(matrix)[present] / matrix.sum(axis=1)[present]).mean())


def expected_calibration_error(
    probabilities: NDArray[np.float32], labels: NDArray[np.int64], *, bins: int = 15
) -> float:
    """ECE with equal-width bins of confidence, 0 to 1. Guo et al., "On Calibration", ICML 2017."""
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    place = np.minimum((confidence * bins).astype(int), bins - 1)
    gaps = [
        (place == b).mean() * abs(confidence[place == b].mean() - right[place == b].mean())
        for b in np.unique(place)
    ]
    return float(sum(gaps))


def bootstrap_interval(right: NDArray[np.bool_], *, rounds: int = 1000, seed: int = 0) -> tuple[float, float]:
    """95 % percentile interval of the mean of `right`. Efron & Tibshirani, 1993."""
    rng = np.random.default_rng(seed)
    means = rng.binomial(len(right), right.mean(), rounds) / len(right)
    low, high = np.percentile(means, [2.5, 97.5])
    return float(low), float(high)


def measure(
    probabilities: NDArray[np.float32], labels: NDArray[np.int64], names: tuple[str, ...]
) -> dict[str, Any]:
    """All figures of one scoring, as plain JSON."""
    predicted = probabilities.argmax(axis=1)
    matrix = confusion_matrix(labels, predicted, len(names))
    with np.errstate(invalid="ignore"):
        recall = np.diag(matrix) / matrix.sum(axis=1)
    likelihood = probabilities[np.arange(len(labels)), labels]
    low, high = bootstrap_interval(predicted == labels)
    return {
        "faces": len(labels),
        "accuracy": round(float((predicted == labels).mean()), 4),
        "accuracy_95": [round(low, 4), round(high, 4)],
        "balanced_accuracy": round(balanced_accuracy(matrix), 4),
        "log_loss": round(float(-np.log(np.maximum(likelihood, 1e-12)).mean()), 4),
        "expected_calibration_error": round(expected_calibration_error(probabilities, labels), 4),
        "recall": {
            n: None if np.isnan(r) else round(float(r), 4) for n, r in zip(names, recall, strict=True)
        },
        "confusion_matrix": matrix.tolist(),
    }


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m classifier.ml.evaluate", description=__doc__)
    parser.add_argument("--artifact", type=Path, required=True, help="the .onnx file, its card beside it")
    parser.add_argument("--data", type=Path, required=True, help="a CSV in FER2013's format, plain or .xz")
    parser.add_argument("--usage", default="PublicTest", help="which rows; default PublicTest")
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    options = parser.parse_args(arguments)
    try:
        artifact, card = artifacts.read(options.artifact)
        faces = read_fer2013(options.data).get(options.usage)
    except (OSError, ValueError) as error:
        parser.exit(2, f"{error}\n")
    if faces is None:
        parser.exit(2, f"{options.data} has no rows with Usage {options.usage}\n")
    classifier = Classifier.load(artifact, card)
    if classifier.labels != faces.names:
        parser.exit(
            2, f"The artifact tells {', '.join(classifier.labels)}; the data {', '.join(faces.names)}\n"
        )
    figures = measure(classifier.predict(faces.images), faces.labels, faces.names)
    if options.json:
        print(json.dumps(figures))
    else:
        print(*(f"{name}: {value}" for name, value in figures.items()), sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
