"""Dunning with cards at the stand-in provider: tries, asked for another card, paid after all."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from tests.factories import BY, TODAY, a_company, a_customer, at_noon
from tests.money.dunning import a_policy, bill, case_of, days, history, mails, pay, set_day
from tests.money.providers import a_card, a_gateway

pytestmark = pytest.mark.django_db

SOFT = "pm_card_chargeCustomerFail"


@pytest.fixture
def company():
    return a_company(payment_terms_days=0)


@pytest.fixture
def customer(company):
    return a_customer(company)


def live(company, first, last):
    """All that happens to money on these days, as the clock of a sandbox has it."""
    from core.services import ticks

    day = first
    while day <= last:
        at = set_day(company, day)
        for name in ("billing.collect", "billing.attempts", "billing.dunning"):
            ticks.run_tick(name=name, company=company, at=at)
        day += timedelta(days=1)


def tries(customer):
    from billing.models import Attempt

    rows = Attempt.objects.filter(customer=customer).order_by("pk")
    return [(row.created_at.date(), row.origin, row.state, row.reason) for row in rows]


def refuses(company, customer, providers):
    """The customer's card on file is refused without a reason that lasts."""
    return a_card(customer, a_gateway(company, providers), SOFT)


def declines(providers, customer, gateway, reason):
    """A card on file that the provider refuses for that reason from now on."""
    card = a_card(customer, gateway)
    providers.faults({"kind": "decline", "reason": reason, "contains": card.external_customer})
    return card


def test_a_refusal_that_may_pass_is_tried_again_on_the_days_of_the_policy(company, customer, providers):
    a_policy(company, (3, "retry"), (8, "retry"), (10, "mail"))
    refuses(company, customer, providers)
    bill(company, customer)
    live(company, TODAY, days(12))
    assert tries(customer) == [
        (TODAY, "due", "failed", "generic_decline"),
        (days(3), "retry", "failed", "generic_decline"),
        (days(8), "retry", "failed", "generic_decline"),
    ]
    assert history(customer) == [(days(3), "retry"), (days(8), "retry"), (days(10), "mail")]


def test_a_try_by_hand_that_fails_is_followed_by_the_cases_retries_as_the_worked_case_has_it(providers):
    from billing.services import collecting

    day = date(2012, 5, 1)
    company = a_company(today=day, payment_terms_days=0, time_zone="UTC", books_start_on=date(2011, 1, 1))
    customer = a_customer(company)
    a_policy(company, (8, "retry"), (16, "retry"), (24, "retry"))
    gateway = a_gateway(company, providers)
    card = a_card(customer, gateway, SOFT)
    invoice = bill(company, customer, on=day)
    collecting.pay_now(invoice=invoice, gateway=gateway, method=card, origin="staff", by=BY, at=at_noon(day))
    live(company, day, date(2012, 5, 9))
    assert [(row[0], row[2]) for row in tries(customer)] == [(day, "failed"), (date(2012, 5, 9), "failed")]
    assert history(customer) == [(date(2012, 5, 9), "retry")]


def test_after_a_lack_of_money_the_try_waits_for_a_pay_day_that_is_near(company, customer, providers):
    # The 13th of January is two days before the 15th; the 20th is far from the 1st.
    a_policy(company, (12, "retry"), (19, "retry"))
    declines(providers, customer, a_gateway(company, providers), "insufficient_funds")
    bill(company, customer)
    live(company, TODAY, days(20))
    assert [(row[0], row[3]) for row in tries(customer)] == [
        (TODAY, "insufficient_funds"), (days(14), "insufficient_funds"), (days(19), "insufficient_funds")
    ]  # fmt: skip


def test_a_card_refused_for_good_is_not_tried_again_and_another_one_is_asked_for_at_once(company, customer, providers):
    from customers.models import Message

    a_policy(company, (3, "retry"), (5, "mail"))
    gateway = a_gateway(company, providers)
    declines(providers, customer, gateway, "lost_card")
    bill(company, customer)
    live(company, TODAY, days(5))
    assert [row[2:] for row in tries(customer)] == [("failed", "lost_or_stolen")]
    assert mails(customer) == [(TODAY, "reminder_method"), (days(5), "reminder_0")]
    assert history(customer, results=["skipped"]) == [(days(3), "retry", "hard_decline")]
    assert "/pay/" in Message.objects.get(template="reminder_method").body


def test_another_card_is_tried_with_the_next_retry_and_ends_the_case(company, customer, providers):
    a_policy(company, (3, "retry"), (8, "retry"), (9, "mail"))
    gateway = a_gateway(company, providers)
    declines(providers, customer, gateway, "lost_card")
    bill(company, customer)
    live(company, TODAY, days(4))
    a_card(customer, gateway)
    live(company, days(5), days(12))
    assert tries(customer)[-1] == (days(8), "retry", "settled", "")
    assert mails(customer) == [(TODAY, "reminder_method")]
    case = case_of(customer)
    assert (case.state, case.recovered_minor) == ("paid", 11_900)
    assert history(customer) == [(days(8), "retry"), (days(8), "paid")]


def test_a_payment_that_needs_the_customer_is_asked_for_with_a_link_in_the_same_instant(company, customer, providers):
    from customers.models import Message

    gateway = a_gateway(company, providers)
    a_card(customer, gateway, "pm_card_authenticationRequired")
    bill(company, customer)
    live(company, TODAY, TODAY)
    assert tries(customer)[0][2:] in [
        ("requires_action", "authentication_required"), ("requires_action", ""), ("failed", "authentication_required")
    ]  # fmt: skip
    assert mails(customer) == [(TODAY, "reminder_confirm")]
    assert "/pay/" in Message.objects.get(template="reminder_confirm").body
    live(company, days(1), days(2))
    assert mails(customer) == [(TODAY, "reminder_confirm")]


