"""What 60 corrections do to the bundled network: better on faces like them, and no worse on FER2013.

    python -m benchmarks.corrections --photographs PHOTOS --data fer2013.csv.xz

Of the photographs (see benchmarks.photographs), 60 that the network misreads are corrected, in five draws;
they teach its last layer, as `manage.py retrain --estimator cnn --from-active` does. Accuracy on FER2013's
public test, and on all other photographs, before and after; then with as many among them that were read
rightly and accepted. Worth: as how many faces those count that it had learned from before.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.photographs import WEIGHTS, labelled, largest_face
from classifier.ml import artifact as artifacts
from classifier.ml.dataset import EXPRESSIONS, FaceSet, read_fer2013
from classifier.ml.fine_tuning import choose_worth, fine_tune
from classifier.ml.preprocessing import Preprocessing
from classifier.ml.realign import realigned
from classifier.ml.runtime import Classifier
from classifier.vision.detect import make_detector

CORRECTED = 60
DRAWS = 5


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--photographs", type=Path, required=True)
    parser.add_argument("--data", type=Path, required=True, help="fer2013.csv, plain or .xz")
    parser.add_argument("--artifact", type=Path, default=WEIGHTS)
    options = parser.parse_args()
    artifact, card = artifacts.read(options.artifact)
    faces, test = faces_of(options.photographs), realigned(read_fer2013(options.data)["PublicTest"])
    right = is_right(artifact, card, faces)
    before = is_right(artifact, card, test).mean()
    print(f"before: {before:.4f} of {len(test)} public-test faces, {right.mean():.3f} of the photographs\n")
    print(f"{'learned from':>26}{'worth':>8}{'public test':>13}{'other photographs':>20}")
    for accepted in (0, CORRECTED):
        for draw in range(DRAWS):
            rng = np.random.default_rng(draw)
            chosen = rng.permutation(np.flatnonzero(~right))[:CORRECTED]
            chosen = np.concatenate([chosen, rng.permutation(np.flatnonzero(right))[:accepted]])
            others = faces.take(np.setdiff1d(np.arange(len(faces)), chosen))
            learning, groups = faces.take(chosen), chosen.astype(str)
            worth, _table = choose_worth(artifact, card, learning, groups=groups)
            taught = fine_tune(artifact, card, learning, held=learning.take(groups == ""), worth=worth)
            told = is_right(*taught, test).mean() - before
            old, new = (is_right(*each, others).mean() for each in ((artifact, card), taught))
            what = f"{CORRECTED} corrected, {accepted} accepted"
            print(f"{what:>26}{worth:8,.0f}{told:+13.4f}{old:13.3f} → {new:.3f}", flush=True)


def faces_of(folder: Path) -> FaceSet:
    """The largest face of each photograph that has one, in gray and 48 × 48."""
    detector, crops, labels = make_detector("yunet"), [], []
    for path, label in labelled(folder):
        crop = largest_face(path, detector)
        if crop is not None:
            crops.append(crop)
            labels.append(EXPRESSIONS.index(label))
    votes = np.zeros((len(labels), len(EXPRESSIONS)), np.float32)
    return FaceSet(Preprocessing().gray(np.stack(crops)), np.array(labels), votes, EXPRESSIONS)


def is_right(artifact: bytes, card: dict[str, object], faces: FaceSet) -> NDArray[np.bool_]:
    return Classifier.load(artifact, card).predict(faces.images).argmax(axis=1) == faces.labels


if __name__ == "__main__":
    main()
