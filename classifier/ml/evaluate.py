"""How good is it, how quick and how large: figures of an artifact, and a command that prints them.

python -m classifier.ml.evaluate --artifact classifier/weights/expressions-cnn.onnx --data fer2013.csv.xz

`--data` may also be a folder that has a folder of pictures for each label.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import artifact as artifacts
from .artifact import ArtifactError
from .dataset import FaceSet, duplicates_of, join, near_duplicates_of, read_fer2013, read_folder
from .diagrams import draw_confusion, draw_reliability
from .metrics import measure
from .preprocessing import CROP_SIDE
from .realign import realigned
from .runtime import Classifier

# What the median of a latency is taken over, at the least.
TIMED_S = 0.5


def latency(classifier: Classifier, faces: int) -> dict[str, float]:
    """Milliseconds per face of `faces` canonical crops, on one thread: medians of repeats.

    with_preprocessing_ms: as the site does it, which is a few of them at a time. graph_ms: the graph alone,
    all at once.
    """
    shape = (faces, CROP_SIDE, CROP_SIDE, 3)
    crops = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    tensors, name = classifier.preprocessing(crops), classifier.session.get_inputs()[0].name
    return {
        "with_preprocessing_ms": _time(lambda: classifier.predict(crops)) / faces,
        "graph_ms": _time(lambda: classifier.session.run(None, {name: tensors})) / faces,
    }


def _time(call: Callable[[], object]) -> float:
    """The median of at least ten calls, in milliseconds, after two that warm up."""
    call(), call()
    times: list[float] = []
    while len(times) < 10 or sum(times) < TIMED_S * 1000:
        began = time.perf_counter()
        call()
        times.append((time.perf_counter() - began) * 1000)
    return median(times)


def evaluate(
    artifact: bytes,
    card: dict[str, Any],
    *,
    data: Path,
    votes: Path | None = None,
    usage: str | None = None,
    plots: Path | None = None,
    as_cut: bool = False,
) -> dict[str, Any]:
    """Everything that is to be known of an artifact, as plain JSON; the figures of `data` at the top.

    The faces are aligned first, as those of photographs are; `as_cut`: they are not.
    `fer_plus` has those against FER+'s majority; `deduplicated`, there and at the top, those without the
    faces that are also among the file's Training rows (None where there are no such rows). Draws two diagrams
    into the folder `plots`. Raises ArtifactError, ValueError and OSError, each with a sentence.
    """
    classifier = Classifier.load(artifact, card)
    faces, training = _read(data, classifier, votes=votes, usage=usage)
    doubles, fresh = _duplicates(faces, training) if training else (None, None)
    sha256 = faces.digest()
    faces = faces if as_cut else realigned(faces)
    answers = classifier.predict(faces.crops)
    if bad := int((~np.isfinite(answers)).any(axis=1).sum()):
        raise ArtifactError(f"The artifact answers with NaN or infinity for {bad} of {len(faces)} faces.")
    told = _score(classifier, faces, answers, fresh)
    told |= {
        "fer_plus": _score_by_votes(classifier, faces, answers, fresh),
        "duplicates_of_training": doubles,
        "data": {"path": str(data), "sha256": sha256, "aligned": not as_cut},
        "artifact": {key: card[key] for key in ("label_set", "labels", "estimator", "sha256")},
        "latency": {f"batch_{count}": latency(classifier, count) for count in (1, 32)},
    }
    told["artifact"]["bytes"] = len(artifact)
    if plots:
        plots.mkdir(parents=True, exist_ok=True)
        error = told["expected_calibration_error"]
        draw_confusion(told["confusion_matrix"], faces.names).save(plots / "confusion.png")
        draw_reliability(told["reliability"], error).save(plots / "reliability.png")
    return told


def _score_by_votes(
    classifier: Classifier, faces: FaceSet, answers: NDArray[np.float32], fresh: NDArray[np.bool_] | None
) -> dict[str, Any] | None:
    """The same against FER+'s majority, on those faces that have one; None where none has."""
    if faces.majority is None or not (agreed := faces.majority >= 0).any():
        return None
    against = replace(faces, labels=faces.majority).take(agreed)
    return _score(classifier, against, answers[agreed], None if fresh is None else fresh[agreed])


def _score(
    classifier: Classifier, faces: FaceSet, answers: NDArray[np.float32], fresh: NDArray[np.bool_] | None
) -> dict[str, Any]:
    """The figures, and under `deduplicated` those of the faces that are `fresh` alone."""
    told = measure(answers, faces.labels, faces.names, threshold=classifier.threshold)
    told["deduplicated"] = None
    if fresh is not None and fresh.any():
        told["deduplicated"] = measure(
            answers[fresh], faces.labels[fresh], faces.names, threshold=classifier.threshold
        )
    return told


