"""What stops dunning, and what a person may do with a case."""

from __future__ import annotations

import pytest

from core.refusal import Refused
from tests.factories import BY, TODAY, a_company, a_customer, at_noon
from tests.money.dunning import a_policy, bill, case_of, days, history, mails, pay, tick, walk

pytestmark = pytest.mark.django_db


@pytest.fixture
def company():
    return a_company(payment_terms_days=0)


@pytest.fixture
def customer(company):
    return a_customer(company)


def an_attempt(invoice, state, *, kind="transfer"):
    """A try in a state nobody has to send, so that no provider is needed."""
    from billing.models import Attempt, Gateway
    from billing.services import attempts

    gateway, _ = Gateway.objects.get_or_create(
        company=invoice.company, kind=kind, is_active=True, defaults={"name": kind, "created_at": at_noon(TODAY)}
    )
    return Attempt.objects.create(
        company=invoice.company, invoice=invoice, customer=invoice.customer, gateway=gateway, state=state,
        origin="staff", currency="EUR", amount_minor=11_900, key=attempts.new_key(), created_at=at_noon(TODAY),
    )  # fmt: skip


def a_dispute(invoice, day):
    """The invoice is paid through a provider, and the payer disputes it that day."""
    from billing.gateways.base import DisputeFact
    from billing.models import Gateway
    from billing.services import payments, reversing

    gateway = Gateway.objects.create(
        company=invoice.company, kind="stripe", name="Stripe", created_at=at_noon(TODAY), is_active=True
    )
    payments.record(
        company=invoice.company, customer=invoice.customer, amount_minor=11_900, currency="EUR", method="card",
        received_on=TODAY, invoice=invoice, by=BY, at=at_noon(day),
        taken=payments.Taken(gateway=gateway, external_id="ch_1"),
    )  # fmt: skip

    def fact(state):
        return DisputeFact(
            external_id="dp_1", money_id="ch_1", state=state, amount_minor=11_900, currency="EUR",
            reason="fraudulent", fee_minor=0, detail="", opened_at=at_noon(day),
        )  # fmt: skip

    reversing.take_dispute(gateway=gateway, fact=fact("open"), by=BY, at=at_noon(day))
    return lambda state, when: reversing.take_dispute(gateway=gateway, fact=fact(state), by=BY, at=at_noon(when))


@pytest.mark.parametrize(
    ("state", "reason"),
    [("pending", "pending"), ("sent", "pending"), ("unknown", "unknown"), ("requires_action", "requires_action")],
)
def test_a_payment_under_way_stops_its_invoice_and_says_so_once(company, customer, state, reason):
    from billing.models import Attempt

    a_policy(company, (3, "mail"))
    invoice = bill(company, customer)
    tick(company, days(1))
    attempt = an_attempt(invoice, state)
    walk(company, days(2), days(6))
    assert mails(customer) == []
    assert history(customer, results=["skipped"]) == [(days(3), "mail", reason)]
    Attempt.objects.filter(pk=attempt.pk).update(state="failed", reason="generic_decline", closed_at=at_noon(days(6)))
    tick(company, days(7))
    assert mails(customer) == [(days(7), "reminder_0")]


def test_one_invoice_under_way_does_not_hide_another(company, customer):
    from customers.models import Message

    a_policy(company, (3, "mail"))
    an_attempt(bill(company, customer), "pending")
    other = bill(company, customer, amount="50.00")
    walk(company, days(1), days(3))
    body = Message.objects.get(customer=customer, template="reminder_0").body
    assert other.number in body
    assert body.count("Invoice ") == 1


def test_a_dispute_stops_its_invoice_until_it_is_lost(company, customer):
    a_policy(company, (3, "mail"), (10, "mail", {"level": 1}))
    decide = a_dispute(bill(company, customer), days(2))
    walk(company, days(2), days(7))
    assert (case_of(customer).counts_from_on, mails(customer)) == (days(2), [])
    assert history(customer, results=["skipped"]) == [(days(5), "mail", "disputed")]
    decide("lost", days(8))
    walk(company, days(8), days(12))
    assert mails(customer) == [(days(8), "reminder_0"), (days(12), "reminder_1")]


