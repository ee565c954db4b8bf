"""What was answered is gone: megabytes would otherwise wait until Python looks for cycles."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest
from django.core.files.uploadedfile import UploadedFile
from django.test import RequestFactory
from rest_framework.response import Response

from classifier.api.views.predictions import Predictions
from classifier.models import User
from tests.classifier.api.conftest import bearer
from tests.classifier.api.test_bad_input import PHOTOGRAPH
from tests.factories import make_active_model


@pytest.fixture
def no_garbage_collection() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def alive() -> list[object]:
    """Answers, and files that are open still. By type: to ask a lazy object would make it come to life."""
    objects = gc.get_objects()
    answers = [one for one in objects if issubclass(type(one), Response)]
    return answers + [one for one in objects if issubclass(type(one), UploadedFile) and not one.closed]


@pytest.mark.django_db
@pytest.mark.usefixtures("no_garbage_collection")
@pytest.mark.parametrize("store", ["true", "false"])
def test_neither_the_photograph_nor_the_answer_is_kept(store: str, ada: User) -> None:
    make_active_model()
    body = f'{{"image": "{PHOTOGRAPH}", "annotated": true, "store": {store}}}'
    request = RequestFactory(headers=bearer(ada)).post("/", body, content_type="application/json")
    before = alive()
    answer = Predictions.as_view()(request)
    assert answer.status_code in {200, 201}
    del answer
    assert [one for one in alive() if not any(one is other for other in before)] == []
