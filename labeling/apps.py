"""The return half of the loop: predictions become a dataset, and a better model."""

from django.apps import AppConfig


class LabelingConfig(AppConfig):
    name = "labeling"
