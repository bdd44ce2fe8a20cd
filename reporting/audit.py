"""Recurring revenue reckoned once more, from the rows that are never changed, in plain Python and with code of its own.

The rule that matters: it calls none of the functions that reports are made of. It reads agreements, movements, events
and addresses one by one, and names each figure that a report, a closed month or a movement tells otherwise.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from fractions import Fraction
from typing import Any, Final

from core.models import Company, Event
from customers.models import Address
from subscriptions.models import AgreedDiscount, Change, FirstTouch, Movement, Slot, SlotTerms, Subscription

ONE_DAY: Final = timedelta(days=1)
NEVER: Final = date.max
#: Months in an interval, as the contract says them: a year has 12, a week 12/52, a day 12/365.
MONTHS_IN: Final = {"day": Fraction(12, 365), "week": Fraction(12, 52), "month": Fraction(1), "year": Fraction(12)}
STILL_WORTH: Final = ("agreed", "suspended")
OVER: Final = ("canceled", "expired")


@dataclass(frozen=True, slots=True)
class Difference:
    """A figure that is told in one way and reckoned in another."""

    where: str
    told: Any
    reckoned: Any

    def __str__(self) -> str:
        return f"{self.where}: told {self.told}, reckoned {self.reckoned}"


@dataclass(frozen=True, slots=True)
class Step:
    """A movement, or one side of what passes from one plan, product or country to another."""

    day: date
    currency: str
    kind: str
    minor: int
    customer: int
    slot: int
    reason: str
    values: tuple[Any, ...]

    @property
    def month(self) -> date:
        return self.day.replace(day=1)


#: The order of `Step.values`, by the names that reports use.
NAMES: Final = ("plan", "product", "country", "campaign", "source", "cohort")


@dataclass(slots=True)
class Books:
    """Everything of a company that recurring revenue is made of, read once."""

    company: Company
    on: date
    movements: list[Any] = field(default_factory=list)
    subscriptions: dict[int, Any] = field(default_factory=dict)
    slots: dict[int, Any] = field(default_factory=dict)
    terms: dict[int, list[Any]] = field(default_factory=lambda: defaultdict(list))
    plans: dict[int, list[Any]] = field(default_factory=lambda: defaultdict(list))
    addresses: dict[int, list[Any]] = field(default_factory=lambda: defaultdict(list))
    touches: dict[int, Any] = field(default_factory=dict)
    began: dict[int, date] = field(default_factory=dict)

    def read(self) -> Books:
        own = {"company": self.company}
        self.movements = list(Movement.objects.filter(**own, booked_on__lte=self.on).order_by("id"))
        self.subscriptions = {row.pk: row for row in Subscription.objects.filter(**own)}
        self.slots = {row.pk: row for row in Slot.objects.filter(**own)}
        for terms in SlotTerms.objects.filter(**own).order_by("from_on"):
            self.terms[terms.slot_id].append(terms)
        for change in Change.objects.filter(**own, status="done", plan__isnull=False).order_by("id"):
            self.plans[change.subscription_id].append(change)
        for address in Address.objects.filter(**own, kind="billing").order_by("id"):
            self.addresses[address.customer_id].append(address)
        self.touches = {row.customer_id: row for row in FirstTouch.objects.filter(**own)}
        for row in self.movements:
            self.began[row.customer_id] = min(row.booked_on, self.began.get(row.customer_id, NEVER))
        return self

    # What held on a day

    def plan(self, subscription: int, day: date) -> int | None:
        made = self.plans[subscription]
        if not made:
            found: int | None = self.subscriptions[subscription].plan_id
            return found
        past = [change for change in made if change.effective_on <= day]
        if past:
            last: int | None = max(past, key=lambda change: (change.effective_on, change.pk)).plan_id
            return last
        was: int | None = made[0].before.get("columns", {}).get("plan_id")
        return was

    def product(self, slot: int, day: date) -> int:
        held = [row for row in self.terms[slot] if row.until_on is None or row.until_on > day]
        found: int = (held[0].product_id if held else None) or self.slots[slot].product_id
        return found

    def country(self, customer: int, day: date) -> str:
        from zoneinfo import ZoneInfo

        zone = ZoneInfo(self.company.time_zone)

        def until(address: Any) -> date:
            return address.replaced_at.astimezone(zone).date() if address.replaced_at else NEVER

        held = sorted((until(row), row.pk, row.country) for row in self.addresses[customer] if until(row) > day)
        return held[0][2] if held else ""

    def values(self, slot: Any, day: date) -> tuple[Any, ...]:
        subscription = self.subscriptions[slot.subscription_id]
        customer = subscription.customer_id
        touch = self.touches.get(customer)
        return (
            self.plan(subscription.pk, day), self.product(slot.pk, day), self.country(customer, day),
            touch.campaign_id if touch else None, touch.source if touch else "",
            self.began[customer].replace(day=1),
        )  # fmt: skip

    def turns(self, slot: Any) -> list[date]:
        """Days on which it may have passed to another plan, product or country."""
        from zoneinfo import ZoneInfo

        zone = ZoneInfo(self.company.time_zone)
        subscription = self.subscriptions[slot.subscription_id]
        days = {change.effective_on for change in self.plans[subscription.pk]}
        days |= {row.from_on for row in self.terms[slot.pk]}
        days |= {
            row.replaced_at.astimezone(zone).date()
            for row in self.addresses[subscription.customer_id]
            if row.replaced_at is not None
        }
        return sorted(day for day in days if day <= self.on)

    def steps(self) -> list[Step]:
        """Every movement, and every transfer, with what held on its day."""
        found = [
            Step(row.booked_on, row.currency, row.kind, row.amount_minor, row.customer_id, row.slot_id, row.reason,
                 self.values(self.slots[row.slot_id], row.booked_on))
            for row in self.movements
        ]  # fmt: skip
        worth: defaultdict[int, list[tuple[date, int]]] = defaultdict(list)
        for row in self.movements:
            worth[row.slot_id].append((row.booked_on, row.amount_minor))
        for slot_id in worth:
            slot = self.slots[slot_id]
            subscription = self.subscriptions[slot.subscription_id]
            for day in self.turns(slot):
                minor = sum(amount for booked, amount in worth[slot_id] if booked < day)
                was, now = self.values(slot, day - ONE_DAY), self.values(slot, day)
                if minor and was != now:
                    for sign, values in ((-1, was), (1, now)):
                        found.append(
                            Step(day, subscription.currency, "moved", sign * minor, subscription.customer_id, slot_id,
                                 "", values)
                        )  # fmt: skip
        return found


def differences(company: Company, on: date) -> Iterator[Difference]:
    """Everything that is told otherwise than it is reckoned; nothing when all is right."""
    books = Books(company, on).read()
    steps = books.steps()
    yield from _worth(books)
    yield from _kinds(books)
    yield from _events(books)
    yield from _reports(books, steps)
    yield from _closed(books, steps)


# What is agreed, against movements


def _worth(books: Books) -> Iterator[Difference]:
    """Each position's movements come to what its terms are worth a month, on every day something changed."""
    moved: defaultdict[int, dict[date, int]] = defaultdict(lambda: defaultdict(int))
    for row in Movement.objects.filter(company=books.company):
        moved[row.slot_id][row.effective_on] += row.amount_minor
    discounted = set(AgreedDiscount.objects.filter(company=books.company).values_list("subscription_id", flat=True))
    for slot in books.slots.values():
        said = sum(moved[slot.pk].values())
        if said != slot.mrr_minor:
            yield Difference(f"position {slot.ref}, its movements added up", slot.mrr_minor, said)
        subscription = books.subscriptions[slot.subscription_id]
        if subscription.pk in discounted or subscription.tax_behavior != "exclusive":
            continue
        reckoned = _worth_on(books, slot, subscription, books.on)
        until = sum(minor for day, minor in moved[slot.pk].items() if day <= books.on)
        if reckoned is not None and until != reckoned:
            yield Difference(f"position {slot.ref}, worth a month on {books.on}", until, reckoned)


