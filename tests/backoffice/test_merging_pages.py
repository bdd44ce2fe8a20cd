"""Pages of merging: the list of pairs, the preview, the act, and the customer page afterwards."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.urls import reverse

from tests.backoffice.conftest import Office
from tests.factories import BY, a_customer, a_subscription

pytestmark = pytest.mark.django_db


def two(office: Office, **changes: Any) -> tuple[Any, Any]:
    older = a_customer(office.company, name="Alder Timber", email="ada@b.example")
    return older, a_customer(office.company, **({"name": "Zephyr Sails", "email": "ada@b.example"} | changes))


def address(goes: Any, stays: Any) -> str:
    return f"{reverse('backoffice:customer-merge', args=[goes.ref])}?customer={stays.ref}"


def test_a_pair_stands_in_the_list_and_on_both_pages_until_it_is_kept_apart(office: Office) -> None:
    older, younger = two(office)
    client = office.client()
    pages = [reverse("backoffice:customers-duplicates"), *(f"/office/customers/{row.ref}/" for row in (older, younger))]
    assert all("/apart/" in client.get(url).content.decode() for url in pages)
    url = reverse("backoffice:customer-apart", args=[younger.ref])
    assert client.post(url, {"other": older.ref, "next": "list"}).status_code == 302
    assert not any("/apart/" in client.get(url).content.decode() for url in pages)


def test_the_list_asks_few_questions(office: Office, django_assert_max_num_queries: Any) -> None:
    for number in range(12):
        a_customer(office.company, name=f"{number}" * 9, email="info@b.example")
    client = office.client()
    client.get("/office/")
    with django_assert_max_num_queries(12):
        assert client.get(reverse("backoffice:customers-duplicates")).status_code == 200


def test_somebody_to_merge_with_is_looked_for(office: Office) -> None:
    older, younger = two(office)
    url = reverse("backoffice:customer-merge", args=[younger.ref])
    body = office.client().get(f"{url}?q=alder").content.decode()
    assert f"?customer={older.ref}" in body


def test_the_preview_says_what_moves_and_the_act_needs_the_typed_number(office: Office) -> None:
    from customers.services import contacts

    older, younger = two(office, phone="+49 30 123")
    contacts.add_contact(customer=younger, name="Ada", by=BY, at=office.at)
    client, url = office.client(), address(younger, older)
    body = client.get(url).content.decode()
    assert re.search(r"<dt>Contacts</dt><dd>1</dd>", body)
    chosen = {"take_name": "goes", "take_phone": "stays"}
    answer = client.post(url, chosen | {"confirm": older.number})
    assert answer.status_code == 422
    assert f"Type the number of the customer that goes, {younger.number}" in answer.content.decode()
    answer = client.post(url, chosen | {"confirm": younger.number})
    assert (answer.status_code, answer["Location"]) == (302, f"/office/customers/{older.ref}/")
    older.refresh_from_db()
    assert (older.name, older.phone) == ("Zephyr Sails", "")


def test_what_is_in_the_way_stands_there_and_no_button(office: Office) -> None:
    older, younger = two(office)
    a_subscription(office.company, younger)
    body = office.client().get(address(younger, older)).content.decode()
    assert "end it first" in body or "end them first" in body
    assert "Merge for good" not in body
    assert "Merge for good" in office.client().get(address(older, younger)).content.decode()


def test_the_one_that_stays_shows_the_documents_of_the_other_one_and_search_leads_there(office: Office) -> None:
    from crm.services import merging
    from tests.money.dunning import pay
    from tests.money.providers import billed

    older, younger = two(office)
    invoice = billed(office.company, younger, on=office.at.date())
    pay(invoice, office.at.date())
    end_all(younger)
    merging.merge(customer=younger, into=older, confirm=younger.number, by=BY, at=office.at)
    client = office.client()
    page = f"/office/customers/{older.ref}/"
    assert invoice.number in client.get(f"{page}?tab=invoices").content.decode()
    assert invoice.number in client.get(f"{page}account/").content.decode()
    assert younger.number in client.get(page).content.decode()
    assert client.get(f"/office/search/?q={younger.number}")["Location"] == page
    gone = client.get(f"/office/customers/{younger.ref}/").content.decode()
    assert f"Merged into Alder Timber ({older.number})" in gone
    assert "Start a subscription" not in gone
    listed = client.get(f"/office/customers/?q={younger.number}").content.decode()
    assert older.ref in listed and younger.ref not in listed


def end_all(customer: Any) -> None:
    from subscriptions.models import Subscription

    # How a subscription ends is told elsewhere; here it matters that it has.
    Subscription.objects.filter(customer=customer).update(
        state=Subscription.State.EXPIRED, end_kind="expire", ends_on="2030-01-01", next_bill_on=None
    )
