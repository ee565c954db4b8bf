"""The project itself as an application, so that its system checks are found."""

from django.apps import AppConfig


class EmotionSiteConfig(AppConfig):
    name = "emotion_site"

    def ready(self) -> None:
        from emotion_site import checks  # noqa: F401 - importing them registers them
