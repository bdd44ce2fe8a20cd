"""Replacing an invoice: the old one is void, the new one names it, its days move along. Amounts are in the comments."""

from __future__ import annotations

from datetime import date

import orjson
import pytest

from billing.models import BilledDays, Credit, CreditNote, Invoice, InvoiceLine, Snapshot
from billing.services import drafting, granting
from billing.services.crediting import GiveBack, give_back
from billing.services.draft_lines import DraftLine
from billing.services.replacing import replace
from billing.services.voiding import void
from core.models import Event
from core.refusal import Refused
from customers.models import Customer
from customers.services.customers import set_address, update_customer
from tests.billing.money import left, sound
from tests.billing.test_allowances import JANUARY, a_customer_with_plan, billed, grant, sell
from tests.billing.test_ends import pay
from tests.billing.test_settling import bill
from tests.factories import BY, a_company, a_customer, a_plan, a_subscription, at_noon, set_clock

pytestmark = pytest.mark.django_db
AT = at_noon(JANUARY)


def issue_anew(invoice: Invoice, **changes: object) -> tuple[CreditNote, Invoice]:
    return replace(invoice=invoice, how="issue", reason="wrong address", by=BY, at=AT, **changes)  # type: ignore[arg-type]


def test_the_new_invoice_charges_the_same_and_names_the_old_one() -> None:
    company = a_company()
    a_customer_with_plan(company)
    old = billed(company)
    note, new = issue_anew(old, po_reference="PO 7")
    assert (note.cause, note.gross_minor, note.to_account_minor) == ("replace", 11900, 0)
    old.balance.refresh_from_db()
    assert (old.balance.status, old.balance.open_minor) == ("void", 0)
    assert (new.number, new.replaces_id, new.gross_minor, new.po_reference) == (
        "TEST-INV-2026-000002", old.pk, 11900, "PO 7",
    )  # fmt: skip
    assert (new.balance.status, new.charge_due_on, new.payment_due_on) == ("open", JANUARY, date(2026, 1, 15))
    body = orjson.loads(Snapshot.objects.get(document_kind="invoice", document_id=new.pk).body)
    assert body["replaces"] == {"number": old.number, "issued_on": "2026-01-01"}
    assert sound(company) == {"1400": 11900, "1776": -1900, "8400": -10000}
    # Nothing fell due again.
    assert bill(company, date(2026, 1, 31)).invoice_ids == []


def test_it_is_taxed_as_the_customer_is_today() -> None:
    company = a_company()
    customer = a_customer_with_plan(company)
    old = billed(company)
    address = {"lines": ["1 rue Haute"], "postal_code": "75001", "city": "Paris", "country": "FR"}
    update_customer(customer=customer, changes={"vat_id": "FR40303265045"}, by=BY, at=AT)
    set_address(customer=customer, address=address, by=BY, at=AT)
    Customer.objects.filter(pk=customer.pk).update(vat_state="valid", kind="company")
    _, new = issue_anew(old)
    assert (new.tax_rows[0]["category"], new.net_minor, new.tax_minor) == ("AE", 10000, 0)
    sound(company)


def test_days_move_to_the_new_lines() -> None:
    company = a_company()
    a_customer_with_plan(company)
    old = billed(company)
    note, new = issue_anew(old)
    rows = BilledDays.objects.order_by("pk").values_list("line__invoice_id", "released_by")
    assert list(rows) == [(old.pk, note.pk), (new.pk, None)]
    # The new one can be voided in its turn, and then they are billed again.
    void(invoice=new, reason="not at all", by=BY, at=AT)
    assert billed(company).gross_minor == 11900
    sound(company)


def test_a_paid_invoice_pays_the_one_in_its_place() -> None:
    company = a_company()
    customer = a_customer_with_plan(company)
    old = billed(company)
    pay(old)
    a_subscription(company, customer, a_plan(company, amount="10.00"))
    other = billed(company)
    note, new = issue_anew(old)
    assert (note.settled_minor, note.to_account_minor) == (0, 11900)
    # The credit of the note goes to the new invoice first, not to the other open one.
    assert (new.balance.status, new.balance.credit_used_minor) == ("paid", 11900)
    other.balance.refresh_from_db()
    assert other.balance.status == "open"
    sound(company)


def test_what_was_given_back_stays_given_back() -> None:
    company = a_company()
    a_customer_with_plan(company, "31.00")
    old = billed(company)
    [line] = old.lines.all()
    ask = GiveBack(line.pk, release=(date(2026, 1, 22), date(2026, 2, 1)))
    give_back(company=company, invoice_lines=[ask], cause="manual", reason="outage", at=AT, by=BY)
    note, new = issue_anew(old)
    # 21 of 31 days of 31.00 are left.
    assert (note.net_minor, new.net_minor) == (2100, 2100)
    [fresh] = new.lines.all()
    assert (fresh.period_start, fresh.period_end) == (JANUARY, date(2026, 1, 22))
    assert sound(company) == {"1400": 2499, "1776": -399, "8400": -2100}


