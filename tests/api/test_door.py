"""What the door does around every verb: keys, scopes, bodies, parameters, problems."""

from __future__ import annotations

from datetime import timedelta

import pytest

from core import clock

from .caller import BY, NOW, Caller, key_for, make_company

pytestmark = pytest.mark.django_db


def test_without_a_key_the_answer_says_how_to_send_one(client, db):
    answer = client.get("/api/v1/customers")
    assert (answer.status_code, answer.json()["code"]) == (401, "key_missing")
    assert answer["Content-Type"] == "application/problem+json"
    assert answer["WWW-Authenticate"] == 'Bearer realm="api"'


@pytest.mark.parametrize("text", ["sk_test_wrong", "sk_live_" + "0" * 40, "x", "sk_test_ü"])
def test_an_unknown_key_is_refused(text, db):
    answer = Caller(text).get("customers")
    assert (answer.status_code, answer.body["code"]) == (401, "key_invalid")


def test_a_revoked_key_is_refused(company):
    from core.services import keys

    key, text = keys.issue_key(company=company, name="x", scopes=["*"], by=BY, at=NOW)
    assert Caller(text).get("customers").status_code == 200
    keys.revoke_key(key=key, by=BY, at=NOW)
    assert Caller(text).get("customers").body["code"] == "key_invalid"


def test_an_expired_key_is_refused(company):
    from core.models import ApiKey
    from core.services import keys

    soon = clock.machine_now() + timedelta(hours=1)
    key, text = keys.issue_key(company=company, name="x", scopes=["*"], expires_at=soon, by=BY, at=NOW)
    assert Caller(text).get("customers").status_code == 200
    ApiKey.objects.filter(pk=key.pk).update(expires_at=clock.machine_now() - timedelta(seconds=1))
    assert Caller(text).get("customers").body["code"] == "key_invalid"


def test_a_test_key_opens_no_live_company(company):
    from core.models import Company

    text = key_for(company)
    Company.objects.filter(pk=company.pk).update(is_live=True, clock_at=None)
    assert Caller(text).get("customers").body["code"] == "key_invalid"


def test_the_last_use_of_a_key_is_noted(company):
    from core.models import ApiKey

    text = key_for(company)
    assert ApiKey.objects.get(company=company).last_used_at is None
    Caller(text).get("customers")
    assert ApiKey.objects.get(company=company).last_used_at is not None


def test_a_reading_key_does_not_write(caller):
    answer = caller("customers:read").post("customers", {"name": "Beck"})
    assert (answer.status_code, answer.body["code"]) == (403, "scope_missing")
    assert answer.body["detail"] == "This key lacks the scope customers:write."


def test_writing_includes_reading(caller):
    assert caller("customers:write").get("customers").status_code == 200


def test_a_customer_of_another_company_is_not_there(api, other_company):
    ref = Caller(key_for(other_company)).post("customers", {"name": "Theirs"}).body["id"]
    assert api.get(f"customers/{ref}").body["code"] == "not_found"
    assert api.get("customers").body["data"] == []


@pytest.mark.parametrize("ref", ["cus_1", "sub_01h455vb4pex5vsknk084sn02q", "1", "cus_01H455VB4PEX5VSKNK084SN02Q"])
def test_an_id_of_another_form_is_not_there(api, ref):
    assert api.get(f"customers/{ref}").status_code == 404


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"{", 400, "malformed_json"),
        (b"\xff", 400, "malformed_json"),
        (b'{"name": NaN}', 400, "malformed_json"),
        (b'{"name": Infinity}', 400, "malformed_json"),
        (b'{"name": "a", "name": "b"}', 400, "duplicate_name"),
        (b'{"metadata": ' + b"[" * 60 + b"]" * 60 + b"}", 400, "body_too_deep"),
        (b'{"a": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", 400, "body_too_deep"),
        (b'{"payment_terms_days": ' + b"1" * 5000 + b"}", 400, "number_too_long"),
        (b"[]", 400, "body_not_an_object"),
        (b'"x"', 400, "body_not_an_object"),
        (b'{"name": "a\\u0000b"}', 422, "invalid_input"),
        (b'{"name": "\\ud800"}', 422, "invalid_input"),
        (b'{"metadata": {"a\\u0000": 1}, "name": "x"}', 422, "invalid_input"),
        (b'{"name": "' + b"x" * 1_100_000 + b'"}', 413, "body_too_large"),
    ],
)
def test_a_body_that_cannot_be_kept_is_refused(api, body, status, code):
    answer = api.post("customers", body)
    assert (answer.status_code, answer.body["code"]) == (status, code)
    assert api.get("customers").body["data"] == []


