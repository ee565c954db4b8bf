"""One run of training: freeze, train in a process of its own, register, judge, promote."""

from __future__ import annotations

import errno
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from django.db import close_old_connections, transaction
from numpy.typing import NDArray

from classifier import registry
from classifier.ml import artifact as artifacts
from classifier.ml.artifact import ArtifactError
from classifier.ml.frozen import FEW
from classifier.ml.metrics import measure, wilson_interval
from classifier.models import LabelSet, ModelVersion
from classifier.serving import read_artifact

from .freezing import NothingToFreezeError, TakenBackError, freeze_dataset
from .gate import LeftOut, Verdict, judge
from .limits import gate_limits
from .models import DatasetVersion, TrainingRun
from .trainer_process import REFUSED, TrainerProcess
from .training_notes import Event, Notes, StoppedError, TakenBackMeanwhileError, Tell, silent
from .training_plan import NothingToTrainError, RunRefusedError, check_counts, check_goes_on, needs_all
from .training_runs import DATABASE_GONE, begin, end, one_line, working_folder

Outcome = TrainingRun.Outcome

RESULT = {"parameters", "cross_validation", "environment", "latency_ms", "seconds", "mistakes"}
COPIED_AT_ONCE = 1 << 20
LINES_TOLD = 5


class TrainerError(RuntimeError):
    """The training process failed, or left something that is no candidate."""


FAILURES = (
    TrainerError,
    ArtifactError,
    RunRefusedError,
    TakenBackError,
    TakenBackMeanwhileError,
    registry.PromotionRefusedError,
)
NOTHING = (NothingToTrainError, NothingToFreezeError)


def retrain(run: TrainingRun, *, tell: Tell = silent) -> TrainingRun:
    """Do a waiting run, and return its row as it ended; nothing is done where another process has it.

    `tell` hears what happens, in the trainer's words (see classifier/ml/trainer.py). Ctrl-C, or a word on the
    row, ends it within seconds. Whatever happens, the active version is replaced at the very end or not at
    all. A database that is away for a moment stops nothing. Raises OperationalError or InterfaceError, having
    stopped the training, when it stays away: the row still says then that it runs, and whoever starts next
    marks it.
    """
    try:
        with working_folder(run) as folder:
            if folder and begin(run):
                _do(run, folder, Notes(run, tell))
    except OSError as error:  # no folder could be made
        end(run, Outcome.FAILED, _describe(error), was=TrainingRun.State.WAITING)
    run.refresh_from_db()
    return run


def _do(run: TrainingRun, folder: Path, notes: Notes) -> None:
    try:
        _settle(run, _train(run, folder, notes), notes)
    except DATABASE_GONE as error:
        close_old_connections()
        # Which fails in its turn where the database is still away.
        end(run, Outcome.FAILED, f"The database was away meanwhile. Start it again. {one_line(error)}")
    except (StoppedError, KeyboardInterrupt):
        _stopped(run)
    except NOTHING as error:
        end(run, Outcome.NOTHING, str(error))
    except FAILURES as error:
        end(run, Outcome.FAILED, str(error))
    except OSError as error:
        end(run, Outcome.FAILED, _describe(error))
    except SystemExit:
        end(run, Outcome.FAILED, "The worker was stopped while it was running. Start it again.")
        raise
    except BaseException:
        end(
            run, Outcome.FAILED, "Something unforeseen happened: the log of the process that ran it has more."
        )
        raise


def _stopped(run: TrainingRun, **told: Any) -> None:
    asked = TrainingRun.objects.filter(pk=run.pk).values_list("message", flat=True).first()
    end(run, Outcome.CANCELLED, asked or "It was cancelled from the keyboard, or by a signal.", **told)


def _describe(error: OSError) -> str:
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return "The disk is full: nothing was registered. Make room, and start again."
    return f"A file could not be read or written: {error}"


@dataclass(frozen=True)
class Trained:
    """What the trainer left. labels: (N,) int64; the scores: (N, K) float32 on the frozen test split.

    left_out: labels of what was left out in turn in cross-validation, and scores of candidate and champion.
    """

    artifact: bytes
    card: dict[str, Any]
    result: Mapping[str, Any]
    labels: NDArray[np.int64]
    candidate: NDArray[np.float32]
    champion: NDArray[np.float32] | None
    left_out: LeftOut | None = None


# --- freeze and train -----------------------------------------------------------------------------------


