"""The demo's story as a whole: every state and mishap is there, and the books agree."""

from __future__ import annotations

import json
from collections import Counter
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest

NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
pytestmark = [pytest.mark.slow, pytest.mark.django_db]


def count(rows: Any, *fields: str) -> dict[Any, int]:
    values = rows.values_list(*fields, flat=True) if len(fields) == 1 else rows.values_list(*fields)
    return dict(Counter(values))


def cast(story, key: str):
    from customers.models import Customer

    return Customer.objects.get(company=story.company, external_id=f"CAST-{key}")


def test_a_campaign_is_taken_by_several(story):
    from catalog.models import OfferCode
    from reporting import discounts
    from subscriptions.models import AgreedDiscount

    code = OfferCode.objects.select_related("discount__campaign").get(company=story.company)
    effect = discounts.effect_of_campaign(code.discount.campaign)
    assert (effect.subscriptions, code.use_count) == (3, 3)
    assert [currency for currency, minor in effect.given if minor > 0] == ["EUR"]
    # Three months have passed for the first, a quarter and a month have begun for the others.
    given = AgreedDiscount.objects.filter(company=story.company, discount__campaign=code.discount.campaign)
    assert list(given.order_by("pk").values_list("periods_left", flat=True)) == [0, 2, 2]


def test_the_clock_stands_at_now(story):
    assert story.company.clock_at == NOW


def test_subscriptions_are_in_every_state_they_can_reach(story):
    from subscriptions.models import Subscription

    rows = Subscription.objects.filter(company=story.company)
    assert set(count(rows, "state")) == {"pending", "trial", "active", "paused", "suspended", "canceled", "expired"}
    ended = rows.filter(state="canceled", end_kind="cancel")
    assert set(count(ended, "end_unused")) == {"credit", "refund", "none"}
    assert rows.filter(state="active", end_kind="cancel", ends_on__gt=NOW.date()).exists()


def test_invoices_are_in_every_state(story):
    from billing.models import InvoiceBalance

    rows = InvoiceBalance.objects.filter(company_id=story.company.pk)
    assert set(count(rows, "status")) == {"draft", "open", "paid", "void", "uncollectible"}
    assert rows.filter(status="open", payment_due_on__lt=NOW.date()).count() > 10


def test_money_came_in_every_way(story):
    from billing.models import Credit, InvoiceBalance, Payment, Refund

    payments = Payment.objects.filter(company=story.company)
    assert payments.filter(customer=None).count() == 2
    assert payments.filter(status="returned").count() == 1
    assert Credit.objects.filter(company=story.company, payment__isnull=False).count() == 1
    partly = InvoiceBalance.objects.filter(company_id=story.company.pk, status="open", paid_minor__gt=0)
    assert [one.customer_id for one in partly] == [cast(story, "partial").pk]
    refunds = Refund.objects.filter(company=story.company, status="pending")
    assert {one.customer_id for one in refunds} == {cast(story, "end-refund").pk, cast(story, "end-credit").pk}


def test_taxes_are_of_every_kind(story):
    from billing.models import InvoiceLine

    kinds = InvoiceLine.objects.filter(company=story.company).values_list("tax_category", flat=True).distinct()
    assert set(kinds) == {"S", "AE", "O", "E"}


def test_credit_notes_have_every_cause(story):
    from billing.models import CreditNote

    causes = set(count(CreditNote.objects.filter(company=story.company), "cause"))
    assert causes == {"cancel", "void", "manual", "change", "pause"}


def test_only_what_is_recent_is_mailed(story):
    from billing.models import Invoice
    from core.models import Outbox

    waiting = Outbox.objects.filter(company=story.company, kind="document_mail", payload__kind="invoice")
    ids = [row.payload["id"] for row in waiting]
    assert len(ids) > 20
    oldest = Invoice.objects.filter(pk__in=ids).order_by("charge_due_on").first()
    assert oldest is not None
    assert oldest.charge_due_on >= NOW.date() - timedelta(days=14)


