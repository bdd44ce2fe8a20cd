"""Settling: worked examples of what is billed, when, and for how much. Amounts are derived in the comments."""

from __future__ import annotations

import hashlib
import json
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from billing.models import BilledDays, Invoice, InvoiceLine
from billing.services.settling import Settlement, settle
from core.models import Company
from subscriptions.models import Subscription
from tests.factories import BY, TODAY, a_company, a_customer, a_plan, a_product, a_subscription, at_noon, set_clock

pytestmark = pytest.mark.django_db


def bill(company: Company, on: date, **changes: Any) -> Settlement:
    """Settles all customers of the company on that day, with its clock there."""
    at = set_clock(company, on)
    customer_ids = list(company_customers(company))
    return settle(company=company, customer_ids=customer_ids, on=on, at=at, by=BY, **changes)


def company_customers(company: Company) -> list[int]:
    from customers.models import Customer

    return list(Customer.objects.filter(company=company).order_by("id").values_list("id", flat=True))


def lines_of(subscription: Subscription) -> list[tuple[str, str, int]]:
    rows = InvoiceLine.objects.filter(subscription=subscription).order_by("invoice__sequence", "position")
    return [(str(row.period_start), str(row.period_end), row.amount_minor) for row in rows]


def test_a_month_in_advance_is_billed_on_its_first_day() -> None:
    company = a_company(today=date(2026, 1, 1))
    subscription = a_subscription(company, on=date(2026, 1, 1))
    assert bill(company, date(2025, 12, 31)).invoice_ids == []
    [invoice_id] = bill(company, date(2026, 1, 1)).invoice_ids
    invoice = Invoice.objects.get(pk=invoice_id)
    # 10.00 net, 19 % tax.
    assert (invoice.net_minor, invoice.tax_minor, invoice.gross_minor) == (1000, 190, 1190)
    assert (invoice.number, str(invoice.issued_on), str(invoice.payment_due_on)) == (
        "TEST-INV-2026-000001", "2026-01-01", "2026-01-15",
    )  # fmt: skip
    assert lines_of(subscription) == [("2026-01-01", "2026-02-01", 1000)]
    subscription.refresh_from_db()
    assert subscription.next_bill_on == date(2026, 2, 1)
    assert (invoice.balance.status, invoice.balance.open_minor) == ("open", 1190)


def test_settling_again_adds_nothing() -> None:
    company = a_company()
    a_subscription(company)
    assert len(bill(company, date(2026, 1, 1)).invoice_ids) == 1
    assert bill(company, date(2026, 1, 1)) == Settlement()
    assert Invoice.objects.count() == 1


def test_boundaries_of_the_31st_are_counted_from_the_anchor() -> None:
    company = a_company(today=date(2025, 12, 31))
    subscription = a_subscription(company, on=date(2025, 12, 31))
    outcome = bill(company, date(2026, 4, 30))
    assert lines_of(subscription) == [
        ("2025-12-31", "2026-01-31", 1000),
        ("2026-01-31", "2026-02-28", 1000),
        ("2026-02-28", "2026-03-31", 1000),
        ("2026-03-31", "2026-04-30", 1000),
        ("2026-04-30", "2026-05-31", 1000),
    ]
    # Five due days, five invoices, oldest first.
    invoices = Invoice.objects.filter(pk__in=outcome.invoice_ids).order_by("sequence")
    assert [str(invoice.charge_due_on) for invoice in invoices] == [
        "2025-12-31",
        "2026-01-31",
        "2026-02-28",
        "2026-03-31",
        "2026-04-30",
    ]


