"""What no verb of money or agreement takes: it is refused with a code, and nothing is half done."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from core.refusal import Refused
from tests.factories import BY, TODAY, a_company, a_customer, a_plan, a_product, a_subscription, at_noon

pytestmark = pytest.mark.django_db

NOW = {"by": BY, "at": at_noon(TODAY)}
FAR, LONG_AGO = date(9999, 12, 31), date(1, 1, 1)


class World:
    """A company with a customer, and the verbs under attack, each given one bad value."""

    def __init__(self) -> None:
        self.company = a_company()
        self.customer = a_customer(self.company)

    def start(self, **changes: Any) -> Any:
        from billing.services import acts

        plan = a_plan(self.company, rules={"notice_to": "any_day"})
        values = {"plan": plan, "start_on": TODAY, "on": TODAY, **NOW}
        return acts.start(company=self.company, customer=self.customer, **(values | changes)).subscription

    def item(self, **values: Any) -> Any:
        from subscriptions.services.starting import ItemSpec

        return self.start(plan=None, items=[ItemSpec(a_product(self.company), **values)])

    def foreign_price(self) -> Any:
        return self.item(price=a_plan(a_company()).items.get().prices.get())

    def cancel(self, **values: Any) -> Any:
        from billing.services import acts

        return acts.cancel(subscription=self.start(), **({"timing": "now"} | values), **NOW)

    def invoice(self) -> Any:
        from billing.models import Invoice

        self.start()
        return Invoice.objects.get(company=self.company)

    def draft(self, **values: Any) -> Any:
        from billing.services.drafting import DraftLine, create_draft
        from catalog.models import TaxCategory

        document = {name: values.pop(name) for name in list(values) if name not in DraftLine.__slots__}
        category = TaxCategory.objects.get(company=self.company, code="standard-electronic")
        line = {"description": "x", "tax_category": category, "unit_amount": Decimal(1)}
        usual = {"customer": self.customer, "currency": "EUR", "lines": [DraftLine(**(line | values))]}
        return create_draft(company=self.company, **(usual | document), **NOW)

    def pay(self, **values: Any) -> Any:
        from billing.services.payments import record

        usual = {"amount_minor": 100, "currency": "EUR", "method": "transfer", "received_on": TODAY}
        return record(company=self.company, customer=self.customer, **(usual | values), **NOW)

    def take_back(self, **values: Any) -> Any:
        from billing.services.payments import take_back

        return take_back(payment=self.pay(), **({"reason": "returned"} | values), **NOW)

    def allocate(self, **values: Any) -> Any:
        from billing.services.payments import allocate

        return allocate(payment=self.pay(), invoice=self.invoice(), **values, **NOW)

    def refund(self, **values: Any) -> Any:
        from billing.services.payments import refund_credit

        self.pay()
        usual = {"customer": self.customer, "currency": "EUR", "amount_minor": 10, "reason": "asked"}
        return refund_credit(**(usual | values), **NOW)

    def settle_refund(self, paid_on: date) -> Any:
        from billing.services.payments import settle_refund

        return settle_refund(refund=self.refund(), paid_on=paid_on, **NOW)

    def cancel_refund(self, reason: str) -> Any:
        from billing.services.payments import cancel_refund

        return cancel_refund(refund=self.refund(), reason=reason, **NOW)

    def write_off(self, reason: str) -> Any:
        from billing.services.payments import write_off

        return write_off(invoice=self.invoice(), reason=reason, **NOW)

    def credit(self, **values: Any) -> Any:
        from billing.services.crediting import credit_invoice

        return credit_invoice(invoice=self.invoice(), **({"reason": "wrong"} | values), **NOW)

    def give_back(self, *items: tuple[Any, ...]) -> Any:
        from billing.services.crediting import GiveBack, give_back

        line = self.invoice().lines.get()
        asked = [GiveBack(line.pk, *item) for item in items]
        return give_back(company=self.company, invoice_lines=asked, cause="manual", reason="wrong", **NOW)

    def void(self, **values: Any) -> Any:
        from billing.services.voiding import void

        return void(invoice=self.invoice(), **({"reason": "wrong"} | values), **NOW)


ATTACKS: list[tuple[str, Callable[[World], Any]]] = [
    ("subscription.day_range", lambda w: w.start(start_on=LONG_AGO)),
    ("subscription.day_range", lambda w: w.start(start_on=FAR)),
    ("subscription.day_range", lambda w: w.start(ends_on=FAR)),
    ("subscription.day_range", lambda w: w.start(billed_through_on=FAR)),
    ("customer.metadata_form", lambda w: w.start(metadata={"a": float("nan")})),
    ("customer.metadata_form", lambda w: w.start(metadata={"a": object()})),
    ("text.nul", lambda w: w.start(metadata={"a": "\0"})),
    ("text.nul", lambda w: w.start(name="a\0b")),
    ("number.form", lambda w: w.item(unit_amount=Decimal("NaN"))),
    ("number.range", lambda w: w.item(unit_amount=Decimal("-0"))),
    ("number.range", lambda w: w.item(unit_amount=Decimal(10**10 - 1), quantity=Decimal(10**14 - 1))),
    ("not_found", World.foreign_price),
    ("subscription.day_range", lambda w: w.cancel(timing="date", ends_on=FAR)),
    (
        "subscription.end_before_start",
        lambda w: w.cancel(timing="date", ends_on=LONG_AGO, override=True, override_reason="x"),
    ),
    ("text.nul", lambda w: w.cancel(reason="\0")),
    ("payment.amount", lambda w: w.pay(amount_minor=True)),
    ("payment.amount", lambda w: w.pay(amount_minor=-1)),
    ("number.range", lambda w: w.pay(amount_minor=2**63)),
    ("number.range", lambda w: w.pay(amount_minor=2**63 - 1)),
    ("payment.received_range", lambda w: w.pay(received_on=LONG_AGO)),
    ("text.nul", lambda w: w.pay(note="\0")),
    ("payment.amount", lambda w: w.allocate(amount_minor=0)),
    ("text.nul", lambda w: w.take_back(reason="a\0")),
    ("reason.missing", lambda w: w.take_back(reason=" ")),
    ("payment.returned_range", lambda w: w.take_back(on=FAR)),
    ("payment.returned_range", lambda w: w.take_back(on=LONG_AGO)),
    ("text.nul", lambda w: w.write_off("a\0")),
    ("text.nul", lambda w: w.refund(reason="\0")),
    ("payment.amount", lambda w: w.refund(amount_minor=10.5)),
    ("refund.paid_range", lambda w: w.settle_refund(LONG_AGO)),
    ("refund.paid_range", lambda w: w.settle_refund(FAR)),
    ("text.nul", lambda w: w.cancel_refund("\0")),
    ("text.nul", lambda w: w.credit(reason="\0")),
    ("text.not_unicode", lambda w: w.credit(reason="\ud800")),
    ("credit.above_left", lambda w: w.credit(gross_minor=-5)),
    ("credit.line_unknown", lambda w: w.credit(lines={10**18: 5})),
    ("credit.line_twice", lambda w: w.give_back((600,), (600,))),
    ("credit.days_outside", lambda w: w.give_back((None, (date(2025, 1, 1), date(2025, 2, 1))))),
    ("text.nul", lambda w: w.void(reason="\0")),
    ("field.choice", lambda w: w.void(days="whatever")),
    ("text.nul", lambda w: w.draft(description="\0")),
    ("text.not_unicode", lambda w: w.draft(description="\ud800")),
    ("text.too_long", lambda w: w.draft(description="x" * 10_000_000)),
    ("number.places", lambda w: w.draft(unit_amount=Decimal("1.00000000001"))),
    ("number.places", lambda w: w.draft(quantity=Decimal("1.0000001"))),
    ("number.range", lambda w: w.draft(quantity=Decimal("-0"))),
    ("draft.quantity", lambda w: w.draft(quantity=Decimal("sNaN"))),
    ("draft.quantity", lambda w: w.draft(quantity=1.5)),
    ("number.range", lambda w: w.draft(quantity=Decimal(10**14 - 1), unit_amount=Decimal(10**10 - 1))),
    ("number.range", lambda w: w.draft(payment_terms_days=10**9)),
    ("number.range", lambda w: w.draft(payment_terms_days=-5)),
    ("field.choice", lambda w: w.draft(tax_behavior="whatever")),
    ("text.too_long", lambda w: w.draft(po_reference="x" * 81)),
    ("draft.period", lambda w: w.draft(period=(date(2026, 2, 1), date(2026, 1, 1)))),
    ("day.range", lambda w: w.draft(period=(LONG_AGO, LONG_AGO))),
    ("not_found", lambda w: w.draft(customer=a_customer(a_company()))),
    ("not_found", lambda w: w.draft(product=a_product(a_company()))),
]


@pytest.mark.parametrize(("code", "attack"), ATTACKS, ids=[f"{at}-{code}" for at, (code, _) in enumerate(ATTACKS)])
def test_it_is_refused_with_words(code: str, attack: Callable[[World], Any]) -> None:
    world = World()
    with pytest.raises(Refused) as caught:
        attack(world)
    assert caught.value.code == code
    assert "%(" not in caught.value.message


def test_a_payment_of_the_largest_amount_fits() -> None:
    from core.checks import MOST_MINOR

    assert World().pay(amount_minor=MOST_MINOR).amount_minor == MOST_MINOR


def test_a_subscription_starts_on_the_last_day_there_is() -> None:
    from core.checks import LATEST

    company = a_company()
    assert a_subscription(company, start_on=LATEST).start_on == LATEST
