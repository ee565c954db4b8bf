"""What labelers, curators and operators see in the admin."""

from . import dataset, label_sets, review, training

__all__ = ["dataset", "label_sets", "review", "training"]
