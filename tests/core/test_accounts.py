"""An account has the one address it was made with; nobody ties a stranger's to theirs."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse


@pytest.mark.django_db
def test_nobody_adds_an_address_to_their_account() -> None:
    from allauth.account.models import EmailAddress

    from core.models import User

    user = User.objects.create(email="ada@corp.example", name="Ada")
    client = Client()
    client.force_login(user, backend="allauth.account.auth_backends.AuthenticationBackend")
    answer = client.post(reverse("account_email"), {"action_add": "", "email": "boss@corp.example"})
    assert answer.status_code == 200
    assert not EmailAddress.objects.filter(email="boss@corp.example").exists()
    assert "boss@corp.example" not in client.get(reverse("account_email")).content.decode()


@pytest.mark.django_db
def test_signing_in_by_mailed_code_verifies_the_address(mailoutbox) -> None:
    import re

    from allauth.account.models import EmailAddress

    from core.models import User

    user = User.objects.create_user("ada@corp.example")
    client = Client()
    client.post(reverse("account_request_login_code"), {"email": user.email})
    [code] = re.findall(r"^\s*([A-Z0-9]{3,4}-?[A-Z0-9]{3,4})\s*$", mailoutbox[0].body, re.MULTILINE)
    assert client.post(reverse("account_confirm_login_code"), {"code": code}).status_code == 302
    assert list(EmailAddress.objects.values_list("user_id", "email", "verified")) == [
        (user.pk, "ada@corp.example", True)
    ]
    client.get(reverse("account_email"))
    assert client.get(reverse("mfa_activate_totp")).status_code == 200
