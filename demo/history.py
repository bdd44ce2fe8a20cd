"""Two years of business, day by day: the clock moves, every tick is asked, then people do what the story says.

Each day is one transaction together with the clock's move, so a load that was killed goes on where it stopped; on
later starts the clock catches up with today in the same way. Where providers are asked, which no transaction may do,
the ticks of a day are asked a minute ahead of it, each by itself.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime, time, timedelta

from django.db import connection, transaction

from billing.services import acts
from billing.services.settling import settle
from catalog.models import Plan
from core import clock
from core.actors import Actor
from core.models import Company
from core.services import ticks
from customers.services import customers
from demo import cashless, changes, credits, offers, people, sales, scenes, usage
from demo.company import BY, MAIL_DAYS, SLUG, open_test_company
from demo.people import Person
from demo.scenes import Stage
from pricing.periods import add_months
from subscriptions.models import Subscription
from subscriptions.services import starting
from subscriptions.services.agreeing import AgreementSpec, ItemSpec

MONTHS = 24
ZONE = "Europe/Berlin"
#: Scenes register themselves; these stand in a module of their own.
STAGED = (scenes, offers, changes, credits, usage, cashless, sales)
MORNING = time(9, 30)
MINUTE = timedelta(minutes=1)
Told = Callable[[Company], None]


def load(now: datetime, told: Told = lambda company: None) -> Company:
    """The test company with its story told up to `now`; what was told before is not told again."""
    with connection.cursor() as cursor:
        # A demo that the power cut takes back by a second is no loss.
        cursor.execute("SET synchronous_commit TO off")
    company = Company.objects.filter(slug=SLUG).first() or _open(now)
    if company.is_live or company.clock_at is None or company.mails_start_on is None:
        return company
    told_on = company.mails_start_on + timedelta(days=MAIL_DAYS)
    play(company, told_on, now, told)
    return company


def _open(now: datetime) -> Company:
    today = clock.day_in(now, ZONE)
    first = add_months(today.replace(day=1), -MONTHS)
    with transaction.atomic():
        company = open_test_company(first, today, morning_of(first))
        Script(company, first, today).act_on(first)
    return company


def play(company: Company, told_on: date, now: datetime, told: Told) -> None:
    """Moves the clock to `now`, a day at a time. `told_on` is the day the story was written for."""
    assert company.clock_at is not None
    script = Script(company, company.books_start_on, told_on)
    day = clock.day_in(company.clock_at, ZONE)
    if company.clock_at == morning_of(day) - MINUTE:  # it was stopped before that day's people came
        day -= timedelta(days=1)
    while morning_of(day + timedelta(days=1)) <= now:
        day += timedelta(days=1)
        asks = cashless.has_providers(company)
        if asks and company.clock_at < morning_of(day) - MINUTE:
            ticks.advance(company=company, to=morning_of(day) - MINUTE)
        with transaction.atomic():
            if asks:
                _set_clock(company, morning_of(day))
            else:
                ticks.advance(company=company, to=morning_of(day))
            script.act_on(day)
        told(company)
    if company.clock_at < now:
        if cashless.has_providers(company):
            ticks.advance(company=company, to=now)
        with transaction.atomic():
            if company.clock_at < now:
                ticks.advance(company=company, to=now)
            if day < clock.day_in(now, ZONE):
                script.act_on(clock.day_in(now, ZONE))
    told(company)


def _set_clock(company: Company, to: datetime) -> None:
    """The clock alone: the ticks were asked a minute before."""
    Company.objects.filter(pk=company.pk).update(clock_at=to)
    company.clock_at = to


def morning_of(day: date) -> datetime:
    return datetime.combine(day, MORNING, clock.zone(ZONE))


class Script:
    """Who comes and goes on which day, and the scenes played out beside."""

    def __init__(self, company: Company, first: date, told_on: date) -> None:
        self.company = company
        self.joins: dict[date, list[Person]] = {}
        self.leaves: dict[date, list[Person]] = {}
        for person in people.generate(first, told_on):
            self.joins.setdefault(person.joins_on, []).append(person)
            if person.leaves_on is not None:
                self.leaves.setdefault(person.leaves_on, []).append(person)
        self.scenes = scenes.by_day(told_on)
        self.last = told_on

    def act_on(self, day: date) -> None:
        """What people do on that day."""
        if day > self.last:
            return
        at = clock.now(self.company)
        self._join(self.joins.get(day, []), day, at)
        for person in self.leaves.get(day, []):
            _leave(self.company, person, day, at)
        stage = Stage(self.company, day, at)
        for scene in self.scenes.get(day, []):
            scene(stage)

    def _join(self, persons: list[Person], day: date, at: datetime) -> None:
        if not persons:
            return
        made = customers.create_many(company=self.company, specs=[one.spec for one in persons], by=BY, at=at)
        plans = {plan.code: plan for plan in Plan.objects.filter(company=self.company, status=Plan.Status.ON_SALE)}
        specs = []
        for customer, person in zip(made, persons, strict=True):
            plan = plans.get(person.plan) or plans["team"]
            seats = person.quantity
            if seats is None and plan.code in ("calendar", "classic", "team"):
                seats = people.SEATS
            items = (
                [ItemSpec(product=item.product, quantity=seats) for item in plan.items.select_related("product")]
                if seats is not None
                else None
            )
            specs.append(
                AgreementSpec(
                    customer=customer,
                    start_on=day,
                    plan=plan,
                    items=items,
                    overrides=person.overrides,
                    external_id=f"{customer.external_id}-1",
                )
            )
        starting.agree_many(company=self.company, specs=specs, on=day, by=BY, at=at)
        settle(company=self.company, customer_ids=[one.pk for one in made], on=day, at=at, by=BY)


def _leave(company: Company, person: Person, day: date, at: datetime) -> None:
    """Gives notice as the plan usually has it; about half say so themselves."""
    name = str(person.spec.fields["external_id"])
    subscription = Subscription.objects.filter(company=company, external_id=f"{name}-1").first()
    if subscription is None or subscription.end_kind == Subscription.EndKind.CANCEL:
        return
    contact = subscription.customer.contacts.first()
    by = BY if contact is None or int(name[-1]) % 2 else Actor.of_contact(contact.pk, contact.name, None)
    acts.cancel(subscription=subscription, timing="period_end", reason=person.reason, on=day, by=by, at=at)
