"""Given for segments: a company whose customers differ in everything a segment can ask, drawn at random; and an
evaluation of rules in plain Python, which reads rows one by one and knows nothing of the product's questions."""

from __future__ import annotations

import random
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import Any
from zoneinfo import ZoneInfo

from tests.factories import BY, a_company, a_customer, a_plan, a_product, at_noon
from tests.subscriptions.metering import a_meter

ON = date(2026, 6, 15)
STATES = ("pending", "trial", "active", "paused", "suspended", "canceled", "expired")
WORDS = ("alpha", "Beta", "alphabet", "50%", "a_b")


def near(pick: random.Random, reach: int = 80) -> date:
    return ON + timedelta(days=pick.randint(-reach, reach))


def moment(pick: random.Random) -> datetime:
    return datetime.combine(near(pick), time(pick.choice([0, 12, 21, 22, 23]), 30), UTC)


def a_world(seed: int, customers: int = 10) -> SimpleNamespace:
    """A company with customers of every kind; what conditions can name stands beside it."""
    from catalog.services.discounts import create_campaign, create_discount

    pick = random.Random(seed)
    company = a_company(today=ON)
    common: dict[str, Any] = {"by": BY, "at": at_noon(ON)}
    product = [a_product(company) for _ in range(2)]
    world = SimpleNamespace(
        company=company,
        plan=[a_plan(company, product=one) for one in product],
        product=product,
        meter=[a_meter(company) for _ in range(2)],
        campaign=[create_campaign(company=company, code=f"c{n}", name=f"C{n}", **common) for n in range(2)],
        discount=[
            create_discount(company=company, code=f"d{n}", name={"en": f"D{n}"}, percent=Decimal(10), **common)
            for n in range(2)
        ],
    )  # fmt: skip
    for _ in range(customers):
        _customer(world, pick)
    return world


def _customer(world: SimpleNamespace, pick: random.Random) -> None:
    from customers.models import Contact, Customer
    from subscriptions.models import FirstTouch

    company = world.company
    customer = a_customer(company, country=pick.choice(["DE", "FR", "AT"]), name=pick.choice(WORDS))
    Customer.objects.filter(pk=customer.pk).update(
        kind=pick.choice(["company", "person"]), language=pick.choice(["", "de", "en"]),
        vat_id=pick.choice(["", "DE1"]), dunning_group=pick.choice(["", *WORDS]), created_at=moment(pick),
        metadata=pick.choice([{}, {"tag": "vip"}, {"tag": ["vip", "old"]}, {"tier": "Gold", "0": "x"}, {"tag": None}]),
        marketing_consent_at=pick.choice([None, at_noon(ON)]), email=pick.choice(["", customer.email]),
    )  # fmt: skip
    customer.refresh_from_db()
    if pick.random() < 0.4:
        Contact.objects.create(
            company=company, customer=customer, name="K", email=pick.choice(["", f"k{customer.pk}@example.com"]),
            marketing_consent_at=pick.choice([None, at_noon(ON)]),
            archived_at=pick.choice([None, None, at_noon(ON)]),
        )  # fmt: skip
    _blocked(customer, pick)
    if pick.random() < 0.5:
        FirstTouch.objects.create(
            company=company, customer=customer, campaign=pick.choice([None, *world.campaign]),
            source=pick.choice(["", *WORDS]), touched_at=at_noon(ON),
        )  # fmt: skip
    for _ in range(pick.randint(0, 3)):
        _subscription(world, customer, pick)
    _money(world, customer, pick)


def _blocked(customer: Any, pick: random.Random) -> None:
    from customers.models import Suppression
    from customers.services.suppressing import digest

    emails = [customer.email, *customer.contacts.values_list("email", flat=True)]
    for email in filter(None, emails):
        if pick.random() < 0.5:
            Suppression.objects.create(
                company=customer.company, address=email, address_hash=digest(email), reason="manual",
                scope=pick.choice(["all", "marketing"]), since=at_noon(ON), lifted_at=pick.choice([None, at_noon(ON)]),
            )  # fmt: skip


