"""Erased customers in ties: deleted over there at once, and nothing of them is left in what ties know."""

from __future__ import annotations

from typing import Any

import pytest

from tests.crm.tying import BY, NOW, a_company, a_tie, run, running, subscribed

pytestmark = pytest.mark.django_db


@pytest.fixture
def there(tmp_path: Any, settings: Any) -> Any:
    with running(tmp_path) as found:
        settings.TIE_ADDRESSES = found.addresses
        yield found


def erase(customer: Any) -> None:
    from crm.services import erasing

    erasing.erase(customer=customer, confirm=customer.number, by=BY, at=NOW)


def relay(company: Any) -> Any:
    from core.services import outbox

    return outbox.relay(worker="test", company_id=company.pk, kinds=["forget_in_tie"])


@pytest.mark.parametrize("kind", ["brevo", "mailchimp", "hubspot"])
def test_an_erased_customer_is_deleted_over_there_by_the_next_effect(there: Any, kind: str) -> None:
    from core.models import Outbox
    from crm.models import TieRecord

    company = a_company()
    one, two = subscribed(company, 2)
    tie = a_tie(company, kind)
    run(tie)
    email = one.email
    erase(one)
    row = Outbox.objects.get(company=company, kind="forget_in_tie")
    assert row.payload == {"tie": tie.pk, "customer": one.pk}
    relay(company)
    row.refresh_from_db()
    assert row.state == "done"
    assert _addresses(there, kind) == {two.email}
    assert not TieRecord.objects.filter(customer=one).exists() and email not in str(list(TieRecord.objects.values()))
    assert run(tie) == {} and _addresses(there, kind) == {two.email}


def _addresses(there: Any, kind: str) -> set[str]:
    return {row["email"].lower() for row in there.control(kind, "contacts")}


def test_an_address_that_somebody_else_has_stays_for_them(there: Any) -> None:
    from customers.services import consents

    company = a_company()
    one, two = subscribed(company, 2, email="same@example.com")
    tie = a_tie(company)
    run(tie)
    erase(one)
    consents.allow(holder=two, source="portal", by=BY, at=NOW)
    relay(company)
    assert _addresses(there, "brevo") == {"same@example.com"}
    assert tie.records.get().customer_id == two.pk


@pytest.mark.parametrize("kind", ["brevo", "mailchimp", "hubspot"])
def test_a_run_before_the_effect_leaves_an_erased_customer_to_it(there: Any, kind: str) -> None:
    company = a_company()
    one, two = subscribed(company, 2)
    tie = a_tie(company, kind)
    run(tie)
    erase(one)
    assert run(tie) == {} and tie.records.filter(customer=one).exists()
    relay(company)
    assert _addresses(there, kind) == {two.email}
    assert not tie.records.filter(customer=one).exists() and run(tie) == {}


def test_who_was_sent_at_the_moment_of_the_erasure_is_deleted_by_the_effect_that_the_next_run_puts(there: Any) -> None:
    from core.models import Outbox

    company = a_company()
    one, _two = subscribed(company, 2)
    email, tie = one.email, a_tie(company)
    erase(one)
    assert not Outbox.objects.filter(company=company, kind="forget_in_tie").exists()
    # The run that read them before sends and notes them after.
    there.control("brevo", "edit", email=email)
    tie.records.create(company=company, kind="person", key=email, customer=one, state="sent")
    run(tie)
    assert Outbox.objects.get(company=company, kind="forget_in_tie").payload == {"tie": tie.pk, "customer": one.pk}
    assert email in _addresses(there, "brevo")
    relay(company)
    assert email not in _addresses(there, "brevo") and not tie.records.filter(customer=one).exists()


@pytest.mark.parametrize("kind", ["brevo", "mailchimp", "hubspot"])
def test_whose_address_was_changed_over_there_is_deleted_by_the_id(there: Any, kind: str) -> None:
    company = a_company()
    one, two = subscribed(company, 2)
    tie = a_tie(company, kind, is_two_way=True)
    run(tie)
    run(tie)  # hears the ids
    there.control(kind, "address" if kind == "hubspot" else "edit", email=one.email, address="new@example.com")
    assert _addresses(there, kind) == {"new@example.com", two.email}
    erase(one)
    relay(company)
    assert _addresses(there, kind) == {two.email}


def test_an_address_with_a_slash_is_deleted_too(there: Any) -> None:
    company = a_company()
    (one,) = subscribed(company, email="sales/eu@example.com")
    tie = a_tie(company)
    run(tie)
    assert _addresses(there, "brevo") == {"sales/eu@example.com"}
    erase(one)
    relay(company)
    assert _addresses(there, "brevo") == set() and not tie.records.exists()


def test_a_tie_that_is_off_deletes_too(there: Any) -> None:
    from crm.services import tie_accounts

    company = a_company()
    one, two = subscribed(company, 2)
    tie = a_tie(company)
    run(tie)
    tie_accounts.switch(tie=tie, is_on=False, by=BY, at=NOW)
    erase(one)
    relay(company)
    assert _addresses(there, "brevo") == {two.email}


def test_an_erasure_asked_twice_is_one_effect_also_after_its_row_was_dropped(there: Any) -> None:
    from core.models import Outbox

    company = a_company()
    (one,) = subscribed(company)
    run(a_tie(company))
    erase(one)
    relay(company)
    assert Outbox.objects.filter(company=company, kind="forget_in_tie", state="done").delete()[0] == 1
    erase(one)
    assert not Outbox.objects.filter(company=company, kind="forget_in_tie").exists()


def test_while_the_other_system_is_away_it_is_tried_again(there: Any) -> None:
    from core.models import Outbox

    company = a_company()
    (one,) = subscribed(company)
    tie = a_tie(company)
    run(tie)
    erase(one)
    there.kill()
    relay(company)
    row = Outbox.objects.get(company=company, kind="forget_in_tie")
    assert (row.state, row.attempts, tie.records.count()) == ("waiting", 1, 1)
    there.start()
    Outbox.objects.filter(pk=row.pk).update(due_at=row.created_at)
    relay(company)
    assert (tie.records.count(), _addresses(there, "brevo")) == (0, set())


def test_what_was_heard_of_an_erased_customer_is_gone_in_the_same_act(there: Any) -> None:
    from crm.models import TieChange, TieRecord

    company = a_company()
    (one,) = subscribed(company)
    tie = a_tie(company, is_two_way=True)
    run(tie)
    there.control("brevo", "edit", email=one.email, attributes={"PHONE": "+49 4711 1"})
    assert run(tie)["taken"] == 1 and TieChange.objects.filter(customer=one).exists()
    erase(one)
    assert not TieChange.objects.filter(tie=tie).exists()
    assert list(TieRecord.objects.filter(tie=tie).values_list("values", "lists")) == [({}, [])]


def test_whoever_asks_what_is_known_of_them_is_told_where_it_went(there: Any) -> None:
    from crm.services import taken_kinds

    company = a_company()
    one, _two = subscribed(company, 2)
    tie = a_tie(company, is_two_way=True)
    run(tie)
    there.control("brevo", "edit", email=one.email, attributes={"PHONE": "+49 4711 1"})
    run(tie)
    sent, heard = taken_kinds.ties(one)
    assert (sent["system"], sent["key"], sent["state"]) == ("brevo", one.email, "sent")
    assert (heard["what"], heard["theirs"], heard["outcome"]) == ("phone", "+49 4711 1", "taken")
