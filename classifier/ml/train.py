"""Train the network on FER2013 and write an artifact with its model card.

    python -m classifier.ml.train --data fer2013.csv.xz --votes fer2013new.csv --output var/training

A run that was stopped goes on from its last epoch when the same command is given again.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
# TensorFlow leaves these off on processors without AVX-512, where a step takes 1.7 times as long for it.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")

import keras
import numpy as np

from . import artifact as artifacts
from .cnn import AugmentedBatches, build_network
from .dataset import FaceSet, targets
from .export import export_onnx, serving_graph
from .fer2013 import add_arguments, at_least_one, read_splits
from .fine_tuning import answering_as, calibrated, with_moment
from .model_card import CROWD, calibrated_card, figures_of, of_fer2013, provenance
from .preprocessing import Preprocessing
from .progress import Tell, printed, silent
from .start import start_from
from .teacher import TAUGHT_SHARE, Teacher, read_teacher

# From so many faces the ranges of the activations are read.
TYPICAL_FACES = 512
PROCESSOR = Path("/proc/cpuinfo")


def fastest_precision() -> str:
    """A Keras policy: with bfloat16 where the processor multiplies it, which takes half the time.

    Others emulate it, at a tenth of the speed of float32.
    """
    told = PROCESSOR.read_text().split() if PROCESSOR.exists() else []
    return "mixed_bfloat16" if {"avx512_bf16", "amx_bf16"} & set(told) else "float32"


@dataclass(frozen=True)
class Recipe:
    """Everything that decides the outcome, beside the data. It goes into the model card."""

    network: str = "small"
    epochs: int = 130
    batch: int = 128
    learning_rate: float = 0.1
    # Keras takes it from the weights beside the momentum, not through it: ten times what PyTorch calls so.
    weight_decay: float = 3e-3
    dropout: float = 0.3
    mixup: float = 0.2
    votes_share: float = 0.4
    # The last epochs, in which no face is mixed with another, and the votes' share in them.
    last: int = 10
    last_votes_share: float = 0.43
    taught_share: float = 0.0
    # In every epoch, of the faces: as another detector cut them out, not aligned.
    cut_share: float = 1 / 3
    held_out: float = 0.06
    # Faces to learn from; None: all.
    at_most: int | None = None
    precision: str = field(default_factory=fastest_precision)
    seed: int = 0


FURTHER = Recipe(epochs=20, learning_rate=0.04, last=4, last_votes_share=0.4)
"""For a network that starts from what an artifact has learned."""
QUICK = Recipe(network="tiny", epochs=20, dropout=0.0, mixup=0.0, at_most=10_000, precision="float32")


def fit_network(
    training: FaceSet,
    held: FaceSet,
    *,
    recipe: Recipe,
    preprocessing: Preprocessing,
    folder: Path,
    cut: FaceSet | None = None,
    start: Teacher | None = None,
    teachers: Sequence[Teacher] = (),
    tell: Tell = silent,
) -> keras.Model:
    """Train, or go on, by SGD with a warmed-up cosine schedule (Loshchilov & Hutter, "SGDR", ICLR 2017).

    cut: the faces of `training` as another detector cut them out. start: whose weights the network has in the
    beginning. Raises ValueError where those don't fit it, or `folder` holds another run.
    """
    keras.utils.set_random_seed(recipe.seed)
    keras.config.set_dtype_policy(recipe.precision)
    checkpoint = folder / "checkpoint.keras"
    state = folder / "checkpoint.json"
    # What the run must have in common with the one that it goes on from.
    run = {
        "recipe": asdict(recipe),
        "training": training.digest(),
        "held_out": held.digest(),
        "start": start and start.sha256,
        "teachers": [teacher.sha256 for teacher in teachers],
    }
    done = 0
    if state.exists():
        seen = json.loads(state.read_text())
        if any(seen.get(key) != value for key, value in run.items()):
            raise ValueError(
                f"{folder} holds a run of another recipe or other data; choose another --output or empty it"
            )
        network = keras.models.load_model(checkpoint)
        # By the network itself: a run may have ended before the note beside it was renewed.
        done = int(network.optimizer.iterations) // -(-len(training) // recipe.batch)
    else:
        network = _compiled_network(training, recipe=recipe, preprocessing=preprocessing)
        if start:
            seen = np.concatenate([training.images[:TYPICAL_FACES], (cut or training).images[:TYPICAL_FACES]])
            start_from(network, start.artifact, preprocessing(seen))
    if done < recipe.epochs:
        network.fit(
            AugmentedBatches(
                training.images,
                targets(training, votes_share=recipe.votes_share),
                targets(training, votes_share=recipe.last_votes_share),
                preprocessing=preprocessing,
                batch=recipe.batch,
                seed=recipe.seed,
                mixup=recipe.mixup,
                mixed_epochs=recipe.epochs - recipe.last,
                first_epoch=done,
                cut=cut.images if cut else None,
                cut_share=recipe.cut_share,
                teachers=teachers,
                taught_share=recipe.taught_share,
            ),
            initial_epoch=done,
            epochs=recipe.epochs,
            validation_data=(preprocessing(held.images), targets(held, votes_share=0)),
            callbacks=[_Checkpoint(checkpoint, state, run), _Progress(recipe.epochs, tell)],
            shuffle=False,  # the batches are; Keras would do so again, in another order when it goes on
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
        keras.losses.CategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
    )
    return network


class _Checkpoint(keras.callbacks.Callback):
    """After each epoch: the network with its optimiser, then the note of the epoch and of what all took."""

    def __init__(self, checkpoint: Path, state: Path, run: dict[str, Any]) -> None:
        super().__init__()
        self.checkpoint, self.state, self.run = checkpoint, state, run
        self.seconds = json.loads(state.read_text())["seconds"] if state.exists() else 0.0

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self.began = time.monotonic()

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        temporary = self.checkpoint.with_name("next.keras")
        self.model.save(temporary)
        temporary.replace(self.checkpoint)
        note = self.state.with_name("next.json")
        self.seconds += time.monotonic() - self.began
        note.write_text(json.dumps({"epoch": epoch + 1, "seconds": self.seconds} | self.run))
        note.replace(self.state)


class _Progress(keras.callbacks.Callback):
    def __init__(self, epochs: int, tell: Tell) -> None:
        super().__init__()
        self.epochs, self.tell = epochs, tell

    def on_epoch_begin(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        self.began = time.monotonic()
        self.tell(stage="fit", done=epoch, total=self.epochs)

    def on_epoch_end(self, epoch: int, logs: dict[str, Any] | None = None) -> None:
        figures = {name: float(value) for name, value in (logs or {}).items()}
        curve = {"epoch": epoch + 1, "seconds": time.monotonic() - self.began} | figures
        self.tell(stage="fit", done=epoch + 1, total=self.epochs, score=figures["val_accuracy"], curve=curve)


def build_artifact(
    network: keras.Model,
    training: FaceSet,
    held: FaceSet,
    *,
    label_set: str,
    recipe: Recipe,
    preprocessing: Preprocessing,
) -> tuple[bytes, dict[str, Any]]:
    """Export, and calibrate on `held` what was exported: 8 bits make it a little less sure of itself."""
    trunk = _in_float32(network, recipe=recipe, preprocessing=preprocessing)
    typical = np.random.default_rng(recipe.seed).permutation(len(training))[:TYPICAL_FACES]
    tensors = preprocessing(training.images)
    serving = serving_graph(trunk)
    graph = export_onnx(serving, tensors[typical])
    graph = answering_as(graph, tensors, serving.predict(tensors, batch_size=256, verbose=0))
    graph, temperature = calibrated(graph, preprocessing(held.images), held.labels)
    graph = with_moment(graph, tensors)
    artifact = artifacts.with_labels(graph, held.names)
    card = calibrated_card(
        artifact,
        label_set=label_set,
        estimator="cnn",
        preprocessing=preprocessing,
        held=held,
        calibration={"temperature": round(temperature, 4)},
    )
    card["input"] = {"shape": [None, preprocessing.side, preprocessing.side, 1], "dtype": "float32"}
    return artifact, card


def _in_float32(network: keras.Model, *, recipe: Recipe, preprocessing: Preprocessing) -> keras.Model:
    keras.config.set_dtype_policy("float32")
    trunk = build_network(
        recipe.network, side=preprocessing.side, classes=network.output_shape[-1], dropout=recipe.dropout
    )
    trunk.set_weights(network.get_weights())
    return trunk


def train(
    *,
    data: Path,
    votes: Path | None,
    output: Path,
    recipe: Recipe,
    start: Path | None = None,
    teachers: Sequence[Path] = (),
    tell: Tell = silent,
) -> Path:
    """The whole way from the CSV to `cnn.onnx` and `cnn.json` in `output`. Returns the artifact's path."""
    output.mkdir(parents=True, exist_ok=True)
    cut, training, held, test = read_splits(
        data, votes=votes, held_out=recipe.held_out, at_most=recipe.at_most
    )
    preprocessing = Preprocessing()
    started = read_teacher(start, training) if start else None
    taught = [read_teacher(path, training) for path in teachers]
    network = fit_network(
        training,
        held,
        recipe=recipe,
        preprocessing=preprocessing,
        folder=output,
        cut=cut,
        start=started,
        teachers=taught,
        tell=tell,
    )
    artifact, card = build_artifact(
        network, training, held, label_set="expressions", recipe=recipe, preprocessing=preprocessing
    )
    card |= provenance(of_fer2013(cut, voted=votes is not None), labels=CROWD)
    card["metrics"] = {"FER2013 PublicTest": figures_of(artifact, card, test)}
    card["training"] = asdict(recipe) | {
        "start": started and started.sha256,
        "teachers": [teacher.sha256 for teacher in taught],
        "seconds_of_epochs": round(json.loads((output / "checkpoint.json").read_text())["seconds"]),
        "backend": keras.backend.backend(),
    }
    return artifacts.write(output, "cnn", artifact, card)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m classifier.ml.train", description=__doc__)
    add_arguments(parser)
    parser.add_argument("--votes", type=Path, help="FER+'s fer2013new.csv, same rows in the same order")
    parser.add_argument(
        "--teacher",
        type=Path,
        action="append",
        help="as --start; it learns from its answers, too, and from several in turn",
    )
    parser.add_argument("--start", type=Path, help="an artifact (.onnx) whose weights it begins with")
    parser.add_argument("--epochs", type=at_least_one, help="times that every face is seen")
    options = parser.parse_args(arguments)
    recipe = replace(
        QUICK if options.quick else FURTHER if options.start else Recipe(),
        taught_share=TAUGHT_SHARE if options.teacher else 0.0,
        seed=options.seed,
    )
    recipe = replace(recipe, epochs=options.epochs or recipe.epochs)
    try:
        path = train(
            data=options.data,
            votes=options.votes,
            output=options.output,
            recipe=recipe,
            start=options.start,
            teachers=options.teacher or (),
            tell=printed,
        )
    except (OSError, ValueError) as error:
        parser.exit(2, f"{error}\n")
    print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