def _worth_on(books: Books, slot: Any, subscription: Any, day: date) -> int | None:
    """What its terms are worth a month; None for prices in steps, which other tests reckon."""
    if slot.kind == "usage" or day < subscription.paid_from_on or subscription.state in ("pending", "trial"):
        return 0
    if subscription.state in OVER and subscription.ends_on < day:
        return 0
    held = next(
        (row for row in books.terms[slot.pk] if row.from_on <= day and (row.until_on is None or day < row.until_on)),
        None,
    )
    if held is None or held.standing not in STILL_WORTH:
        return 0
    if held.model not in ("flat", "per_unit"):
        return None
    count = Fraction(held.quantity) if held.model == "per_unit" else Fraction(1)
    whole = Fraction(held.unit_amount) * count / (MONTHS_IN[held.interval_unit] * held.interval_count)
    return int(whole * 10 ** _places(subscription.currency) + Fraction(1, 2))


def _places(currency: str) -> int:
    from pricing.money import places

    return places(currency)


# What movements are called


def _kinds(books: Books) -> Iterator[Difference]:
    """Each customer's life told again from the first movement on: who is new, who left, who came back."""
    lives: defaultdict[tuple[int, str], list[Any]] = defaultdict(list)
    for row in books.movements:
        if row.cause != "import.undo":
            lives[row.customer_id, row.currency].append(row)
    for (customer, currency), rows in lives.items():
        had, has_left, ever = 0, False, False
        for act in _acts(rows):
            after = had + sum(row.amount_minor for row in act)
            for row in act:
                kind = _kind(row, ever=ever, had=had, has_left=has_left, after=after)
                if kind is not None and kind != row.kind:
                    yield Difference(f"movement {row.pk} of customer {customer} in {currency}", row.kind, kind)
            has_left = after == 0 and act[-1].cause != "subscription.pause"
            had, ever = after, True