def test_a_dispute_that_is_won_ends_the_case(company, customer):
    a_policy(company, (3, "mail"))
    decide = a_dispute(bill(company, customer), days(2))
    walk(company, days(2), days(6))
    decide("won", days(6))
    walk(company, days(6), days(9))
    assert (case_of(customer).state, mails(customer)) == ("paid", [])


def test_dunning_counts_from_the_day_the_money_was_taken_back(company, customer):
    from billing.services import payments

    a_policy(company, (3, "mail"))
    paid = pay(bill(company, customer), TODAY)
    walk(company, days(1), days(9))
    payments.take_back(payment=paid, reason="returned by the bank", on=days(9), by=BY, at=at_noon(days(9)))
    walk(company, days(9), days(13))
    assert (case_of(customer).counts_from_on, mails(customer)) == (days(9), [(days(12), "reminder_0")])


def test_a_promise_stops_until_its_day_is_over_and_is_then_noted_as_broken(company, customer):
    from billing.services import dunning

    a_policy(company, (3, "mail"), (10, "mail", {"level": 1}))
    bill(company, customer)
    tick(company, days(1))
    case = dunning.promise(case=case_of(customer), until=days(5), reason="on the phone", by=BY, at=at_noon(days(1)))
    assert (case.state, case.next_step_on) == ("promised", days(6))
    walk(company, days(2), days(5))
    assert mails(customer) == []
    assert history(customer, results=["skipped"]) == [(days(3), "mail", "promised")]
    walk(company, days(6), days(10))
    assert mails(customer) == [(days(6), "reminder_0"), (days(10), "reminder_1")]
    assert [row[1] for row in history(customer)] == ["promise", "broken", "mail", "mail"]


def test_a_promise_kept_closes_the_case(company, customer):
    from billing.services import dunning

    a_policy(company, (3, "mail"))
    invoice = bill(company, customer)
    tick(company, days(1))
    dunning.promise(case=case_of(customer), until=days(5), by=BY, at=at_noon(days(1)))
    pay(invoice, days(4))
    walk(company, days(4), days(9))
    assert (case_of(customer).state, mails(customer)) == ("paid", [])
    assert history(customer, results=["skipped"])[-1] == (days(4), "mail", "paid")


def test_a_pause_without_end_lasts_until_somebody_ends_it(company, customer):
    from billing.services import dunning

    a_policy(company, (3, "mail"))
    bill(company, customer)
    tick(company, days(1))
    case = dunning.pause(case=case_of(customer), reason="asks for a copy", by=BY, at=at_noon(days(1)))
    assert (case.state, case.next_step_on) == ("paused", None)
    walk(company, days(2), days(20))
    assert mails(customer) == []
    assert history(customer, results=["skipped"]) == [(days(3), "mail", "paused")]
    dunning.resume_case(case=case, by=BY, at=at_noon(days(20)))
    tick(company, days(20))
    assert mails(customer) == [(days(20), "reminder_0")]


def test_a_pause_with_an_end_ends_by_itself(company, customer):
    from billing.services import dunning

    a_policy(company, (3, "mail"))
    bill(company, customer)
    tick(company, days(1))
    dunning.pause(case=case_of(customer), until=days(7), reason="holidays", by=BY, at=at_noon(days(1)))
    walk(company, days(2), days(9))
    assert mails(customer) == [(days(8), "reminder_0")]


