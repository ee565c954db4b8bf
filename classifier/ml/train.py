"""Train the network on FER2013 and write an artifact with its model card.

    python -m classifier.ml.train --data fer2013.csv.xz --votes fer2013new.csv --output var/training

A run that was stopped goes on from its last epoch when the same command is given again.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
from numpy.typing import NDArray

from . import artifact as artifacts
from .cnn import NETWORKS, AugmentedBatches, build_network
from .dataset import FaceSet, hold_out, read_fer2013, without_duplicates_of
from .evaluate import measure
from .preprocessing import Preprocessing
from .runtime import Classifier

INTENDED_USE = (
    "Reads the expression on a face in a photograph; not what a person feels. Not for use on people at work "
    "or in education (EU AI Act, Article 5(1)(f)). The labels are a crowd's opinion of web pictures; "
    "the recall of each label is under metrics."
)


@dataclass(frozen=True)
class Recipe:
    """Everything that decides the outcome, beside the data. It goes into the model card."""

    network: str = "small"
    epochs: int = 36
    batch: int = 128
    learning_rate: float = 0.05
    weight_decay: float = 5e-4
    dropout: float = 0.3
    votes_share: float = 0.4
    label_smoothing: float = 0.02
    held_out: float = 0.06
    precision: str = "mixed_bfloat16"
    seed: int = 0


def targets(faces: FaceSet, *, votes_share: float) -> NDArray[np.float32]:
    """(N, K) float32 rows that sum to 1: the official label, mixed with FER+'s votes where there are any."""
    official = np.eye(len(faces.names), dtype=np.float32)[faces.labels]
    counts = faces.votes.sum(axis=1, keepdims=True)
    voted = np.divide(faces.votes, counts, out=official.copy(), where=counts > 0)
    return (1 - votes_share) * official + votes_share * voted


def fit_network(
    training: FaceSet, held: FaceSet, *, recipe: Recipe, preprocessing: Preprocessing, folder: Path
) -> keras.Model:
    """Train, or go on, by SGD with a warmed-up cosine schedule (Loshchilov & Hutter, "SGDR", ICLR 2017)."""
    keras.utils.set_random_seed(recipe.seed)
    keras.config.set_dtype_policy(recipe.precision)
    checkpoint = folder / "checkpoint.keras"
    state = folder / "checkpoint.json"
    # What the run must have in common with the one that it goes on from.
    run = {"recipe": asdict(recipe), "training": training.digest(), "held_out": held.digest()}
    done = 0
    if state.exists():
        seen = json.loads(state.read_text())
        if any(seen.get(key) != value for key, value in run.items()):
            raise ValueError(
                f"{folder} holds a run of another recipe or other data; choose another --output or empty it"
            )
        done, network = seen["epoch"], keras.models.load_model(checkpoint)
    else:
        network = _compiled_network(training, recipe=recipe, preprocessing=preprocessing)
    if done < recipe.epochs:
        network.fit(
            AugmentedBatches(
                training.images,
                targets(training, votes_share=recipe.votes_share),
                preprocessing=preprocessing,
                batch=recipe.batch,
                seed=recipe.seed,
                first_epoch=done,
            ),
            initial_epoch=done,
            epochs=recipe.epochs,
            validation_data=(preprocessing(held.images), targets(held, votes_share=0)),
            callbacks=[_Checkpoint(checkpoint, state, run), _Progress(recipe.epochs)],
            verbose=0,
        )
    return network


