"""What labelers, curators and operators see in the admin."""

from . import dataset, review, training

__all__ = ["dataset", "review", "training"]
