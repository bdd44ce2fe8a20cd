"""What each kind finds, what it leaves alone, and what it says: one cause a test, and the cause gone."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from tests.backoffice.conftest import TODAY, Office, office  # noqa: F401  a fixture
from tests.backoffice.money import a_batch, a_method, a_statement, a_try, an_account
from tests.crm.causes import alerts
from tests.factories import at_noon

pytestmark = pytest.mark.django_db


def look(office: Office, days: int = 0) -> Any:  # noqa: F811
    """Looks so many days later; what every kind has open."""
    from crm.models import Alert
    from crm.services import alerting

    looked = alerting.look(company=office.company, at=at_noon(TODAY + timedelta(days=days)))
    assert looked.failed == []
    return Alert.objects.filter(company=office.company, state="open")


def one(office: Office, kind: str) -> Any:  # noqa: F811
    (alert,) = [row for row in alerts(office.company, kind) if row.state == "open"]
    return alert


def words(alert: Any) -> str:
    from crm.services import alert_kinds

    return alert_kinds.in_words(alert)


def kinds(found: Any) -> set[str]:
    return set(found.values_list("kind", flat=True))


def test_a_payment_under_way_is_told_after_its_days(office: Office) -> None:  # noqa: F811
    from billing.models import Attempt

    attempt = a_try(office, office.invoice(), a_method(office, an_account(office)), "pending")
    assert "payment_pending" not in kinds(look(office, 4))
    assert "payment_pending" in kinds(look(office, 5))
    alert = one(office, "payment_pending")
    assert (alert.facts["id"], alert.invoice) == (attempt.ref, attempt.invoice)
    assert "€119.00 from Ærø Windkraft" in words(alert)
    Attempt.objects.filter(pk=attempt.pk).update(state="settled", closed_at=office.at)
    assert "payment_pending" not in kinds(look(office, 5))


def test_a_direct_debit_counts_from_its_collection_day(office: Office) -> None:  # noqa: F811
    day = TODAY + timedelta(days=10)
    a_try(office, office.invoice(), a_method(office, an_account(office)), "pending", collect_on=day)
    assert "payment_pending" not in kinds(look(office, 14))
    assert "payment_pending" in kinds(look(office, 15))


def test_a_failed_payment_is_told_with_its_reason_until_the_invoice_is_settled(office: Office) -> None:  # noqa: F811
    from billing.models import InvoiceBalance

    invoice = office.invoice()
    a_try(office, invoice, a_method(office, an_account(office)), "failed", reason="insufficient_funds")
    look(office)
    alert = one(office, "payment_failed")
    from billing.gateways import reasons

    assert reasons.words_of("insufficient_funds") in words(alert)
    assert alert.facts["amount_minor"] == 11900
    InvoiceBalance.objects.filter(pk=invoice.pk).update(status="void")
    assert "payment_failed" not in kinds(look(office))


def test_a_new_try_under_way_settles_nothing_a_good_one_does(office: Office) -> None:  # noqa: F811
    from billing.models import Attempt

    invoice, method = office.invoice(), a_method(office, an_account(office))
    a_try(office, invoice, method, "failed")
    again = a_try(office, invoice, method, "pending")
    assert "payment_failed" in kinds(look(office))
    Attempt.objects.filter(pk=again.pk).update(state="settled", closed_at=office.at)
    assert "payment_failed" not in kinds(look(office))


def test_a_dispute_is_told_until_it_is_decided(office: Office) -> None:  # noqa: F811
    from billing.models import Reversal
    from billing.services import payments
    from tests.factories import BY

    gateway = an_account(office)
    payment = payments.record(
        company=office.company, customer=office.customer, amount_minor=5000, currency="EUR", method="card",
        received_on=TODAY, by=BY, at=office.at,
    )  # fmt: skip
    taken = Reversal.objects.create(
        company=office.company, payment=payment, gateway=gateway, kind="dispute", external_id="dp_1", currency="EUR",
        amount_minor=5000, taken_on=TODAY, detail="Not received", created_at=office.at,
    )  # fmt: skip
    look(office)
    assert "€50.00 from Ærø Windkraft" in words(one(office, "payment_returned"))
    Reversal.objects.filter(pk=taken.pk).update(state="won", closed_on=TODAY)
    assert "payment_returned" not in kinds(look(office))


def test_a_card_that_expires_before_the_next_charge_is_told_in_time(office: Office) -> None:  # noqa: F811
    from billing.models import PaymentMethod

    office.start()  # next billed on 15 April
    method = a_method(office, an_account(office))
    PaymentMethod.objects.filter(pk=method.pk).update(is_default=True, expires_on=TODAY + timedelta(days=20))
    assert "method_missing" not in kinds(look(office, 16))
    assert "method_missing" in kinds(look(office, 17))
    assert "it expires before the next charge" in words(one(office, "method_missing"))
    PaymentMethod.objects.filter(pk=method.pk).update(expires_on=TODAY + timedelta(days=400))
    assert "method_missing" not in kinds(look(office, 17))


def test_a_broken_default_method_is_told_with_its_reason(office: Office) -> None:  # noqa: F811
    from billing.models import PaymentMethod

    office.start()
    method = a_method(office, an_account(office))
    PaymentMethod.objects.filter(pk=method.pk).update(is_default=True, status="broken")
    look(office, 20)
    assert one(office, "method_missing").facts["reasons"] == ["broken"]


def test_bank_lines_that_wait_are_one_alert_a_statement(office: Office) -> None:  # noqa: F811
    from billing.models import BankLine

    statement = a_statement(office)
    assert "bank_lines_old" not in kinds(look(office, 3))
    assert "bank_lines_old" in kinds(look(office, 4))
    alert = one(office, "bank_lines_old")
    assert (alert.key, alert.facts["count"]) == (str(statement.pk), 1)
    BankLine.objects.update(state="ignored")
    assert "bank_lines_old" not in kinds(look(office, 4))


def test_a_debit_file_is_told_until_it_is_handed_in(office: Office) -> None:  # noqa: F811
    from billing.models import DebitBatch

    batch = a_batch(office, an_account(office))
    look(office)
    assert one(office, "debit_file_waits").facts["id"] == batch.ref
    DebitBatch.objects.filter(pk=batch.pk).update(state="sent", sent_at=office.at)
    assert "debit_file_waits" not in kinds(look(office))


def test_a_run_is_told_while_it_waits_or_takes_too_long(office: Office) -> None:  # noqa: F811
    from billing.models import BillingRun
    from core import clock

    now = clock.machine_now()
    run = BillingRun.objects.create(
        company=office.company, on=TODAY, notify_since=TODAY, forecast_lines=0, due_count=0, actor_label="test",
        started_at=now - timedelta(hours=4),
    )  # fmt: skip
    look(office)
    assert one(office, "run_late").facts["reasons"] == ["late"]
    BillingRun.objects.filter(pk=run.pk).update(started_at=now)
    assert "run_late" not in kinds(look(office))
    BillingRun.objects.filter(pk=run.pk).update(state="held")
    look(office)
    assert one(office, "run_late").facts["reasons"] == ["held"]


def test_drafts_that_wait_are_one_alert(office: Office) -> None:  # noqa: F811
    from decimal import Decimal

    from billing.services import drafting
    from tests.factories import BY

    product = office.plan.items.get().product
    line = drafting.DraftLine(description="Set-up", unit_amount=Decimal(5), product=product)
    for _ in range(2):
        drafting.create_draft(
            company=office.company, customer=office.customer, currency="EUR", lines=[line], by=BY, at=office.at
        )
    assert "draft_waits" not in kinds(look(office, 3))
    assert "draft_waits" in kinds(look(office, 4))
    assert one(office, "draft_waits").facts["count"] == 2


def test_an_endpoint_that_was_switched_off_is_told(office: Office) -> None:  # noqa: F811
    from core.models import WebhookEndpoint

    values = {"company": office.company, "url": "https://example.com/", "types": ["*"], "secret": "x"}
    row = WebhookEndpoint.objects.create(
        **values, is_active=False, stopped="failing", stopped_at=office.at, failing_since=office.at,
        created_at=office.at,
    )  # fmt: skip
    look(office)
    alert = one(office, "webhook_dead")
    assert (alert.facts["id"], alert.facts["reasons"]) == (row.ref, ["failing"])
    assert words(alert).startswith("https://example.com/ has not answered well since")
    WebhookEndpoint.objects.filter(pk=row.pk).update(stopped="by_hand")
    assert "webhook_dead" not in kinds(look(office))


def test_an_address_that_mail_comes_back_from_is_told_while_it_is_the_customers(office: Office) -> None:  # noqa: F811
    from customers.models import Customer, Suppression
    from customers.services import messages

    mail = messages.write(
        company=office.company, customer=office.customer, template="x", language="en", subject="x", body="x",
        recipients=[office.customer.email], at=office.at,
    )  # fmt: skip
    Suppression.objects.create(
        company=office.company, address=office.customer.email.lower(), address_hash="0" * 64, reason="bounced",
        scope="all", message=mail, since=office.at,
    )  # fmt: skip
    look(office)
    assert one(office, "mail_bounced").facts["reasons"] == ["bounced"]
    Customer.objects.filter(pk=office.customer.pk).update(email="new@example.com")
    assert "mail_bounced" not in kinds(look(office))


def test_a_missed_notice_is_told_while_the_subscription_lives(office: Office) -> None:  # noqa: F811
    from subscriptions.models import RenewalNotice, Subscription

    subscription = office.start()
    RenewalNotice.objects.create(
        company=office.company, subscription=subscription, term_ends_on=TODAY + timedelta(days=20),
        cancel_by_on=TODAY + timedelta(days=10), law="FR L215-1", due_from_on=TODAY - timedelta(days=60),
        due_until_on=TODAY - timedelta(days=1), effect="leave_any_time", missed_on=TODAY,
    )  # fmt: skip
    look(office)
    assert "was not sent by 14 Mar 2026" in words(one(office, "notice_missed"))
    Subscription.objects.filter(pk=subscription.pk).update(state="canceled")
    assert "notice_missed" not in kinds(look(office))


def test_a_quiet_company_hears_of_nothing(office: Office) -> None:  # noqa: F811
    assert kinds(look(office)) == set()