def test_money_returned_for_good_asks_for_another_method_at_the_retry_and_only_once(company, customer, providers):
    from billing.models import Payment
    from billing.services import reversing

    a_policy(company, (3, "retry"), (5, "retry"))
    gateway = a_gateway(company, providers)
    a_card(customer, gateway)
    bill(company, customer)
    live(company, TODAY, days(1))
    reversing.take_return(
        payment=Payment.objects.get(customer=customer), gateway=gateway, external_id="rt_1", reason="account_closed",
        on=days(1), by=BY, at=at_noon(days(1)),
    )  # fmt: skip
    live(company, days(2), days(8))
    assert len(tries(customer)) == 1
    assert mails(customer) == [(days(4), "reminder_method")]
    assert history(customer, results=["skipped"]) == [
        (days(4), "retry", "hard_decline"), (days(6), "retry", "hard_decline")
    ]  # fmt: skip


def test_money_returned_for_want_of_funds_is_tried_again(company, customer, providers):
    from billing.models import Payment
    from billing.services import reversing

    a_policy(company, (3, "retry"))
    gateway = a_gateway(company, providers)
    a_card(customer, gateway)
    bill(company, customer)
    live(company, TODAY, days(1))
    reversing.take_return(
        payment=Payment.objects.get(customer=customer), gateway=gateway, external_id="rt_2",
        reason="insufficient_funds", on=days(1), by=BY, at=at_noon(days(1)),
    )  # fmt: skip
    live(company, days(2), days(5))
    assert tries(customer)[1] == (days(4), "retry", "settled", "")
    assert case_of(customer).state == "paid"


def test_the_customers_own_page_sends_no_mail(company, customer, providers):
    from billing.services import collecting

    gateway = a_gateway(company, providers)
    invoice = bill(company, customer)
    attempt = collecting.pay_now(invoice=invoice, gateway=gateway, by=BY, at=at_noon(TODAY))
    assert (attempt.state, mails(customer)) == ("requires_action", [])


def test_failed_payments_are_counted_by_reason(company, providers):
    from reporting import recovery

    a_policy(company, (3, "retry"))
    soft, hard = a_customer(company), a_customer(company)
    gateway = a_gateway(company, providers)
    a_card(soft, gateway, SOFT)
    declines(providers, hard, gateway, "lost_card")
    invoice = bill(company, soft)
    bill(company, hard, amount="50.00")
    live(company, TODAY, days(4))
    pay(invoice, days(4))
    found = recovery.failed_payments(company, TODAY, days(4))
    assert (found.ended, found.failed, found.settled) == (3, 3, 0)
    assert [(row.code, row.kind, row.attempts, row.invoices, row.amount, row.paid_since) for row in found.reasons] == [
        ("generic_decline", "soft", 2, 1, {"EUR": 23_800}, 1),
        ("lost_or_stolen", "hard", 1, 1, {"EUR": 5_950}, 0),
    ]
    assert recovery.failed_payments(company, days(1), days(2)).ended == 0


def test_the_board_has_each_open_case_in_one_lane(company, providers, django_assert_max_num_queries):
    from billing.models import Attempt
    from billing.services import acts_pausing, dunning
    from subscriptions.models import Subscription

    a_policy(company, (5, "retry"), (20, "mail"), (40, "write_off"))
    gateway = a_gateway(company, providers)
    names = ["retrying", "waiting", "promised", "disputed", "suspended", "final"]
    who = {name: a_customer(company) for name in names}
    a_card(who["retrying"], gateway, SOFT)
    declines(providers, who["waiting"], gateway, "lost_card")
    invoices = {name: bill(company, customer) for name, customer in who.items()}
    live(company, TODAY, days(1))
    dunning.promise(case=case_of(who["promised"]), until=days(3), by=BY, at=at_noon(days(1)))
    acts_pausing.suspend(subscription=Subscription.objects.get(customer=who["suspended"]), by=BY, at=at_noon(days(1)))
    for _ in range(2):
        dunning.skip_step(case=case_of(who["final"]), reason="done", by=BY, at=at_noon(days(1)))
    from billing.gateways.base import DisputeFact
    from billing.services import payments, reversing

    payments.record(
        company=company, customer=who["disputed"], amount_minor=11_900, currency="EUR", method="card",
        received_on=TODAY, invoice=invoices["disputed"], by=BY, at=at_noon(days(1)),
        taken=payments.Taken(gateway=gateway, external_id="ch_board"),
    )  # fmt: skip
    fact = DisputeFact(
        external_id="dp_board", money_id="ch_board", state="open", amount_minor=11_900, currency="EUR", fee_minor=0,
        reason="fraudulent", detail="", opened_at=at_noon(days(1)),
    )  # fmt: skip
    reversing.take_dispute(gateway=gateway, fact=fact, by=BY, at=at_noon(days(1)))
    live(company, days(2), days(2))
    with django_assert_max_num_queries(12):
        found = dunning.board(company, days(2))
    assert {name: found.lane_of[case_of(customer).pk] for name, customer in who.items()} == {n: n for n in names}
    assert [(lane.key, lane.count, dict(lane.at_risk)) for lane in found.lanes] == [
        (name, 1, {"EUR": 11_900}) for name in names
    ]
    assert Attempt.objects.filter(customer=who["waiting"], state="failed").exists()
