"""Two that were merged are one: in sums, papers, exports, erasures, the portal; and two merges at once end in one."""

from __future__ import annotations

import io
import json
import zipfile
from threading import Barrier, Thread
from typing import Any

import pytest
from django.db import connection, transaction
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from core.refusal import Refused
from tests.backoffice.test_merging_pages import end_all
from tests.factories import BY, TODAY, a_company, a_customer, at_noon

AT = at_noon(TODAY)
COMMON: dict[str, Any] = {"by": BY, "at": AT}


def merge(goes: Any, stays: Any) -> Any:
    from crm.services import merging

    return merging.merge(customer=goes, into=stays, confirm=goes.number, **COMMON)


def with_history(company: Any, amounts: list[int], *, is_live: bool, name: str) -> Any:
    """Somebody with an invoice for each amount, all paid; ended, unless live, where the last is open."""
    from tests.money.dunning import pay
    from tests.money.providers import billed

    customer = a_customer(company, name=name)
    for number, amount in enumerate(amounts):
        invoice = billed(company, customer, f"{amount}.00")
        if not is_live or number < len(amounts) - 1:
            pay(invoice, TODAY)
    if not is_live:
        end_all(customer)
    return customer


def sums(*customers: Any) -> dict[str, Any]:
    """Documents, payments, balances, postings, movements and running revenue of all of them together."""
    from django.db.models import Sum

    from billing.models import CreditBalance, Invoice, InvoiceBalance, Payment, Posting
    from subscriptions.models import Movement, Slot

    mine = {"customer__in": customers}

    def total(rows: Any, name: str) -> int:
        return int(rows.aggregate(total=Sum(name))["total"] or 0)

    return {
        "invoices": total(Invoice.objects.filter(**mine), "gross_minor"),
        "numbers": sorted(Invoice.objects.filter(**mine).values_list("number", "customer_id")),
        "payments": total(Payment.objects.filter(**mine), "amount_minor"),
        "open": total(InvoiceBalance.objects.filter(customer_id__in=[row.pk for row in customers]), "open_minor"),
        "credit": total(CreditBalance.objects.filter(credit__customer__in=customers), "left_minor"),
        "postings": sorted(
            Posting.objects.filter(customer_id__in=[row.pk for row in customers]).values_list("pk", "amount_minor")
        ),
        "movements": sorted(Movement.objects.filter(**mine).values_list("pk", "kind", "customer_id")),
        "mrr": total(Slot.objects.filter(subscription__customer__in=customers), "mrr_minor"),
    }


AMOUNTS = st.lists(st.integers(1, 500), max_size=3)


class Sums(TestCase):
    @given(goes=AMOUNTS, stays=AMOUNTS, is_live=st.booleans(), times=st.integers(1, 2))
    @settings(max_examples=12)
    def test_no_sum_differs_by_a_merge_however_often_it_is_done(
        self, goes: list[int], stays: list[int], is_live: bool, times: int
    ) -> None:
        from billing.services import customer_accounts
        from reporting import audit

        company = a_company()
        one = with_history(company, goes, is_live=False, name="Alder")
        two = with_history(company, stays, is_live=is_live, name="Zephyr")
        before = sums(one, two)
        owed = {"currency": "EUR", "first": TODAY, "last": TODAY}
        closings = [customer_accounts.account_of(customer=row, **owed).closing_minor for row in (one, two)]
        figures = [str(one) for one in audit.differences(company, TODAY)]
        for _again in range(times):
            merge(one, two)
        assert sums(one, two) == before
        assert [str(one) for one in audit.differences(company, TODAY)] == figures
        assert customer_accounts.account_of(customer=two, **owed).closing_minor == sum(closings)


@pytest.mark.django_db
def test_an_export_holds_both():
    from crm.services import taking_along
    from customers.services import notes

    company = a_company()
    goes = with_history(company, [10], is_live=False, name="Alder Timber")
    stays = a_customer(company, name="Zephyr Sails")
    notes.add_note(customer=goes, text="likes quinces", **COMMON)
    merge(goes, stays)
    told = zipfile.ZipFile(io.BytesIO(b"".join(taking_along.archive(stays, internal=True))))
    assert [row["name"] for row in json.loads(told.read("customer.json"))] == ["Zephyr Sails", "Alder Timber"]
    assert len(json.loads(told.read("invoices.json"))) == len(json.loads(told.read("payments.json"))) == 1
    assert [row["text"] for row in json.loads(told.read("notes.json"))] == ["likes quinces"]
    assert sum(name.startswith("documents/") for name in told.namelist()) == 1


