"""The return half of the loop, as rows."""

from .dataset import DatasetJob, DatasetVersion, Example, ExampleChange, ExampleQuerySet, Split
from .review import Annotation, ReviewItem

__all__ = [
    "Annotation",
    "DatasetJob",
    "DatasetVersion",
    "Example",
    "ExampleChange",
    "ExampleQuerySet",
    "ReviewItem",
    "Split",
]
