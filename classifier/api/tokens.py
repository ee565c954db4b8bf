"""Secrets that a user makes for programs: shown once, kept as a digest, ended by a date or by hand."""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta

from django.utils import timezone

from classifier.models import User

from .models import Token

# Lets a scanner of source code tell what it has found.
PREFIX = "emo_"
HINT_LENGTH = len(PREFIX) + 6
# A busy program would otherwise write with every request.
USE_NOTED_EVERY = timedelta(minutes=1)


def make_token(*, owner: User, name: str, lasts: timedelta) -> tuple[Token, str]:
    """The token, and its secret, which is nowhere kept."""
    secret = PREFIX + secrets.token_urlsafe(32)
    token = Token.objects.create(
        owner=owner,
        name=name,
        digest=_digest(secret),
        hint=secret[:HINT_LENGTH],
        expires_at=timezone.now() + lasts,
    )
    return token, secret


def find_token(secret: str) -> Token | None:
    """The living token with this secret, its owner with it; notes that it was used."""
    now = timezone.now()
    living = Token.objects.select_related("owner").filter(expires_at__gt=now, owner__is_active=True)
    try:
        token = living.get(digest=_digest(secret))
    except Token.DoesNotExist:
        return None
    if token.last_used_at is None or token.last_used_at < now - USE_NOTED_EVERY:
        Token.objects.filter(pk=token.pk).update(last_used_at=now)
    return token


def _digest(secret: str) -> str:
    # 256 random bits cannot be guessed, so nothing slower or salted is needed.
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).hexdigest()
