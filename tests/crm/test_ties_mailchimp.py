"""The tie to Mailchimp on its own wire format: members, tags, its own refusal, who left by its link."""

from __future__ import annotations

import pytest

from tests.crm.mailing import a_segment, only
from tests.crm.tying import BY, NOW, a_company, a_tie, run, running, subscribed
from tests.factories import TODAY, a_plan, a_subscription

pytestmark = pytest.mark.django_db


@pytest.fixture
def there(tmp_path, settings):
    with running(tmp_path) as found:
        settings.TIE_ADDRESSES = found.addresses
        yield found


def test_members_come_with_their_figures_and_only_once(there):
    company = a_company()
    (customer,) = subscribed(company)
    a_subscription(company, customer, a_plan(company, amount="12.50"), on=TODAY)
    tie = a_tie(company, "mailchimp")
    assert run(tie) == {"sent": 1}
    told = there.contacts("mailchimp")[customer.email]
    assert (told["status"], told["language"]) == ("subscribed", "en")
    fields = told["merge_fields"]
    assert (fields["TMRR"], fields["TCURRENCY"], fields["TCUSTOMER"]) == ("12.50", "EUR", customer.ref)
    assert tie.records.get().external_id == told["contact_id"]
    assert run(tie) == {} and len(there.asked("mailchimp", "/lists/a1b2c3d4e5?", "POST")) == 1


def test_segments_are_tags_that_come_and_go(there):
    from customers.models import Customer

    company = a_company()
    one, two = subscribed(company, 2)
    Customer.objects.filter(pk=one.pk).update(dunning_group="vip")
    vip = a_segment(company, only({"field": "dunning_group", "op": "is", "value": "vip"}), name="VIP")
    tie = a_tie(company, "mailchimp", marks=[vip])
    run(tie)
    tags = {key: row["tags"] for key, row in there.contacts("mailchimp").items()}
    assert tags == {one.email: ["VIP"], two.email: []}
    Customer.objects.filter(pk=one.pk).update(dunning_group="")
    run(tie)
    assert there.contacts("mailchimp")[one.email]["tags"] == []


def test_who_leaves_by_its_link_gets_no_advertising_from_here(there):
    company = a_company()
    (customer,) = subscribed(company)
    tie = a_tie(company, "mailchimp")
    run(tie)
    there.control("mailchimp", "unsubscribe", email=customer.email)
    assert run(tie) == {"unsubscribed": 1}
    customer.refresh_from_db()
    assert customer.marketing_consent_at is None and run(tie) == {}


def test_its_refusal_to_subscribe_somebody_again_is_shown_and_sent_again_by_hand(there):
    from crm.services import tie_accounts
    from customers.services import consents

    company = a_company()
    (customer,) = subscribed(company)
    tie = a_tie(company, "mailchimp")
    run(tie)
    there.control("mailchimp", "unsubscribe", email=customer.email)
    run(tie)
    customer.refresh_from_db()
    consents.allow(holder=customer, source="portal", by=BY, at=NOW)
    assert run(tie) == {"failed": 1}
    row = tie.records.get()
    assert row.state == "failed" and "compliance state" in row.error
    assert run(tie) == {}
    assert tie_accounts.retry(tie=tie, by=BY, at=NOW) == 1
    assert run(tie) == {"failed": 1}


def test_a_consent_taken_back_here_unsubscribes_there_and_an_archived_customer_is_archived_there(there):
    from customers.models import Customer
    from customers.services import consents

    company = a_company()
    one, two = subscribed(company, 2)
    tie = a_tie(company, "mailchimp")
    run(tie)
    consents.withdraw(holder=one, by=BY, at=NOW)
    Customer.objects.filter(pk=two.pk).update(archived_at=NOW)
    assert run(tie) == {"sent": 2}
    found = {key: row["status"] for key, row in there.contacts("mailchimp").items()}
    assert found == {one.email: "unsubscribed", two.email: "archived"}
    assert run(tie) == {}


def test_a_portion_holds_five_hundred_and_a_crowd_is_throttled_between_two(there):
    from core import clock
    from crm.models import Tie
    from customers.models import Customer

    company = a_company()
    rows = [
        Customer(company=company, name=f"N{n}", sort_key=f"n{n}", email=f"n{n}@example.com", created_at=NOW,
                 marketing_consent_at=NOW)
        for n in range(700)
    ]  # fmt: skip
    Customer.objects.bulk_create(rows)
    tie = a_tie(company, "mailchimp")
    there.faults("mailchimp", {"path": "/lists/a1b2c3d4e5", "after": 13, "status": 429})
    run(tie)
    first = tie.records.count()
    assert first == 500 and tie.paused_until is not None
    Tie.objects.filter(pk=tie.pk).update(paused_until=clock.machine_now())
    assert run(tie) == {"sent": 200}
    assert len(there.contacts("mailchimp")) == 700


def test_a_key_without_its_data_center_is_refused_at_once(there):
    from core.refusal import Refused
    from crm.services import tie_accounts

    company = a_company()
    assert tie_accounts.check(a_tie(company, "mailchimp")) == "Nordlicht · Customers"
    for name, secret in (("A", "no-center"), ("B", "wrong-us19")):
        with pytest.raises(Refused) as refused:
            tie_accounts.check(a_tie(company, "mailchimp", name=name, secret=secret))
        assert refused.value.code == "tie.key_wrong"
