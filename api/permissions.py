"""What a key may do: every operation names one right, and the key's scopes must give it."""

from __future__ import annotations

from typing import Any

from rest_framework.permissions import BasePermission

from api.problems import Problem
from core.services.keys import rights_of_scopes, scopes_with


class HasScope(BasePermission):
    """403 unless the key's scopes give the right of the operation. An operation without a right is refused."""

    def has_permission(self, request: Any, view: Any) -> bool:
        handler = getattr(view, request.method.lower(), None)
        if handler is None or request.method == "OPTIONS":
            return True  # answered with 405 by the dispatch
        if rights_of_scopes(request.auth.scopes).isdisjoint(handler.rights):
            scopes = [scope for right in handler.rights for scope in scopes_with(right)]
            raise Problem(403, "scope_missing", scope=", ".join(dict.fromkeys(scopes)))
        return True
