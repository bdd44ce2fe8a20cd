"""The language and colour switches, the fault pages, and the gallery that exists in development only."""

from __future__ import annotations

import pytest
from django.test import Client, RequestFactory
from django.urls import reverse
from django.views.defaults import server_error
from pytest_django import Settings

from core.models import User

pytestmark = pytest.mark.django_db


def test_the_colours_chosen_are_kept_and_drawn_by_the_server(client: Client) -> None:
    answer = client.post(reverse("design:theme"), {"theme": "dark", "next": "/accounts/login/"})
    assert (answer.status_code, answer["Location"]) == (302, "/accounts/login/")
    assert 'data-theme="dark"' in client.get("/accounts/login/").content.decode()


def test_colours_that_do_not_exist_are_ignored(client: Client) -> None:
    client.post(reverse("design:theme"), {"theme": '"><script>'})
    assert 'data-theme="auto"' in client.get("/accounts/login/").content.decode()


def test_a_switch_never_leads_to_another_site(client: Client) -> None:
    answer = client.post(reverse("design:theme"), {"theme": "dark", "next": "https://evil.example/"})
    assert answer["Location"] == "/"


@pytest.mark.parametrize("switch", ["theme", "language"])
def test_a_switch_answers_to_posts_only(client: Client, switch: str) -> None:
    assert client.get(reverse(f"design:{switch}")).status_code == 405


def test_the_language_chosen_is_kept(client: Client) -> None:
    client.post(reverse("design:language"), {"language": "fr"})
    assert '<html lang="fr"' in client.get("/accounts/login/").content.decode()


def test_the_language_of_a_person_signed_in_follows(client: Client) -> None:
    user = User.objects.create_user("ada@example.com")
    client.force_login(user)
    client.post(reverse("design:language"), {"language": "it"})
    user.refresh_from_db()
    assert user.language == "it"


def test_a_language_not_on_offer_is_ignored(client: Client) -> None:
    client.post(reverse("design:language"), {"language": "xx"})
    assert client.cookies.get("language") is None


@pytest.mark.parametrize("address", ["gallery", "brand"])
def test_the_gallery_exists_in_development_only(client: Client, settings: Settings, address: str) -> None:
    assert client.get(reverse(f"design:{address}")).status_code == 404
    settings.DEBUG = True
    assert client.get(reverse(f"design:{address}")).status_code == 200


def test_an_address_that_leads_nowhere_gets_a_page_of_ours(client: Client) -> None:
    answer = client.get("/no/such/page/")
    assert answer.status_code == 404
    assert "There is nothing here" in answer.content.decode()


def test_the_page_for_our_own_faults_needs_no_request_context() -> None:
    answer = server_error(RequestFactory().get("/"))
    assert answer.status_code == 500
    assert "Something went wrong" in answer.content.decode()


def test_the_sign_in_page_asks_for_a_code_first(client: Client) -> None:
    text = client.get("/accounts/login/").content.decode()
    assert text.index(f'action="{reverse("account_request_login_code")}"') < text.index('name="password"')
    assert "sign up" not in text.lower()


def test_a_mailed_code_signs_in(client: Client, mailoutbox: list) -> None:
    user = User.objects.create_user("ada@example.com")
    answer = client.post(reverse("account_request_login_code"), {"email": "ada@example.com"})
    assert answer["Location"] == reverse("account_confirm_login_code")
    mail = mailoutbox[0]
    code = mail.subject.removeprefix("Your code is ")
    assert f"    {code}\n" in mail.body
    assert "ada@example.com" in client.get(answer["Location"]).content.decode()
    client.post(answer["Location"], {"code": code})
    assert client.session["_auth_user_id"] == str(user.pk)


def test_nobody_signs_up_alone(client: Client) -> None:
    assert "by invitation" in client.get(reverse("account_signup")).content.decode()
