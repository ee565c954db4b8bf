"""Tokens: made on a page, shown once, kept as a digest, ended by a date or by hand."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from classifier.api import tokens
from classifier.api.models import Token
from classifier.models import User
from tests.classifier.api.conftest import bearer

PAGE = "/account/tokens/"
MODELS = "/api/v1/models/"
pytestmark = pytest.mark.django_db


def make(client: Client, **form: str) -> str:
    page = client.post(PAGE, {"name": "kiosk", "lasts": "30", **form}).content.decode()
    [secret] = re.findall(r"emo_[\w-]{43}", page)
    return secret


def test_a_token_made_on_the_page_works(ada_client: Client, ada: User, client: Client) -> None:
    secret = make(ada_client)
    assert client.get(MODELS, headers={"Authorization": f"Bearer {secret}"}).status_code == 200
    token = Token.objects.get()
    assert (token.owner, token.name) == (ada, "kiosk")
    assert timedelta(days=29) < token.expires_at - timezone.now() <= timedelta(days=30)


def test_its_secret_is_shown_once_and_kept_nowhere(ada_client: Client) -> None:
    secret = make(ada_client)
    row = Token.objects.values().get()
    assert secret not in str(row)
    assert row["hint"] == secret[:10]
    assert len(row["digest"]) == 64
    page = ada_client.get(PAGE)
    assert secret not in page.content.decode()
    assert "no-store" in page["Cache-Control"]


def test_two_secrets_are_never_the_same(ada_client: Client) -> None:
    assert make(ada_client) != make(ada_client)


def test_a_revoked_token_ends_at_once(ada_client: Client, client: Client) -> None:
    headers = {"Authorization": f"Bearer {make(ada_client)}"}
    token = Token.objects.get()
    page = ada_client.post(f"{PAGE}{token.pk}/revoke/", follow=True)
    assert "“kiosk” is revoked." in page.content.decode()
    assert client.get(MODELS, headers=headers).status_code == 401


def test_an_expired_token_lets_nobody_in_and_says_so_on_the_page(
    ada: User, ada_client: Client, client: Client
) -> None:
    headers = bearer(ada)
    Token.objects.update(expires_at=timezone.now())
    assert client.get(MODELS, headers=headers).status_code == 401
    assert "Expired" in ada_client.get(PAGE).content.decode()


def test_the_token_of_an_account_that_is_closed_lets_nobody_in(ada: User, client: Client) -> None:
    headers = bearer(ada)
    ada.is_active = False
    ada.save()
    assert client.get(MODELS, headers=headers).status_code == 401


def test_its_last_use_is_noted_once_a_minute(ada: User, ada_client: Client, client: Client) -> None:
    headers = bearer(ada)
    assert "never used" in ada_client.get(PAGE).content.decode()
    client.get(MODELS, headers=headers)
    first = Token.objects.get().last_used_at
    assert first
    client.get(MODELS, headers=headers)
    assert Token.objects.get().last_used_at == first
    Token.objects.update(last_used_at=first - tokens.USE_NOTED_EVERY - timedelta(seconds=1))
    client.get(MODELS, headers=headers)
    noted = Token.objects.get().last_used_at
    assert noted
    assert noted >= first
    assert "last used" in ada_client.get(PAGE).content.decode()


@pytest.mark.parametrize("form", [{"name": ""}, {"name": "x" * 101}, {"lasts": "9999"}, {"lasts": ""}])
def test_a_form_that_makes_no_sense_makes_no_token(form: dict[str, str], ada_client: Client) -> None:
    answer = ada_client.post(PAGE, {"name": "kiosk", "lasts": "30", **form})
    assert answer.status_code == 400
    assert "field-error" in answer.content.decode()
    assert not Token.objects.exists()


def test_a_name_is_only_text(ada_client: Client) -> None:
    page = ada_client.post(PAGE, {"name": "<script>", "lasts": "30"}).content.decode()
    assert "&lt;script&gt;" in page
    assert "<script>" not in page


def test_the_account_leads_there(ada_client: Client) -> None:
    assert f'href="{PAGE}"' in ada_client.get("/account/").content.decode()
