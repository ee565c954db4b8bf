"""A dataset that can be trained on, and a trainer that takes no time."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from classifier.ml import artifact as artifacts
from classifier.ml.dataset import EXPRESSIONS
from classifier.models import LabelSet, User
from classifier.vision.image import encode_png
from labeling.models import Example, TrainingRun
from labeling.training_plan import Asked, plan_run
from labeling.training_runs import request_run
from tests.artifacts import tiny_artifact
from tests.crops import gray_crop
from tests.labeling.cast import expressions

FAKE = Path(__file__).with_name("fake_trainer.py")
FACES = 700
SAME_CROP = encode_png(gray_crop(1))


def same_crop(slug: str, number: int) -> bytes:
    return SAME_CROP


def crop_of_label(slug: str, number: int) -> bytes:
    """48 × 48: a picture for each label, and noise for each number, which a model can learn to tell."""
    noise = np.random.default_rng(number).normal(0, 20, (48, 48))
    return encode_png((gray_crop(EXPRESSIONS.index(slug)) + noise).clip(0, 255).astype(np.uint8))


def add_examples(
    split: str,
    *,
    of_each: int,
    labels: Iterable[str] = EXPRESSIONS,
    first: int = 0,
    crop: Callable[[str, int], bytes] = same_crop,
    label_set: LabelSet | None = None,
) -> None:
    label_set = label_set or expressions()
    known = {label.slug: label for label in label_set.labels.all()}
    Example.objects.bulk_create(
        Example(
            label_set=label_set,
            label=known[slug],
            source="folder",
            crop=crop(slug, number),
            digest=f"{split}-{slug}-{number:06}".ljust(64, "0"),
            perceptual_hash=0,
            group=f"{split[:2]}{slug[:8]}{number}",
            split=split,
        )
        for slug in labels
        for number in range(first, first + of_each)
    )


def make_dataset() -> LabelSet:
    """Just enough to be trained on: 21 examples to learn from, 7 to be measured by."""
    add_examples("train", of_each=3)
    add_examples("test", of_each=1)
    return expressions()


def answers(accuracy: float, *, seed: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """FACES labels, all equally often, and (FACES, 7) calibrated probabilities that are right so often."""
    labels = np.arange(FACES) % len(EXPRESSIONS)
    rng = np.random.default_rng(seed)
    told = np.where(rng.random(FACES) < accuracy, labels, (labels + 1) % len(EXPRESSIONS))
    scores = np.full((FACES, len(EXPRESSIONS)), (1 - accuracy) / (len(EXPRESSIONS) - 1), np.float32)
    scores[np.arange(FACES), told] = accuracy
    return labels, scores


def leave_candidate(
    folder: Path,
    *,
    accuracy: float = 0.8,
    champion: float | None = 0.6,
    confidence: float = 0.8,
    left_out: float | None = None,
    result: dict[str, Any] | None = None,
    **card: Any,
) -> Path:
    """What a trainer leaves, of a candidate that is right so often on the test split.

    left_out: how often it was right in cross-validation. result: what it tells otherwise than usual.
    """
    folder.mkdir(exist_ok=True)
    artifact, told = tiny_artifact(favourite="sad", confidence=confidence)
    artifacts.write(folder, "candidate", artifact, told | {"estimator": "svm"} | card)
    labels, scores = answers(accuracy, seed=1)
    arrays = {"labels": labels, "candidate": scores}
    if champion is not None:
        arrays["champion"] = answers(champion, seed=2)[1]
    if left_out is not None:
        arrays["left_labels"], arrays["left_out"] = answers(left_out, seed=3)
    np.savez(folder / "test.npz", **arrays)  # type: ignore[arg-type]
    row = {"estimator": "svm", "parameters": {"C": 1.0}, "accuracy": 0.6, "deviation": 0.02}
    told_of_it = {
        "estimator": "svm",
        "parameters": {"C": 1.0},
        "cross_validation": [row],
        "environment": {"python": "3.11"},
        "seconds": 1.5,
        "mistakes": [],
        "latency_ms": {"candidate": 0.8, "champion": champion and 0.9},
    }
    (folder / "result.json").write_text(json.dumps(told_of_it | (result or {})))
    return folder


def fake_trainer(candidate: Path, how: str = "") -> tuple[str, ...]:
    return (sys.executable, str(FAKE), how, str(candidate))


def make_run(*, by: User | None = None, in_worker: bool = False, **asked: Any) -> TrainingRun:
    plan = plan_run(Asked(label_set=expressions(), **{"estimator": "svm"} | asked))
    return request_run(plan, by=by, in_worker=in_worker)


def wait_for(what: Callable[[], Any], *, seconds: float = 20) -> Any:
    """What it returns as soon as that is something."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if found := what():
            return found
        time.sleep(0.05)
    raise AssertionError("It did not come.")


def trainer_pids(candidate: Path) -> list[int]:
    """Of a trainer that hangs, and of the child that it has started; empty until it does."""
    file = candidate.parent / "pids"
    return [int(pid) for pid in file.read_text().split()] if file.exists() else []


def alive(pid: int) -> bool:
    """Also of one that nobody has waited for: what is dead and unburied does nothing any more."""
    try:
        os.kill(pid, 0)
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False
