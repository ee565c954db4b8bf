"""Label sets, as commands name them."""

from __future__ import annotations

from classifier.registry import find_label_set

__all__ = ["find_label_set"]