def _train(run: TrainingRun, folder: Path, notes: Notes) -> Trained:
    notes.hear({"stage": "freeze", "done": 0, "total": 0})
    dataset = freeze_dataset(run.label_set, by=run.started_by, progress=notes.progress)
    labels = list(run.label_set.labels.values_list("slug", flat=True))
    check_counts(
        dataset.counts, labels, run.label_set.slug, needs_all=needs_all(run.estimator, run.started_from)
    )
    champion = ModelVersion.objects.filter(label_set=run.label_set, active=True).first()
    if run.started_from == "active":
        check_goes_on(champion)
    run.dataset, run.champion = dataset, champion
    run.save(update_fields=["dataset", "champion"])
    frozen = f"Frozen as {dataset.digest[:12]}: {dataset.examples:,} examples."
    # The trainer is some seconds away from its first word.
    notes.hear({"stage": "read", "log": frozen})
    _write_request(run, folder, labels, dataset)
    with TrainerProcess(folder) as trainer:
        last: Event = {}
        for event in trainer.events():
            notes.hear(event)
            last = event or last
        notes.insist()
        _check_end(trainer, last, notes)
    return _read_trained(folder, labels, run)


def _write_request(run: TrainingRun, folder: Path, labels: list[str], dataset: DatasetVersion) -> None:
    examples = folder / "examples.parquet"
    # A copy on this machine, since the storage may be elsewhere; it goes with the run.
    with dataset.file.open("rb") as source, examples.open("wb") as target:
        shutil.copyfileobj(source, target, COPIED_AT_ONCE)
    active = learned = None
    if run.champion:
        active = artifacts.write(folder, "active", read_artifact(run.champion), run.champion.card)
        learned = _copy_learned(run.champion, folder) if dataset.examples <= FEW else None
    asked = {
        "examples": str(examples),
        "label_set": run.label_set.slug,
        "labels": labels,
        "estimator": run.estimator,
        "active": str(active) if active else None,
        "learned": str(learned) if learned else None,
        **{name: run.parameters[name] for name in ("start", "epochs", "grid", "seed")},
        "dask": run.parameters["dask"] or None,
        "purpose": run.label_set.purpose if run.label_set.names_people else "",
    }
    (folder / "request.json").write_text(json.dumps(asked, ensure_ascii=False, indent=1), encoding="utf-8")


def _copy_learned(champion: ModelVersion, folder: Path) -> Path | None:
    """The dataset that the champion learned from, where it is known and still there."""
    runs = TrainingRun.objects.filter(version=champion, dataset__erased_at__isnull=True)
    run = runs.select_related("dataset").first()
    if run is None or run.dataset is None or not run.dataset.file.storage.exists(str(run.dataset.file.name)):
        return None
    copy = folder / "learned.parquet"
    with run.dataset.file.open("rb") as source, copy.open("wb") as target:
        shutil.copyfileobj(source, target, COPIED_AT_ONCE)
    return copy


def _check_end(trainer: TrainerProcess, last: Event, notes: Notes) -> None:
    if trainer.exit_code == 0:
        return
    if trainer.exit_code == REFUSED and isinstance(sentence := last.get("refused"), str):
        kind = TrainerError if last.get("reason") == "unknown" else NothingToTrainError
        raise kind(sentence)
    complaints = trainer.complaints()
    for line in complaints.splitlines()[-LINES_TOLD:]:
        notes.hear({"log": line})
    notes.write()
    raise TrainerError(_describe_end(trainer.exit_code or 0, complaints))


def _describe_end(exit_code: int, complaints: str) -> str:
    if "No space left on device" in complaints or "Disk quota exceeded" in complaints:
        return _describe(OSError(errno.ENOSPC, ""))
    if exit_code == -9:
        return "The training process was killed, most likely because the machine ran out of memory."
    how = f"was ended by signal {-exit_code}" if exit_code < 0 else f"ended with status {exit_code}"
    last = complaints.splitlines()[-1:] or ["It said nothing."]
    return f"The training process {how}. The last that it said: {last[0]}"


def _read_trained(folder: Path, labels: list[str], run: TrainingRun) -> Trained:
    """Raises TrainerError unless everything is there and fits together, ArtifactError."""
    try:
        artifact, card = artifacts.read(folder / "candidate.onnx")
        # NaN is no JSON, and no database keeps it as such.
        result = json.loads((folder / "result.json").read_text("utf-8"), parse_constant=lambda constant: None)
        with np.load(folder / "test.npz") as arrays:
            true, candidate = arrays["labels"], arrays["candidate"]
            champion = arrays.get("champion")
            left_out = _left_out(arrays, card["labels"]) if "left_out" in arrays else None
    except ArtifactError:
        raise
    except (OSError, KeyError, ValueError) as error:
        raise TrainerError(f"The training process left no complete candidate: {error}") from error
    if missing := RESULT - result.keys():
        raise TrainerError(f"The training process did not tell {', '.join(sorted(missing))}.")
    if run.champion and champion is None:
        raise TrainerError(f"The training process did not score {run.champion} on the test split.")
    if card["label_set"] != run.label_set.slug:
        raise TrainerError(f"The candidate is for label set {card['label_set']}, not {run.label_set.slug}.")
    return Trained(artifact, card, result, true, candidate, _widened(champion, card["labels"]), left_out)


def _left_out(arrays: Mapping[str, NDArray[Any]], labels: Sequence[str]) -> LeftOut:
    champion = _widened(arrays.get("left_champion"), labels)
    return LeftOut(arrays["left_labels"], arrays["left_out"], champion)


