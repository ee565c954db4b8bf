"""Train the SVM family on hand-crafted features of FER2013's faces, and write an artifact with its card.

    python -m classifier.ml.svm --data fer2013.csv.xz --votes fer2013new.csv --output var/training

A grid search over a kernel machine, logistic regression and a random forest, on a part of the faces, chooses
what is then fitted on all of them.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import compose, helper
from onnxruntime.quantization import QuantType, quantize_dynamic
from scipy.linalg import cho_factor, cho_solve
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedKFold, train_test_split
from sklearn.pipeline import Pipeline

from . import artifact as artifacts
from . import features
from .augmentation import moved
from .calibration import fit_temperature
from .dataset import FaceSet, hold_out, read_fer2013, targets, without_duplicates_of
from .embedding import FEATURES, OPSET, FaceEmbedding, Graph
from .model_card import calibrated_card, provenance
from .preprocessing import Preprocessing

# Matrices of so many numbers are stored, and multiplied by, in 8 bits.
LARGE = 50_000


@dataclass(frozen=True)
class Recipe:
    """Everything that decides the outcome, beside the data. It goes into the model card."""

    searched: int = 4000
    folds: int = 3
    centres: int = 14_000
    copies: int = 3
    votes_share: float = 0.4
    held_out: float = 0.06
    words: int = 256
    seed: int = 0


QUICK = Recipe(searched=600, folds=2, centres=1500, copies=0, words=32)


class KernelMachine(ClassifierMixin, BaseEstimator):
    """A least-squares support vector machine of fixed size, with a Gaussian kernel.

    Suykens et al., "Least Squares Support Vector Machines", 2002, chapter 6; the same as the Nystroem kernel
    ridge regression of Rudi et al., "Less is More", NIPS 2015. Each class is told from the others by a sum of
    bumps around `centres` faces, drawn at random from those that it learns from.

    gamma: of the kernel exp(-gamma · d² / m), with m the median squared distance between two centres.
    alpha: how much a large weight costs, for each face.
    """

    def __init__(self, gamma: float = 1.5, alpha: float = 0.1, centres: int = 14_000, seed: int = 0) -> None:
        self.gamma = gamma
        self.alpha = alpha
        self.centres = centres
        self.seed = seed

    def fit(self, X: NDArray[np.float32], y: NDArray[Any]) -> KernelMachine:
        """y: (N,) classes, or (N, K) shares of each class 0 to K - 1."""
        rng = np.random.default_rng(self.seed)
        self.classes_ = np.unique(y) if y.ndim == 1 else np.arange(y.shape[1])
        shares = (y[:, None] == self.classes_).astype(np.float64) if y.ndim == 1 else y.astype(np.float64)
        self.centres_ = X[np.sort(rng.permutation(len(X))[: self.centres])]
        self.gamma_ = self.gamma / _median_squared_distance(self.centres_[:2000])
        self.intercept_ = shares.mean(axis=0)
        among = self._kernel(self.centres_).astype(np.float64)
        normal, right = self.alpha * among, np.zeros((len(self.centres_), shares.shape[1]))
        for start in range(0, len(X), 4096):
            # In float32 the normal equations would be singular wherever two centres are almost one.
            rows = self._kernel(X[start : start + 4096]).astype(np.float64)
            normal += rows.T @ rows
            right += rows.T @ (shares[start : start + 4096] - self.intercept_)
        normal[np.diag_indices_from(normal)] += 1e-9 * np.trace(normal)
        factor = cho_factor(normal, lower=True, overwrite_a=True, check_finite=False)
        self.coef_ = cho_solve(factor, right).astype(np.float32)
        return self

    def decision_function(self, X: NDArray[np.float32]) -> NDArray[np.float32]:
        """(N, K) float32; the largest is the answer."""
        parts = [self._kernel(X[start : start + 4096]) @ self.coef_ for start in range(0, len(X), 4096)]
        return np.concatenate(parts) + self.intercept_.astype(np.float32)

    def predict(self, X: NDArray[np.float32]) -> NDArray[Any]:
        answers: NDArray[Any] = self.classes_[self.decision_function(X).argmax(axis=1)]
        return answers

    def _kernel(self, X: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.exp(-self.gamma_ * _squared_distances(X, self.centres_))


def _squared_distances(rows: NDArray[np.float32], others: NDArray[np.float32]) -> NDArray[np.float32]:
    lengths = (rows * rows).sum(axis=1)[:, None] + (others * others).sum(axis=1)
    return np.maximum(lengths - 2 * rows @ others.T, 0)


def _median_squared_distance(rows: NDArray[np.float32]) -> float:
    found = _squared_distances(rows, rows)
    return float(np.median(found[np.triu_indices(len(rows), 1)]))


GRID: list[dict[str, Any]] = [
    {"classifier": [KernelMachine()], "classifier__gamma": [1.0, 2.0], "classifier__alpha": [0.05, 0.2]},
    {"classifier": [LogisticRegression(max_iter=300)], "classifier__C": [1.0, 10.0]},
    {"classifier": [RandomForestClassifier(random_state=0)], "classifier__n_estimators": [300]},
]


def search(faces: FaceSet, *, recipe: Recipe) -> tuple[Pipeline, list[dict[str, Any]]]:
    """The best of GRID by stratified cross-validation on some of the faces, and the table of all.

    The pipeline is not fitted. The table has estimator, parameters, and the mean and deviation of accuracy.
    """
    X, y = faces.images.reshape(len(faces), -1), faces.labels
    if recipe.searched < len(faces):
        X, _, y, _ = train_test_split(X, y, train_size=recipe.searched, stratify=y, random_state=recipe.seed)
    folds = StratifiedKFold(recipe.folds, shuffle=True, random_state=recipe.seed)
    with tempfile.TemporaryDirectory() as memory:
        # The embedding is the same for every classifier: each fold's is made once.
        pipeline = Pipeline(
            [("embedding", FaceEmbedding(words=recipe.words, seed=recipe.seed)), ("classifier", None)],
            memory=memory,
        )
        found = GridSearchCV(pipeline, GRID, scoring="accuracy", cv=folds, refit=False).fit(X, y)
    results = found.cv_results_
    table = [
        {
            "estimator": type(parameters["classifier"]).__name__,
            "parameters": {
                name.removeprefix("classifier__"): value
                for name, value in parameters.items()
                if name != "classifier"
            },
            "accuracy": round(float(mean), 4),
            "deviation": round(float(deviation), 4),
        }
        for parameters, mean, deviation in zip(
            results["params"], results["mean_test_score"], results["std_test_score"], strict=True
        )
    ]
    pipeline.set_params(memory=None, **results["params"][int(found.best_index_)])
    return pipeline, sorted(table, key=lambda row: -row["accuracy"])


def fit(pipeline: Pipeline, faces: FaceSet, *, recipe: Recipe) -> Pipeline:
    """Fit on all faces and, for each, `copies` that are moved a little; the embedding on the faces alone."""
    rng = np.random.default_rng(recipe.seed)
    shares = targets(faces, votes_share=recipe.votes_share)
    embedding, classifier = pipeline["embedding"], pipeline["classifier"]
    images = faces.images.reshape(len(faces), -1)
    rows = [embedding.fit(images).transform(images)]
    for _ in range(recipe.copies):
        copies = np.stack([moved(image, rng) for image in faces.images])
        rows.append(embedding.transform(copies.reshape(len(copies), -1)))
    X = np.concatenate(rows)
    if isinstance(classifier, KernelMachine):
        classifier.set_params(centres=recipe.centres)
        classifier.fit(X, np.tile(shares, (len(rows), 1)))
    else:
        classifier.fit(X, np.tile(faces.labels, len(rows)))
    return pipeline


def scores(pipeline: Pipeline, images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """(N, 48, 48) to (N, K): what, divided by a temperature, softmax turns into probabilities."""
    X = images.reshape(len(images), -1)
    if isinstance(pipeline["classifier"], KernelMachine):
        return np.asarray(pipeline.decision_function(X), np.float32)
    return np.log(np.maximum(pipeline.predict_proba(X), 1e-6)).astype(np.float32)


def export_onnx(pipeline: Pipeline, *, temperature: float) -> bytes:
    """From `features.extract` to probabilities, the large matrices in 8 bits."""
    embedding, classifier = pipeline["embedding"], pipeline["classifier"]
    classes = len(classifier.classes_)
    head = (
        _kernel_graph(classifier)
        if isinstance(classifier, KernelMachine)
        else _scikit_learn_graph(classifier, sum(embedding.components))
    )
    end = Graph("softmax")
    told = end.add("Mul", "scores", end.constant(np.float32(1 / temperature)))
    end.nodes.append(helper.make_node("Softmax", [told], ["answer"], axis=1))
    tail = end.to_bytes(given=("scores", classes), told=("answer", classes))
    whole = _joined(_joined(onnx.load_from_string(embedding.graph()), head, "embedding"), tail, "scores")
    return _in_bytes(whole)


def _kernel_graph(machine: KernelMachine) -> bytes:
    """From `embedding` to `scores`: `decision_function`."""
    graph = Graph("kernel")
    centres = machine.centres_
    products = graph.add("MatMul", "embedding", graph.constant(-2 * centres.T))
    lengths = graph.add("ReduceSumSquare", "embedding", graph.constant(np.array([1])), keepdims=1)
    squared = graph.add("Add", graph.add("Add", products, lengths), graph.constant((centres**2).sum(axis=1)))
    near = graph.add("Mul", graph.add("Relu", squared), graph.constant(np.float32(-machine.gamma_)))
    answer = graph.add("MatMul", graph.add("Exp", near), graph.constant(machine.coef_))
    graph.nodes.append(helper.make_node("Add", [answer, graph.constant(machine.intercept_)], ["scores"]))
    return graph.to_bytes(given=("embedding", centres.shape[1]), told=("scores", len(machine.classes_)))


def _scikit_learn_graph(classifier: ClassifierMixin, width: int) -> bytes:
    """From `embedding` to `scores`: the logarithm of `predict_proba`."""
    from skl2onnx import to_onnx
    from skl2onnx.common.data_types import FloatTensorType

    model = to_onnx(
        classifier,
        initial_types=[("embedding", FloatTensorType([None, width]))],
        options={id(classifier): {"zipmap": False}},
        target_opset={"": OPSET, "ai.onnx.ml": 3},
    )
    graph = Graph("log")
    likely = graph.add("Max", "probabilities", graph.constant(np.float32(1e-6)))
    graph.nodes.append(helper.make_node("Log", [likely], ["scores"]))
    classes = len(classifier.classes_)
    log = graph.to_bytes(given=("probabilities", classes), told=("scores", classes))
    return _joined(model, log, "probabilities").SerializeToString()


def _joined(first: onnx.ModelProto, second: bytes, tensor: str) -> onnx.ModelProto:
    """One model: the output `tensor` of the first is the input of that name of the second."""
    other = onnx.load_from_string(second)
    first.ir_version = other.ir_version
    outputs = [output.name for output in other.graph.output]
    joined = compose.merge_models(first, other, [(tensor, tensor)], outputs=outputs)
    versions = {each.domain: each.version for each in joined.opset_import}
    del joined.opset_import[:]
    joined.opset_import.extend(helper.make_opsetid(*each) for each in versions.items())
    onnx.checker.check_model(joined)
    return joined


def _in_bytes(model: onnx.ModelProto) -> bytes:
    """The model with its large matrices in 8 bits, as `quantize_dynamic` does it."""
    sizes = {tensor.name: int(np.prod(tensor.dims)) for tensor in model.graph.initializer}
    large = [
        node.name
        for node in model.graph.node
        if node.op_type == "MatMul" and sizes.get(node.input[1], 0) >= LARGE
    ]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        quantize_dynamic(
            model,
            path,
            nodes_to_quantize=large,
            per_channel=True,
            reduce_range=True,
            weight_type=QuantType.QInt8,
        )
        return path.read_bytes()


def train(*, data: Path, votes: Path | None, output: Path, recipe: Recipe) -> Path:
    """The whole way from the CSV to `svm.onnx` and `svm.json` in `output`. Returns the artifact's path."""
    began = time.monotonic()
    splits = read_fer2013(data, votes=votes)
    test = splits["PublicTest"]
    training, held = hold_out(without_duplicates_of(splits["Training"], test), share=recipe.held_out)
    pipeline, table = search(training, recipe=recipe)
    _say(f"chosen: {table[0]}", began)
    fit(pipeline, training, recipe=recipe)
    _say("fitted", began)
    temperature = fit_temperature(scores(pipeline, held.images), held.labels)
    artifact = artifacts.with_labels(export_onnx(pipeline, temperature=temperature), held.names)
    preprocessing = Preprocessing(features=FEATURES)
    card = calibrated_card(
        artifact, estimator="svm", preprocessing=preprocessing, held=held, temperature=temperature
    )
    card |= provenance(artifact, card, training=training, voted=votes is not None, test=test)
    card["input"] = {"shape": [None, sum(map(features.width, FEATURES))], "dtype": "float32"}
    card["training"] = asdict(recipe) | {
        "grid": table,
        "seconds_of_last_run": round(time.monotonic() - began),
    }
    return artifacts.write(output, "svm", artifact, card)


def _say(what: str, began: float) -> None:
    print(f"{time.monotonic() - began:.0f} s {what}", flush=True)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m classifier.ml.svm",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--data", type=Path, required=True, help="fer2013.csv, plain or .xz")
    parser.add_argument("--votes", type=Path, help="FER+'s fer2013new.csv, same rows in the same order")
    parser.add_argument("--output", type=Path, required=True, help="folder of the result")
    parser.add_argument("--quick", action="store_true", help="few faces and words: three minutes, to try it")
    parser.add_argument("--seed", type=int, default=Recipe.seed)
    options = parser.parse_args(arguments)
    recipe = replace(QUICK if options.quick else Recipe(), seed=options.seed)
    try:
        path = train(data=options.data, votes=options.votes, output=options.output, recipe=recipe)
    except (OSError, ValueError) as error:
        parser.exit(2, f"{error}\n")
    print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
