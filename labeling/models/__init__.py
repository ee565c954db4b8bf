"""The return half of the loop, as rows."""

from .dataset import (
    DatasetJob,
    DatasetVersion,
    Example,
    ExampleChange,
    ExampleQuerySet,
    KnownPhotograph,
    Split,
)
from .review import Annotation, AnnotationQuerySet, ReviewItem, ReviewQuerySet
from .training import TrainingRun, TrainingRunQuerySet

__all__ = [
    "Annotation",
    "AnnotationQuerySet",
    "DatasetJob",
    "DatasetVersion",
    "Example",
    "ExampleChange",
    "ExampleQuerySet",
    "KnownPhotograph",
    "ReviewItem",
    "ReviewQuerySet",
    "Split",
    "TrainingRun",
    "TrainingRunQuerySet",
]
