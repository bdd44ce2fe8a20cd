"""A preview is the act itself, taken back; what it shows is what happens."""

from __future__ import annotations

from datetime import date

import pytest

from tests.factories import BY, TODAY, a_company, a_customer, a_plan, at_noon, set_clock

pytestmark = pytest.mark.django_db

FREE = {"notice_to": "any_day"}


def starting(company, customer, plan, **more):
    from billing.services import acts

    values = {"start_on": TODAY, "on": TODAY}
    return acts.start(company=company, customer=customer, plan=plan, **(values | more), by=BY, at=at_noon(TODAY))


def canceling(subscription, on=date(2026, 1, 10), **more):
    from billing.services import acts

    return acts.cancel(subscription=subscription, timing="now", on=on, **more, by=BY, at=at_noon(on))


def test_a_preview_leaves_nothing_behind():
    from billing.models import ChainLink, Invoice, Posting
    from billing.services import previews
    from core.models import AuditEntry, Event, NumberSeries, Outbox
    from subscriptions.models import Movement, Slot, SlotTerms

    company = a_company()
    customer, plan = a_customer(company), a_plan(company)
    kinds = (
        ChainLink,
        Invoice,
        Posting,
        AuditEntry,
        Event,
        NumberSeries,
        Outbox,
        Movement,
        Slot,
        SlotTerms,
    )
    before = [kind.objects.count() for kind in kinds]
    previews.preview(lambda: starting(company, customer, plan))
    assert [kind.objects.count() for kind in kinds] == before


def test_a_preview_shows_the_documents_the_money_and_the_revenue():
    from billing.services import previews

    company = a_company()
    seen = previews.preview(lambda: starting(company, a_customer(company), a_plan(company, amount="100.00")))
    assert [(doc.kind, doc.net, doc.tax, doc.gross, doc.due_on) for doc in seen.documents] == [
        ("invoice", 10000, 1900, 11900, date(2026, 1, 15))
    ]
    line = seen.documents[0].lines[0]
    assert (line.period_start, line.period_end, line.amount) == (TODAY, date(2026, 2, 1), 10000)
    assert (seen.money_now, seen.currency, seen.mrr_before, seen.mrr_after) == (11900, "EUR", 0, 10000)
    assert len(seen.mails) == 1


def test_a_preview_of_a_cancellation_shows_what_comes_back():
    from billing.services import previews

    company = a_company()
    subscription = starting(company, a_customer(company), a_plan(company, amount="31.00", rules=FREE)).subscription
    seen = previews.preview(lambda: canceling(subscription))
    assert [(doc.kind, doc.net, doc.gross) for doc in seen.documents] == [("credit_note", 2100, 2499)]
    assert (seen.money_now, seen.ends_on, seen.next) == (-2499, date(2026, 1, 10), [])
    assert (seen.mrr_before, seen.mrr_after) == (3100, 0)


@pytest.mark.parametrize("amount", ["10.00", "33.33", "0.07"])
@pytest.mark.parametrize("behavior", ["exclusive", "inclusive"])
def test_preview_equals_reality(amount, behavior):
    from billing.services import previews

    company = a_company()
    customer = a_customer(company)
    rules = FREE | {"anchor_rule": "day", "anchor_day": 20}
    plan = a_plan(company, amount=amount, price={"tax_behavior": behavior}, rules=rules)
    begun = previews.preview(lambda: starting(company, customer, plan))
    result = starting(company, customer, plan, preview_token=begun.token)
    assert previews.documents_of(result.settlement) == begun.documents
    ended = previews.preview(lambda: canceling(result.subscription))
    canceled = canceling(result.subscription, preview_token=ended.token)
    assert previews.documents_of(canceled.settlement) == ended.documents


