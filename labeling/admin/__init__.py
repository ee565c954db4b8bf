"""What labelers and curators see in the admin."""

from . import review

__all__ = ["review"]
