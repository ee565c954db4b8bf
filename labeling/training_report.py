"""What came of a run, as one JSON object and as lines for people."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from classifier.trials import Trials, trials_of

from .models import TrainingRun
from .training_plan import Plan

CONFUSIONS_TOLD = 5


def run_as_json(run: TrainingRun) -> dict[str, Any]:
    version, dataset = run.version, run.dataset
    return {
        "outcome": run.outcome,
        "message": run.message,
        "run": run.pk,
        "label_set": run.label_set.slug,
        "version": version and version.number,
        "digest": version and version.digest,
        "estimator": version.estimator if version else run.estimator,
        "parameters": run.parameters,
        "dataset": dataset
        and {"digest": dataset.digest, "examples": dataset.examples, "counts": dataset.counts},
        "champion": run.champion and run.champion.number,
        "metrics": run.metrics,
        "cross_validation": run.cross_validation,
        "gate": run.gate,
        "environment": run.environment,
    }


def refusal_as_json(outcome: str, message: str, *, run: TrainingRun | None = None) -> dict[str, Any]:
    """Of a run that was not begun, or whose row can't be read: the same keys, with nothing in them."""
    empty: dict[str, Any] = {
        "version": None,
        "estimator": None,
        "metrics": {},
        "cross_validation": [],
        "gate": {},
    }
    return {"outcome": outcome, "message": message, "run": run.pk if run else None, **empty}


def plan_as_json(plan: Plan) -> dict[str, Any]:
    asked = plan.asked
    return {
        "outcome": "dry run",
        "label_set": asked.label_set.slug,
        "estimator": asked.estimator,
        "parameters": plan.parameters,
        "counts": plan.counts,
        "champion": plan.champion and plan.champion.number,
    }


def plan_as_text(plan: Plan) -> str:
    asked = plan.asked
    sizes = ", ".join(f"{split} {sum(labels.values()):,}" for split, labels in sorted(plan.counts.items()))
    begins = f"going on from {plan.champion}" if plan.start == "active" else "from scratch"
    if plan.chooses_features:
        begins += ", choosing its features, too"
    against = f"compared with {plan.champion}" if plan.champion else "compared with no other: none is active"
    return "\n".join(
        [
            f"Would freeze the examples of {asked.label_set.slug} ({sizes}),",
            f"train {asked.estimator} {begins} (grid {asked.grid}, seed {asked.seed}), {against},",
            _last(plan),
        ]
    )


def _last(plan: Plan) -> str:
    if plan.asked.no_promote:
        return "and register it without promoting it. Nothing was changed."
    if plan.asked.force:
        return "and promote it whatever the gate says. Nothing was changed."
    return "and promote it if it passes the gate. Nothing was changed."


def run_as_text(run: TrainingRun) -> str:
    """Without its message."""
    return "\n".join(_lines(run))


def _lines(run: TrainingRun) -> Iterator[str]:
    trials = trials_of(run.cross_validation)
    if trials:
        yield from _table(trials)
    for row in run.cross_validation[: 1 if trials else None]:
        yield (
            f"  {_kind(row)} {_words(row['parameters'])}: accuracy {row['accuracy']:.3f} "
            f"± {row['deviation']:.3f} by cross-validation"
        )
    for name in ("candidate", "champion"):
        if figures := run.metrics.get(name):
            yield (
                f"  {name}: accuracy {figures['accuracy']:.3f}, balanced {figures['balanced_accuracy']:.3f}, "
                f"calibration error {figures['expected_calibration_error']:.3f} on {figures['faces']:,} faces"
            )
    if figures := run.metrics.get("left_out"):
        low, high = figures["accuracy_95"]
        yield (
            f"  cross-validation: accuracy {figures['accuracy']:.3f} (95 % interval {low:.3f} to {high:.3f}) "
            f"on {figures['faces']:,} faces that were left out in turn"
        )
    yield from _confusion(run)
    for rule in run.gate.get("rules", []):
        yield f"  {'passed' if rule['passed'] else 'REFUSED'}: {rule['sentence']}"


def _table(trials: Trials) -> Iterator[str]:
    """The best of each kind of features with each family."""
    widest = max(len(features) for features, _reached in trials.rows)
    yield f"  {'':{widest}}" + "".join(f"{family:>10}" for family in trials.families)
    for features, reached in trials.rows:
        cells = ("" if trial is None else f"{trial.accuracy:.3f}" for trial in reached)
        yield f"  {features:{widest}}" + "".join(f"{cell:>10}" for cell in cells)


def _kind(row: dict[str, Any]) -> str:
    return f"{row['features']}, {row['estimator']}" if "features" in row else str(row["estimator"])


def _confusion(run: TrainingRun) -> Iterator[str]:
    """What was taken for what, the most frequent first; and where the pictures are."""
    figures = run.metrics.get("left_out") or run.metrics.get("candidate") or {}
    names = run.measured_labels
    counts = [
        (count, names[true], names[told])
        for true, row in enumerate(figures.get("confusion_matrix", []))
        for told, count in enumerate(row)
        if count and true != told
    ]
    if counts:
        most = sorted(counts, key=lambda one: -one[0])[:CONFUSIONS_TOLD]
        said = ", ".join(f"{true} for {told} {count:,}" for count, true, told in most)
        yield f"  taken for something else: {said}; the pictures are on the page of run {run.pk}"


def _words(parameters: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in parameters.items() if value is not None)
