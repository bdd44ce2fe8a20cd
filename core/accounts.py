"""How people sign in: by mailed code, or by password with a second factor. Nobody signs up alone."""

from __future__ import annotations

from typing import Any

from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.authentication import get_authentication_records
from django.http import HttpRequest, HttpResponse
from django.urls import reverse

from core.models import User


class AccountAdapter(DefaultAccountAdapter):  # type: ignore[misc]  # the library is untyped
    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def get_login_redirect_url(self, request: HttpRequest) -> str:
        return reverse("front-door")

    def post_login(self, request: HttpRequest, user: User, **more: Any) -> HttpResponse:
        """Who entered a mailed code reads that mailbox: its address is verified, as a second factor asks for."""
        from allauth.account.models import EmailAddress

        address = user.email.lower()
        for record in get_authentication_records(request, user):
            if record.get("method") == "code" and (record.get("email") or "").lower() == address:
                row, _made = EmailAddress.objects.get_or_create(user=user, email=address, defaults={"primary": True})
                if not row.verified:
                    row.set_verified()
                break
        answer: HttpResponse = super().post_login(request, user, **more)
        return answer