def _compiled_network(training: FaceSet, *, recipe: Recipe, preprocessing: Preprocessing) -> keras.Model:
    network = build_network(
        recipe.network, side=preprocessing.side, classes=len(training.names), dropout=recipe.dropout
    )
    steps = -(-len(training) // recipe.batch)
    warm_up = min(steps * 2, steps * recipe.epochs // 10)
    schedule = keras.optimizers.schedules.CosineDecay(
        recipe.learning_rate / 25,
        decay_steps=max(steps * recipe.epochs - warm_up, 1),
        warmup_target=recipe.learning_rate,
        warmup_steps=warm_up,
    )
    network.compile(
        keras.optimizers.SGD(schedule, momentum=0.9, nesterov=True, weight_decay=recipe.weight_decay),
        keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=recipe.label_smoothing),
        metrics=["accuracy"],
    )
    return network


class _Checkpoint(keras.callbacks.Callback):
    """After each epoch: the network with its optimiser, then the note that says which epoch it is."""

    def __init__(self, checkpoint: Path, state: Path, run: dict[str, Any]) -> None:
        super().__init__()
        self.checkpoint, self.state, self.run = checkpoint, state, run

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        temporary = self.checkpoint.with_name("next.keras")
        self.model.save(temporary)
        temporary.replace(self.checkpoint)
        note = self.state.with_name("next.json")
        note.write_text(json.dumps({"epoch": epoch + 1} | self.run))
        note.replace(self.state)


class _Progress(keras.callbacks.Callback):
    def __init__(self, epochs: int) -> None:
        super().__init__()
        self.epochs = epochs

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self.began = time.monotonic()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        took = time.monotonic() - self.began
        figures = " ".join(f"{name} {value:.4f}" for name, value in (logs or {}).items())
        print(f"epoch {epoch + 1}/{self.epochs} {took:.0f} s {figures}", flush=True)


def fit_temperature(logits: NDArray[np.float32], labels: NDArray[np.int64]) -> float:
    """The T for which softmax(logits / T) has the least log-loss. Guo et al., "On Calibration", ICML 2017."""
    from scipy.optimize import minimize_scalar
    from scipy.special import log_softmax

    def loss(log_t: float) -> float:
        scores = log_softmax(logits / np.exp(log_t), axis=1)
        return float(-scores[np.arange(len(labels)), labels].mean())

    return float(np.exp(minimize_scalar(loss, bounds=(-3, 3), method="bounded").x))


def choose_threshold(
    probabilities: NDArray[np.float32], labels: NDArray[np.int64], *, accuracy: float = 0.8
) -> float:
    """The lowest confidence such that the answers from it up are right at least `accuracy` of the time."""
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == labels
    for threshold in np.round(np.arange(0, 1, 0.01), 2):
        answered = confidence >= threshold
        if answered.any() and right[answered].mean() >= accuracy:
            return float(threshold)
    return 1.0


def serving_graph(
    network: keras.Model, *, recipe: Recipe, side: int, temperature: float = 1.0
) -> keras.Model:
    """The float32 network that is exported, with probabilities for an output."""
    keras.config.set_dtype_policy("float32")
    trunk = build_network(recipe.network, side=side, classes=network.output_shape[-1], dropout=recipe.dropout)
    trunk.set_weights(network.get_weights())
    image = keras.Input((side, side, 1), name="image")
    logits = trunk(image)
    return keras.Model(image, keras.layers.Softmax(name="probabilities")(logits * (1 / temperature)))


def export_onnx(model: keras.Model) -> bytes:
    """The model as ONNX bytes, its weights stored as float16."""
    model(np.zeros((1, *model.input_shape[1:]), np.float32))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        model.export(path, format="onnx", verbose=False)
        return artifacts.halve_weights(path.read_bytes())


def build_artifact(
    network: keras.Model, held: FaceSet, *, recipe: Recipe, preprocessing: Preprocessing
) -> tuple[bytes, dict[str, Any]]:
    """Calibrate on `held`, export, and read the threshold off the exported graph itself."""
    plain = serving_graph(network, recipe=recipe, side=preprocessing.side)
    log_p = np.log(np.maximum(plain.predict(preprocessing(held.images), verbose=0), 1e-12))
    temperature = fit_temperature(log_p, held.labels)
    calibrated = serving_graph(network, recipe=recipe, side=preprocessing.side, temperature=temperature)
    artifact = artifacts.with_labels(export_onnx(calibrated), held.names)
    card: dict[str, Any] = {
        "format": artifacts.CARD_FORMAT,
        "sha256": artifacts.sha256(artifact),
        "label_set": "expressions",
        "labels": list(held.names),
        "estimator": "cnn",
        "preprocessing": preprocessing.to_card(),
        "threshold": 0.0,
    }
    answers = Classifier.load(artifact, card).predict(held.images)
    card["threshold"] = choose_threshold(answers, held.labels)
    card["calibration"] = {"method": "temperature", "temperature": round(temperature, 4), "faces": len(held)}
    return artifact, card


def train(*, data: Path, votes: Path | None, output: Path, recipe: Recipe) -> Path:
    """The whole way from the CSV to `cnn.onnx` and `cnn.json` in `output`. Returns the artifact's path."""
    began = time.monotonic()
    output.mkdir(parents=True, exist_ok=True)
    splits = read_fer2013(data, votes=votes)
    test = splits["PublicTest"]
    training, held = hold_out(without_duplicates_of(splits["Training"], test), share=recipe.held_out)
    preprocessing = Preprocessing()
    network = fit_network(training, held, recipe=recipe, preprocessing=preprocessing, folder=output)
    artifact, card = build_artifact(network, held, recipe=recipe, preprocessing=preprocessing)
    answers = Classifier.load(artifact, card).predict(test.images)
    card |= {
        "input": {"shape": [None, preprocessing.side, preprocessing.side, 1], "dtype": "float32"},
        "intended_use": INTENDED_USE,
        "dataset": {
            "name": "FER2013 Training, without near-duplicates of PublicTest",
            "votes": "FER+" if votes else None,
            "faces": len(training),
            "sha256": training.digest(),
            "licence": "research use; the pictures are not distributed with the weights",
        },
        "training": asdict(recipe) | {"seconds_of_last_run": round(time.monotonic() - began)},
        "metrics": {
            "FER2013 PublicTest": measure(answers, test.labels, test.names, threshold=card["threshold"])
        },
        "environment": {
            "python": platform.python_version(),
            "keras": keras.version(),
            "backend": keras.backend.backend(),
        },
    }
    return artifacts.write(output, "cnn", artifact, card)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m classifier.ml.train", description=__doc__)
    parser.add_argument("--data", type=Path, required=True, help="fer2013.csv, plain or .xz")
    parser.add_argument("--votes", type=Path, help="FER+'s fer2013new.csv, same rows in the same order")
    parser.add_argument("--output", type=Path, required=True, help="folder of checkpoints and of the result")
    parser.add_argument("--network", choices=list(NETWORKS), default=Recipe.network)
    parser.add_argument("--epochs", type=int, default=Recipe.epochs)
    parser.add_argument("--seed", type=int, default=Recipe.seed)
    parser.add_argument("--precision", choices=["float32", "mixed_bfloat16"], default=Recipe.precision)
    options = parser.parse_args(arguments)
    recipe = Recipe(
        network=options.network, epochs=options.epochs, seed=options.seed, precision=options.precision
    )
    try:
        path = train(data=options.data, votes=options.votes, output=options.output, recipe=recipe)
    except (OSError, ValueError) as error:
        parser.exit(2, f"{error}\n")
    print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
