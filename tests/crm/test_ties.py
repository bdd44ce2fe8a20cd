"""Ties to e-mail marketing: who is sent, who isn't, who unsubscribed there, and what happens when it fails."""

from __future__ import annotations

import json

import pytest

from tests.crm.mailing import a_segment, only
from tests.crm.tying import BY, NOW, a_company, a_customer, a_tie, run, running, subscribed
from tests.factories import TODAY, a_plan, a_subscription

pytestmark = pytest.mark.django_db


@pytest.fixture
def there(tmp_path, settings):
    with running(tmp_path) as found:
        settings.TIE_ADDRESSES = found.addresses
        yield found


def states(tie) -> dict[str, str]:
    return dict(tie.records.values_list("key", "state"))


def test_who_allowed_advertising_is_sent_and_nobody_else(there):
    company = a_company()
    (yes,) = subscribed(company)
    no = a_customer(company)
    tie = a_tie(company)
    assert run(tie) == {"sent": 1}
    found = there.contacts("brevo")
    assert set(found) == {yes.email} and no.email not in found
    assert (found[yes.email]["listIds"], found[yes.email]["emailBlacklisted"]) == ([7], False)
    assert states(tie) == {yes.email: "sent"}
    assert tie.last_error == "" and tie.done_through_id == 0


def test_figures_of_the_subscriptions_go_along(there):
    company = a_company()
    (customer,) = subscribed(company)
    a_subscription(company, customer, a_plan(company, amount="12.50"), on=TODAY)
    run(a_tie(company))
    told = there.contacts("brevo")[customer.email]["attributes"]
    assert told["TURNUS_CUSTOMER"] == customer.ref
    assert (told["TURNUS_MRR"], told["TURNUS_CURRENCY"], told["TURNUS_STATE"]) == (12.5, "EUR", "active")
    assert (told["COUNTRY"], told["LANGUAGE"], told["COMPANY_NAME"]) == ("DE", "en", customer.name)


def test_what_is_the_same_is_not_sent_again_and_what_changed_is(there):
    company = a_company()
    first, second = subscribed(company, 2)
    tie = a_tie(company)
    assert run(tie) == {"sent": 2}
    assert run(tie) == {}
    first.name = "Other"
    first.save(update_fields=["name"])
    assert run(tie) == {"sent": 1}
    assert there.contacts("brevo")[first.email]["attributes"]["COMPANY_NAME"] == "Other"
    bodies = [json.loads(row["body"]) for row in there.asked("brevo", "/contacts/import")]
    assert [[one["email"] for one in body["jsonBody"]] for body in bodies] == [
        [first.email, second.email], [first.email],
    ]  # fmt: skip


def test_people_of_a_customer_are_sent_by_their_own_consent(there):
    from customers.models import Contact
    from customers.services import consents

    company = a_company()
    customer = a_customer(company)
    own = {"company": company, "customer": customer}
    yes = Contact.objects.create(**own, name="Ada Byron", email="Ada@Example.com")
    Contact.objects.create(**own, name="Bob", email="bob@example.com")
    consents.allow(holder=yes, source="portal", by=BY, at=NOW)
    run(a_tie(company))
    found = there.contacts("brevo")
    assert set(found) == {"ada@example.com"}
    assert found["ada@example.com"]["attributes"]["FULLNAME"] == "Ada Byron"


def test_an_archived_customer_leaves_the_list(there):
    from customers.models import Customer

    company = a_company()
    (customer,) = subscribed(company)
    tie = a_tie(company)
    run(tie)
    Customer.objects.filter(pk=customer.pk).update(archived_at=NOW)
    assert run(tie) == {"sent": 1}
    found = there.contacts("brevo")[customer.email]
    assert (found["listIds"], found["emailBlacklisted"]) == ([], False)
    assert states(tie) == {customer.email: "out"} and run(tie) == {}


def test_who_leaves_the_segment_leaves_the_list_and_marks_follow(there):
    from customers.models import Customer

    company = a_company()
    one, two = subscribed(company, 2)
    Customer.objects.filter(pk=one.pk).update(dunning_group="vip")
    rules = only({"field": "dunning_group", "op": "is", "value": "vip"})
    vip = a_segment(company, rules, name="VIP")
    tie = a_tie(company, segment=vip, marks=[vip])
    run(tie)
    found = there.contacts("brevo")
    assert {key: row["attributes"]["TURNUS_SEGMENTS"] for key, row in found.items()} == {one.email: "VIP"}
    Customer.objects.filter(pk=one.pk).update(dunning_group="")
    Customer.objects.filter(pk=two.pk).update(dunning_group="vip")
    run(tie)
    assert {key: row["listIds"] for key, row in there.contacts("brevo").items()} == {one.email: [], two.email: [7]}


