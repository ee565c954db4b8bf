"""Registered versions whose cards tell something: the bundled network's figures, or what a test gives."""

from __future__ import annotations

import json
from typing import Any

from classifier.models import ModelVersion
from classifier.registry import BUNDLED, promote, register
from tests.artifacts import tiny_artifact

TOLD = json.loads((BUNDLED / "expressions-cnn.json").read_text("utf-8"))
PUBLIC_TEST = "FER2013 PublicTest"
MEASURED = {
    "faces": 3579,
    "accuracy": 0.663,
    "accuracy_95": [0.6468, 0.6781],
    "expected_calibration_error": 0.0288,
}
"""Whatever network is bundled, these figures of it stay."""


def metrics(**figures: Any) -> dict[str, Any]:
    return {PUBLIC_TEST: TOLD["metrics"][PUBLIC_TEST] | MEASURED | figures}


def make_version(favourite: str, *, promoted: bool = False, **card: Any) -> ModelVersion:
    """A tiny artifact; `card` has what its card says otherwise."""
    artifact, own = tiny_artifact(favourite=favourite)
    version = register(artifact, own | {"metrics": metrics(), "dataset": TOLD["dataset"]} | card)
    if promoted:
        promote(version)
    return version
