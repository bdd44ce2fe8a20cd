"""The tie to HubSpot on its own wire format: companies, contacts and deals that belong together, opt-outs both ways."""

from __future__ import annotations

import pytest

from tests.crm.tying import BY, NOW, a_company, a_customer, a_tie, run, running, subscribed
from tests.factories import TODAY, a_plan, a_subscription

pytestmark = pytest.mark.django_db


@pytest.fixture
def there(tmp_path, settings):
    with running(tmp_path) as found:
        settings.TIE_ADDRESSES = found.addresses
        yield found


def test_company_contact_and_deal_come_and_belong_together(there):
    company = a_company()
    (customer,) = subscribed(company)
    subscription = a_subscription(company, customer, a_plan(company, amount="12.50"), on=TODAY)
    tie = a_tie(company, "hubspot")
    assert run(tie) == {"sent": 3}
    (firm,), (person,), (deal,) = (
        there.control("hubspot", name) for name in ("companies", "contacts", "deals")
    )  # fmt: skip
    assert (firm["name"], firm["turnus_customer"], firm["turnus_mrr"]) == (customer.name, customer.ref, "12.50")
    assert (person["email"], person["turnus_advertising"]) == (customer.email, "yes")
    assert (deal["turnus_subscription"], deal["turnus_mrr"], deal["amount"]) == (subscription.ref, "12.50", "150.00")
    assert (deal["dealstage"], deal["turnus_state"]) == ("closedwon", "active")
    assert there.control("hubspot", "associations") == [
        ["contacts", person["id"], "companies", firm["id"]], ["deals", deal["id"], "companies", firm["id"]],
        ["deals", deal["id"], "contacts", person["id"]],
    ]  # fmt: skip
    assert {row.key: row.external_id for row in tie.records.all()} == {
        customer.ref: firm["id"], customer.email: person["id"], subscription.ref: deal["id"],
    }  # fmt: skip
    assert run(tie) == {}


def test_who_allowed_no_advertising_is_known_there_as_such(there):
    company = a_company()
    customer = a_customer(company)
    tie = a_tie(company, "hubspot")
    run(tie)
    assert there.contacts("hubspot")[customer.email]["turnus_advertising"] == "no"
    assert tie.records.get(kind="person").state == "kept"


def test_a_consent_taken_back_here_opts_out_there(there):
    from customers.services import consents

    company = a_company()
    (customer,) = subscribed(company)
    tie = a_tie(company, "hubspot")
    run(tie)
    consents.withdraw(holder=customer, by=BY, at=NOW)
    assert run(tie) == {"sent": 1}
    found = there.contacts("hubspot")[customer.email]
    assert (found["turnus_advertising"], found["hs_email_optout"]) == ("no", "true")
    customer.refresh_from_db()
    consents.allow(holder=customer, source="portal", by=BY, at=NOW)
    run(tie)
    assert run(tie) == {}
    customer.refresh_from_db()
    assert consents.is_allowed(customer)


def test_an_opt_out_there_takes_the_consent_back_here(there):
    company = a_company()
    one, two = subscribed(company, 2)
    tie = a_tie(company, "hubspot")
    run(tie)
    there.control("hubspot", "unsubscribe", email=one.email)
    assert run(tie)["unsubscribed"] == 1
    one.refresh_from_db()
    two.refresh_from_db()
    assert (one.marketing_consent_at, two.marketing_consent_at is None) == (None, False)
    assert there.contacts("hubspot")[one.email]["turnus_advertising"] == "no"
    assert run(tie) == {}


def test_one_wrong_row_of_a_batch_is_found_and_the_others_go(there):
    from customers.models import Customer

    company = a_company()
    customers = [a_customer(company) for _ in range(3)]
    Customer.objects.filter(pk=customers[1].pk).update(email="no-address")
    tie = a_tie(company, "hubspot")
    assert run(tie) == {"sent": 5, "failed": 1}
    row = tie.records.get(state="failed")
    assert (row.key, row.error) == ("no-address", "Email address no-address is invalid")


def test_too_many_requests_pause_for_the_length_of_the_window(there):
    from datetime import timedelta

    from core import clock
    from crm.models import Tie

    company = a_company()
    subscribed(company, 2)
    tie = a_tie(company, "hubspot")
    there.faults("hubspot", {"path": "contacts/batch/upsert", "status": 429, "seconds": 10})
    before = clock.machine_now()
    run(tie)
    assert timedelta(seconds=9) < tie.paused_until - before < timedelta(seconds=60)
    assert {row.kind for row in tie.records.all()} == set()
    Tie.objects.filter(pk=tie.pk).update(paused_until=clock.machine_now())
    assert run(tie) == {"sent": 4}
    assert len(there.control("hubspot", "companies")) == 2


def test_a_wrong_token_is_said_in_clear_words(there):
    from core.refusal import Refused
    from crm.services import tie_accounts

    company = a_company()
    assert tie_accounts.check(a_tie(company, "hubspot")) == "HubSpot 4711"
    with pytest.raises(Refused, match="HubSpot doesn't take the key: Authentication credentials not found"):
        tie_accounts.check(a_tie(company, "hubspot", name="B", secret="pat-old"))
