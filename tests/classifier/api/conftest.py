"""Programs of the cast: each comes with a token of its own."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client

from classifier.api.tokens import make_token
from classifier.models import User

ApiOf = Callable[[User], Client]


def bearer(user: User) -> dict[str, str]:
    _, secret = make_token(owner=user, name="a program", lasts=timedelta(days=30))
    return {"Authorization": f"Bearer {secret}"}


@pytest.fixture
def api_of(db: None) -> ApiOf:
    return lambda user: Client(headers=bearer(user))


@pytest.fixture
def api(ada: User, api_of: ApiOf) -> Client:
    """Ada's program."""
    return api_of(ada)


@pytest.fixture
def bobs_api(bob: User, api_of: ApiOf) -> Client:
    return api_of(bob)