def test_who_unsubscribes_there_gets_no_advertising_from_here(there):
    from core.models import Event
    from customers.services import consents

    company = a_company()
    one, two = subscribed(company, 2)
    tie = a_tie(company)
    run(tie)
    there.control("brevo", "unsubscribe", email=one.email)
    assert run(tie) == {"unsubscribed": 1}
    one.refresh_from_db()
    two.refresh_from_db()
    assert (one.marketing_consent_at, consents.is_allowed(two)) == (None, True)
    event = Event.objects.get(company=company, type="mail_address.suppressed")
    assert (event.data["reason"], event.data["scope"]) == ("unsubscribed", "marketing")
    assert states(tie) == {one.email: "left", two.email: "sent"}
    assert run(tie) == {}


def test_a_consent_given_there_is_not_taken_over(there):
    company = a_company()
    customer = a_customer(company)
    tie = a_tie(company)
    there.control("brevo", "subscribe", email=customer.email)
    run(tie)
    customer.refresh_from_db()
    assert customer.marketing_consent_at is None and states(tie) == {}


def test_a_consent_taken_back_here_blocks_the_address_there(there):
    from customers.services import consents

    company = a_company()
    (customer,) = subscribed(company)
    tie = a_tie(company)
    run(tie)
    consents.withdraw(holder=customer, by=BY, at=NOW)
    assert run(tie) == {"sent": 1}
    assert there.contacts("brevo")[customer.email]["emailBlacklisted"] is True
    assert states(tie) == {customer.email: "off"}
    assert run(tie) == {}


def test_a_blocked_address_is_blocked_there(there):
    from customers.services import suppressing

    company = a_company()
    (customer,) = subscribed(company)
    tie = a_tie(company)
    run(tie)
    suppressing.suppress(company=company, address=customer.email, reason="bounced", by=BY, at=NOW)
    run(tie)
    assert there.contacts("brevo")[customer.email]["emailBlacklisted"] is True


@pytest.mark.parametrize("leaves", ["here", "there"])
def test_who_allows_it_again_here_is_taken_off_the_block_list(there, leaves):
    from customers.services import consents

    company = a_company()
    (customer,) = subscribed(company)
    tie = a_tie(company)
    run(tie)
    if leaves == "here":
        consents.withdraw(holder=customer, by=BY, at=NOW)
    else:
        there.control("brevo", "unsubscribe", email=customer.email)
    run(tie)
    assert there.contacts("brevo")[customer.email]["emailBlacklisted"] is True
    customer.refresh_from_db()
    consents.allow(holder=customer, source="portal", by=BY, at=NOW)
    assert run(tie) == {"sent": 1}
    assert there.contacts("brevo")[customer.email]["emailBlacklisted"] is False
    customer.refresh_from_db()
    assert consents.is_allowed(customer) and run(tie) == {}


def test_a_changed_address_leaves_the_list_and_the_new_one_comes(there):
    company = a_company()
    (customer,) = subscribed(company)
    tie = a_tie(company)
    run(tie)
    old, customer.email = customer.email, "new@example.com"
    customer.save(update_fields=["email"])
    assert run(tie) == {"sent": 2}
    found = there.contacts("brevo")
    assert {key: row["listIds"] for key, row in found.items()} == {old: [], "new@example.com": [7]}
    assert states(tie) == {"new@example.com": "sent"}


def test_an_address_of_two_customers_is_sent_once(there):
    company = a_company()
    one, _two = subscribed(company, 2, email="same@example.com")
    tie = a_tie(company)
    assert run(tie) == {"sent": 1}
    assert tie.records.get().customer_id == one.pk
    assert run(tie) == {}


def test_a_thousand_customers_take_few_requests(there):
    from customers.models import Customer

    company = a_company()
    Customer.objects.bulk_create(
        [
            Customer(company=company, name=f"N{n}", sort_key=f"n{n}", email=f"n{n}@example.com", created_at=NOW,
                     marketing_consent_at=NOW)
            for n in range(1000)
        ]
    )  # fmt: skip
    tie = a_tie(company)
    assert run(tie) == {"sent": 1000}
    assert len(there.contacts("brevo")) == 1000
    made = len(there.asked("brevo", "/contacts/attributes/normal"))
    assert len(there.asked("brevo")) - made < 10


def test_too_many_requests_pause_the_tie_and_it_goes_on_where_it_was(there):
    from datetime import timedelta

    from core import clock
    from crm.models import Tie

    company = a_company()
    customers = subscribed(company, 3)
    tie = a_tie(company)
    there.faults("brevo", {"path": "/contacts/import", "status": 429, "seconds": 90})
    before = clock.machine_now()
    assert run(tie) == {}
    assert timedelta(seconds=89) < tie.paused_until - before < timedelta(seconds=120)
    assert states(tie) == {} and there.contacts("brevo") == {}
    asked = len(there.asked("brevo"))
    assert run(tie) == {} and len(there.asked("brevo")) == asked
    Tie.objects.filter(pk=tie.pk).update(paused_until=clock.machine_now())
    assert run(tie) == {"sent": 3}
    assert set(there.contacts("brevo")) == {one.email for one in customers} and tie.paused_until is None


