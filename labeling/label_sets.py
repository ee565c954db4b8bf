"""Label sets, as commands name them."""

from __future__ import annotations

from classifier.models import LabelSet


def find_label_set(slug: str) -> LabelSet:
    """Raises LookupError, telling which there are."""
    found = LabelSet.objects.filter(slug=slug).first()
    if found is None:
        known = ", ".join(LabelSet.objects.values_list("slug", flat=True)) or "none"
        raise LookupError(f"There is no label set {slug!r}. There are: {known}.")
    return found