def _subscription(world: SimpleNamespace, customer: Any, pick: random.Random) -> None:
    from subscriptions.models import AgreedDiscount, Slot, Subscription, UsageDay

    company, n = world.company, pick.randrange(2)
    unit, count = pick.choice([("month", 1), ("month", 3), ("month", 12), ("year", 1), ("week", 2), ("day", 1)])
    ends_on, state = pick.choice([None, near(pick)]), pick.choice(STATES)
    start_on = near(pick)
    row = Subscription.objects.create(
        company=company, customer=customer, plan=pick.choice([None, world.plan[n]]), name="S", state=state,
        currency=pick.choice(["EUR", "CHF"]), time_zone="Europe/Berlin", start_on=start_on,
        paid_from_on=start_on + timedelta(days=pick.choice([0, 30])), anchor_on=start_on, anchor_month_day=1,
        interval_unit=unit, interval_count=count, term_ends_on=pick.choice([None, near(pick)]),
        renewal_rule=pick.choice(["renew", "evergreen", "expire"]), ends_on=ends_on,
        end_kind=pick.choice(["cancel", "expire"]) if ends_on else "",
        end_reason=pick.choice(["too_expensive", "not_used"]) if ends_on else "", created_at=at_noon(ON),
        metadata=pick.choice([{}, {"tag": "vip"}]),
    )  # fmt: skip
    for product in world.product[: pick.randint(0, 2)]:
        Slot.objects.create(
            company=company, subscription=row, product=product, billed_through_on=start_on,
            mrr_minor=pick.choice([0, 500, 2500]),
        )  # fmt: skip
    if pick.random() < 0.4:
        AgreedDiscount.objects.create(
            company=company, subscription=row, discount=world.discount[n], name="D", percent=Decimal(10),
            from_on=start_on, ended_at=pick.choice([None, at_noon(ON)]), created_at=at_noon(ON),
        )  # fmt: skip
    for day in {near(pick, 40) for _ in range(pick.randint(0, 3))}:
        UsageDay.objects.create(
            company=company, meter=world.meter[n], subscription=row, day=day, event_count=1,
            value_sum=Decimal(pick.randint(1, 9)), value_max=1, latest_at=at_noon(day), latest_value=1,
        )  # fmt: skip


def _money(world: SimpleNamespace, customer: Any, pick: random.Random) -> None:
    from billing.models import Attempt, DunningCase, DunningPolicy, Gateway, Invoice, PaymentMethod
    from billing.services import payments
    from tests.money.providers import billed

    company = world.company
    gateway, _made = Gateway.objects.get_or_create(company=company, kind="cash", defaults={
        "name": "G", "created_at": at_noon(ON),
    })  # fmt: skip
    if pick.random() < 0.5:
        status = pick.choice(["pending", "active", "active", "broken"])
        PaymentMethod.objects.create(
            company=company, customer=customer, gateway=gateway, kind=pick.choice(["card", "debit"]), status=status,
            is_default=status != "pending", label="M", expires_on=pick.choice([None, near(pick)]),
            created_at=at_noon(ON),
        )  # fmt: skip
    if pick.random() < 0.5:
        invoice: Invoice = billed(company, customer, pick.choice(["10.00", "20.00"]), on=ON - timedelta(days=40))
        if pick.random() < 0.5:
            payments.record(
                company=company, customer=customer, amount_minor=invoice.gross_minor, currency="EUR",
                method="transfer", received_on=min(ON, near(pick, 20)), by=BY, at=at_noon(ON),
            )  # fmt: skip
        if pick.random() < 0.5:
            Attempt.objects.create(
                company=company, customer=customer, invoice=invoice, gateway=gateway, amount_minor=1, currency="EUR",
                state="failed", key=f"k{invoice.pk}", origin="due", closed_at=moment(pick), created_at=at_noon(ON),
            )  # fmt: skip
    if pick.random() < 0.3:
        closed_at = pick.choice([None, at_noon(ON)])
        DunningCase.objects.create(
            company=company, customer=customer, currency="EUR",
            policy=DunningPolicy.objects.filter(company=company).order_by("pk")[0],
            state="paid" if closed_at else "open", closed_at=closed_at, opened_at=at_noon(ON), counts_from_on=ON,
        )  # fmt: skip


# --- The same in plain Python ---------------------------------------------------------------------------------------