def test_a_crash_between_sending_and_noting_doubles_and_loses_nothing(there, monkeypatch):
    from crm.services import tying

    company = a_company()
    customers = subscribed(company, 3)
    tie = a_tie(company)

    def dies(*_args):
        raise SystemExit

    with monkeypatch.context() as broken:
        broken.setattr(tying, "_note", dies)
        with pytest.raises(SystemExit):
            run(tie)
    assert states(tie) == {} and len(there.contacts("brevo")) == 3
    tie.refresh_from_db()
    assert run(tie) == {"sent": 3}
    assert set(there.contacts("brevo")) == {one.email for one in customers}
    assert run(tie) == {}


def test_the_other_side_may_die_in_the_middle(there):
    company = a_company()
    subscribed(company, 2)
    tie = a_tie(company)
    there.kill()
    assert run(tie) == {"failed": 1}
    assert "doesn't answer" in tie.last_error
    there.start()
    assert run(tie) == {"sent": 2} and tie.last_error == ""


def test_work_in_the_background_is_confirmed_by_a_later_run(there, monkeypatch):
    from crm.ties import brevo

    company = a_company()
    (customer,) = subscribed(company)
    tie = a_tie(company)
    there.control("brevo", "slow", seconds=3600)
    monkeypatch.setattr(brevo, "PATIENCE", (0.01,))
    run(tie)
    assert (states(tie), tie.waits_for != "") == ({customer.email: "sending"}, True)
    run(tie)
    assert states(tie) == {customer.email: "sending"}
    there.control("brevo", "slow", seconds=0)
    run(tie)
    assert (states(tie), tie.waits_for) == ({customer.email: "sent"}, "")
    assert len(there.asked("brevo", "/contacts/import")) == 1


def test_a_wrong_key_is_said_in_clear_words(there):
    from core.refusal import Refused
    from crm.services import tie_accounts

    company = a_company()
    subscribed(company)
    tie = a_tie(company, secret="xkeysib-old")
    with pytest.raises(Refused) as refused:
        tie_accounts.check(tie)
    words = "Brevo doesn't take the key: Key not found. Make a new one there and enter it here."
    assert (refused.value.code, refused.value.message) == ("tie.key_wrong", words)
    run(tie)
    assert tie.last_error == words


def test_a_list_that_is_not_there_is_named(there):
    from core.refusal import Refused
    from crm.services import tie_accounts

    company = a_company()
    assert tie_accounts.check(a_tie(company)) == "Nordlicht · Customers"
    with pytest.raises(Refused, match="no list “8”"):
        tie_accounts.check(a_tie(company, name="Other", audience="8"))


def test_the_preview_counts_what_is_sent(there):
    from crm.services import tying
    from customers.services import consents

    company = a_company()
    customers = subscribed(company, 4)
    a_customer(company)
    tie = a_tie(company)
    seen = tying.preview(tie=tie, at=NOW)
    assert (seen["person.on"], seen["rows"], run(tie)["sent"]) == (4, 4, 4)
    consents.withdraw(holder=customers[0], by=BY, at=NOW)
    seen = tying.preview(tie=tie, at=NOW)
    assert (seen["person.off"], seen["rows"], seen["unchanged"]) == (1, 1, 3)
    assert run(tie)["sent"] == 1
    assert tying.preview(tie=tie, at=NOW)["rows"] == 0


def test_a_test_company_never_talks_to_the_real_system(settings):
    from core.refusal import Refused
    from crm.services import tie_accounts

    settings.TIE_ADDRESSES = {}
    with pytest.raises(Refused, match="never talks to the real Brevo"):
        tie_accounts.check(a_tie(a_company()))


def test_the_key_stands_sealed():
    from django.db import connection

    a_tie(a_company())
    with connection.cursor() as cursor:
        cursor.execute("SELECT secret FROM crm_tie")
        (kept,) = cursor.fetchone()
    assert kept.startswith("s1:") and "xkeysib" not in kept


def test_the_tick_runs_ties_that_are_on(there):
    from crm.services import tie_accounts, tying

    company = a_company()
    subscribed(company)
    tie = a_tie(company)
    a_tie(company, name="Off", is_on=False)
    assert tying.ties_tick(company, NOW) == dict.fromkeys(tying.FIGURES, 0) | {"sent": 1}
    tie_accounts.archive(tie=tie, by=BY, at=NOW)
    assert tying.ties_tick(company, NOW) == dict.fromkeys(tying.FIGURES, 0)
    tie.refresh_from_db()
    assert (tie.secret, tie.records.count()) == ("", 0)


def test_what_nobody_foresaw_is_noted_at_its_tie_and_the_others_go_on(there, monkeypatch):
    from crm.services import tying

    turn = tying._turn

    def breaks(tie, *args, **given):
        if tie.pk == first.pk:
            raise KeyError("email")
        turn(tie, *args, **given)

    company = a_company()
    first, second = a_tie(company), a_tie(company, "mailchimp")
    monkeypatch.setattr(tying, "_turn", breaks)
    assert tying.ties_tick(company, NOW)["failed"] == 1
    first.refresh_from_db()
    second.refresh_from_db()
    assert first.last_error == "Something nobody foresaw went wrong; the log of this installation says what."
    assert (second.last_error, second.ran_at is not None, first.lease_until) == ("", True, None)
