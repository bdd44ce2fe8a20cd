"""What is charged and given back at once comes to nothing; of several changes on one day only the last counts.

Any agreement and any changes; sums are those of all documents, so a cent that is lost or found shows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import transaction
from django.db.models import Sum
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from core.refusal import Refused
from tests.factories import BY, TODAY, a_company, a_customer, a_plan, a_product, at_noon, set_clock

pytestmark = pytest.mark.django_db

AGREED = st.fixed_dictionaries(
    {
        "cents": st.integers(1, 99999),
        "quantity": st.integers(1, 30),
        "cycle": st.sampled_from([("month", 1), ("month", 1), ("month", 3), ("year", 1), ("week", 2)]),
        "tax_behavior": st.sampled_from(["exclusive", "inclusive"]),
        "day": st.sampled_from([0, 1, 9, 13, 16, 27]),
        "country": st.sampled_from(["DE", "DE", "AT", "US"]),
    }
)
CHANGE = st.one_of(
    st.tuples(st.just("quantity"), st.integers(1, 40)),
    st.tuples(st.just("unit_amount"), st.integers(1, 99999)),
    st.tuples(st.just("cycle"), st.sampled_from([("month", 1), ("month", 3), ("year", 1)])),
)
#: Changes of one kind, in their order.
QUANTITIES = st.tuples(st.just("quantity"), st.lists(st.integers(1, 40), min_size=2, max_size=4))
SEVERAL = st.one_of(
    QUANTITIES,
    st.tuples(st.just("unit_amount"), st.lists(st.integers(1, 99999), min_size=2, max_size=3)),
    st.tuples(
        st.just("cycle"),
        st.tuples(st.sampled_from([("month", 3), ("week", 1)]), st.sampled_from([("month", 1), ("year", 1)])),
    ),
)
QUARTER = {
    "cents": 2216, "quantity": 29, "cycle": ("month", 3), "tax_behavior": "exclusive", "day": 27, "country": "DE",
}  # fmt: skip
# Shrinking acts on a database takes minutes.
SETTINGS = settings(
    max_examples=settings.default.max_examples // 10, deadline=None, database=None,
    derandomize=settings.default.max_examples <= 100, phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)  # fmt: skip


class Agreed:
    """A subscription that was billed on its first day; `today` is a day of its first period."""

    def __init__(self, given: dict[str, Any], *, places: int = 2, two: bool = False) -> None:
        from billing.services import acts
        from subscriptions.services.agreeing import ItemSpec

        self.company = a_company()
        unit, count = given["cycle"]
        amount = str(Decimal(given["cents"]).scaleb(-places))
        rules = {"interval_unit": unit, "interval_count": count, "notice_to": "any_day"}
        plan = a_plan(self.company, amount=amount, price={"tax_behavior": given["tax_behavior"]}, rules=rules)
        item = ItemSpec(plan.items.get().product, quantity=Decimal(given["quantity"]))
        beside = [ItemSpec(a_product(self.company), quantity=Decimal(7), unit_amount=Decimal("9.99"))] if two else []
        customer = a_customer(self.company, country=given["country"], kind="person")
        self.subscription = acts.start(
            company=self.company, customer=customer, plan=plan, items=[item, *beside], start_on=TODAY, on=TODAY, by=BY,
            at=at_noon(TODAY),
        ).subscription  # fmt: skip
        self.today: date = TODAY + timedelta(days=min(given["day"], 13 if unit == "week" else 27))

    def do(self, act: Callable[..., Any], **given: Any) -> Any:
        return act(**given, on=self.today, by=BY, at=set_clock(self.company, self.today))

    def change(self, what: str, value: Any, beside: int = 0) -> Any:
        """Changes the first position, and the second to so many units."""
        from billing.services import acts_changing
        from subscriptions.services.change_specs import ItemChange

        wanted: dict[str, Any] = {what: Decimal(value) / 100 if what == "unit_amount" else value}
        if what == "quantity":
            wanted = {what: Decimal(value)}
        elif what == "cycle":
            wanted = {"interval_unit": value[0], "interval_count": value[1]}
        slots = list(self.subscription.slots.order_by("position"))
        items = [ItemChange(slot=slots[0], **wanted)]
        items += [ItemChange(slot=slots[1], quantity=Decimal(beside))] if beside else []
        return self.do(
            acts_changing.change, subscription=self.subscription, items=items, timing="now", keep_anchor=True
        ).change

    @property
    def sums(self) -> tuple[int, int]:
        """Net and gross of all invoices less those of all credit notes."""
        from billing.models import CreditNote, Invoice

        found = [0, 0]
        for model, sign in ((Invoice, 1), (CreditNote, -1)):
            told = model.objects.filter(company=self.company).aggregate(net=Sum("net_minor"), gross=Sum("gross_minor"))
            found[0] += sign * (told["net"] or 0)
            found[1] += sign * (told["gross"] or 0)
        return found[0], found[1]

    @property
    def terms(self) -> list[Any]:
        """The terms that hold from today on, and what they are worth."""
        names = ("quantity", "unit_amount", "interval_unit", "interval_count", "standing")
        slot = self.subscription.slots.order_by("position")[0]
        rows = slot.terms.filter(until_on__isnull=True).values_list(*names)
        return [*rows, slot.mrr_minor]


@contextmanager
def taken_back() -> Iterator[None]:
    with transaction.atomic():
        try:
            yield
        finally:
            transaction.set_rollback(True)


@SETTINGS
@given(agreed=AGREED)
def test_what_is_given_back_on_its_first_day_was_charged_exactly(agreed: dict[str, Any]) -> None:
    from billing.services import acts_pausing

    with taken_back():
        one = Agreed(agreed | {"day": 0})
        assert agreed["country"] == "US" or one.sums[1] >= one.sums[0] > 0
        one.do(acts_pausing.pause, subscription=one.subscription, from_on=one.today)
        assert one.sums == (0, 0)


@SETTINGS
@given(agreed=AGREED)
def test_a_voided_invoice_leaves_nothing(agreed: dict[str, Any]) -> None:
    from billing.models import Invoice
    from billing.services import voiding

    with taken_back():
        one = Agreed(agreed)
        invoice = Invoice.objects.get(company=one.company)
        voiding.void(invoice=invoice, reason="wrong", at=set_clock(one.company, one.today), by=BY)
        assert one.sums == (0, 0)


@SETTINGS
@given(agreed=AGREED, change=CHANGE)
def test_a_change_and_its_undo_come_to_nothing(agreed: dict[str, Any], change: tuple[str, Any]) -> None:
    from billing.services import acts_changing

    with taken_back():
        one = Agreed(agreed)
        sums, terms = one.sums, one.terms
        try:
            made = one.change(*change)
        except Refused as refused:
            assert refused.code == "change.nothing"
            return
        one.do(acts_changing.undo_change, change=made)
        assert (one.sums, one.terms) == (sums, terms)


def outcomes(one: Agreed, what: str, values: Sequence[Any]) -> list[Any]:
    """Sums and terms after the last change alone, and after all of them."""
    found = []
    for path in (values[-1:], values):
        with taken_back():
            for value in path:
                try:
                    one.change(what, value)
                except Refused as refused:
                    assert refused.code == "change.nothing"
            found.append((one.sums, one.terms))
    return found


@settings(SETTINGS, max_examples=max(100, SETTINGS.max_examples))
@given(agreed=AGREED, changes=SEVERAL)
@example(agreed=QUARTER, changes=("quantity", [11, 32]))
@example(agreed=QUARTER, changes=("quantity", [11, 32, 40]))
@example(agreed=QUARTER, changes=("quantity", [32, 11, 40, 30]))
def test_of_several_changes_on_one_day_only_the_last_counts(
    agreed: dict[str, Any], changes: tuple[str, Sequence[Any]]
) -> None:
    with taken_back():
        alone, after_others = outcomes(Agreed(agreed), *changes)
        assert alone == after_others


@SETTINGS
@given(agreed=AGREED, changes=QUANTITIES)
@example(agreed=QUARTER, changes=("quantity", [11, 32, 40]))
def test_only_the_last_counts_while_invoices_wait_as_drafts(
    agreed: dict[str, Any], changes: tuple[str, Sequence[Any]]
) -> None:
    with taken_back():
        one = Agreed(agreed)
        one.company.draft_hours = 24
        one.company.save()
        alone, after_others = outcomes(one, *changes)
        assert alone == after_others


@SETTINGS
@given(agreed=AGREED, changes=QUANTITIES)
def test_a_price_finer_than_a_cent_comes_back_within_one_cent(
    agreed: dict[str, Any], changes: tuple[str, Sequence[Any]]
) -> None:
    """A note gives back a share of the rounded line; the days billed again are a rounded share of the exact price."""
    with taken_back():
        ((net, gross), terms), ((other_net, other_gross), other_terms) = outcomes(Agreed(agreed, places=4), *changes)
        assert terms == other_terms
        assert abs(net - other_net) <= 1
        assert abs(gross - other_gross) <= 1


@SETTINGS
@given(agreed=AGREED, changes=QUANTITIES)
def test_a_note_over_two_positions_differs_by_one_cent_of_tax_at_most(
    agreed: dict[str, Any], changes: tuple[str, Sequence[Any]]
) -> None:
    """Its tax was rounded on the sum of both, and one of them alone is billed again."""
    with taken_back():
        one = Agreed(agreed, two=True)
        sums = []
        for path in (changes[1][-1:], changes[1]):
            with taken_back():
                for number, value in enumerate(path):
                    try:
                        one.change("quantity", value, beside=3 if number == 0 else 0)
                    except Refused as refused:
                        assert refused.code == "change.nothing"
                sums.append(one.sums)
        (net, gross), (other_net, other_gross) = sums
        in_mode = (gross, other_gross) if agreed["tax_behavior"] == "inclusive" else (net, other_net)
        assert in_mode[0] == in_mode[1]
        assert max(abs(net - other_net), abs(gross - other_gross)) <= 1
