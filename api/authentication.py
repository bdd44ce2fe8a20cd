"""Who calls: the key in `Authorization: Bearer`, and with it the company. There is no other way in."""

from __future__ import annotations

from typing import Any

from rest_framework.authentication import BaseAuthentication

from api.problems import Problem
from core.models import ApiKey
from core.services.keys import find_key

CHALLENGE = {"WWW-Authenticate": 'Bearer realm="api"'}


class KeyAuthentication(BaseAuthentication):
    """Finds the key and its company; an unknown, expired or revoked key is told apart from none."""

    def authenticate(self, request: Any) -> tuple[None, ApiKey]:
        kind, _, text = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
        if kind.lower() != "bearer" or not text.strip():
            raise Problem(401, "key_missing", headers=CHALLENGE)
        key = find_key(text.strip())
        if key is None:
            raise Problem(401, "key_invalid", headers={"WWW-Authenticate": 'Bearer realm="api", error="invalid_token"'})
        return None, key

    def authenticate_header(self, request: Any) -> str:
        return CHALLENGE["WWW-Authenticate"]
