"""What came of a run, as one JSON object and as lines for people."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .models import TrainingRun
from .training_plan import Plan


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


def refusal_as_json(outcome: str, message: str) -> dict[str, Any]:
    """Of a run that was not begun: the same keys, with nothing in them."""
    empty: dict[str, Any] = {
        "version": None,
        "estimator": None,
        "metrics": {},
        "cross_validation": [],
        "gate": {},
    }
    return {"outcome": outcome, "message": message, "run": None, **empty}


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
    for row in run.cross_validation:
        yield (
            f"  {row['estimator']} {_words(row['parameters'])}: accuracy {row['accuracy']:.3f} "
            f"± {row['deviation']:.3f} by cross-validation"
        )
    for name in ("candidate", "champion"):
        if figures := run.metrics.get(name):
            yield (
                f"  {name}: accuracy {figures['accuracy']:.3f}, balanced {figures['balanced_accuracy']:.3f}, "
                f"calibration error {figures['expected_calibration_error']:.3f} on {figures['faces']:,} faces"
            )
    for rule in run.gate.get("rules", []):
        yield f"  {'passed' if rule['passed'] else 'REFUSED'}: {rule['sentence']}"


def _words(parameters: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in parameters.items())