def test_a_text_with_nul_is_pointed_at(api):
    answer = api.post("customers", b'{"name": "x", "address": {"city": "a\\u0000", "country": "DE"}}')
    assert answer.body["errors"][0]["pointer"] == "/address/city"


def test_another_media_type_is_refused(company):
    from django.test import Client

    headers = {"Authorization": f"Bearer {key_for(company)}"}
    form = "application/x-www-form-urlencoded"
    answer = Client().post("/api/v1/customers", "name=x", content_type=form, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported_media_type")


def test_a_misspelled_field_is_refused(api):
    answer = api.post("customers", {"name": "Beck", "e-mail": "a@example.com"})
    assert answer.body["errors"] == [
        {"pointer": "/e-mail", "code": "unknown_field", "message": "There is no such field here."}
    ]


def test_every_fault_is_listed(api):
    answer = api.post("customers", {"kind": "club", "payment_terms_days": "14", "currency": "eur"})
    found = {(error["pointer"], error["code"]) for error in answer.body["errors"]}
    assert found == {
        ("/kind", "invalid_choice"), ("/payment_terms_days", "invalid"), ("/currency", "currency.unknown"),
        ("/name", "required"),
    }  # fmt: skip


@pytest.mark.parametrize(
    "query",
    [
        "limit=0", "limit=101", "limit=x", "limit=١", "after=cus_1", "after=", "created[gte]=yesterday", "kind=club",
        "created[gte]=2026-02-30T00:00:00Z", "status=open", "email=%00", "kind=company&kind=person", "expand=balance",
        "created=2026-01-01T00:00:00Z", "created[gt]=2999-12-31T23:59:59-14:00",
    ],
)  # fmt: skip
def test_a_parameter_that_cannot_be_read_is_refused(api, query):
    answer = api.get(f"customers?{query}")
    assert answer.status_code == 422 or query.startswith("created[gt]")
    if answer.status_code == 422:
        assert answer.body["errors"][0]["parameter"] == query.partition("=")[0]


def test_words_come_in_the_language_asked_for(api):
    answer = api.post("customers", {"kind": "company"}, **{"Accept-Language": "de"})
    assert answer["Content-Language"] == "de"
    assert answer.body["errors"][0]["code"] == "required"


def test_an_unknown_method_is_told_what_is_allowed(api):
    answer = api.delete("customers")
    assert (answer.status_code, answer.body["code"]) == (405, "method_not_allowed")
    assert "GET" in answer["Allow"] and "POST" in answer["Allow"]


def test_an_unexpected_fault_leaks_nothing(api, monkeypatch):
    from customers.services import customers

    def broken(**given):
        raise RuntimeError("secret figure")

    monkeypatch.setattr(customers, "create_customer", broken)
    answer = api.post("customers", {"name": "Beck"})
    assert (answer.status_code, answer.body["code"]) == (500, "internal_error")
    assert "figure" not in answer.content.decode()


def test_an_unknown_address_answers_with_a_problem(api, client):
    answer = client.get("/api/v1/nothing", headers={"Authorization": f"Bearer {api.key}"})
    assert (answer.status_code, answer["Content-Type"]) == (404, "application/problem+json")


def test_a_key_may_call_so_often(api, settings, monkeypatch):
    at = clock.machine_now()
    monkeypatch.setattr(clock, "machine_now", lambda: at)  # a new minute would be a new count
    settings.API_RATE = (2, 60)
    assert api.get("customers")["RateLimit"].startswith('"default";r=1;t=')
    assert api.get("customers")["RateLimit-Policy"] == '"default";q=2;w=60'
    answer = api.get("customers")
    assert (answer.status_code, answer.body["code"]) == (429, "rate_limited")
    assert 1 <= int(answer["Retry-After"]) <= 60


def test_keys_are_counted_apart(api, company, settings):
    settings.API_RATE = (1, 60)
    api.get("customers")
    assert Caller(key_for(company)).get("customers").status_code == 200


def test_a_live_company_has_live_keys(db):
    live = make_company(is_live=False)
    assert key_for(live).startswith("sk_test_")
    assert key_for(make_company(is_live=True, clock_at=None)).startswith("sk_live_")


@pytest.mark.django_db
def test_the_door_itself_answers_as_an_address_that_is_not_there(client):
    answer = client.get("/api/v1/")
    assert (answer.status_code, answer["Content-Type"]) == (404, "application/problem+json")