def test_a_first_stub_costs_its_share_of_the_full_period() -> None:
    company = a_company(today=date(2026, 1, 20))
    plan = a_plan(company, amount="10.00", rules={"anchor_rule": "calendar"})
    subscription = a_subscription(company, plan=plan, on=date(2026, 1, 20))
    bill(company, date(2026, 2, 1))
    # 12 of 31 days: 10.00 x 12/31 = 3.870..., rounded half up.
    assert lines_of(subscription) == [("2026-01-20", "2026-02-01", 387), ("2026-02-01", "2026-03-01", 1000)]
    calculation = InvoiceLine.objects.get(amount_minor=387).calculation
    assert (calculation["share"], calculation["full_start"], calculation["full_end"]) == (
        "12/31", "2026-01-01", "2026-02-01",
    )  # fmt: skip


def test_a_period_in_arrears_is_billed_the_day_after_its_end() -> None:
    company = a_company()
    plan = a_plan(company, price={"billed": "arrears"})
    subscription = a_subscription(company, plan=plan)
    assert bill(company, date(2026, 1, 31)).invoice_ids == []
    bill(company, date(2026, 2, 1))
    assert lines_of(subscription) == [("2026-01-01", "2026-02-01", 1000)]


def test_charges_of_one_customer_and_day_share_an_invoice() -> None:
    company = a_company()
    customer = a_customer(company)
    a_subscription(company, customer)
    a_subscription(company, customer, a_plan(company, amount="5.55"))
    a_subscription(company, customer, a_plan(company, amount="7.00", payment_terms_days=30))
    outcome = bill(company, date(2026, 1, 1))
    nets = Invoice.objects.filter(pk__in=outcome.invoice_ids).order_by("sequence").values_list("net_minor", flat=True)
    # 10.00 + 5.55 share terms; 7.00 has others.
    assert list(nets) == [1555, 700]


def test_gross_prices_contain_their_tax_and_lines_add_up() -> None:
    company = a_company()
    customer = a_customer(company, kind="person")
    plan = a_plan(company, amount="11.90", price={"tax_behavior": "inclusive"})
    a_subscription(company, customer, plan)
    [invoice_id] = bill(company, date(2026, 1, 1)).invoice_ids
    invoice = Invoice.objects.get(pk=invoice_id)
    assert (invoice.net_minor, invoice.tax_minor, invoice.gross_minor) == (1000, 190, 1190)
    [line] = invoice.lines.all()
    assert (line.amount_minor, line.net_minor) == (1190, 1000)


def test_yen_have_no_cents() -> None:
    company = a_company(currency="JPY")
    customer = a_customer(company, country="JP")
    a_subscription(company, customer, a_plan(company, amount="980.5", currency="JPY"))
    [invoice_id] = bill(company, date(2026, 1, 1)).invoice_ids
    invoice = Invoice.objects.get(pk=invoice_id)
    # 980.5 rounds half up to 981; a business in Japan is outside the scope of the tax.
    assert (invoice.gross_minor, invoice.tax_rows[0]["category"]) == (981, "O")


def test_a_period_that_costs_nothing_counts_as_billed_without_a_document() -> None:
    company = a_company()
    subscription = a_subscription(company, plan=a_plan(company, amount="0"))
    assert bill(company, date(2026, 1, 1)).invoice_ids == []
    [days] = BilledDays.objects.filter(slot__subscription=subscription)
    assert (str(days.days.lower), str(days.days.upper), days.line_id) == ("2026-01-01", "2026-02-01", None)
    subscription.refresh_from_db()
    assert subscription.next_bill_on == date(2026, 2, 1)


def test_a_company_may_issue_zero_invoices() -> None:
    company = a_company(issues_zero_invoices=True)
    a_subscription(company, plan=a_plan(company, amount="0"))
    [invoice_id] = bill(company, date(2026, 1, 1)).invoice_ids
    assert Invoice.objects.get(pk=invoice_id).balance.status == "paid"