def test_a_case_given_up_starts_no_other_for_what_was_late_then_but_for_what_comes_later(company, customer):
    from billing.models import DunningCase
    from billing.services import dunning

    a_policy(company, (3, "mail"))
    bill(company, customer)
    tick(company, days(1))
    given_up = dunning.give_up(case=case_of(customer), reason="not worth it", by=BY, at=at_noon(days(1)))
    assert (given_up.state, given_up.next_step_on) == ("given_up", None)
    walk(company, days(2), days(10))
    assert DunningCase.objects.filter(customer=customer).count() == 1
    bill(company, customer, on=days(10), amount="50.00")
    walk(company, days(11), days(13))
    case = case_of(customer)
    assert (case.pk != given_up.pk, case.overdue_minor, mails(customer)) == (True, 5_950, [(days(13), "reminder_0")])


@pytest.mark.parametrize("zone", ["UTC", "America/Los_Angeles"])
def test_what_is_due_on_the_day_a_case_is_given_up_is_late_the_day_after_and_dunned(zone):
    from datetime import datetime, time
    from zoneinfo import ZoneInfo

    from billing.services import dunning

    company = a_company(payment_terms_days=0, time_zone=zone)
    customer = a_customer(company)
    a_policy(company, (3, "mail"))
    bill(company, customer)
    tick(company, days(1))
    # In the evening, when the next day has begun elsewhere.
    evening = datetime.combine(days(2), time(20), ZoneInfo(zone))
    bill(company, customer, on=days(2), amount="50.00")
    given_up = dunning.give_up(case=case_of(customer), reason="not worth it", by=BY, at=evening)
    walk(company, days(3), days(5))
    case = case_of(customer)
    assert (case.pk != given_up.pk, case.overdue_minor, mails(customer)) == (True, 5_950, [(days(5), "reminder_0")])


def test_a_person_does_the_next_step_at_once_and_it_is_not_done_again(company, customer):
    from billing.services import dunning

    a_policy(company, (3, "mail"), (10, "mail", {"level": 1}))
    bill(company, customer)
    tick(company, days(1))
    entry = dunning.step_now(case=case_of(customer), by=BY, at=at_noon(days(1)))
    assert (entry.action, entry.result) == ("mail", "done")
    walk(company, days(1), days(10))
    assert mails(customer) == [(days(1), "reminder_0"), (days(10), "reminder_1")]


def test_a_person_passes_a_step_over_with_a_reason(company, customer):
    from billing.services import dunning

    a_policy(company, (3, "mail"), (10, "mail", {"level": 1}))
    bill(company, customer)
    tick(company, days(1))
    with pytest.raises(Refused, match=r"reason\.missing"):
        dunning.skip_step(case=case_of(customer), reason=" ", by=BY, at=at_noon(days(1)))
    dunning.skip_step(case=case_of(customer), reason="called them", by=BY, at=at_noon(days(1)))
    walk(company, days(1), days(10))
    assert mails(customer) == [(days(10), "reminder_1")]


def test_nobody_forces_a_step_while_a_payment_is_under_way_or_promised(company, customer):
    from billing.services import dunning

    a_policy(company, (3, "mail"))
    invoice = bill(company, customer)
    tick(company, days(1))
    attempt = an_attempt(invoice, "pending")
    with pytest.raises(Refused, match=r"dunning\.stopped"):
        dunning.step_now(case=case_of(customer), by=BY, at=at_noon(days(1)))
    type(attempt).objects.filter(pk=attempt.pk).update(state="canceled", closed_at=at_noon(days(1)))
    dunning.promise(case=case_of(customer), until=days(4), by=BY, at=at_noon(days(1)))
    with pytest.raises(Refused, match=r"dunning\.not_open"):
        dunning.step_now(case=case_of(customer), by=BY, at=at_noon(days(1)))
    assert mails(customer) == []


def test_no_reminder_is_sent_by_hand_while_payment_is_promised(company, customer):
    from billing.services import dunning, dunning_acts

    a_policy(company, (3, "mail"))
    bill(company, customer)
    tick(company, days(1))
    case = case_of(customer)
    dunning.promise(case=case, until=days(9), by=BY, at=at_noon(days(1)))
    # As on a page that was opened before the promise.
    told = dunning_acts.do(case=case, act="mail", by=BY, at=at_noon(days(1)))
    assert (told, mails(customer)) == ("payment is promised", [])


