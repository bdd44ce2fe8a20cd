"""Steps that reach further: suspended, canceled, written off, claimed, handed over; and what came back."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

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


def the_subscription(invoice):
    from subscriptions.models import Subscription

    return Subscription.objects.get(pk=invoice.lines.first().subscription_id)


def balance_of(invoice):
    from billing.models import InvoiceBalance

    return InvoiceBalance.objects.get(invoice=invoice)


def test_only_subscriptions_with_an_overdue_invoice_are_suspended(company, customer):
    a_policy(company, (5, "suspend", {"suspended_billing": "stop"}))
    unpaid, paid = bill(company, customer), bill(company, customer, amount="50.00")
    pay(paid, TODAY)
    walk(company, days(1), days(5))
    assert (the_subscription(unpaid).state, the_subscription(paid).state) == ("suspended", "active")
    assert the_subscription(unpaid).suspended_billing == "stop"


def test_each_subscription_resumes_once_its_own_invoice_is_paid(company, customer):
    a_policy(company, (5, "suspend"))
    first, second = bill(company, customer), bill(company, customer, amount="50.00")
    walk(company, days(1), days(5))
    pay(first, days(7))
    assert (the_subscription(first).state, the_subscription(second).state) == ("active", "suspended")
    assert case_of(customer).state == "open"
    pay(second, days(8))
    assert (the_subscription(second).state, case_of(customer).state) == ("active", "paid")


def test_one_suspended_by_hand_is_not_resumed_by_a_payment(company, customer):
    from billing.services import acts_pausing

    a_policy(company, (5, "mail"))
    invoice = bill(company, customer)
    tick(company, days(1))
    acts_pausing.suspend(subscription=the_subscription(invoice), reason="abuse", by=BY, at=at_noon(days(1)))
    pay(invoice, days(2))
    tick(company, days(2))
    assert the_subscription(invoice).state == "suspended"


def test_service_comes_back_with_the_tick_when_what_was_owed_went_away_otherwise(company, customer):
    from billing.services import voiding

    a_policy(company, (5, "suspend"))
    invoice = bill(company, customer)
    walk(company, days(1), days(5))
    voiding.void(invoice=invoice, reason="wrong", by=BY, at=at_noon(days(6)))
    tick(company, days(6))
    assert (the_subscription(invoice).state, case_of(customer).state) == ("active", "paid")


def test_cancel_names_its_end_and_what_becomes_of_unused_days(company, customer):
    from billing.models import DunningEntry

    a_policy(company, (5, "suspend"), (10, "cancel", {"end_unused": "none"}))
    invoice = bill(company, customer)
    walk(company, days(1), days(10))
    subscription = the_subscription(invoice)
    # Suspended from 6 January on, so it ended the day before.
    assert (subscription.state, subscription.ends_on) == ("canceled", days(4))
    entry = DunningEntry.objects.get(action="cancel")
    assert entry.facts["subscriptions"] == {str(subscription.pk): {"ends_on": days(4).isoformat(), "unused": "none"}}
    assert balance_of(invoice).open_minor == 11_900


def test_unused_days_are_credited_where_the_step_says_so(company, customer):
    a_policy(company, (10, "cancel", {"end_unused": "credit"}))
    invoice = bill(company, customer)
    walk(company, days(1), days(10))
    assert the_subscription(invoice).ends_on == days(10)
    # 20 of January's 31 days are given back: 119.00 x 20 / 31, by net and tax: 64.52 + 12.26.
    assert balance_of(invoice).open_minor == 11_900 - 7_678


def test_written_off_the_case_is_given_up_and_the_loss_booked(company, customer):
    from billing.services import books

    a_policy(company, (10, "write_off"))
    invoice = bill(company, customer)
    walk(company, days(1), days(12))
    assert (balance_of(invoice).status, case_of(customer).state) == ("uncollectible", "given_up")
    assert books.entries_of("write_off", invoice.pk) == [
        (books.entries_of("write_off", invoice.pk)[0][0], "2400", 11_900),
        (books.entries_of("write_off", invoice.pk)[0][0], "1400", -11_900),
    ]


def test_money_for_what_was_written_off_counts_as_recovered_and_resumes_service(company, customer):
    a_policy(company, (5, "suspend"), (10, "write_off"))
    invoice = bill(company, customer)
    walk(company, days(1), days(12))
    assert the_subscription(invoice).state == "suspended"
    pay(invoice, days(15), amount=11_900)
    assert (balance_of(invoice).status, the_subscription(invoice).state) == ("paid", "active")
    assert case_of(customer).recovered_minor == 11_900


def test_colleagues_are_told_at_the_companys_own_address(company, customer):
    from core.models import Event
    from customers.models import Message

    a_policy(company, (5, "alert"), (10, "hand_over"))
    invoice = bill(company, customer)
    walk(company, days(1), days(10))
    found = Message.objects.filter(template="reminder_alert").order_by("pk")
    assert [(row.recipients, row.customer) for row in found] == [(["billing@nordlicht.example"], None)] * 2
    assert invoice.number in found[0].body
    assert "handed over" in found[1].body
    assert mails(customer) == []
    assert Event.objects.filter(type__in=["dunning.alerted", "dunning.handed_over"]).count() == 2


def test_a_reminder_lists_what_is_open_with_a_link_that_pays_it(company, customer):
    from billing.services import pay_links
    from customers.models import Message

    a_policy(company, (3, "mail"))
    invoice = bill(company, customer)
    walk(company, days(1), days(3))
    message = Message.objects.get(template="reminder_0")
    link = pay_links.paying_link(invoice, on=days(3))
    assert link in message.body
    assert "€119.00" in message.subject
    assert message.attachments == [{"kind": "invoice", "id": invoice.pk}]
    assert pay_links.read(link.rstrip("/").rpartition("/")[2]) == invoice


def test_a_pay_link_is_over_after_ninety_days_and_can_not_be_made_up(company, customer):
    from billing.services import pay_links

    invoice = bill(company, customer)
    token = pay_links.token_of(invoice, on=TODAY)
    assert pay_links.read(token, on=days(90)) == invoice
    with pytest.raises(Refused, match=r"pay_link\.over"):
        pay_links.read(token, on=days(91))
    for bad in (token[:-1], "x" + token, "", "a:b", "ä"):
        with pytest.raises(Refused, match=r"pay_link\.invalid"):
            pay_links.read(bad)


def test_a_business_owes_the_lump_sum_once_per_invoice(company, customer):
    from billing.models import Claim
    from billing.services import books

    a_policy(company, (5, "claim", {"fee_minor": 500}), (10, "claim", {"fee_minor": 500}))
    bill(company, customer)
    walk(company, days(1), days(12))
    claim = Claim.objects.get()
    assert (claim.kind, claim.amount_minor, claim.claimed_on) == ("fee", 4_000, days(5))
    assert [(code, amount) for _, code, amount in books.entries_of("claim", claim.pk)] == [
        ("1400", 4_000), ("2650", -4_000)
    ]  # fmt: skip
    assert history(customer, results=["skipped"]) == [(days(10), "claim", "nothing_to_claim")]


def test_a_person_owes_the_policys_fee(company):
    from billing.models import Claim

    a_policy(company, (5, "claim", {"fee_minor": 500}))
    bill(company, a_customer(company, kind="person"))
    walk(company, days(1), days(5))
    assert Claim.objects.get().amount_minor == 500


@pytest.mark.parametrize(
    ("kind", "minor"),
    [
        # 119.00 x 10.27 % x 20 / 365 = 0.6697 for a business; at 6.27 % = 0.4088 for a person
        ("company", 67),
        ("person", 41),
    ],
)
def test_interest_runs_from_the_day_after_the_due_day_at_the_rate_of_law(company, kind, minor):
    from billing.models import Claim

    a_policy(company, (20, "claim", {"has_interest": True}))
    bill(company, a_customer(company, kind=kind))
    walk(company, days(1), days(20))
    claim = Claim.objects.get(kind="interest")
    assert (claim.amount_minor, claim.from_on, claim.until_on) == (minor, days(1), days(20))


def test_each_day_of_interest_is_claimed_once(company):
    from billing.models import Claim

    a_policy(company, (20, "claim", {"has_interest": True}), (50, "claim", {"has_interest": True}))
    bill(company, a_customer(company, kind="person"), amount="10000.00")
    walk(company, days(1), days(50))
    rows = Claim.objects.order_by("pk").values_list("from_on", "until_on", "amount_minor")
    # 11,900.00 x 6.27 %: 20 days = 40.8839, 30 days = 61.3258
    assert list(rows) == [(days(1), days(20), 4_088), (days(21), days(50), 6_133)]


def test_days_of_a_half_year_nobody_entered_bear_no_interest_until_somebody_does(customer):
    from billing.models import Claim
    from billing.services import interest_rates

    day = date(2027, 1, 1)
    company = customer.company
    a_policy(company, (10, "claim", {"has_interest": True}), (20, "claim", {"has_interest": True}))
    person = a_customer(company, kind="person")
    bill(company, person, on=day)
    walk(company, day, day + timedelta(days=10))
    assert history(person, results=["skipped"]) == [(day + timedelta(days=10), "claim", "rate_missing")]
    interest_rates.save(
        company=company, country="DE", from_on=day, base_percent=Decimal("1.00"), business_points=Decimal(9),
        consumer_points=Decimal(5), source="told by a person", by=BY, at=at_noon(day),
    )  # fmt: skip
    walk(company, day + timedelta(days=11), day + timedelta(days=20))
    # 119.00 x 6 % x 20 / 365 = 0.3912
    assert Claim.objects.get().amount_minor == 39


def test_a_claim_is_told_in_the_next_letter_and_waived_it_is_booked_back(company):
    from billing.models import Claim
    from billing.services import books, claims
    from customers.models import Message

    customer = a_customer(company, kind="person")
    a_policy(company, (5, "claim", {"fee_minor": 500}), (6, "mail"), (7, "mail", {"level": 1}))
    bill(company, customer)
    walk(company, days(1), days(6))
    assert "€124.00" in Message.objects.get(template="reminder_0").subject
    claim = claims.waive(claim=Claim.objects.get(), reason="a good customer", by=BY, at=at_noon(days(6)))
    assert claims.waive(claim=claim, reason="again", by=BY, at=at_noon(days(6))).status == "waived"
    assert [amount for _, code, amount in books.entries_of("claim", claim.pk) if code == "2650"] == [-500, 500]
    tick(company, days(7))
    assert "€119.00" in Message.objects.get(template="reminder_1").subject


def test_money_pays_invoices_first_and_then_claims_and_the_rest_is_credit(company):
    from billing.models import Claim
    from billing.services import payments

    customer = a_customer(company, kind="person")
    a_policy(company, (5, "claim", {"fee_minor": 500}))
    invoice = bill(company, customer)
    walk(company, days(1), days(5))
    pay(invoice, days(6), amount=11_900)
    assert Claim.objects.get().status == "open"
    payment = pay(invoice, days(7), amount=700)
    claim = Claim.objects.get()
    assert (claim.status, claim.closed_on, claim.payment_id) == ("paid", days(7), payment.pk)
    assert payments.balance_of(customer)["EUR"].credit_minor == 200


def test_a_claim_opens_again_when_the_money_that_paid_it_is_taken_back(company):
    from billing.models import Claim, PaymentBalance
    from billing.services import books, payments

    customer = a_customer(company, kind="person")
    a_policy(company, (5, "claim", {"fee_minor": 500}))
    invoice = bill(company, customer)
    walk(company, days(1), days(5))
    payment = pay(invoice, days(6), amount=12_500)
    assert Claim.objects.get().status == "paid"
    payments.take_back(payment=payment, reason="returned", on=days(9), by=BY, at=at_noon(days(9)))
    claim, balance = Claim.objects.get(), PaymentBalance.objects.get(payment=payment)
    assert (claim.status, claim.payment_id) == ("open", None)
    assert (balance.refunded_minor, balance.allocated_minor, balance.to_credit_minor) == (12_500, 0, 0)
    payment.refresh_from_db()
    assert payment.status == "returned"
    standing = {code: amount for code, _, _, amount in books.trial_balance(company, days(9)) if amount}
    # Owed again: the invoice and the claim; no loss.
    assert (standing["1400"], standing.get("2400"), standing.get("1710")) == (12_400, None, None)


def test_what_came_back_and_is_taken_away_again_is_no_longer_recovered(company, customer):
    from billing.models import DunningCase
    from billing.services import payments

    a_policy(company, (3, "mail"))
    invoice = bill(company, customer)
    walk(company, days(1), days(4))
    payment = pay(invoice, days(5))
    first = case_of(customer)
    payments.take_back(payment=payment, reason="returned", on=days(9), by=BY, at=at_noon(days(9)))
    tick(company, days(9))
    assert DunningCase.objects.get(pk=first.pk).recovered_minor == 0
    assert case_of(customer).pk != first.pk


def test_money_counts_for_the_step_before_it(company):
    from reporting import recovery

    a_policy(company, (3, "mail"), (10, "mail", {"level": 1}))
    one, two = a_customer(company), a_customer(company)
    first, second = bill(company, one), bill(company, two, amount="50.00")
    walk(company, days(1), days(4))
    pay(first, days(4), amount=10_000)
    walk(company, days(5), days(12))
    pay(first, days(12))
    pay(second, days(12))
    found = [
        (row.action, row.level, row.done, row.paid, dict(row.recovered))
        for row in recovery.recovered_by_step(company, TODAY, days(30))
    ]
    assert found == [("mail", 0, 2, 1, {"EUR": 10_000}), ("mail", 1, 2, 2, {"EUR": 1_900 + 5_950})]
    figures = recovery.cases(company, TODAY, days(30))
    assert (figures.opened, figures.paid, figures.recovered) == (2, 2, {"EUR": 17_850})
