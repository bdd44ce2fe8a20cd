"""A write sent again has its effect once and gets the same answer."""

from __future__ import annotations

import threading

import pytest

from .caller import Caller, key_for, make_company

KEY = {"Idempotency-Key": "order-17"}


def count():
    from customers.models import Customer

    return Customer.objects.count()


@pytest.mark.django_db
def test_the_same_request_gets_the_same_answer(api):
    first = api.post("customers", {"name": "Beck", "kind": "person"}, **KEY)
    again = api.post("customers", b'{ "kind":"person", "name" : "Beck"}', **KEY)
    assert (again.status_code, again.content, again["ETag"]) == (201, first.content, first["ETag"])
    assert again["Location"] == first["Location"]
    assert (first.get("Idempotent-Replayed"), again["Idempotent-Replayed"]) == (None, "true")
    assert count() == 1


@pytest.mark.django_db
def test_an_answer_keeps_its_language(api):
    first = api.post("customers", {"kind": "club"}, **{**KEY, "Accept-Language": "de"})
    again = api.post("customers", {"kind": "club"}, **{**KEY, "Accept-Language": "fr"})
    assert (again.content, again["Content-Language"]) == (first.content, "de")


@pytest.mark.django_db
def test_another_body_with_the_same_key_is_refused(api):
    api.post("customers", {"name": "Beck"}, **KEY)
    answer = api.post("customers", {"name": "Becker"}, **KEY)
    assert (answer.status_code, answer.body["code"]) == (422, "idempotency_key_reused")
    assert count() == 1


@pytest.mark.django_db
def test_another_address_with_the_same_key_is_refused(api):
    ref = api.post("customers", {"name": "Beck"}, **KEY).body["id"]
    answer = api.post(f"customers/{ref}/archive", **KEY)
    assert answer.body["code"] == "idempotency_key_reused"


@pytest.mark.django_db
def test_a_refusal_is_repeated_as_well(api):
    api.post("customers", {"name": "One", "external_id": "7"})
    first = api.post("customers", {"name": "Two", "external_id": "7"}, **KEY)
    ref = api.get("customers?external_id=7").body["data"][0]["id"]
    api.patch(f"customers/{ref}", {"external_id": "8"})
    again = api.post("customers", {"name": "Two", "external_id": "7"}, **KEY)
    assert (again.status_code, again.content) == (422, first.content)
    assert again["Content-Type"] == "application/problem+json"


@pytest.mark.django_db
def test_a_fault_of_ours_is_tried_again(api, monkeypatch):
    from customers.services import customers

    working = customers.create_customer

    def broken(**given):
        working(**given)
        raise RuntimeError

    monkeypatch.setattr(customers, "create_customer", broken)
    assert api.post("customers", {"name": "Beck"}, **KEY).status_code == 500
    assert count() == 0
    monkeypatch.setattr(customers, "create_customer", working)
    assert api.post("customers", {"name": "Beck"}, **KEY).status_code == 201


@pytest.mark.django_db
def test_keys_of_two_companies_are_apart(api, other_company):
    api.post("customers", {"name": "Beck"}, **KEY)
    assert Caller(key_for(other_company)).post("customers", {"name": "Other"}, **KEY).status_code == 201


@pytest.mark.django_db
@pytest.mark.parametrize("key", ["", "a b", "ü", "x" * 256])
def test_a_key_has_a_form(api, key):
    answer = api.post("customers", {"name": "Beck"}, **{"Idempotency-Key": key})
    assert (answer.status_code, answer.body["code"]) == (400, "idempotency_key_malformed")


@pytest.mark.django_db
def test_old_answers_are_forgotten(api, company, monkeypatch):
    from datetime import timedelta

    from api import idempotency
    from core import clock
    from core.services.sweeping import sweep

    api.post("customers", {"name": "Beck"}, **KEY)
    assert sweep(company, clock.machine_now(), ["answers"]) == {}
    monkeypatch.setattr(idempotency, "KEPT", timedelta(0))
    assert sweep(company, clock.machine_now(), ["answers"]) == {"answers": 1}


@pytest.mark.django_db(transaction=True)
def test_the_same_key_at_the_same_moment_works_once(monkeypatch):
    from django.db import connection

    from customers.services import customers

    working, begun, may_go_on = customers.create_customer, threading.Event(), threading.Event()

    def slow(**given):
        begun.set()
        assert may_go_on.wait(60)
        return working(**given)

    monkeypatch.setattr(customers, "create_customer", slow)
    caller = Caller(key_for(make_company()))
    answers = []

    def send():
        try:
            answers.append(caller.post("customers", {"name": "Beck"}, **KEY))
        finally:
            connection.close()

    thread = threading.Thread(target=send)
    thread.start()
    assert begun.wait(60)
    meanwhile = Caller(caller.key).post("customers", {"name": "Beck"}, **KEY)
    may_go_on.set()
    thread.join(60)
    assert (meanwhile.status_code, meanwhile.body["code"]) == (409, "idempotency_key_in_use")
    assert answers[0].status_code == 201
    afterwards = Caller(caller.key).post("customers", {"name": "Beck"}, **KEY)
    assert afterwards.content == answers[0].content
    assert count() == 1
