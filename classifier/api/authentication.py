"""Who a request comes from: whoever made its token, or whoever is signed in in this browser."""

from __future__ import annotations

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from classifier.models import User

from .models import Token
from .tokens import find_token

SCHEME = "Bearer"
DEAD_TOKEN = "This token is unknown, revoked or expired."  # noqa: S105


class TokenAuthentication(BaseAuthentication):
    """`Authorization: Bearer emo_…`."""

    def authenticate(self, request: Request) -> tuple[User, Token] | None:
        scheme, _, secret = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
        if scheme.lower() != SCHEME.lower():
            return None
        token = find_token(secret.strip())
        if token is None:
            raise AuthenticationFailed(DEAD_TOKEN)
        return token.owner, token

    def authenticate_header(self, request: Request) -> str:
        return SCHEME


class TokenScheme(OpenApiAuthenticationExtension):
    """Tells drf-spectacular what the above takes."""

    target_class = TokenAuthentication
    name = "token"

    def get_security_definition(self, auto_schema: object) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "description": "A token made under Account, API tokens."}
