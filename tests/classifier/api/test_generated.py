"""Two thousand requests that nobody thought of, made from the schema that the site serves, right and wrong.

None may fail, answer what the schema does not name, or answer otherwise than it says.
"""

from __future__ import annotations

import base64
import io
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import schemathesis
from django.contrib.auth.models import Permission
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from hypothesis import HealthCheck, given, strategies
from hypothesis import settings as thoroughness
from pytest_django import Settings
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from classifier.models import User
from emotion_site.wsgi import application
from tests.classifier.api.conftest import bearer
from tests.classifier.api.test_ownership import a_bulk
from tests.factories import make_active_model, make_upload
from tests.photographs import astronaut

CASES = 2000
# Of each kind, right and wrong: more where there is more to send.
EACH = {"/api/v1/predictions/": 260, "/api/v1/uploads/": 200, "/api/v1/faces/{face_id}/feedback/": 150}
OTHERS = 50
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
PHOTOGRAPH = base64.b64encode(astronaut()).decode()


@pytest.fixture(autouse=True)
def without_limits(settings: Settings) -> None:
    for name in ("API_RATE", "UPLOAD_RATE", "BULK_RATE", "API_ADDRESS_RATE"):
        setattr(settings, name, "1000000/min")


def zip_of_photographs() -> bytes:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as opened:
        opened.writestr("a.jpg", astronaut())
    return archive.getvalue()


class Caller:
    """Sends what was generated; where that is wished, about something that is there."""

    def __init__(self, user: User) -> None:
        self.user, self.headers = user, bearer(user)
        self.sent: Counter[tuple[str, int]] = Counter()

    def call(self, case: Case, about_something: bool) -> None:
        if about_something:
            self._make_real(case)
        answer = case.call(headers=self.headers)
        self.sent[case.operation.label, answer.status_code] += 1
        case.validate_response(answer, checks=CHECKS)

    def _make_real(self, case: Any) -> None:
        makers: dict[str, Callable[[], object]] = {
            "upload_id": lambda: make_upload(self.user, shows=["happy", "sad"]).pk,
            "face_id": lambda: make_upload(self.user).faces.get().pk,
            "bulk_id": lambda: a_bulk(self.user)[0],
        }
        for name in set(case.path_parameters) & set(makers):
            case.path_parameters[name] = str(makers[name]())
        if not isinstance(case.body, dict):
            return
        in_form = case.media_type == "multipart/form-data"
        if case.operation.path == "/api/v1/predictions/":
            case.body.pop("url", None)
            case.body["image"] = astronaut() if in_form else PHOTOGRAPH
        if case.operation.path == "/api/v1/uploads/{upload_id}/readings/":
            case.body["label_set"] = ["expressions"]
        if case.operation.path == "/api/v1/bulk/":
            case.body["archive"] = zip_of_photographs()


@pytest.fixture
def kept_connection() -> Iterator[None]:
    """As Django's own test client does: a request must not close the connection of the test's transaction."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@pytest.mark.django_db
@pytest.mark.usefixtures("kept_connection")
def test_two_thousand_generated_requests_are_answered_as_the_schema_says(ada: User) -> None:
    make_active_model()
    ada.user_permissions.add(Permission.objects.get(codename="export_examples"))
    caller = Caller(ada)
    schema = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", application)
    for found in schema.get_all_operations():
        operation: Any = found.ok()  # type: ignore[union-attr]
        for mode in GenerationMode:

            @thoroughness(
                max_examples=EACH.get(operation.path, OTHERS),
                deadline=None,
                database=None,
                derandomize=True,
                suppress_health_check=list(HealthCheck),
            )
            @given(case=operation.as_strategy(generation_mode=mode), real=strategies.booleans())
            def send(case: Case, real: bool) -> None:
                caller.call(case, real)

            send()
    assert caller.sent.total() >= CASES
    done = {label for label, status in caller.sent if status < 300}
    # Nothing that is generated names the account that is to be erased.
    assert {label for label, _ in caller.sent} - done == {"DELETE /api/v1/me/"}