def test_credit_that_lowered_it_lowers_the_new_one() -> None:
    company = a_company()
    customer = a_customer_with_plan(company)
    given = grant(customer, 1000)
    _, pack = sell(company, customer, 2000)
    old = billed(company)
    _, new = issue_anew(old)
    assert (old.net_minor, new.net_minor, left(given), left(pack)) == (7000, 7000, 0, 0)
    sound(company)


def test_one_that_credit_covered_in_part_is_replaced_without_credit_that_lapsed() -> None:
    company = a_company()
    customer = a_customer_with_plan(company)
    given = grant(customer, 1000, expires_on=JANUARY)
    old = billed(company)
    later = set_clock(company, date(2026, 1, 5))
    _, new = replace(invoice=old, how="issue", reason="wrong", by=BY, at=later)
    assert (old.net_minor, new.net_minor) == (9000, 10000)
    assert granting.lapse_due(company, later) == {"credits": 1}
    assert left(given) == 0


def test_a_pack_is_sold_anew_unless_it_was_used() -> None:
    company = a_company()
    customer = a_customer_with_plan(company)
    invoice, pack = sell(company, customer, 20000)
    _, new = issue_anew(invoice)
    assert (left(pack), left(Credit.objects.get(invoice=new))) == (0, 20000)
    billed(company)
    with pytest.raises(Refused) as refused:
        issue_anew(new)
    assert refused.value.code == "credit.pack_used"
    sound(company)


def test_as_a_draft_it_can_be_changed_before_it_is_issued() -> None:
    company = a_company()
    a_customer_with_plan(company)
    old = billed(company)
    note, draft = replace(invoice=old, reason="wrong amount", by=BY, at=AT)
    assert (draft.sequence, draft.replaces_id, draft.net_minor, draft.waits_for) == (None, old.pk, 10000, "")
    assert bill(company, date(2026, 1, 31)).invoice_ids == []
    [line] = draft.lines.all()
    changed = DraftLine(of=line.position, quantity=line.quantity, unit_amount=line.unit_amount, amount_minor=9000,
                        reason="as agreed by phone")  # fmt: skip
    drafting.update_draft(invoice=draft, lines=[changed], by=BY, at=AT)
    new = drafting.issue(invoice=draft, by=BY, at=AT)
    assert (new.net_minor, new.replaces_id, note.net_minor) == (9000, old.pk, 10000)
    sound(company)


def test_a_deleted_replacement_has_its_days_billed_again() -> None:
    company = a_company()
    a_customer_with_plan(company)
    _, draft = replace(invoice=billed(company), reason="wrong", by=BY, at=AT)
    drafting.delete_draft(invoice=draft, by=BY, at=AT)
    assert billed(company).gross_minor == 11900
    sound(company)


def test_a_draft_or_a_void_invoice_is_not_replaced() -> None:
    company = a_company()
    customer = a_customer_with_plan(company)
    old = billed(company)
    _, draft = replace(invoice=old, reason="wrong", by=BY, at=AT)
    for invoice, code in ((old, "void.not_open"), (draft, "credit.not_issued")):
        with pytest.raises(Refused) as refused:
            replace(invoice=invoice, reason="again", by=BY, at=AT)
        assert refused.value.code == code
    assert InvoiceLine.objects.filter(invoice__customer=customer).count() == 2
    assert Event.objects.filter(type="invoice.voided").count() == 1


def test_terms_from_the_end_of_the_month_stay() -> None:
    company = a_company(payment_terms_days=10, payment_terms_from="month_end")
    a_customer_with_plan(company)
    old = billed(company)
    # 31 January and ten days.
    assert old.payment_due_on == date(2026, 2, 10)
    _, new = issue_anew(old)
    assert new.payment_due_on == date(2026, 2, 10)
    assert a_customer(company).payment_terms_from == ""


def test_days_of_a_line_that_was_given_back_whole_are_not_forgotten() -> None:
    company = a_company()
    customer = a_customer_with_plan(company)
    a_subscription(company, customer, a_plan(company, amount="20.00"))
    old = billed(company)
    line = InvoiceLine.objects.get(invoice=old, amount_minor=2000)
    asked = [GiveBack(line.pk, 2000, None)]
    give_back(company=company, invoice_lines=asked, cause="manual", reason="goodwill", at=AT, by=BY)
    _note, new = issue_anew(old)
    assert new.net_minor == 10000
    # Its days were billed and given back: nothing is billed for them again, and none of them is missing.
    sound(company, date(2026, 1, 31))
    assert bill(company, date(2026, 1, 31)).invoice_ids == []
