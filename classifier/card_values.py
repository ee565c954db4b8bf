"""Values out of a model card, which may come from anywhere: what has another form counts as not told."""

from __future__ import annotations

import math
from typing import Any


def mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def share(value: Any) -> float | None:
    number = isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
    return float(value) if number and 0 <= value <= 1 else None


def interval(value: Any) -> tuple[float, float] | tuple[None, None]:
    if not isinstance(value, list) or len(value) != 2:
        return None, None
    low, high = share(value[0]), share(value[1])
    return (None, None) if low is None or high is None else (low, high)
