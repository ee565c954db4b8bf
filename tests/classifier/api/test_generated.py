"""Two thousand requests that nobody thought of, made from the schema that the site serves, right and wrong.

None may fail, answer what the schema does not name, or answer otherwise than it says.
"""

from __future__ import annotations

import base64
from collections import Counter
from typing import Any

import pytest
import schemathesis
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
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
from tests.factories import make_active_model, make_upload
from tests.photographs import astronaut

CASES = 2000
EACH = 120
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


class Caller:
    """Sends what was generated, half of the time about something that is there."""

    def __init__(self, user: User, program: Client) -> None:
        self.user, self.program, self.headers = user, program, bearer(user)
        self.sent: Counter[tuple[str, int]] = Counter()

    def call(self, case: Case, about_something: bool) -> None:
        if about_something:
            self._make_real(case)
        answer = case.call(headers=self.headers)
        self.sent[case.operation.label, answer.status_code] += 1
        case.validate_response(answer, checks=CHECKS)

    def _make_real(self, case: Case) -> None:
        if "upload_id" in case.path_parameters:
            case.path_parameters["upload_id"] = str(make_upload(self.user, shows=["happy", "sad"]).pk)
        if "bulk_id" in case.path_parameters:
            archive = SimpleUploadedFile("a.zip", b"PK\x05\x06" + bytes(18))
            del archive
        if isinstance(case.body, dict) and case.operation.path.endswith("/predictions/"):
            case.body.pop("url", None)
            case.body["image"] = astronaut() if case.media_type == "multipart/form-data" else PHOTOGRAPH


@pytest.mark.django_db
def test_two_thousand_generated_requests_are_answered_as_the_schema_says(ada: User, api: Client) -> None:
    make_active_model()
    schema = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", application)
    caller = Caller(ada, api)
    for found in schema.get_all_operations():
        operation: Any = found.ok()
        for mode in GenerationMode:

            @thoroughness(
                max_examples=EACH,
                deadline=None,
                database=None,
                derandomize=True,
                suppress_health_check=list(HealthCheck),
            )
            @given(case=operation.as_strategy(generation_mode=mode), real=strategies.booleans())
            def send(case: Case, real: bool) -> None:
                caller.call(case, real)

            send()
    print(*sorted(caller.sent.items()), sep="\n")
    assert caller.sent.total() >= CASES
