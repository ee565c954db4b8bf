from django.apps import AppConfig


class ApiConfig(AppConfig):
    name = "classifier.api"
    label = "api"