def _widened(champion: NDArray[np.float32] | None, labels: Sequence[str]) -> NDArray[np.float32] | None:
    """Nothing for each label that came after the champion: they stand last."""
    if champion is None or champion.ndim != 2 or champion.shape[1] >= len(labels):
        return champion
    return np.pad(champion, ((0, 0), (0, len(labels) - champion.shape[1])))


# --- register, judge, promote ---------------------------------------------------------------------------


def _settle(run: TrainingRun, trained: Trained, notes: Notes) -> None:
    notes.hear({"stage": "judge"})
    notes.insist()
    version = registry.register(trained.artifact, trained.card)
    # Now, so that whatever happens next it is known which data this version has learned from.
    TrainingRun.objects.filter(pk=run.pk).update(version=version)
    verdict = _judge(trained)
    told = {
        "gate": verdict.as_json(),
        "metrics": _measure(run, trained),
        "cross_validation": trained.result["cross_validation"],
        "environment": trained.result["environment"],
        "parameters": run.parameters | {"chosen": trained.result["parameters"]},
    }
    _decide(run, version, [rule.sentence for rule in verdict.refused_by], told)


def _judge(trained: Trained) -> Verdict:
    latency = trained.result["latency_ms"]
    try:
        return judge(
            trained.labels,
            trained.candidate,
            trained.champion,
            names=trained.card["labels"],
            latency_ms=latency["candidate"],
            champion_latency_ms=latency.get("champion"),
            limits=gate_limits(),
            left_out=trained.left_out,
        )
    except ValueError as error:
        raise TrainerError(f"The training process left what can't be judged: {error}") from error


def _measure(run: TrainingRun, trained: Trained) -> dict[str, Any]:
    """The candidate's figures and the champion's, on the same faces."""
    names = tuple(trained.card["labels"])
    threshold = trained.card["threshold"]
    told: dict[str, Any] = {
        "candidate": measure(trained.candidate, trained.labels, names, threshold=threshold),
        "latency_ms": trained.result["latency_ms"],
        "seconds": trained.result["seconds"],
        "mistakes": trained.result["mistakes"],
    }
    if trained.left_out:
        left = trained.left_out
        told["left_out"] = measure(left.candidate, left.labels, names, threshold=threshold)
        right = int((left.candidate.argmax(axis=1) == left.labels).sum())
        # Of the few that are all right, resampling would tell that it can't be otherwise.
        told["left_out"]["accuracy_95"] = [round(end, 4) for end in wilson_interval(right, len(left.labels))]
    if run.champion and trained.champion is not None:
        threshold = run.champion.card["threshold"]
        told["champion"] = measure(trained.champion, trained.labels, names, threshold=threshold)
    return told


@transaction.atomic
def _decide(run: TrainingRun, version: ModelVersion, failed: list[str], told: dict[str, Any]) -> None:
    """Promotion and the run's end are one: whoever looks sees both or none."""
    # Whoever promotes, or takes faces back, holds this row too.
    LabelSet.objects.select_for_update(no_key=True).get(pk=run.label_set.pk)
    asked = run.parameters
    if version != run.champion:  # which the same data and seed make again
        registry.note_verdict(version, " ".join(failed))
    verdict = "The gate would have let it pass." if not failed else " ".join(failed)
    if TrainingRun.objects.filter(pk=run.pk, cancel_asked=True).exists():
        _stopped(run, **told)
    elif asked["no_promote"]:
        end(run, Outcome.REGISTERED, f"{version} is registered and not promoted, as asked. {verdict}", **told)
    elif why_not := _overtaken(run) or ("" if asked["force"] else " ".join(failed)):
        end(run, Outcome.REFUSED, f"{version} is registered, not promoted. {why_not}", **told)
    elif end(run, Outcome.PROMOTED, f"{version} is active. {_forced(asked, failed)}".strip(), **told):
        _promote(run, version, forced=bool(failed))


def _overtaken(run: TrainingRun) -> str:
    """Why what was measured does not count any more; empty where it does."""
    if DatasetVersion.objects.filter(training_runs=run, erased_at__isnull=False).exists():
        return "A user took back a face that it has learned from. Train again, without it."
    active = ModelVersion.objects.filter(label_set=run.label_set, active=True).first()
    if active == run.champion:
        return ""
    compared, now = run.champion or "no other", active or "none"
    return f"It was compared with {compared}, and meanwhile {now} is active. Train again."


def _forced(asked: Mapping[str, Any], failed: list[str]) -> str:
    if not failed:
        return ""
    return f"The gate would have refused it: {' '.join(failed)} It was forced: {asked['reason']}"


def _promote(run: TrainingRun, version: ModelVersion, *, forced: bool) -> None:
    reason = run.parameters["reason"] if forced else f"It passed the gate in training {run}."
    registry.promote(version, by=run.started_by, reason=reason, forced=forced)