def test_quantities_multiply_and_flat_prices_do_not() -> None:
    company = a_company()
    from subscriptions.services.starting import ItemSpec

    product = a_product(company)
    items = [
        ItemSpec(product=product, quantity=Decimal(3), unit_amount=Decimal("9.99")),
        ItemSpec(product=product, quantity=Decimal(3), unit_amount=Decimal("5"), model="flat"),
    ]
    subscription = a_subscription(company, items=items, currency="EUR")
    bill(company, date(2026, 1, 1))
    assert [line[2] for line in lines_of(subscription)] == [2997, 500]


def test_two_invoices_are_written_in_as_many_statements_as_two_hundred() -> None:
    counts = [statements_for(subscriptions) for subscriptions in (1, 40)]
    assert counts[0] == counts[1] <= 15


def test_many_ends_are_given_back_in_as_many_statements_as_few() -> None:
    from billing.services import acts

    def statements(count: int) -> int:
        company = a_company()
        plan = a_plan(company, amount="31.00", rules={"notice_to": "any_day"})
        held = [a_subscription(company, plan=plan) for _ in range(count)]
        bill(company, TODAY)
        for one in held:
            acts.cancel(subscription=one, timing="date", ends_on=date(2026, 1, 15), by=BY, at=at_noon(TODAY))
        found, outcome = counted(company, date(2026, 1, 16))
        # 16 of 31 days of 31.00.
        assert outcome.credited_by_currency["EUR"]["net"] == count * 1600
        return found

    assert statements(2) == statements(7)


def statements_for(subscriptions: int) -> int:
    """Statements that settle this many customers with two months due, COPY included."""
    company = a_company()
    plan = a_plan(company)
    for _ in range(subscriptions):
        a_subscription(company, plan=plan)
    found, outcome = counted(company, date(2026, 2, 1))
    assert len(outcome.invoice_ids) == 2 * subscriptions
    return found


def counted(company: Company, on: date) -> tuple[int, Settlement]:
    """How many statements settle all customers on that day, COPY included, and what came of it."""
    from contextlib import ExitStack
    from unittest.mock import patch

    import psycopg

    at = set_clock(company, on)
    customers = company_customers(company)
    seen: list[object] = []
    with ExitStack() as stack:
        for name in ("execute", "copy"):
            real = getattr(psycopg.Cursor, name)

            def counting(self: Any, query: Any, *args: Any, _real: Any = real, **kwargs: Any) -> Any:
                if "SAVEPOINT" not in str(query):
                    seen.append(query)
                return _real(self, query, *args, **kwargs)

            stack.enter_context(patch.object(psycopg.Cursor, name, counting))
        outcome = settle(company=company, customer_ids=customers, on=on, at=at, by=BY)
    return len(seen), outcome


def test_texts_are_kept_exactly() -> None:
    company = a_company()
    name = 'Tab\there "quoted" back\\slash\nnewline \\N é€'
    product = a_product(company, name={"en": name})
    customer = a_customer(company, name="Ünï\\x \\. Ltd")
    subscription = a_subscription(company, customer, a_plan(company, product=product), po_reference="PO\\1")
    bill(company, date(2026, 1, 1))
    line = InvoiceLine.objects.get(subscription=subscription)
    assert line.description == product.name["en"]
    invoice = line.invoice
    body = json.loads(snapshot_of(invoice))
    assert body["lines"][0]["description"] == product.name["en"]
    assert (body["buyer"]["name"], body["po_reference"], invoice.po_reference) == (customer.name, "PO\\1", "PO\\1")


def snapshot_of(invoice: Invoice) -> str:
    from billing.models import Snapshot

    return Snapshot.objects.get(document_kind="invoice", document_id=invoice.pk).body


