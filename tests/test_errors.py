"""Requests that go no further get one plain sentence: a page for people, JSON for scripts."""

from __future__ import annotations

import pytest
from django.test import Client

pytestmark = pytest.mark.django_db
NOT_ALLOWED = [("POST", "/"), ("DELETE", "/uploads/"), ("PUT", "/account/"), ("PATCH", "/uploads/delete/")]


@pytest.mark.parametrize(("method", "url"), NOT_ALLOWED)
def test_a_method_that_is_not_allowed_is_explained_on_a_page(
    ada_client: Client, method: str, url: str
) -> None:
    answer = ada_client.generic(method, url, headers={"Accept": "text/html"})
    assert answer.status_code == 405
    assert "GET" in answer["Allow"]
    page = answer.content.decode()
    assert "Not that way" in page
    assert "cannot be asked that way" in page
    assert 'href="/"' in page


@pytest.mark.parametrize(("method", "url"), NOT_ALLOWED)
def test_a_method_that_is_not_allowed_is_explained_to_a_script(
    ada_client: Client, method: str, url: str
) -> None:
    answer = ada_client.generic(method, url, headers={"Accept": "application/json"})
    assert answer.status_code == 405
    assert "GET" in answer["Allow"]
    assert "cannot be asked that way" in answer.json()["error"]


def test_a_visitor_gets_the_page_too(client: Client) -> None:
    answer = client.post("/about/", headers={"Accept": "text/html"})
    assert answer.status_code == 405
    assert "Not that way" in answer.content.decode()
