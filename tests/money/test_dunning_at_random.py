"""A hundred and twenty days of payments, promises, pauses, returns and late ticks at random, watched independently."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from core.refusal import Refused
from tests.factories import BY, TODAY, a_company, a_customer
from tests.money.dunning import a_policy, bill, pay, set_day

pytestmark = pytest.mark.django_db

STEPS = [
    (2, "retry"), (3, "mail"), (10, "mail", {"level": 1}), (15, "claim", {"fee_minor": 500, "has_interest": True}),
    (20, "mail", {"level": 2}), (25, "suspend"), (40, "mail", {"level": 3}), (60, "cancel", {"end_unused": "credit"}),
    (90, "write_off"),
]  # fmt: skip
ACTS = ["pay", "pay_part", "promise", "pause", "resume", "return", "step_now", "skip", "bill", "tick_twice"]


class AtRandom(TestCase):
    @settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.generate])
    @given(st.data())
    def test_nobody_is_asked_for_what_is_paid_and_no_step_is_done_twice(self, data):
        from billing.models import DunningCase, DunningEntry
        from billing.services import dunning

        company = a_company(payment_terms_days=0)
        a_policy(company, *STEPS)
        customer = a_customer(company)
        paid: list = []
        bill(company, customer, unit="year")
        day = 0
        while day < 120:
            act = data.draw(st.sampled_from([*ACTS, "", ""]))
            at = set_day(company, TODAY + timedelta(days=day))
            self.act(act, company, customer, paid, at)
            for _ in range(2 if act == "tick_twice" else 1):
                before = self.letters(customer)
                open_before = self.overdue(customer, at)
                found = dunning.dunning_tick(company, at)
                assert found["failed"] == 0
                new = self.letters(customer) - before
                # What is told is late, open, and neither promised nor paused; never two letters at a time.
                assert len(new) <= 1
                for message_id in new:
                    self.check_letter(message_id, open_before)
            day += data.draw(st.integers(1, 9))
        done = DunningEntry.objects.filter(
            case__customer=customer, result="done", step__isnull=False
        ).exclude(action__in=["paid", "returned"])  # fmt: skip
        twice = Counter(done.values_list("case_id", "step_id", "counts_from_on"))
        assert not twice or max(twice.values()) == 1
        assert DunningCase.objects.filter(customer=customer, state__in=["open", "promised", "paused"]).count() <= 1
        for case in DunningCase.objects.filter(customer=customer):
            entries = case.entries.filter(action__in=["paid", "returned"])
            assert case.recovered_minor == sum(entry.amount_minor for entry in entries)

    def letters(self, customer):
        from customers.models import Message

        rows = Message.objects.filter(customer=customer, template__regex=r"^reminder_[0-3]$")
        return set(rows.values_list("pk", flat=True))

    def overdue(self, customer, at):
        """Numbers of the invoices that may be asked for, counted from the balance alone."""
        from billing.models import DunningCase, InvoiceBalance

        held = DunningCase.objects.filter(customer=customer, state__in=["promised", "paused"]).order_by("-pk").first()
        day = at.date()
        ends = held and (held.promised_on or held.paused_until_on)
        if held and (ends is None or ends >= day):
            return set()
        rows = InvoiceBalance.objects.filter(
            customer_id=customer.pk, status="open", open_minor__gt=0, payment_due_on__lt=day
        )
        return set(rows.values_list("invoice__number", flat=True))

    def check_letter(self, message_id, allowed):
        from billing.models import Invoice
        from customers.models import Message

        body = Message.objects.get(pk=message_id).body
        # A claim may still be open for an invoice that is paid.
        numbers = Invoice.objects.exclude(number="").values_list("number", flat=True)
        named = {number for number in numbers if f"Invoice {number}, due on" in body}
        assert named
        assert named <= allowed

    def act(self, act, company, customer, paid, at):
        from billing.models import DunningCase, InvoiceBalance
        from billing.services import dunning, payments

        day = at.date()
        case = DunningCase.objects.filter(customer=customer).order_by("-pk").first()
        owed = InvoiceBalance.objects.filter(customer_id=customer.pk, status="open", open_minor__gt=0)
        first = owed.select_related("invoice").order_by("payment_due_on", "pk").first()
        try:
            match act:
                case "pay" if first:
                    paid.append(pay(first.invoice, day))
                case "pay_part" if first:
                    paid.append(pay(first.invoice, day, amount=max(1, first.open_minor // 3)))
                case "return" if paid:
                    payments.take_back(payment=paid.pop(), reason="returned", on=day, by=BY, at=at)
                case "promise" if case:
                    dunning.promise(case=case, until=day + timedelta(days=12), by=BY, at=at)
                case "pause" if case:
                    dunning.pause(case=case, until=day + timedelta(days=7), reason="x", by=BY, at=at)
                case "resume" if case:
                    dunning.resume_case(case=case, by=BY, at=at)
                case "step_now" if case:
                    dunning.step_now(case=case, by=BY, at=at)
                case "skip" if case:
                    dunning.skip_step(case=case, reason="x", by=BY, at=at)
                case "bill":
                    bill(company, customer, on=day, amount="50.00", unit="year")
        except Refused:
            pass