def test_the_frozen_content_is_canonical_and_its_hash_is_the_invoices() -> None:
    company = a_company()
    a_subscription(company)
    bill(company, date(2026, 1, 1))
    invoice = Invoice.objects.get()
    body = snapshot_of(invoice)
    parsed = json.loads(body)
    assert body == json.dumps(parsed, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    assert hashlib.sha256(body.encode()).hexdigest() == invoice.snapshot_hash
    assert (parsed["net"], parsed["tax"], parsed["gross"], parsed["to_pay"]) == (1000, 190, 1190, 1190)
    assert parsed["tax_rows"] == [{"base": 1000, "category": "S", "rate": "19", "reason": "domestic", "tax": 190}]


def test_older_charges_are_issued_without_mail() -> None:
    from core.models import Event, Outbox

    company = a_company()
    a_subscription(company)
    outcome = bill(company, date(2026, 3, 1), notify_since=date(2026, 2, 20))
    assert (len(outcome.invoice_ids), outcome.quiet) == (3, 2)
    assert [row.payload["id"] for row in Outbox.objects.filter(kind="document_mail")] == [outcome.invoice_ids[-1]]
    assert Event.objects.filter(type="invoice.issued").count() == 3


def test_before_a_company_mails_everything_is_quiet() -> None:
    company = a_company(mails_start_on=date(2026, 2, 1))
    a_subscription(company)
    assert bill(company, date(2026, 2, 1)).quiet == 1


def test_a_subscription_without_a_tax_rate_is_parked_and_the_others_are_billed() -> None:
    from catalog.models import TaxRate

    company = a_company()
    bad = a_subscription(company, a_customer(company, country="FR", kind="person"))
    good = a_subscription(company)
    TaxRate.objects.filter(company=company, country="FR").delete()
    outcome = bill(company, date(2026, 1, 1))
    assert [row[:2] for row in outcome.parked] == [(bad.pk, "tax_rate_missing")]
    assert [len(lines_of(subscription)) for subscription in (bad, good)] == [0, 1]
    bad.refresh_from_db()
    assert (bad.parked_code, bad.parked_at is not None) == ("tax_rate_missing", True)
    assert bad.parked_detail == "No tax rate is known for FR (standard) on 31 Jan 2026."
    assert bill(company, date(2026, 1, 1)) == Settlement()


def test_a_runaway_is_parked() -> None:
    from subscriptions.models import SlotTerms

    company = a_company(today=date(2026, 1, 31))
    rules = {
        "interval_unit": "day", "minimum_count": 1, "renewal_rule": "renew", "renewal_count": 1, "grace_days": 20,
    }  # fmt: skip
    subscription = a_subscription(company, on=date(2026, 1, 1))
    Subscription.objects.filter(pk=subscription.pk).update(**rules)
    SlotTerms.objects.filter(slot__subscription=subscription).update(interval_unit="day")
    # The days of a renewed term of a month wait for its grace of 20: twenty lines on one day.
    outcome = bill(company, date(2026, 3, 1))
    assert [row[:2] for row in outcome.parked] == [(subscription.pk, "billing.runaway_day")]
    assert Invoice.objects.count() == 0


def test_the_first_invoice_of_a_renewed_term_waits_for_the_grace() -> None:
    company = a_company()
    rules = {"minimum_count": 2, "renewal_rule": "renew", "renewal_count": 1, "grace_days": 10}
    subscription = a_subscription(company, plan=a_plan(company, rules=rules))
    bill(company, date(2026, 3, 10))
    assert len(lines_of(subscription)) == 2
    subscription.refresh_from_db()
    assert subscription.next_bill_on == date(2026, 3, 11)
    bill(company, date(2026, 3, 11))
    assert lines_of(subscription)[2] == ("2026-03-01", "2026-04-01", 1000)


def test_dates_of_documents_never_go_back() -> None:
    company = a_company()
    a_subscription(company)
    bill(company, date(2026, 3, 1))
    subscription = a_subscription(company)
    [invoice_id] = settle(
        company=company, customer_ids=[subscription.customer_id], on=date(2026, 1, 1), at=at_noon(date(2026, 2, 27)),
        by=BY,
    ).invoice_ids  # fmt: skip
    assert Invoice.objects.get(pk=invoice_id).issued_on == date(2026, 3, 1)


def test_reverse_charge_and_outside_scope_have_no_tax() -> None:
    company = a_company()
    french = a_customer(company, country="FR", vat_id="FR40303265045")
    type(french).objects.filter(pk=french.pk).update(vat_state="valid")
    swiss = a_customer(company, country="CH")
    for customer in (french, swiss):
        a_subscription(company, customer)
    bill(company, date(2026, 1, 1))
    rows = {invoice.customer_id: invoice.tax_rows[0] for invoice in Invoice.objects.all()}
    assert (rows[french.pk]["category"], rows[french.pk]["reason"]) == ("AE", "reverse_charge")
    assert (rows[swiss.pk]["category"], rows[swiss.pk]["reason"]) == ("O", "outside_scope")


def test_the_rate_on_the_last_day_of_the_period_decides() -> None:
    from catalog.services.taxes import set_rate

    company = a_company()
    set_rate(
        company=company, country="DE", region="", level="standard", percent=Decimal(20), valid_from=date(2026, 1, 31),
        source="test", by=BY, at=at_noon(date(2026, 1, 1)),
    )  # fmt: skip
    a_subscription(company)
    bill(company, date(2026, 1, 1))
    assert Invoice.objects.get().tax_minor == 200


@pytest.mark.parametrize("billed", ["advance", "arrears"])
@pytest.mark.parametrize("rules", [{}, {"grace_days": 5, "renewal_rule": "renew", "minimum_count": 3}])
def test_the_next_day_is_the_one_the_agreement_itself_names(billed: str, rules: dict[str, Any]) -> None:
    from subscriptions.services.due import next_due

    company = a_company()
    subscription = a_subscription(company, plan=a_plan(company, rules=rules, price={"billed": billed}))
    for on in (date(2026, 1, 1), date(2026, 2, 1), date(2026, 4, 3), date(2026, 4, 20), date(2026, 7, 31)):
        bill(company, on)
        subscription.refresh_from_db()
        slots = [(slot, list(slot.terms.all())) for slot in subscription.slots.all()]
        assert subscription.next_bill_on == next_due(subscription, slots)


def test_a_date_that_moved_on_meanwhile_is_computed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    from billing.services import issuing

    company = a_company()
    a_subscription(company)
    real = issuing.numbering.take
    asked: list[date] = []

    def take(**keywords: Any) -> tuple[int, date]:
        """The first time, somebody has issued a document of the next day in between."""
        asked.append(keywords["on"])
        first, on = real(**keywords)
        return (first, date(2026, 1, 2)) if len(asked) == 1 else (first, on)

    monkeypatch.setattr(issuing.numbering, "take", take)
    bill(company, date(2026, 1, 1))
    assert len(asked) == 2
    assert [invoice.sequence for invoice in Invoice.objects.all()] == [1]


def test_credit_that_a_note_makes_pays_the_invoice_written_with_it():
    from billing.models import Allocation, CreditBalance
    from billing.services import payments
    from tests.billing.changes import agreed, change, item

    company = a_company()
    subscription = agreed(company, "31.00")
    payments.record(
        company=company, customer=subscription.customer, amount_minor=3689, currency="EUR", method="transfer",
        received_on=date(2026, 1, 1), by=BY, at=at_noon(date(2026, 1, 1)),
    )  # fmt: skip
    change(subscription, "01-11", items=[item(subscription, unit_amount="62")], timing="now")
    # 21 days of 31 come back: 21.00 and 19 % = 24.99; 21 days of 62.00 are 42.00 and 19 % = 49.98.
    balance = Invoice.objects.order_by("pk").last().balance
    assert (balance.gross_minor, balance.credit_used_minor, balance.open_minor) == (4998, 2499, 2499)
    assert [(one.amount_minor, one.used_minor) for one in CreditBalance.objects.all()] == [(2499, 2499)]
    assert list(Allocation.objects.filter(credit__isnull=False).values_list("amount_minor", flat=True)) == [2499]