def _read(
    data: Path, classifier: Classifier, *, votes: Path | None, usage: str | None
) -> tuple[FaceSet, FaceSet | None]:
    """The faces to score, and the Training rows beside them where there are any."""
    if data.is_dir():
        if votes or usage:
            raise ValueError(f"{data} is a folder: it has neither FER+ votes nor a Usage")
        return read_folder(data, names=classifier.labels, side=CROP_SIDE), None
    splits = read_fer2013(data, votes=votes)
    chosen = usage or ("PublicTest" if "PublicTest" in splits else None)
    if chosen and chosen not in splits:
        raise ValueError(f"{data} has no rows with Usage {chosen}; it has {', '.join(splits) or 'none'}")
    faces = splits[chosen] if chosen else join(splits.values())
    if classifier.labels != faces.names:
        raise ValueError(
            f"The artifact's labels are {', '.join(classifier.labels)}; "
            f"those of {data} are {', '.join(faces.names)}, in this order"
        )
    return faces, splits.get("Training") if chosen and chosen != "Training" else None


def _duplicates(faces: FaceSet, training: FaceSet) -> tuple[dict[str, int], NDArray[np.bool_]]:
    """How many of `faces` are in `training`, exactly and only nearly; and (N,) which are not."""
    exact = duplicates_of(faces, training)
    near = near_duplicates_of(faces, training) & ~exact
    return {"exact": int(exact.sum()), "near": int(near.sum())}, ~(exact | near)


FIGURES = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "macro_f1": "macro-F1",
    "log_loss": "log-loss",
    "expected_calibration_error": "calibration error",
    "answered": "share answered",
    "answered_accuracy": "accuracy of answered",
}


def table(told: dict[str, Any]) -> str:
    """What `evaluate` tells, for people."""
    by_votes = told["fer_plus"] or {"deduplicated": None}
    columns = {
        "all": told,
        "deduplicated": told["deduplicated"],
        "FER+": told["fer_plus"],
        "FER+ deduplicated": by_votes["deduplicated"],
    }
    columns = {name: scoring for name, scoring in columns.items() if scoring}
    lines = [_row("", columns), _row("faces", [scoring["faces"] for scoring in columns.values()])]
    for figure, title in FIGURES.items():
        cells = [_with_interval(one[figure], one[f"{figure}_95"]) for one in columns.values()]
        lines.append(_row(title, cells))
    lines += ["", _row("", ["recall", "precision"])]
    for name in told["recall"]:
        cells = [_with_interval(told[of][name], told[f"{of}_95"][name]) for of in ("recall", "precision")]
        lines.append(_row(name, cells))
    return "\n".join([*lines, "", *_footnotes(told)])


def _footnotes(told: dict[str, Any]) -> Iterable[str]:
    yield "In brackets: 95 % intervals, by bootstrap."
    yield f"Answered: told with a confidence of {told['threshold']:.2f} or more."
    if doubles := told["duplicates_of_training"]:
        yield f"Also in Training: {doubles['exact']} faces exactly, {doubles['near']} nearly."
    for batch, took in told["latency"].items():
        whole, graph = took["with_preprocessing_ms"], took["graph_ms"]
        size = batch.replace("_", " of ")
        yield f"A face in a {size}: {whole:.2f} ms on one thread; the graph, given all at once, {graph:.2f}."
    yield f"The artifact: {told['artifact']['bytes'] / 1e6:.2f} MB."


def _row(title: str, cells: Iterable[object]) -> str:
    return f"{title:<21}" + "".join(f"{cell:>24}" for cell in cells)


def _with_interval(value: float | None, interval: list[float] | None) -> str:
    if value is None or interval is None:
        return "none"
    return f"{value:.3f} ({interval[0]:.3f}–{interval[1]:.3f})"


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--data", type=Path, required=True, help="CSV in FER2013's format (plain or .xz), or folder per label"
    )
    parser.add_argument("--votes", type=Path, help="FER+'s fer2013new.csv: score by its majority too")
    parser.add_argument("--usage", help="which rows; default PublicTest where there are such, else all")
    parser.add_argument("--as-cut", action="store_true", help="do not align the faces first")
    parser.add_argument("--plots", type=Path, metavar="FOLDER", help="draw confusion.png and reliability.png")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def told_as(told: dict[str, Any], *, as_json: bool) -> str:
    return json.dumps(told, ensure_ascii=False) if as_json else table(told)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m classifier.ml.evaluate",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--artifact", type=Path, required=True, help="the .onnx file, its card beside it")
    add_options(parser)
    given = parser.parse_args(arguments)
    try:
        told = evaluate(
            *artifacts.read(given.artifact),
            data=given.data,
            votes=given.votes,
            usage=given.usage,
            plots=given.plots,
            as_cut=given.as_cut,
        )
    except (OSError, ValueError) as error:
        parser.exit(2, f"{error}\n")
    print(told_as(told, as_json=given.json))
    return 0


if __name__ == "__main__":
    sys.exit(main())