@pytest.mark.parametrize("act", ["mail", "hand_over", "write_off"])
def test_what_is_paid_meanwhile_is_neither_reminded_nor_handed_over_nor_written_off(company, customer, act):
    from billing.models import DunningCase, InvoiceBalance
    from billing.services import dunning_acts, receivables
    from customers.models import Message

    a_policy(company, (3, "mail"))
    invoice = bill(company, customer)
    tick(company, days(1))
    case = case_of(customer)
    # Gone without a payment: the case doesn't know of it yet.
    receivables.write_off(invoice=invoice, reason="gone", by=BY, at=at_noon(days(1)))
    assert DunningCase.objects.get(pk=case.pk).state == "open"
    with pytest.raises(Refused, match=r"dunning\.not_open"):
        dunning_acts.do(case=case, act=act, reason="x", by=BY, at=at_noon(days(1)))
    assert not Message.objects.filter(company=company).exists()
    assert history(customer) == []
    assert InvoiceBalance.objects.get(invoice=invoice).status == "uncollectible"


def test_acts_on_a_closed_case_are_refused(company, customer):
    from billing.services import dunning

    invoice = bill(company, customer)
    tick(company, days(1))
    case = case_of(customer)
    pay(invoice, days(1))
    for act in (
        lambda: dunning.promise(case=case, until=days(4), by=BY, at=at_noon(days(1))),
        lambda: dunning.pause(case=case, reason="x", by=BY, at=at_noon(days(1))),
        lambda: dunning.step_now(case=case, by=BY, at=at_noon(days(1))),
        lambda: dunning.give_up(case=case, reason="x", by=BY, at=at_noon(days(1))),
    ):
        with pytest.raises(Refused, match=r"dunning\.not_open"):
            act()


def test_a_promise_lies_neither_in_the_past_nor_years_ahead(company, customer):
    from billing.services import dunning

    bill(company, customer)
    tick(company, days(1))
    for until in (TODAY, days(400)):
        with pytest.raises(Refused, match=r"dunning\.day_range"):
            dunning.promise(case=case_of(customer), until=until, by=BY, at=at_noon(days(1)))


def test_acts_leave_their_actor_and_reason(company, customer):
    from billing.services import dunning
    from core.models import AuditEntry, Event

    bill(company, customer)
    tick(company, days(1))
    case = dunning.pause(case=case_of(customer), reason="asks for a copy", by=BY, at=at_noon(days(1)))
    row = AuditEntry.objects.get(verb="dunning.pause", subject_id=case.pk)
    assert (row.actor_label, row.reason) == ("test", "asks for a copy")
    assert Event.objects.get(type="dunning.paused").data["id"] == case.ref


def test_less_than_the_smallest_amount_is_not_dunned(company, customer):
    from billing.models import DunningCase

    a_policy(company, (3, "mail"), grace_minor=20_000)
    bill(company, customer)
    walk(company, days(1), days(5))
    assert not DunningCase.objects.filter(customer=customer).exists()
    bill(company, customer, on=days(5))
    walk(company, days(6), days(7))
    assert mails(customer) == [(days(6), "reminder_0")]


def test_what_stays_below_the_smallest_amount_after_a_payment_is_not_asked_for(company, customer):
    a_policy(company, (3, "mail"), grace_minor=1_000)
    invoice = bill(company, customer)
    tick(company, days(1))
    pay(invoice, days(2), amount=11_000)
    walk(company, days(2), days(5))
    assert mails(customer) == []
    assert history(customer, results=["skipped"]) == [(days(3), "mail", "below_minimum")]


