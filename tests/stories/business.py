"""A business at random, as a state machine: agreements start, change, rest and end, and money comes and goes.

The rule that matters: a rule does what a person may ask for on that day; the business may refuse it, and nothing else
may happen. What the books must say afterwards is read in `audit`.
"""

from __future__ import annotations

from collections import defaultdict
from datetime import date, timedelta
from decimal import Decimal
from itertools import count
from typing import Any, ClassVar

from django.db import transaction
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule

from core.refusal import Refused
from tests.factories import BY, a_company, a_customer, a_plan, a_product
from tests.stories.audit import audit

START = date(2027, 12, 20)
CYCLES = st.sampled_from([("month", 1), ("month", 1), ("month", 3), ("week", 2), ("day", 10), ("year", 1)])
WHICH = st.integers(0, 3)
#: When a change holds: at once, at the end of the period, on a day ahead, or on one that is past.
TIMING = st.sampled_from([None, "now", "now", "period_end", "ahead", "back"])
DAYS = st.integers(1, 35)
PRORATION = st.sampled_from(["prorate", "prorate", "prorate", "none"])
_number = count(1)


class Business(RuleBasedStateMachine):
    """One company, up to three customers, everything that can happen to their subscriptions, on days that pass."""

    #: Whether the books are read after every act, not only at the end: slower, and names the act that broke them.
    AUDITS_EACH: ClassVar[bool] = False

    def __init__(self) -> None:
        super().__init__()
        self.savepoint = transaction.atomic()
        self.savepoint.__enter__()
        self.company = a_company(today=START)
        self.customers = [a_customer(self.company) for _ in range(3)]
        self.subscriptions: list[Any] = []
        self.refused: defaultdict[str, int] = defaultdict(int)

    def teardown(self) -> None:
        try:
            audit(self.company)
        finally:
            transaction.set_rollback(True)
            self.savepoint.__exit__(None, None, None)

    @property
    def at(self) -> Any:
        self.company.refresh_from_db(fields=["clock_at"])
        return self.company.clock_at

    @property
    def today(self) -> date:
        found: date = self.at.date()
        return found

    def attempt(self, act: Any, **given: Any) -> None:
        """Does an act; the business may refuse it, and then nothing has changed."""
        try:
            with transaction.atomic():
                act(**given, by=BY, at=self.at)
        except Refused as refused:
            self.refused[refused.code] += 1
        if self.AUDITS_EACH:
            self._audit_apart()

    def _audit_apart(self) -> None:
        """The audit bills what is due: what it writes goes again, and the life goes on as if it had not been."""
        with transaction.atomic():
            audit(self.company)
            transaction.set_rollback(True)

    def one(self, number: int) -> Any:
        from subscriptions.models import Subscription

        return Subscription.objects.get(pk=self.subscriptions[number % len(self.subscriptions)])

    def last(self, rows: Any) -> Any:
        """The newest of these rows of the company."""
        return rows.filter(company=self.company).order_by("pk").last()

    @initialize(
        cents=st.integers(1, 9999), gross=st.booleans(), draft_hours=st.sampled_from([0, 0, 0, 30]),
        metered=st.booleans(),
    )  # fmt: skip
    def begin(self, cents: int, gross: bool, draft_hours: int, metered: bool) -> None:
        from tests.subscriptions.metering import a_meter

        self.company.draft_hours = draft_hours
        self.company.save(update_fields=["draft_hours"])
        self.price = {"tax_behavior": "inclusive"} if gross else {}
        self.meter = a_meter(self.company)
        self.plans = [
            a_plan(self.company, amount="22.00", price=self.price, rules={"notice_to": "any_day"}),
            a_plan(
                self.company, amount="240.00", price=self.price,
                rules={"interval_unit": "year", "notice_to": "any_day"},
            ),
        ]  # fmt: skip
        self._start(0, cents, ("month", 1), "advance", 1, metered)

    @rule(
        who=st.integers(0, 2), cents=st.integers(1, 99999), cycle=CYCLES,
        billed=st.sampled_from(["advance", "advance", "arrears"]), quantity=st.integers(1, 7), metered=st.booleans(),
    )  # fmt: skip
    def start(self, who: int, cents: int, cycle: tuple[str, int], billed: str, quantity: int, metered: bool) -> None:
        if len(self.subscriptions) < 4:
            self._start(who, cents, cycle, billed, quantity, metered)

    def _start(self, who: int, cents: int, cycle: tuple[str, int], billed: str, quantity: int, metered: bool) -> None:
        from billing.services import acts
        from subscriptions.services.agreeing import ItemSpec
        from tests.subscriptions.metering import a_usage_item

        rules = {"interval_unit": cycle[0], "interval_count": cycle[1], "notice_to": "any_day"}
        amount = str(Decimal(cents) / 100)
        plan = a_plan(self.company, amount=amount, price={"billed": billed} | self.price, rules=rules)
        items = [ItemSpec(product=plan.items.get().product, quantity=Decimal(quantity))]
        if metered:
            items.append(a_usage_item(self.meter, "0.07"))
        made = acts.start(
            company=self.company, customer=self.customers[who], plan=plan, items=items, start_on=self.today,
            on=self.today, by=BY, at=self.at,
        )  # fmt: skip
        self.subscriptions.append(made.subscription.pk)

    @rule(days=st.integers(1, 9))
    def days_pass(self, days: int) -> None:
        self._pass(days)

    @rule(days=st.integers(10, 40))
    def weeks_pass(self, days: int) -> None:
        self._pass(days)

    @rule()
    def a_month_passes(self) -> None:
        self._pass(31)

    def _pass(self, days: int) -> None:
        from core.services import ticks

        ticks.advance(company=self.company, to=self.at + timedelta(days=days))
        if self.AUDITS_EACH:
            self._audit_apart()

    # Changes

    def change(self, number: int, timing: str | None, days: int, proration: str, keep: bool, **wanted: Any) -> None:
        from billing.services import acts_changing

        given: dict[str, Any] = {"proration": proration, "keep_anchor": keep, "timing": timing} | wanted
        if timing == "ahead":
            given |= {"timing": "date", "effective_on": self.today + timedelta(days=days)}
        elif timing == "back":
            given |= {"timing": "date", "effective_on": self.today - timedelta(days=days), "override": True}
            given |= {"override_reason": "counted late"}
        self.attempt(acts_changing.change, subscription=self.one(number), **given)

    def position(self, number: int, which: int, **given: Any) -> Any:
        """What is to become of one of its recurring positions."""
        from subscriptions.services.change_specs import ItemChange

        slots = list(self.one(number).slots.filter(kind="recurring").order_by("position"))
        return ItemChange(slot=slots[which % len(slots)], **given)

    @rule(
        number=WHICH, which=WHICH, quantity=st.integers(1, 9), timing=TIMING, days=DAYS, proration=PRORATION,
        keep=st.booleans(),
    )  # fmt: skip
    def change_quantity(self, number: int, which: int, quantity: int, **how: Any) -> None:
        self.change(number, items=[self.position(number, which, quantity=Decimal(quantity))], **how)

    @rule(
        number=WHICH, which=WHICH, cents=st.integers(1, 9999), timing=TIMING, days=DAYS, proration=PRORATION,
        keep=st.booleans(),
    )  # fmt: skip
    def change_price(self, number: int, which: int, cents: int, **how: Any) -> None:
        self.change(number, items=[self.position(number, which, unit_amount=Decimal(cents) / 100)], **how)

    @rule(number=WHICH, which=WHICH, cycle=CYCLES, timing=TIMING, days=DAYS, proration=PRORATION, keep=st.booleans())
    def change_cycle(self, number: int, which: int, cycle: tuple[str, int], **how: Any) -> None:
        wanted = self.position(number, which, interval_unit=cycle[0], interval_count=cycle[1])
        self.change(number, items=[wanted], **how)

    @rule(number=WHICH, plan=st.integers(0, 1), timing=TIMING, days=DAYS, proration=PRORATION, keep=st.booleans())
    def change_plan(self, number: int, plan: int, **how: Any) -> None:
        self.change(number, plan=self.plans[plan], **how)

    @rule(number=WHICH, cents=st.integers(1, 9999), timing=TIMING, days=DAYS, proration=PRORATION, keep=st.booleans())
    def add_item(self, number: int, cents: int, **how: Any) -> None:
        from subscriptions.services.change_specs import ItemChange

        new = ItemChange(product=a_product(self.company), unit_amount=Decimal(cents) / 100)
        self.change(number, items=[new], **how)

    @rule(number=WHICH, which=WHICH, timing=TIMING, days=DAYS, proration=PRORATION, keep=st.booleans())
    def remove_item(self, number: int, which: int, **how: Any) -> None:
        self.change(number, items=[self.position(number, which, remove=True)], **how)

    @rule(back=st.integers(0, 2))
    def undo_change(self, back: int) -> None:
        from billing.services import acts_changing
        from subscriptions.models import Change

        made = list(Change.objects.filter(company=self.company).order_by("-pk")[: back + 1])
        if made:
            self.attempt(acts_changing.undo_change, change=made[-1])

    # Ends and rests

    @rule(
        number=WHICH, timing=st.sampled_from(["now", "period_end"]),
        unused=st.sampled_from(["credit", "refund", "none"]),
    )  # fmt: skip
    def cancel(self, number: int, timing: str, unused: str) -> None:
        from billing.services import acts

        self.attempt(acts.cancel, subscription=self.one(number), timing=timing, unused=unused)

    @rule(number=WHICH)
    def undo(self, number: int) -> None:
        from billing.services import acts

        self.attempt(acts.undo_cancel, subscription=self.one(number))

    @rule(number=WHICH, days=st.integers(0, 30), until=st.sampled_from([None, None, 5, 40]))
    def pause(self, number: int, days: int, until: int | None) -> None:
        from billing.services import acts_pausing

        from_on = self.today + timedelta(days=days)
        last = None if until is None else from_on + timedelta(days=until)
        self.attempt(acts_pausing.pause, subscription=self.one(number), from_on=from_on, until=last)

    @rule(number=WHICH, keeps=st.booleans())
    def resume(self, number: int, keeps: bool) -> None:
        from billing.services import acts_pausing

        self.attempt(acts_pausing.resume, subscription=self.one(number), keep_anchor=keeps)

    @rule(number=WHICH, billing=st.sampled_from(["stop", "credit", "continue"]))
    def suspend(self, number: int, billing: str) -> None:
        from billing.services import acts_pausing

        self.attempt(acts_pausing.suspend, subscription=self.one(number), suspended_billing=billing)

    @rule(number=WHICH)
    def reinstate(self, number: int) -> None:
        from billing.services import acts_pausing

        self.attempt(acts_pausing.reinstate, subscription=self.one(number))

    @rule(number=WHICH, day=st.sampled_from([1, 15, 31]))
    def move_billing_day(self, number: int, day: int) -> None:
        from billing.services import acts_pausing

        self.attempt(acts_pausing.move_billing_day, subscription=self.one(number), day=day)

    # Discounts, single charges, usage

    @rule(
        number=WHICH, percent=st.sampled_from(["10", "33.3", None]), days=st.integers(0, 20),
        lasts=st.sampled_from(["once", "periods", "forever"]),
    )  # fmt: skip
    def give_discount(self, number: int, percent: str | None, days: int, lasts: str) -> None:
        from billing.services import acts_discounting
        from catalog.services.discounts import create_discount

        worth: dict[str, Any] = {"amount_minor": 500, "currency": "EUR"} if percent is None else {}
        if percent is not None:
            worth = {"percent": Decimal(percent)}
        discount = create_discount(
            company=self.company, code=f"d{next(_number)}", name={"en": "Less"}, duration=lasts,
            periods=2 if lasts == "periods" else None, **worth, by=BY, at=self.at,
        )  # fmt: skip
        from_on = self.today + timedelta(days=days)
        self.attempt(acts_discounting.give, subscription=self.one(number), discount=discount, from_on=from_on)

    @rule()
    def end_discount(self) -> None:
        from billing.services import acts_discounting
        from subscriptions.models import AgreedDiscount

        given = self.last(AgreedDiscount.objects.filter(ended_at__isnull=True))
        if given is not None:
            self.attempt(acts_discounting.end, agreed=given)

    @rule(number=WHICH, cents=st.integers(1, 9999), days=st.integers(0, 20), bill_now=st.booleans())
    def charge_once(self, number: int, cents: int, days: int, bill_now: bool) -> None:
        from billing.services import acts_items

        self.attempt(
            acts_items.add_one_off, subscription=self.one(number), product=a_product(self.company),
            unit_amount=Decimal(cents) / 100, service_on=self.today + timedelta(days=days), bill_now=bill_now,
        )  # fmt: skip

    @rule()
    def take_a_charge_back(self) -> None:
        from billing.services import acts_items
        from subscriptions.models import OneOff

        added = self.last(OneOff.objects)
        if added is not None:
            self.attempt(acts_items.cancel_one_off, one_off=added)

    @rule(number=WHICH, events=st.lists(st.tuples(st.integers(0, 60), st.integers(1, 999)), min_size=1, max_size=4))
    def use(self, number: int, events: list[tuple[int, int]]) -> None:
        from tests.subscriptions.metering import sent, take_in

        who = self.one(number)
        rows = [sent(self.meter, who, self.at - timedelta(days=back), value) for back, value in events]
        take_in(self.company, *rows)

    # Money

    @rule(number=st.integers(0, 9), cents=st.integers(1, 20000))
    def pay(self, number: int, cents: int) -> None:
        from billing.services import payments

        invoice = self.invoice(number)
        if invoice is not None:
            self.attempt(
                payments.record, company=self.company, customer=invoice.customer, amount_minor=cents,
                currency=invoice.currency, method="transfer", received_on=self.today,
            )  # fmt: skip

    @rule(who=st.integers(0, 2), cents=st.integers(1, 3000), days=st.sampled_from([None, 0, 20]))
    def grant(self, who: int, cents: int, days: int | None) -> None:
        from billing.services import granting

        self.attempt(
            granting.grant, customer=self.customers[who], amount_minor=cents, currency="EUR", reason="sorry",
            expires_on=None if days is None else self.today + timedelta(days=days),
        )  # fmt: skip

    @rule(number=st.integers(0, 9), percent=st.integers(1, 100))
    def credit(self, number: int, percent: int) -> None:
        from billing.services import crediting

        invoice = self.invoice(number)
        if invoice is not None:
            gross = max(1, invoice.gross_minor * percent // 100)
            self.attempt(crediting.credit_invoice, invoice=invoice, gross_minor=gross, reason="goodwill")

    @rule(number=st.integers(0, 9), days=st.sampled_from(["bill_again", "free"]))
    def void(self, number: int, days: str) -> None:
        from billing.services import voiding

        invoice = self.invoice(number)
        if invoice is not None:
            self.attempt(voiding.void, invoice=invoice, days=days, reason="wrong")

    def invoice(self, number: int) -> Any:
        from billing.models import Invoice

        found = Invoice.objects.filter(company=self.company, sequence__isnull=False).order_by("pk")
        total = found.count()
        return found[number % total] if total else None
