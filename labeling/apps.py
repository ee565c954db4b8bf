"""The return half of the loop: predictions become a dataset, and a better model."""

from __future__ import annotations

from django.apps import AppConfig


class LabelingConfig(AppConfig):
    name = "labeling"

    def ready(self) -> None:
        from classifier import handover
        from labeling import intake

        handover.connect(intake)