def test_an_act_is_refused_when_an_amount_has_changed_since_its_preview():
    from decimal import Decimal

    from billing.services import previews
    from catalog.services.plans import PriceSpec, add_price_version
    from core.refusal import Refused
    from subscriptions.models import Subscription

    company = a_company()
    customer, plan = a_customer(company), a_plan(company)
    token = previews.preview(lambda: starting(company, customer, plan)).token
    spec = PriceSpec(currency="EUR", unit_amount=Decimal("10.01"), valid_from=TODAY)
    add_price_version(item=plan.items.get(), spec=spec, by=BY, at=at_noon(TODAY))
    with pytest.raises(Refused) as raised:
        starting(company, customer, plan, preview_token=token)
    assert raised.value.code == "preview.differs"
    assert not Subscription.objects.filter(company=company).exists()


def test_a_preview_of_a_refused_act_refuses():
    from billing.services import previews
    from core.refusal import Refused

    company = a_company()
    with pytest.raises(Refused):
        previews.preview(lambda: starting(company, a_customer(company), a_plan(company), currency="USD"))


def test_the_next_three_invoices_are_what_is_then_billed():
    from billing.models import Invoice
    from billing.services import previews
    from billing.services.settling import settle

    company = a_company(today=date(2026, 1, 31))
    subscription = starting(
        company, a_customer(company), a_plan(company), start_on=date(2026, 1, 31), on=date(2026, 1, 31)
    ).subscription
    coming = previews.upcoming(subscription, count=3)
    assert [one.on for one in coming] == [date(2026, 2, 28), date(2026, 3, 31), date(2026, 4, 30)]
    settle(
        company=company, customer_ids=[subscription.customer_id], on=date(2026, 4, 30),
        at=set_clock(company, date(2026, 4, 30)), by=BY,
    )  # fmt: skip
    billed = Invoice.objects.filter(charge_due_on__gt=date(2026, 1, 31)).order_by("charge_due_on")
    assert [(one.on, one.net, one.tax, one.gross) for one in coming] == list(
        billed.values_list("charge_due_on", "net_minor", "tax_minor", "gross_minor")
    )


def test_credit_lowers_what_is_to_pay_next():
    from billing.services import payments, previews

    company = a_company()
    customer = a_customer(company)
    subscription = starting(company, customer, a_plan(company, amount="100.00")).subscription
    payments.record(
        company=company, customer=customer, amount_minor=13000, currency="EUR", method="transfer", received_on=TODAY,
        by=BY, at=at_noon(TODAY),
    )  # fmt: skip
    first = previews.upcoming(subscription, count=1)[0]
    assert (first.gross, first.to_pay) == (11900, 10800)


def test_after_an_end_nothing_is_upcoming():
    from billing.services import previews

    company = a_company()
    subscription = starting(company, a_customer(company), a_plan(company, rules=FREE)).subscription
    canceling(subscription)
    assert previews.upcoming(subscription) == []


def test_a_free_subscription_has_no_upcoming_invoice():
    from billing.services import previews

    company = a_company()
    subscription = starting(company, a_customer(company), a_plan(company, amount="0")).subscription
    assert previews.upcoming(subscription) == []


def test_an_act_is_refused_when_only_what_comes_next_has_changed_since_its_preview():
    from decimal import Decimal

    from billing.services import previews
    from catalog.services import taxes
    from core.refusal import Refused
    from subscriptions.models import Subscription

    company = a_company()
    customer, plan = a_customer(company), a_plan(company, amount="100.00")
    seen = previews.preview(lambda: starting(company, customer, plan))
    taxes.set_rate(company=company, country="DE", level="standard", percent=Decimal(20), valid_from=date(2026, 3, 1),
                   source="test", by=BY, at=at_noon(TODAY))  # fmt: skip
    anew = previews.preview(lambda: starting(company, customer, plan))
    assert anew.documents == seen.documents
    assert ([one.gross for one in seen.next], [one.gross for one in anew.next]) == (
        [11900, 11900, 11900],
        [11900, 12000, 12000],
    )
    with pytest.raises(Refused, match=r"preview\.differs"):
        starting(company, customer, plan, preview_token=seen.token)
    assert not Subscription.objects.filter(company=company).exists()
