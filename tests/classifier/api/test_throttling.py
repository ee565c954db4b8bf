"""Nobody asks more than the settings let them, and who does is told when to come back."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from pytest_django import Settings

from classifier.throttling import AddressThrottle
from tests.factories import make_active_model
from tests.photographs import astronaut

MODELS = "/api/v1/models/"
pytestmark = pytest.mark.django_db


def is_refused(answer: Any) -> bool:
    if answer.status_code != 429:
        return False
    assert answer.json()["type"] == "/api/problems/#too-many-requests"
    assert 1 <= int(answer["Retry-After"]) <= 60
    return True


def test_requests_are_counted_for_each_user(api: Client, bobs_api: Client, settings: Settings) -> None:
    settings.API_RATE = "2/min"
    assert [api.get(MODELS).status_code for _ in range(2)] == [200, 200]
    assert is_refused(api.get(MODELS))
    assert bobs_api.get(MODELS).status_code == 200


def test_the_pages_and_the_api_count_photographs_together(
    api: Client, ada_client: Client, settings: Settings
) -> None:
    settings.UPLOAD_RATE = "2/min"
    make_active_model()

    def photo() -> SimpleUploadedFile:
        return SimpleUploadedFile("a.jpg", astronaut())

    assert ada_client.post("/uploads/", {"photos": photo()}).status_code == 302
    assert api.post("/api/v1/predictions/", {"image": photo()}).status_code == 201
    assert is_refused(api.post("/api/v1/predictions/", {"image": photo()}))
    assert ada_client.post("/uploads/", {"photos": photo()}).status_code == 429


def test_archives_are_counted(api: Client, settings: Settings) -> None:
    settings.BULK_RATE = "1/min"
    assert api.post("/api/v1/bulk/").status_code == 400
    assert is_refused(api.post("/api/v1/bulk/"))


def test_who_guesses_at_tokens_is_counted_by_address(client: Client, api: Client, settings: Settings) -> None:
    settings.API_ADDRESS_RATE = "2/min"
    for guess in ("emo_a", "emo_b"):
        headers = {"Authorization": f"Bearer {guess}"}
        assert client.get(MODELS, headers=headers).status_code == 401
    assert is_refused(client.get(MODELS))
    assert is_refused(client.get(MODELS, headers={"Authorization": "Bearer emo_c"}))
    assert client.get(MODELS, REMOTE_ADDR="192.0.2.7").status_code == 401
    assert api.get(MODELS).status_code == 200, "a living token is no guess"


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("192.0.2.1", "192.0.2.2", False),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2", False),
    ],
)
def test_one_host_has_a_whole_network_of_ipv6(
    one: str, other: str, same: bool, client: Client, settings: Settings
) -> None:
    settings.API_ADDRESS_RATE = "1/min"
    client.get(MODELS, REMOTE_ADDR=one)
    assert is_refused(client.get(MODELS, REMOTE_ADDR=other)) == same


def test_only_as_many_proxies_as_there_are_are_believed(client: Client, settings: Settings) -> None:
    settings.API_ADDRESS_RATE = "1/min"
    client.get(MODELS, headers={"X-Forwarded-For": "192.0.2.1"})
    assert is_refused(client.get(MODELS, headers={"X-Forwarded-For": "192.0.2.2"}))


def test_an_address_that_is_none_is_counted_as_it_is(client: Client) -> None:
    assert AddressThrottle().get_cache_key(client.get(MODELS).wsgi_request, None)
    assert client.get(MODELS, REMOTE_ADDR="").status_code == 401
