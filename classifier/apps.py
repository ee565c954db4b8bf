"""The forward half of the loop: a photograph becomes predictions."""

from django.apps import AppConfig


class ClassifierConfig(AppConfig):
    name = "classifier"