def _kind(row: Any, *, ever: bool, had: int, has_left: bool, after: int) -> str | None:
    if not ever:
        return "new"
    if had == 0 and has_left:
        return "reactivation"
    if had == 0 and row.kind == "reactivation":
        return None  # A pause that became an end: the end itself moved nothing, and nobody was there any more.
    if after == 0 and row.cause != "subscription.pause":
        return "churn"
    return "expansion" if row.amount_minor > 0 else "contraction"


def _acts(rows: Iterable[Any]) -> Iterator[list[Any]]:
    """Movements that were written together: of one subscription, for one day, by one verb."""
    act: list[Any] = []
    for row in rows:
        if act and (row.subscription_id, row.effective_on, row.cause) != (
            act[0].subscription_id, act[0].effective_on, act[0].cause,
        ):  # fmt: skip
            yield act
            act = []
        act.append(row)
    if act:
        yield act


# What was told to the world


def _events(books: Books) -> Iterator[Difference]:
    """Who is said to have ended is worth nothing since, and whoever churned is said to have ended."""
    ended: dict[int, date] = {}
    rows = Event.objects.filter(
        company=books.company, subject_kind="subscription", type__in=[f"subscription.{state}" for state in OVER]
    )
    for event in rows.order_by("pk"):
        if event.data.get("mrr_minor"):
            yield Difference(f"event {event.pk}, monthly revenue after the end", event.data["mrr_minor"], 0)
        ended[event.subject_id] = event.pk
    for row in books.movements:
        if row.cause == "subscription.end" and row.subscription_id not in ended:
            where = f"subscription {books.subscriptions[row.subscription_id].ref}, revenue ended"
            if books.subscriptions[row.subscription_id].end_reason != "import":
                yield Difference(where, "no event of its end", "subscription.canceled or subscription.expired")


# What reports tell


def _reports(books: Books, steps: list[Step]) -> Iterator[Difference]:
    """The report on recurring revenue and the one on churn, by month and by every dimension."""
    if not steps:
        return
    from reporting import registry
    from reporting.shapes import Asked

    first = min(step.day for step in steps).replace(day=1)
    asked = Asked(books.on, first, books.on)
    report = registry.build(name="mrr", company=books.company, asked=asked)
    yield from _months(report.table("months"), steps, first, books.on)
    for place, name in enumerate(NAMES):
        by = registry.build(name="mrr", company=books.company, asked=Asked(books.on, first, books.on, by=name))
        yield from _values(by.table("by"), steps, place, name)
    churn = registry.build(name="churn", company=books.company, asked=asked)
    lost: defaultdict[tuple[str, int], int] = defaultdict(int)
    for step in steps:
        if step.kind == "churn":
            lost[step.currency, step.customer] -= step.minor
    for currency in {step.currency for step in steps}:
        mine = [minor for (of, _customer), minor in lost.items() if of == currency]
        yield from _same(f"churn in {currency}, revenue", churn.figure("lost_revenue", currency).value, sum(mine))
        count = sum(minor > 0 for minor in mine)
        yield from _same(f"churn in {currency}, customers", churn.figure("lost_customers", currency).value, count)


def _same(where: str, told: Any, reckoned: Any) -> Iterator[Difference]:
    if told != reckoned:
        yield Difference(where, told, reckoned)


