"""openapi.json is what was reviewed, is what the views are, and can be read without the internet."""

from __future__ import annotations

import json
import re

import pytest
from django.test import Client
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.settings import spectacular_settings
from drf_spectacular.validation import validate_schema

from classifier.api.views.docs import SCHEMA
from emotion_site.problems import KINDS

WRITE = "manage.py spectacular --format openapi-json --file classifier/api/openapi.json"


def test_the_committed_schema_is_what_the_views_make() -> None:
    assert spectacular_settings.TITLE
    made = SchemaGenerator().get_schema(request=None, public=True)
    validate_schema(made)
    committed = json.loads(SCHEMA.read_text("utf-8"))
    assert json.loads(json.dumps(made)) == committed, f"Review the change, then run {WRITE}"


def test_every_call_says_what_it_is_and_what_can_go_wrong() -> None:
    schema = json.loads(SCHEMA.read_text("utf-8"))
    for path, calls in schema["paths"].items():
        for method, call in calls.items():
            assert call.get("summary"), f"{method} {path}"
            assert {"401", "429", "500"} <= set(call["responses"]), f"{method} {path}"
            for status, answer in call["responses"].items():
                kinds = set(answer.get("content", {}))
                assert (kinds == {"application/problem+json"}) == (int(status) >= 400), f"{method} {path}"


def test_it_is_served_as_it_is_committed(client: Client) -> None:
    answer = client.get("/api/v1/openapi.json")
    assert answer["Content-Type"] == "application/json"
    assert answer.getvalue() == SCHEMA.read_bytes()


@pytest.mark.django_db
def test_the_documentation_comes_from_this_site_alone(client: Client) -> None:
    page = client.get("/api/docs/").content.decode()
    assert 'data-schema="/api/v1/openapi.json"' in page
    loaded = re.findall(r'<(?:script|link|img)[^>]+(?:src|href)="([^"]+)"', page)
    assert any("swagger-ui-bundle.js" in url for url in loaded)
    assert all(url.startswith("/static/") for url in loaded)


@pytest.mark.django_db
def test_every_problem_is_explained(client: Client) -> None:
    page = client.get("/api/problems/").content.decode()
    for kind in KINDS:
        assert f'id="{kind.slug}"' in page
    assert len({kind.slug for kind in KINDS}) == len(KINDS)
