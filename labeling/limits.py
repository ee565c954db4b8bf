"""What this site asks of a candidate before it becomes the active model."""

from __future__ import annotations

from django.conf import settings

from .gate import Limits


def gate_limits() -> Limits:
    """As the settings say."""
    return Limits(
        level=settings.GATE_LEVEL,
        recall_fall=settings.GATE_RECALL_FALL,
        calibration=settings.GATE_CALIBRATION,
        latency_ms=settings.GATE_LATENCY_MS,
        examples=settings.GATE_LEAST_EXAMPLES,
        examples_of_label=settings.GATE_LEAST_OF_LABEL,
    )