def _months(table: Any, steps: list[Step], first: date, on: date) -> Iterator[Difference]:
    names = [column.name for column in table.columns]
    told = {(line.currency, line.cells[0]): dict(zip(names, line.cells, strict=True)) for line in table.lines}
    for currency in sorted({step.currency for step in steps}):
        mine = [step for step in steps if step.currency == currency and step.kind != "moved"]
        opening, month = 0, first
        while month <= on:
            after = (month + timedelta(days=32)).replace(day=1)
            line = told.get((currency, month), {})
            yield from _same(f"{month:%Y-%m} {currency}, at the start", line.get("opening"), opening)
            for kind in ("new", "expansion", "contraction", "churn", "reactivation"):
                minor = sum(step.minor for step in mine if step.month == month and step.kind == kind)
                yield from _same(f"{month:%Y-%m} {currency}, {kind}", line.get(kind), minor)
                opening += minor
            yield from _same(f"{month:%Y-%m} {currency}, at the end", line.get("closing"), opening)
            people = _people(mine, month, after)
            for name, count in people.items():
                yield from _same(f"{month:%Y-%m} {currency}, customers {name}", line.get(name), count)
            month = after


def _people(steps: Iterable[Step], month: date, after: date) -> dict[str, int]:
    """Customers gained, returned, lost in the month, and there at its end."""
    before: defaultdict[int, int] = defaultdict(int)
    then: defaultdict[int, int] = defaultdict(int)
    known = set()
    for step in steps:
        if step.day < after:
            then[step.customer] += step.minor
        if step.day < month:
            before[step.customer] += step.minor
            known.add(step.customer)
    come = [customer for customer, minor in then.items() if minor > 0 and before[customer] <= 0]
    return {
        "gained": sum(customer not in known for customer in come),
        "returned": sum(customer in known for customer in come),
        "lost": sum(minor <= 0 < before[customer] for customer, minor in then.items()),
        "customers": sum(minor > 0 for minor in then.values()),
    }


def _values(table: Any, steps: list[Step], place: int, name: str) -> Iterator[Difference]:
    """By value: what is told are words, so the sums are compared as a whole, each currency's in order."""
    names = [column.name for column in table.columns]
    for currency in sorted({step.currency for step in steps}):
        reckoned: defaultdict[Any, dict[str, int]] = defaultdict(lambda: defaultdict(int))
        for step in steps:
            if step.currency == currency:
                cell = reckoned[step.values[place]]
                cell["closing"] += step.minor
                cell[step.kind] += step.minor
        columns = ("closing", "new", "expansion", "contraction", "churn", "reactivation", "moved")
        mine = sorted(
            tuple(cell[column] for column in columns) for cell in reckoned.values() if any(cell.values())
        )  # fmt: skip
        told = sorted(
            tuple(dict(zip(names, line.cells, strict=True))[column] for column in columns)
            for line in table.lines
            if line.currency == currency
        )
        yield from _same(f"by {name} in {currency}", told, mine)


# What is kept of closed months


def _closed(books: Books, steps: list[Step]) -> Iterator[Difference]:
    from reporting.models import ClosedCustomers, ClosedMonth, ClosedRevenue

    months = set(ClosedMonth.objects.filter(company=books.company).values_list("month", flat=True))
    reckoned: defaultdict[tuple[Any, ...], int] = defaultdict(int)
    for step in steps:
        if step.month in months:
            reckoned[step.month, step.kind, step.currency, *step.values] += step.minor
    told: defaultdict[tuple[Any, ...], int] = defaultdict(int)
    rows = ClosedRevenue.objects.filter(company=books.company)
    for *key, minor in rows.values_list(
        "month", "kind", "currency", "plan_id", "product_id", "country", "campaign_id", "source", "cohort_on",
        "amount_minor",
    ):  # fmt: skip
        told[tuple(key)] += minor
    for at in {*reckoned, *told}:
        words = " ".join(str(part) for part in at)
        yield from _same(f"closed month {words}", told.get(at, 0), reckoned.get(at, 0))
    counts: defaultdict[tuple[Any, ...], dict[str, int]] = defaultdict(dict)
    for row in ClosedCustomers.objects.filter(company=books.company, dimension=""):
        counts[row.month, row.currency] = {"gained": row.gained, "returned": row.returned, "lost": row.lost}
    for month in months:
        after = (month + timedelta(days=32)).replace(day=1)
        for currency in ("", *{step.currency for step in steps}):
            mine = [step for step in steps if step.kind != "moved" and currency in ("", step.currency)]
            people = _people(mine, month, after)
            people.pop("customers")
            kept = counts.get((month, currency), dict.fromkeys(people, 0))
            yield from _same(f"closed month {month:%Y-%m} {currency}, customers", kept, people)