@pytest.mark.django_db
def test_an_erasure_covers_both_and_the_one_that_went_is_never_erased_alone():
    from crm.services import erasing
    from customers.models import Erasure
    from tests.customers.test_erasing import a_known_customer, places_of

    company = a_company()
    goes, stays = a_known_customer(company), a_customer(company, name="Zephyr Sails")
    merge(goes, stays)
    goes.refresh_from_db()
    with pytest.raises(Refused) as caught:
        erasing.erase(customer=goes, confirm=goes.number, **COMMON)
    assert caught.value.code == "customer.merged"
    assert erasing.plan(customer=stays, on=TODAY).blanked["customer"] == 2
    erasing.erase(customer=stays, confirm=stays.number, **COMMON)
    assert Erasure.objects.filter(customer__in=[goes, stays]).count() == 2
    for word in (goes.name, "Zephyr Sails", goes.email, "zacharias@quittenbaum.example"):
        assert places_of(word) == set()


@pytest.mark.django_db
def test_people_of_both_see_the_documents_of_both_in_the_portal():
    from customers.services import contacts
    from portal.access import Visitor

    company = a_company()
    goes = with_history(company, [10], is_live=False, name="Alder Timber")
    stays = with_history(company, [20], is_live=False, name="Zephyr Sails")
    ada = contacts.add_contact(customer=goes, name="Ada", email="ada@example.com", **COMMON)
    contacts.invite_to_portal(contact=ada, **COMMON)
    merge(goes, stays)
    ada.refresh_from_db()
    seen = Visitor(ada)
    assert seen.customer == stays
    assert (
        {row.customer_id for row in seen.invoices} == {row.customer_id for row in seen.payments} == {goes.pk, stays.pk}
    )


@pytest.mark.django_db(transaction=True)
def test_two_merges_crosswise_at_once_end_in_one():
    from customers.models import Customer

    company = a_company()
    first, second = a_customer(company), a_customer(company)
    start, said = Barrier(2), []

    def act(goes: Any, stays: Any) -> None:
        start.wait()
        try:
            merge(goes, stays)
            said.append("merged")
        except Refused as refused:
            said.append(refused.code)
        finally:
            connection.close()

    threads = [Thread(target=act, args=pair) for pair in ((first, second), (second, first))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(said) == ["customer.merged", "merged"]
    assert Customer.objects.filter(company=company, merged_into__isnull=False).count() == 1


_WAITS = """
SELECT EXISTS (
    SELECT 1 FROM pg_locks w JOIN pg_locks h USING (pid) JOIN pg_database d ON d.oid = h.database
    WHERE NOT w.granted AND d.datname = current_database()
)
"""


def until_it_waits(thread: Thread) -> None:
    """Until somebody in this database waits for a lock, or the thread has ended without."""
    with connection.cursor() as cursor:
        while thread.is_alive():
            cursor.execute(_WAITS)
            if cursor.fetchone()[0]:
                return
            thread.join(0.05)
    pytest.fail("nobody waited")


@pytest.mark.django_db(transaction=True)
def test_who_adds_a_note_during_a_merge_waits_for_it_and_is_told_who_stays():
    from customers.models import Note
    from customers.services import notes

    company = a_company()
    goes, stays = a_customer(company), a_customer(company)
    said: list[str] = []

    def add() -> None:
        try:
            notes.add_note(customer=goes, text="x", **COMMON)
        except Refused as refused:
            said.append(refused.message)
        finally:
            connection.close()

    thread = Thread(target=add)
    with transaction.atomic():
        merge(goes, stays)
        thread.start()
        until_it_waits(thread)
    thread.join()
    assert said == [f"{goes.number} was merged into {stays.number}: go on there."]
    assert not Note.objects.exists()
