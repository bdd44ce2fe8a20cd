"""A customer whose money doesn't come, followed for ninety days: everything that is sent, tried and moved, in order.

One line a day and thing: `20 mail reminder_2`, `9 attempt failed generic_decline`, `35 step suspend`,
`14 passed retry no_method`, `60 service canceled`. Days count from the due day.
"""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path
from typing import Any

from tests.factories import BY, TODAY, a_customer
from tests.money.debits import a_creditor, a_mandate
from tests.money.dunning import bill, set_day
from tests.money.providers import Providers, a_card, a_gateway

LAST = 90
#: What a day asks, by the way of paying; nothing else moves the money of such a customer.
TICKS = {
    "nothing": ("billing.dunning",),
    "card": ("billing.collect", "billing.attempts", "billing.dunning"),
    "debit": ("billing.collect", "billing.attempts", "billing.debits", "billing.dunning"),
}
#: The bank tells of a debit it takes back so many days after it was credited.
RETURNED_AFTER = timedelta(days=2)
REFUSED = "pm_card_chargeCustomerFail"


class Debtor:
    """One customer, billed once for a year, who pays in a way that fails; `live` walks its days."""

    def __init__(self, company: Any, way: str, *, group: str = "", kind: str = "person", providers: Providers) -> None:
        self.company, self.way, self.code = company, way, ""
        group = "" if group == "standard" else group
        self.customer = a_customer(company, dunning_group=group, kind=kind)
        match way:
            case "card refused":
                a_card(self.customer, a_gateway(company, providers), REFUSED)
            case "card lost":
                card = a_card(self.customer, a_gateway(company, providers))
                fault = {"kind": "decline", "reason": "lost_card", "contains": card.external_customer}
                providers.faults(fault)
            case "card to confirm":
                a_card(self.customer, a_gateway(company, providers), "pm_card_authenticationRequired")
            case "debit unfunded" | "debit closed":
                a_mandate(self.customer, a_creditor(company), on=TODAY)
                self.code = {"debit unfunded": "AM04", "debit closed": "AC04"}[way]
        self.invoice = bill(company, self.customer, unit="year")
        self.day, self.states, self.lines = -1, {"case": "", "service": "", "invoice": ""}, list[str]()
        self.returned: set[int] = set()
        self.seen = 0

    def live(self, until: int) -> None:
        """Walks to that day after the due day, the day itself counted."""
        from core.services import ticks

        while self.day < until:
            self.day += 1
            at = set_day(self.company, TODAY + timedelta(days=self.day))
            if self.code:
                self.take_back(at)
            for name in TICKS[self.way.partition(" ")[0]]:
                found = ticks.run_tick(name=name, company=self.company, at=at, notes_quiet=False)
                assert not found.get("failed"), (name, found)
            self.note()

    def take_back(self, at: Any) -> None:
        """What the bank returns today."""
        from billing.models import Payment
        from billing.services import debit_returns

        rows = Payment.objects.filter(customer=self.customer, attempt__isnull=False, status="settled")
        for payment in rows.filter(received_on__lte=at.date() - RETURNED_AFTER).exclude(pk__in=self.returned):
            self.returned.add(payment.pk)
            debit_returns.take_return(
                company=self.company, end_to_end_id=payment.attempt.ref[4:], code=self.code, on=at.date(), by=BY, at=at
            )

    def note(self) -> None:
        """What stands differently after the day; without an event nothing does."""
        from billing.models import DunningCase, InvoiceBalance
        from core.models import Event
        from subscriptions.models import Subscription

        events = Event.objects.filter(company_id=self.company.pk).count()
        if events == self.seen:
            return
        self.seen = events
        case = DunningCase.objects.filter(customer=self.customer).order_by("-pk").first()
        now = {
            "case": case.state if case is not None else "",
            "service": Subscription.objects.get(customer=self.customer).state,
            "invoice": InvoiceBalance.objects.get(invoice=self.invoice).status,
        }
        self.lines += [
            f"{self.day} {what} {state}" for what, state in now.items() if state != self.states[what]
        ]  # fmt: skip
        self.states = now

    def told(self) -> list[str]:
        """Everything, day by day: mails, attempts, steps and states, each in the order they came."""
        from billing.models import Attempt, Claim, DunningEntry
        from customers.models import Message

        found: list[tuple[int, int, str]] = []
        for row in Message.objects.filter(company=self.company).order_by("pk"):
            found.append((self.count(row.created_at.date()), 0, f"mail {row.template}"))
        for row in Attempt.objects.filter(customer=self.customer).order_by("pk"):
            words = " ".join(filter(None, ["attempt", row.state, row.reason]))
            found.append((self.count(row.created_at.date()), 1, words))
        for row in DunningEntry.objects.filter(case__customer=self.customer).order_by("pk"):
            what = {"done": "step", "skipped": "passed"}.get(row.result, row.result)
            found.append((self.count(row.on), 2, " ".join(filter(None, [what, row.action, row.reason]))))
        for row in Claim.objects.filter(customer=self.customer).order_by("pk"):
            found.append((self.count(row.claimed_on), 3, f"claim {row.kind} {row.amount_minor / 100:.2f}"))
        for line in self.lines:
            day, _, words = line.partition(" ")
            found.append((int(day), 4, words))
        return [f"{day} {words}" for day, _, words in sorted(found, key=lambda one: one[:2])]

    def count(self, day: date) -> int:
        return (day - TODAY).days


def lives() -> dict[str, list[str]]:
    """The lives as they are written down, by policy and way, one line a thing."""
    found: dict[str, list[str]] = {}
    for line in (Path(__file__).parent / "files" / "ninety_days.txt").read_text().splitlines():
        if line.startswith("== "):
            lines = found.setdefault(line.removeprefix("== "), [])
        elif found and line:
            day, _, words = line.strip().partition("  ")
            lines += [f"{day} {word}" for word in words.split("; ")]
    return found
