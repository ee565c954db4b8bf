"""Train the SVM family on hand-crafted features of FER2013's faces, and write an artifact with its card.

    python -m classifier.ml.svm --data fer2013.csv.xz --output var/training

A grid search over a kernel machine, logistic regression and a random forest, on a part of the faces, chooses
what is then fitted on all of them.
"""

from __future__ import annotations

import argparse
import sys
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.pipeline import Pipeline

from . import artifact as artifacts
from .augmentation import moved
from .calibration import fit_vector
from .dataset import FaceSet, targets
from .embedding import FEATURES, FaceEmbedding
from .fer2013 import add_arguments, read_splits
from .kernel_machine import KernelMachine
from .model_card import CROWD, calibrated_card, figures_of, of_fer2013, provenance
from .pipeline_graph import export_onnx, scores_of
from .preprocessing import Preprocessing
from .progress import Tell, printed, silent
from .search import family_of, search
from .teacher import TAUGHT_SHARE, read_teacher


@dataclass(frozen=True)
class Recipe:
    """Everything that decides the outcome, beside the data. It goes into the model card."""

    searched: int = 8000
    folds: int = 3
    grid: str = "small"
    centres: int = 12_500
    copies: int = 3
    taught_share: float = 0.0
    held_out: float = 0.08
    words: int = 256
    # Faces to learn from; None: all.
    at_most: int | None = None
    seed: int = 0


QUICK = Recipe(searched=600, folds=2, centres=1500, copies=0, words=32, at_most=10_000)


def fit(
    pipeline: Pipeline,
    faces: FaceSet,
    *,
    recipe: Recipe,
    taught: NDArray[np.float32] | None = None,
    tell: Tell = silent,
) -> Pipeline:
    """Fit on all faces and, for each, `copies` that are moved a little; the embedding on the faces alone.

    taught: (N, K) what a teacher answers for the faces. Only a kernel machine can learn from it.
    """
    rng = np.random.default_rng(recipe.seed)
    shares = targets(faces, votes_share=0, taught=taught, taught_share=recipe.taught_share)
    embedding, classifier = pipeline["embedding"], pipeline["classifier"]
    images = faces.images.reshape(len(faces), -1)
    steps = recipe.copies + 3
    tell(stage="fit", done=0, total=steps)
    embedding.fit(images)
    tell(stage="fit", done=1, total=steps)
    rows = [embedding.transform(images)]
    for copy in range(recipe.copies):
        tell(stage="fit", done=2 + copy, total=steps)
        copies = np.stack([moved(image, rng) for image in faces.images])
        rows.append(embedding.transform(copies.reshape(len(copies), -1)))
    tell(stage="fit", done=steps - 1, total=steps)
    X = np.concatenate(rows)
    if isinstance(classifier, KernelMachine):
        classifier.set_params(centres=recipe.centres)
        classifier.fit(X, np.tile(shares, (len(rows), 1)))
    else:
        classifier.fit(X, np.tile(faces.labels, len(rows)))
    tell(stage="fit", done=steps, total=steps)
    return pipeline


def scores(pipeline: Pipeline, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(N, 48, 48) to (N, K): the scores of the faces."""
    rows = pipeline["embedding"].transform(images.reshape(len(images), -1))
    return scores_of(pipeline["classifier"], rows)


def scores_of_both_sides(pipeline: Pipeline, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(N, 48, 48) to (N, K): the mean of the scores of the faces and of their mirror images."""
    return np.mean([scores(pipeline, side) for side in (images, images[:, :, ::-1])], axis=0)


def build_artifact(pipeline: Pipeline, held: FaceSet, *, label_set: str) -> tuple[bytes, dict[str, Any]]:
    """Calibrate the fitted pipeline on `held`, and export it."""
    temperatures, biases = fit_vector(scores_of_both_sides(pipeline, held.images), held.labels)
    graph = export_onnx(pipeline, temperature=temperatures, bias=biases, mirrored=True)
    artifact = artifacts.with_labels(graph, held.names)
    preprocessing = Preprocessing(features=FEATURES, mirrored=True)
    card = calibrated_card(
        artifact,
        label_set=label_set,
        estimator=family_of(pipeline["classifier"]),
        preprocessing=preprocessing,
        held=held,
        calibration={
            "method": "vector",
            "temperatures": [round(float(each), 4) for each in temperatures],
            "biases": [round(float(each), 4) for each in biases],
        },
    )
    card["input"] = {"shape": [None, preprocessing.width], "dtype": "float32"}
    return artifact, card


def train(
    *,
    data: Path,
    output: Path,
    recipe: Recipe,
    teacher: Path | None = None,
    tell: Tell = silent,
) -> Path:
    """The whole way from the CSV to an artifact in `output`, named after what won. Returns its path."""
    began = time.monotonic()
    cut, training, held, test = read_splits(data, held_out=recipe.held_out, at_most=recipe.at_most)
    pipeline, table = search(
        training,
        np.array(training.digests()),
        embedding=FaceEmbedding(words=recipe.words, seed=recipe.seed),
        grid=recipe.grid,
        folds=recipe.folds,
        at_most=recipe.searched,
        seed=recipe.seed,
        tell=tell,
    )
    if teacher and not isinstance(pipeline["classifier"], KernelMachine):
        tell(log="What is best by cross-validation learns from labels alone: the teacher is not asked.")
        teacher, recipe = None, replace(recipe, taught_share=0)
    asked = read_teacher(teacher, training) if teacher else None
    taught = asked.answer(training.images) if asked else None
    fit(pipeline, training, recipe=recipe, taught=taught, tell=tell)
    artifact, card = build_artifact(pipeline, held, label_set="expressions")
    card |= provenance(of_fer2013(cut, voted=False), labels=CROWD)
    card["metrics"] = {"FER2013 PublicTest": figures_of(artifact, card, test)}
    card["training"] = asdict(recipe) | {
        "cross_validation": table,
        "teacher": asked and asked.sha256,
        "seconds": round(time.monotonic() - began),
    }
    return artifacts.write(output, card["estimator"], artifact, card)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m classifier.ml.svm",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_arguments(parser)
    parser.add_argument("--teacher", type=Path, help="an artifact (.onnx) whose answers it learns from, too")
    options = parser.parse_args(arguments)
    taught_share = TAUGHT_SHARE if options.teacher else 0.0
    recipe = replace(QUICK if options.quick else Recipe(), taught_share=taught_share, seed=options.seed)
    try:
        path = train(
            data=options.data,
            output=options.output,
            recipe=recipe,
            teacher=options.teacher,
            tell=printed,
        )
    except (OSError, ValueError) as error:
        parser.exit(2, f"{error}\n")
    print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