class Naive:
    """Reads every row of one customer and answers the rules for it, one condition after the other."""

    def __init__(self, world: SimpleNamespace, on: date) -> None:
        self.world, self.on, self.company = world, on, world.company
        self.zone = ZoneInfo(world.company.time_zone)

    def holds(self, rules: dict[str, Any], customer: Any) -> bool:
        answers = self.answers(rules["match"], rules["conditions"], customer)
        for group in rules["groups"]:
            inner = self.answers(group["match"], group["conditions"], customer)
            found = all(inner) if group["match"] == "all" else any(inner)
            answers.append(found != group.get("negated", False))
        return not answers or (all(answers) if rules["match"] == "all" else any(answers))

    def answers(self, match: str, conditions: list[dict[str, Any]], customer: Any) -> list[bool]:
        from crm.services.segment_fields import FIELDS

        found, together = [], []
        for one in conditions:
            if FIELDS[one["field"]].about != "subscription":
                found.append(self.of_customer(one, customer) != one.get("negated", False))
            elif one.get("negated"):
                found.append(not any(self.of_subscription(one, row) for row in customer.subscriptions.all()))
            else:
                together.append(one)
        if together:
            quantified = all if match == "all" else any
            found.append(any(
                quantified([self.of_subscription(one, row) for one in together])
                for row in customer.subscriptions.all()
            ))  # fmt: skip
        return found

    def day(self, value: Any, one: dict[str, Any]) -> bool:
        """A day, or None, against a condition on a day."""
        op, wanted = one["op"], one["value"]
        if op in ("set", "empty"):
            return (value is None) == (op == "empty")
        if value is None:
            return False
        if isinstance(value, datetime):
            value = value.astimezone(self.zone).date()
        apart = (value - self.on).days
        if op == "in_next":
            return 0 <= apart <= wanted
        if op == "in_last":
            return 0 <= -apart <= wanted
        if op == "longer_ago":
            return -apart > wanted
        edge = date.fromisoformat(wanted)
        return value >= edge if op == "from" else value < edge

    def days(self, values: list[Any], one: dict[str, Any]) -> bool:
        """Many days: whether one of them is like that; not known: there is none."""
        if one["op"] == "empty":
            return not values
        return any(self.day(value, one) for value in values)

    @staticmethod
    def text(value: str, one: dict[str, Any]) -> bool:
        low, wanted = value.lower(), (one["value"] or "").lower()
        return {
            "empty": value == "", "is": low == wanted, "contains": wanted in low, "begins": low.startswith(wanted),
        }[one["op"]]  # fmt: skip

    @staticmethod
    def number(value: Any, wanted: Any, op: str) -> bool:
        return {"at_least": value >= wanted, "at_most": value <= wanted, "is": value == wanted}[op]

    @staticmethod
    def entry(data: dict[str, Any], one: dict[str, Any]) -> bool:
        key, wanted = one["value"]["key"], one["value"].get("value", "")
        if one["op"] == "set":
            return key in data
        held = data.get(key)
        if one["op"] == "is":
            return held == wanted or (isinstance(held, list) and wanted in held)
        text = " ".join(held) if isinstance(held, list) else (held or "")
        return wanted.lower() in text.lower()

    def chosen(self, value: Any, one: dict[str, Any]) -> bool:
        """A value, or any of many, among those named; `not_in` the opposite."""
        values = value if isinstance(value, list) else [value]
        return any(each in one["value"] for each in values) == (one["op"] == "in")

    def money(self, minor: int, one: dict[str, Any]) -> bool:
        return self.number(minor, int(Decimal(one["value"]["amount"]) * 100), one["op"])

    def of_subscription(self, one: dict[str, Any], row: Any) -> bool:
        name = one["field"]
        renews = (
            row.term_ends_on is not None and row.end_kind == "" and row.renewal_rule == "renew"
            and row.state in ("active", "paused", "suspended", "trial")
        )  # fmt: skip
        intervals = {
            ("day", 1): "day", ("week", 1): "week", ("month", 1): "month", ("month", 3): "quarter",
            ("month", 6): "half_year", ("month", 12): "year", ("year", 1): "year",
        }  # fmt: skip
        match name:
            case "state" | "end_reason" | "renewal_rule":
                return self.chosen(getattr(row, name), one)
            case "plan":
                return self.chosen(row.plan.ref if row.plan else None, one)
            case "product":
                return self.chosen([slot.product.ref for slot in row.slots.all()], one)
            case "interval":
                return self.chosen(intervals.get((row.interval_unit, row.interval_count), "other"), one)
            case "currency":
                return self.text(row.currency, one)
            case "started_on":
                return self.day(row.start_on, one)
            case "ends_on":
                return self.day(row.ends_on, one)
            case "renews_on":
                return self.day(row.term_ends_on + timedelta(days=1) if renews else None, one)
            case "trial_ends_on":
                return self.day(row.paid_from_on if row.state == "trial" else None, one)
            case "is_canceled":
                return (row.end_kind == "cancel") == one["value"]
            case "subscription_mrr":
                mrr = sum(slot.mrr_minor for slot in row.slots.all())
                return row.currency == one["value"]["currency"] and self.money(mrr, one)
            case "discount":
                return self.chosen([d.discount.ref for d in row.discounts.all() if d.ended_at is None], one)
            case "subscription_metadata":
                return self.entry(row.metadata, one)
        raise AssertionError(name)

    def of_customer(self, one: dict[str, Any], who: Any) -> bool:
        from billing.models import Attempt, DunningCase, InvoiceBalance
        from crm.models import TieRecord
        from subscriptions.models import FirstTouch, UsageDay

        name = one["field"]
        subscriptions = list(who.subscriptions.all())
        touch = FirstTouch.objects.filter(customer=who).first()
        balances = list(InvoiceBalance.objects.filter(customer_id=who.pk))
        due = [row for row in balances if row.status == "open" and row.open_minor > 0]
        methods = list(who.payment_methods.all())
        usable = [m for m in methods if m.status == "active" and (m.expires_on is None or m.expires_on >= self.on)]
        used = list(UsageDay.objects.filter(subscription__customer=who))
        match name:
            case "kind":
                return self.chosen(who.kind, one)
            case "language":
                return self.chosen(who.language or self.company.language, one)
            case "country":
                return self.chosen([a.country for a in who.addresses.all() if a.replaced_at is None], one)
            case "customer_since":
                return self.day(who.created_at, one)
            case "name" | "email" | "dunning_group":
                return self.text(getattr(who, name), one)
            case "has_vat_id":
                return bool(who.vat_id) == one["value"]
            case "metadata":
                return self.entry(who.metadata, one)
            case "advertising_allowed":
                people = [k for k in who.contacts.all() if k.archived_at is None]
                free = [p for p in (who, *people) if p.email and p.marketing_consent_at and not self.stops(p.email)]
                return bool(free) == one["value"]
            case "address_blocked":
                return bool(who.email and self.stops(who.email, only="all")) == one["value"]
            case "first_campaign":
                return self.chosen(touch.campaign.ref if touch and touch.campaign else None, one)
            case "first_source":
                return self.text(touch.source if touch else "", one)
            case "list_elsewhere":
                said = [name for row in TieRecord.objects.filter(customer=who) for name in row.lists]
                return not said if one["op"] == "empty" else any(self.text(name, one) for name in said)
            case "subscription_count":
                live = [row for row in subscriptions if row.state not in ("canceled", "expired")]
                return self.number(len(live), one["value"], one["op"])
            case "customer_mrr":
                mrr = sum(
                    slot.mrr_minor for row in subscriptions if row.currency == one["value"]["currency"]
                    for slot in row.slots.all()
                )  # fmt: skip
                return self.money(mrr, one)
            case "got_mailing_on":
                return one["op"] == "empty"
            case "payment_method":
                return self.chosen([m.kind for m in usable], one)
            case "has_payment_method":
                return bool(usable) == one["value"]
            case "method_expires_on":
                known = [m.expires_on for m in methods if m.is_default and m.status == "active" and m.expires_on]
                return self.days(known, one)
            case "open_amount":
                return self.money(sum(b.open_minor for b in due if b.currency == one["value"]["currency"]), one)
            case "is_overdue":
                return any(row.payment_due_on < self.on for row in due) == one["value"]
            case "in_dunning":
                cases = DunningCase.objects.filter(customer=who)
                return any(case.closed_at is None for case in cases) == one["value"]
            case "paid_on":
                return self.days([b.closed_on for b in balances if b.status == "paid" and b.paid_minor > 0], one)
            case "failed_on":
                return self.days([a.closed_at for a in Attempt.objects.filter(customer=who, state="failed")], one)
            case "usage":
                asked = one["value"]
                total = sum(
                    (u.value_sum for u in used
                     if u.meter.ref == asked["meter"] and 0 <= (self.on - u.day).days < asked["days"]),
                    Decimal(0),
                )  # fmt: skip
                return self.number(total, Decimal(asked["quantity"]), one["op"])
            case "used_on":
                return self.days([u.day for u in used], one)
        raise AssertionError(name)

    def stops(self, email: str, only: str = "") -> bool:
        from customers.models import Suppression

        rows = Suppression.objects.filter(company=self.company, address__iexact=email, lifted_at__isnull=True)
        return any(row.scope == only or not only for row in rows)