def test_the_case_counts_from_the_next_invoice_once_the_oldest_is_paid(company, customer):
    a_policy(company, (3, "mail"), (10, "mail", {"level": 1}), (20, "mail", {"level": 2}))
    first = bill(company, customer)
    bill(company, customer, on=days(9), amount="50.00")
    walk(company, days(1), days(11))
    pay(first, days(11))
    assert case_of(customer).counts_from_on == days(9)
    walk(company, days(11), days(20))
    assert mails(customer) == [
        (days(3), "reminder_0"), (days(10), "reminder_1"), (days(12), "reminder_0"), (days(19), "reminder_1")
    ]  # fmt: skip


def test_two_currencies_are_two_cases(company, customer):
    from decimal import Decimal

    from billing.models import DunningCase, ExchangeRate
    from billing.services import acts
    from tests.factories import a_plan

    ExchangeRate.objects.create(day=TODAY, currency="USD", rate=Decimal("1.1"), source="test")
    bill(company, customer)
    acts.start(company=company, customer=customer, plan=a_plan(company, currency="USD"), currency="USD",
               start_on=TODAY, on=TODAY, by=BY, at=at_noon(TODAY))  # fmt: skip
    tick(company, days(1))
    assert sorted(DunningCase.objects.values_list("currency", flat=True)) == ["EUR", "USD"]


def test_the_fee_of_a_policy_is_the_companys_currency_and_not_claimed_in_another(company):
    from decimal import Decimal

    from billing.models import Claim, ExchangeRate
    from billing.services import acts
    from tests.factories import a_plan

    a_policy(company, (5, "claim", {"fee_minor": 500}))
    customer = a_customer(company, kind="person")
    ExchangeRate.objects.create(day=TODAY, currency="JPY", rate=Decimal("160"), source="test")
    acts.start(company=company, customer=customer, plan=a_plan(company, amount="9000", currency="JPY"), currency="JPY",
               start_on=TODAY, on=TODAY, by=BY, at=at_noon(TODAY))  # fmt: skip
    walk(company, days(1), days(6))
    assert history(customer, results=["skipped"]) == [(days(5), "claim", "nothing_to_claim")]
    assert not Claim.objects.exists()


def test_a_customer_without_an_address_gets_no_mail_and_the_entry_says_so(company):
    customer = a_customer(company, email="")
    a_policy(company, (3, "mail"))
    bill(company, customer)
    walk(company, days(1), days(4))
    assert history(customer, results=["skipped"]) == [(days(3), "mail", "no_recipient")]


def test_a_day_that_is_counted_from_a_second_time_does_no_step_twice(company, customer):
    from billing.services import dunning

    a_policy(company, (3, "mail"), (10, "mail", {"level": 1}))
    first = bill(company, customer)
    decide = a_dispute(first, days(2))
    bill(company, customer, on=days(9), amount="50.00")
    tick(company, days(10))
    assert case_of(customer).counts_from_on == days(9)
    dunning.step_now(case=case_of(customer), by=BY, at=at_noon(days(10)))
    decide("lost", days(10))
    tick(company, days(10))
    assert case_of(customer).counts_from_on == days(2)
    pay(first, days(11))
    walk(company, days(11), days(19))
    assert case_of(customer).counts_from_on == days(9)
    assert mails(customer) == [(days(10), "reminder_0"), (days(19), "reminder_1")]


@pytest.mark.parametrize("state", ["sent", "pending"])
def test_money_on_its_way_past_the_due_day_opens_no_case_until_it_fails(company, customer, state):
    from billing.models import Attempt, DunningCase

    a_policy(company, (3, "mail"))
    attempt = an_attempt(bill(company, customer), state)
    walk(company, days(0), days(4))
    assert DunningCase.objects.count() == 0
    Attempt.objects.filter(pk=attempt.pk).update(state="failed", closed_at=at_noon(days(4)))
    walk(company, days(5), days(5))
    assert (case_of(customer).counts_from_on, history(customer)[-1]) == (days(0), (days(5), "mail"))


def test_one_that_waits_for_the_customer_opens_a_case(company, customer):
    from billing.models import DunningCase

    an_attempt(bill(company, customer), "requires_action")
    tick(company, days(1))
    assert DunningCase.objects.count() == 1
