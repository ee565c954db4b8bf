"""The return half of the loop, as rows."""

from .aside import FoundFace, SetAsidePicture, SetAsidePictureQuerySet
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
    "FoundFace",
    "KnownPhotograph",
    "ReviewItem",
    "ReviewQuerySet",
    "SetAsidePicture",
    "SetAsidePictureQuerySet",
    "Split",
    "TrainingRun",
    "TrainingRunQuerySet",
]
