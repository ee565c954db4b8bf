"""What labelers and curators see in the admin."""

from . import dataset, review

__all__ = ["dataset", "review"]