def test_nothing_due_was_left_unbilled_but_what_is_parked(story):
    from subscriptions.models import Subscription

    rows = Subscription.objects.filter(company=story.company)
    due, parked = rows.filter(next_bill_on__lte=NOW.date()), rows.filter(parked_at__isnull=False)
    assert [one.customer_id for one in due] == [one.customer_id for one in parked] == [cast(story, "parked").pk]


def test_what_is_parked_says_why(story):
    from billing.services import running

    [one] = running.parked(company=story.company, by_day=NOW.date())
    assert (one.parked_code, one.next_bill_on) == ("billing.revenue_account", date(2026, 11, 18))
    assert one.parked_detail == (
        "Umsatz mit Hotline am Wochenende kann nicht auf Konto 1400 gebucht werden; es dient einem anderen Zweck "
        "(Forderungen). Geben Sie dem Produkt ein anderes Erlöskonto und versuchen Sie es dann erneut."
    )


def test_what_is_parked_is_billed_once_the_account_is_put_right(story):
    from django.db import transaction

    from billing.models import Invoice
    from billing.services import running
    from catalog.models import Product
    from catalog.services import products
    from core.actors import Actor

    by = {"by": Actor.system("Test"), "at": NOW}
    with transaction.atomic():
        assert running.retry_parked(company=story.company, **by) == {"tried": 1, "billed": 0}
        hotline = Product.objects.get(company=story.company, code="hotline")
        products.update_product(product=hotline, changes={"revenue_account": "8400"}, **by)
        assert running.retry_parked(company=story.company, **by) == {"tried": 1, "billed": 1}
        months = Invoice.objects.filter(customer=cast(story, "parked")).values_list("charge_due_on", flat=True)
        assert sorted(months) == [date(2026, 9, 18), date(2026, 10, 18), date(2026, 11, 18)]
        assert running.parked(company=story.company, by_day=NOW.date()).count() == 0
        transaction.set_rollback(True)


def test_the_chain_is_whole_and_the_books_balance(story):
    from billing.services import books, chain

    assert chain.verify_chain(story.company) == []
    sums: Counter[str] = Counter()
    for *_account, currency, minor in books.trial_balance(story.company, NOW.date()):
        sums[currency] += minor
    assert dict(sums) == {"EUR": 0, "CHF": 0, "USD": 0}


def test_revenue_movements_add_up_to_what_runs(story):
    from django.db.models import Sum

    from subscriptions.models import Movement, Slot

    moved = Movement.objects.filter(company=story.company).aggregate(sum=Sum("amount_minor"))["sum"]
    runs = Slot.objects.filter(company=story.company).aggregate(sum=Sum("mrr_minor"))["sum"]
    assert moved == runs


def test_telling_it_again_adds_nothing(story):
    from billing.models import Invoice
    from demo import history

    before = Invoice.objects.filter(company=story.company).count()
    history.load(NOW)
    assert Invoice.objects.filter(company=story.company).count() == before


def test_logins_work_and_are_kept(story, settings, tmp_path):
    from core.models import User
    from core.services import keys
    from demo import logins

    settings.RUN_DIR = tmp_path
    logins.write(story.company)
    rows = json.loads((tmp_path / "demo.json").read_text())
    assert [row["label"] for row in rows] == [
        "Administrator",
        "Accounting",
        "Sales",
        "Support",
        "Customer",
        "API key",
    ]
    for row in rows[:5]:
        assert User.objects.get(email=row["login"]).check_password(row["secret"])
    key = keys.find_key(rows[5]["secret"])
    assert key is not None and key.company == story.company
    assert (tmp_path / "demo.json").stat().st_mode & 0o777 == 0o600
    assert logins.write(story.company) == rows


def test_the_portals_customer_has_something_to_do(story):
    from customers.models import Contact
    from portal import standing
    from portal.access import Visitor

    contact = Contact.objects.select_related("customer__company").get(email="kundin@werft-petersen.example")
    visitor = Visitor(contact)
    assert standing.open_invoices(visitor)
    states = {standing.state_of(row) for row in visitor.subscriptions}
    assert states == {"active", "canceling"}
    assert visitor.messages.filter(template="cancellation_receipt").count() == 1
