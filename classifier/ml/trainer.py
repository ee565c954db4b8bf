"""`python -m classifier.ml.trainer FOLDER`: train on a frozen dataset, and measure what came of it.

A process of its own, so that whoever started it can end it at any moment, and gets all of its memory back.
`FOLDER/request.json` says what is asked, in the words of `Request`. It tells how it gets on as lines of JSON
on its standard output (see `progress.Tell`), and leaves in FOLDER

    candidate.onnx, candidate.json   the artifact and its model card
    result.json                      how it was chosen, how long it took, milliseconds for each face
    test.npz                         labels, candidate and champion: (N,) int64 and (N, K) float32; where the
                                     features were chosen, left_labels and left_out, too: what was answered in
                                     cross-validation for faces that had been left out, and left_champion: by
                                     the champion, NaN for faces that it may have learned from

It ends with 3 where there is nothing that it could train on, and says why in its last line. When its standard
input is closed, because whoever started it is gone, it ends too.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from . import artifact as artifacts
from .dataset import FaceSet
from .evaluate import latency
from .frozen import FOLDS, Frozen, digests_in, needs_all, read_frozen
from .metrics import measure
from .model_card import provenance
from .progress import Tell
from .runtime import Classifier
from .search import FAMILIES, some
from .ways import LeftOut, Material, RefusedError, Request, train

REFUSED = 3
# For calibration alone: a share of the groups, larger where there are few faces.
HELD_OUT, MOST_HELD_OUT, ENOUGH_HELD_OUT = 0.06, 0.2, 200
MISTAKES_TOLD = 60
LABELLED_HERE = "the opinion of this site's labelers, or of whoever labelled what was imported"


def run(folder: Path, *, tell: Tell) -> None:
    """Everything from the request to the files in `folder`. Raises RefusedError, OSError, ValueError."""
    began = time.monotonic()
    request = Request(**json.loads((folder / "request.json").read_text("utf-8")))
    tell(stage="read", done=0, total=1)
    everything = read_frozen(Path(request.examples), names=tuple(request.labels))
    fresh = everything.without_leaks()
    lost = len(everything.faces) - len(fresh.faces)
    if cut := int((~fresh.aligned).sum()):
        tell(stage="read", done=0, total=1, log=f"Aligning {cut} faces as those of photographs are")
    frozen = fresh.realigned()
    test, _groups = frozen.only("test")
    material = _material(frozen, request)
    line = f"{len(material.known if frozen.few else material.learning)} faces to learn from"
    if lost:
        line += f"; {lost} show a test image, and are left out"
    tell(stage="read", done=1, total=1, log=line)
    trained = train(request, material, folder=folder, tell=tell)
    tell(stage="evaluate", done=0, total=1)
    dataset = _dataset(frozen, request) | {"left_out": lost}
    card = trained.card | provenance(dataset, labels=LABELLED_HERE, purpose=request.purpose)
    told, took = _compare(Classifier.load(trained.artifact, card), request, test)
    card["metrics"] = {artifacts.TESTED_ON: _figures(told["candidate"], test, card)}
    if left := trained.left_out:
        card["metrics"][artifacts.LEFT_OUT] = _figures(left.answers, left.faces, card)
    card["training"] = trained.parameters | {"cross_validation": trained.cross_validation}
    artifacts.write(folder, "candidate", trained.artifact, card)
    mistakes = list_mistakes(told["candidate"], test, frozen.digests_of("test"), where="test")
    if left:
        told |= {"left_labels": left.faces.labels, "left_out": left.answers}
        if request.active:
            told["left_champion"] = _champion_on(left, request)
        mistakes += list_mistakes(left.answers, left.faces, left.digests, where="left_out")
    np.savez(folder / "test.npz", **told)  # type: ignore[arg-type]
    result = {
        "estimator": card["estimator"],
        "parameters": trained.parameters,
        "cross_validation": trained.cross_validation,
        "environment": card["environment"],
        "latency_ms": took,
        "seconds": round(time.monotonic() - began, 1),
        "mistakes": mistakes,
    }
    (folder / "result.json").write_text(json.dumps(result, indent=1), "utf-8")
    tell(stage="evaluate", done=1, total=1)


def _figures(answers: NDArray[np.float32], faces: FaceSet, card: dict[str, Any]) -> dict[str, Any]:
    return measure(answers, faces.labels, faces.names, threshold=card["threshold"])


def _material(frozen: Frozen, request: Request) -> Material:
    """Raises RefusedError where there is too little of it."""
    choosing, choosing_groups = frozen.only("train")
    everything, groups = frozen.only("train", "validation")
    _check(choosing, request)
    if needs_all(request.estimator, request.start):
        _check_groups(everything, groups)
    if not np.any(frozen.splits == "test"):
        raise RefusedError("no_test", "The dataset has no test split, so nothing could be measured.")
    share = min(MOST_HELD_OUT, max(HELD_OUT, ENOUGH_HELD_OUT / len(everything)))
    held = np.isin(groups, _some_groups(everything.labels, groups, share=share, seed=request.seed))
    return Material(
        few=frozen.few,
        known=everything,
        known_groups=groups,
        known_digests=frozen.digests_of("train", "validation"),
        choosing=choosing,
        choosing_groups=choosing_groups,
        learning=everything.take(~held),
        held=everything.take(held),
    )


def _check(faces: FaceSet, request: Request) -> None:
    if not len(faces):
        raise RefusedError("empty", "The dataset has no training examples.")
    counts = np.bincount(faces.labels, minlength=len(faces.names))
    if (counts > 0).sum() < 2:
        raise RefusedError("one_class", "All training examples show one label; two are needed.")
    few = [f"{name} has {count}" for name, count in zip(faces.names, counts, strict=True) if count < FOLDS]
    if few and needs_all(request.estimator, request.start):
        raise RefusedError("too_few", f"Too few to learn from: {', '.join(few)}; {FOLDS} of each are needed.")
    if request.estimator not in {*FAMILIES, "cnn", "auto"}:
        raise RefusedError("unknown", f"There is no estimator {request.estimator!r}.")


def _check_groups(faces: FaceSet, groups: NDArray[np.str_]) -> None:
    """Of each label something must be left to learn from, when some is left out."""
    for place in np.unique(faces.labels):
        if len(np.unique(groups[faces.labels == place])) < 2:
            alike = f"All examples of {faces.names[place]} are nearly one picture; it needs others."
            raise RefusedError("too_few", alike)


def _some_groups(
    labels: NDArray[np.int64], groups: NDArray[np.str_], *, share: float, seed: int
) -> NDArray[np.str_]:
    """About `share` of the groups, of each label as many as of any other."""
    _, first = np.unique(groups, return_index=True)
    chosen = some(labels[first], at_most=max(2, round(share * len(first))), seed=seed)
    return groups[first][chosen]


def _dataset(frozen: Frozen, request: Request) -> dict[str, Any]:
    counts = {
        split: {
            name: int(((frozen.faces.labels == place) & (frozen.splits == split)).sum())
            for place, name in enumerate(frozen.faces.names)
        }
        for split in np.unique(frozen.splits).tolist()
    }
    name = f"curated dataset of {request.label_set}"
    return {"name": name, "sha256": frozen.sha256, "faces": len(frozen.faces), "counts": counts}


def _compare(
    candidate: Classifier, request: Request, test: FaceSet
) -> tuple[dict[str, NDArray[Any]], dict[str, float | None]]:
    """What candidate and champion answer for the same faces; and how long each takes for one."""
    told: dict[str, NDArray[Any]] = {"labels": test.labels}
    took: dict[str, float | None] = {"champion": None}
    compared = {"candidate": candidate}
    if request.active:
        compared["champion"] = _load_active(request.active)
    for name, classifier in compared.items():
        told[name] = classifier.predict(test.crops)
        took[name] = round(latency(classifier, 1)["with_preprocessing_ms"], 3)
    return told, took


def _load_active(path: str) -> Classifier:
    return Classifier.load(*artifacts.read(Path(path)))


def _champion_on(left: LeftOut, request: Request) -> NDArray[np.float32]:
    """(N, K) answers of the active version for faces that are new since it learned, NaN for all others."""
    assert request.active is not None
    classifier = _load_active(request.active)
    answers = np.full((len(left.faces), len(classifier.labels)), np.nan, np.float32)
    if request.learned:
        new = ~np.isin(left.digests, digests_in(Path(request.learned)))
        answers[new] = classifier.predict(left.faces.take(new).crops)
    return answers


def list_mistakes(
    answers: NDArray[np.float32], faces: FaceSet, digests: NDArray[np.str_], *, where: str
) -> list[dict[str, Any]]:
    """The faces that are told for another label, the surest first; MISTAKES_TOLD at most."""
    told, confidence = answers.argmax(axis=1), answers.max(axis=1)
    wrong = np.flatnonzero(told != faces.labels)
    return [
        {
            "where": where,
            "digest": str(digests[place]),
            "true": faces.names[faces.labels[place]],
            "told": faces.names[told[place]],
            "confidence": round(float(confidence[place]), 3),
        }
        for place in wrong[np.argsort(-confidence[wrong])][:MISTAKES_TOLD]
    ]


def _print(**said: Any) -> None:
    print(json.dumps(said), flush=True)


def _end_with_parent() -> None:
    # Not through sys.stdin: the interpreter could not end while this thread holds its lock.
    while os.read(0, 1024):
        pass
    if os.getpgrp() == os.getpid():
        os.killpg(0, signal.SIGKILL)  # with what scikit-learn has started
    os._exit(1)


def main() -> int:
    threading.Thread(target=_end_with_parent, daemon=True).start()
    try:
        run(Path(sys.argv[1]), tell=_print)
    except RefusedError as refused:
        _print(refused=str(refused), reason=refused.reason)
        return REFUSED
    return 0


if __name__ == "__main__":
    sys.exit(main())
