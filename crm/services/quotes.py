"""Writing quotes: from a plan's template, with positions, options, agreed prices and discounts; versions of them.

The rule that matters: a quote has no arithmetic. What it costs is what `quote_agreeing` finds by agreeing to it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from django.db import transaction

from catalog.models import Discount, Plan, PlanItem, Price, Product
from catalog.services.prices import price_on
from catalog.services.texts import in_language
from core import checks, clock
from core.actors import Actor
from core.models import NAME_LENGTH, Company, Membership, User
from core.refusal import Refused
from core.services import numbering
from core.texts import checked
from crm.models import Lead, Quote, QuoteDiscount, QuoteLine, Task
from crm.services import tasks
from crm.services.quote_trail import tell
from customers.models import Customer
from customers.services import fields, merged
from customers.services.customers import currency_of, language_of
from pricing.money import places

State = Quote.State
TEXT: Final = 10_000
VALID_DAYS: Final = 30
MOST_LINES: Final = 50
#: Who gets it, and what is printed: what may be changed while it is a draft.
FIELDS: Final = (
    "recipient", "kind", "person", "email", "address", "vat_id", "language", "title", "intro", "closing", "start_on",
    "valid_until", "offer_code", "owner",
)  # fmt: skip
_TEXTS: Final = {
    "recipient": NAME_LENGTH, "person": NAME_LENGTH, "title": NAME_LENGTH, "intro": TEXT, "closing": TEXT,
    "offer_code": 40,
}  # fmt: skip
_JOINED: Final = (
    "company", "customer__company", "lead__stage", "lead__company", "plan", "owner", "follow_up", "subscription",
    "invoice",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class LineSpec:
    """A position to be offered. Without `unit_amount` at the plan's price; `kind` empty: the plan's, else recurring."""

    product: Product
    quantity: Decimal = Decimal(1)
    unit_amount: Decimal | None = None
    kind: str = ""
    description: str = ""
    is_optional: bool = False
    is_chosen: bool = True


@transaction.atomic
def create(
    *,
    company: Company,
    plan: Plan,
    customer: Customer | None = None,
    lead: Lead | None = None,
    currency: str = "",
    lines: Sequence[LineSpec] | None = None,
    discounts: Sequence[Discount] = (),
    by: Actor,
    at: datetime,
    **values: Any,
) -> Quote:
    """A draft for a customer or a lead. Without `lines` the plan's own, its add-ons as options; `values`: `FIELDS`."""
    if (lead is None) == (customer is None) and not (lead is not None and lead.customer_id):
        raise Refused("quote.for_whom", field="customer")
    if lead is not None and lead.customer is not None:
        customer = lead.customer
    for name, row in (("plan", plan), ("customer", customer), ("lead", lead)):
        if row is not None and row.company_id != company.pk:
            raise Refused("not_found", field=name)
    if plan.status != Plan.Status.ON_SALE:
        raise Refused("subscription.plan_not_on_sale", field="plan", plan=plan.code, state=plan.get_status_display())
    if customer is not None:
        merged.refuse(customer)
    today = clock.day_in(at, company.time_zone)
    usual = _of_customer(customer) if customer is not None else _of_lead(lead)
    currency = checks.currency(currency or (currency_of(customer) if customer is not None else lead.currency))  # type: ignore[union-attr]
    usual |= {
        "title": in_language(plan.name, usual["language"], company.language)[:NAME_LENGTH],
        "valid_until": today + timedelta(days=VALID_DAYS),
        "owner": lead.owner if lead is not None else customer.owner if customer is not None else None,
    }
    given = {name: value for name, value in values.items() if value is not None}
    kept = _checked(company, usual | given)
    quote = Quote(
        company=company, plan=plan, customer=customer, lead=lead, currency=currency, created_at=at,
        created_by=by.label[:120], number=_number(company, today), **kept,
    )  # fmt: skip
    quote.save()
    specs = of_plan(plan, currency, today) if lines is None else lines
    _write_lines(quote, specs, today)
    _write_discounts(quote, discounts)
    tell(quote, "create", by=by, at=at)
    return quote


def of_plan(plan: Plan, currency: str, on: date) -> list[LineSpec]:
    """The plan's positions with a price in that currency; its add-ons as options that are not ticked."""
    items = plan.items.filter(archived_at__isnull=True).select_related("product").prefetch_related("prices")
    return [
        LineSpec(item.product, item.quantity, kind=item.kind, is_optional=item.is_optional,
                 is_chosen=not item.is_optional)
        for item in items
        if price_on(item, currency, on) is not None
    ]  # fmt: skip


def _number(company: Company, on: date) -> str:
    """Numbers of quotes may have gaps; they count up within a year."""
    number, day = numbering.take(company=company, series="quote", count=1, on=on)
    text = f"Q-{day.year}-{number:04d}"
    return text if company.is_live else f"TEST-{text}"


def _of_customer(customer: Customer) -> dict[str, Any]:
    address = customer.addresses.filter(kind="billing", replaced_at__isnull=True).first()
    person = customer.contacts.filter(archived_at__isnull=True).order_by("pk").first()
    return {
        "recipient": customer.name, "kind": customer.kind, "email": customer.email, "vat_id": customer.vat_id,
        "person": person.name if person is not None else "", "language": language_of(customer),
        "address": {name: getattr(address, name) for name in fields.ADDRESS_FIELDS} if address is not None else {},
    }  # fmt: skip


def _of_lead(lead: Lead | None) -> dict[str, Any]:
    assert lead is not None
    return {
        "recipient": lead.title, "kind": "company" if lead.organization else "person", "email": lead.email,
        "person": lead.name if lead.organization else "", "vat_id": "",
        "language": lead.language or lead.company.language,
        "address": fields.address_values({"country": lead.country}) if lead.country else {},
    }  # fmt: skip


@transaction.atomic
def update(
    *,
    quote: Quote,
    changes: Mapping[str, Any] | None = None,
    lines: Sequence[LineSpec] | None = None,
    discounts: Sequence[Discount] | None = None,
    by: Actor,
    at: datetime,
) -> Quote:
    """Changes a draft; `lines` and `discounts` take the place of those it has. Refuses what was sent."""
    quote = lock(quote)
    _draft(quote)
    values = _checked(quote.company, changes or {})
    changed = sorted(name for name, value in values.items() if getattr(quote, name) != value)
    for name in changed:
        setattr(quote, name, values[name])
    if changed:
        quote.save(update_fields=changed)
    if lines is not None:
        quote.lines.all().delete()
        _write_lines(quote, lines, clock.day_in(at, quote.company.time_zone))
        changed.append("lines")
    if discounts is not None:
        quote.discounts.all().delete()
        _write_discounts(quote, discounts)
        changed.append("discounts")
    if changed:
        tell(quote, "update", by=by, at=at, facts={"fields": changed})
    return quote


@transaction.atomic
def delete(*, quote: Quote, by: Actor, at: datetime) -> None:
    """Throws a draft away. A draft that was to follow a version in force leaves that one as it is."""
    quote = lock(quote)
    _draft(quote)
    tell(quote, "delete", by=by, at=at)
    quote.lines.all().delete()
    quote.discounts.all().delete()
    quote.delete()


@transaction.atomic
def revise(*, quote: Quote, by: Actor, at: datetime) -> Quote:
    """The next version as a draft, like this one in all; this one can't be accepted any more.

    Of a version that has a later one: that one, if it is a draft, else refused.
    """
    quote = lock(quote)
    versions = Quote.objects.filter(company_id=quote.company_id, number=quote.number)
    last = versions.order_by("-version")[0]
    if last.pk != quote.pk or quote.state == State.DRAFT:
        if last.state == State.DRAFT:
            return lock(last)
        raise Refused("quote.not_the_last", number=last.label)
    if quote.state == State.ACCEPTED:
        raise Refused("quote.state", number=quote.label, state=quote.get_state_display())
    if quote.customer is not None:
        merged.refuse(quote.customer)
    today = clock.day_in(at, quote.company.time_zone)
    if quote.state == State.SENT:
        end(quote, State.REPLACED, at=at)
        tell(quote, "replace", by=by, at=at)
        stop_asking(quote, by=by, at=at)
    copied = {name: getattr(quote, name) for name in FIELDS}
    copied["valid_until"] = max(quote.valid_until, today + timedelta(days=VALID_DAYS))
    new = Quote(
        company=quote.company, number=quote.number, version=quote.version + 1, lead=quote.lead, plan=quote.plan,
        customer=quote.customer, currency=quote.currency, created_at=at, created_by=by.label[:120], **copied,
    )  # fmt: skip
    new.save()
    names = ("position", "product_id", "price_id", "kind", "quantity", "unit_amount", "description", "is_optional",
             "is_chosen")  # fmt: skip
    QuoteLine.objects.bulk_create(
        QuoteLine(company_id=quote.company_id, quote=new, **{name: getattr(line, name) for name in names})
        for line in quote.lines.all()
    )
    _write_discounts(new, [row.discount for row in quote.discounts.select_related("discount")])
    tell(new, "create", by=by, at=at)
    return new


@transaction.atomic
def withdraw(*, quote: Quote, by: Actor, at: datetime) -> Quote:
    """Takes back what was sent: it can't be accepted any more. Repeated: nothing happens."""
    quote = lock(quote)
    if quote.state == State.WITHDRAWN:
        return quote
    sent(quote)
    end(quote, State.WITHDRAWN, at=at)
    tell(quote, "withdraw", by=by, at=at)
    stop_asking(quote, by=by, at=at)
    return quote


def end(quote: Quote, state: str, *, at: datetime) -> None:
    """Moves a sent quote to where it ends."""
    quote.state, quote.ended_at = state, at
    quote.save(update_fields=["state", "ended_at"])


def stop_asking(quote: Quote, *, by: Actor, at: datetime) -> None:
    """Nobody has to ask after it any more: the task is done where there is an answer, else dropped."""
    if quote.follow_up is None or quote.follow_up.state != Task.State.OPEN:
        return
    end_task = tasks.finish if quote.state in (State.ACCEPTED, State.DECLINED) else tasks.drop
    end_task(task=quote.follow_up, by=by, at=at)


def lock(quote: Quote) -> Quote:
    """The quote as it stands now, held until the transaction ends."""
    Quote.objects.select_for_update().values_list("pk").get(pk=quote.pk)
    # Read after the lock: who waited for it would else see joined rows as they were before.
    return Quote.objects.select_related(*_JOINED, "follow_up", "subscription", "invoice").get(pk=quote.pk)


def sent(quote: Quote) -> None:
    """Refuses a quote that isn't open."""
    if quote.state != State.SENT:
        raise Refused("quote.state", number=quote.label, state=quote.get_state_display())


def _draft(quote: Quote) -> None:
    if quote.state != State.DRAFT:
        raise Refused("quote.frozen", number=quote.label)


def _write_lines(quote: Quote, specs: Sequence[LineSpec], on: date) -> None:
    if not specs or all(spec.is_optional for spec in specs):
        raise Refused("quote.without_positions", field="lines")
    if len(specs) > MOST_LINES:
        raise Refused("quote.too_many_positions", field="lines", most=MOST_LINES)
    if len({spec.product.pk for spec in specs}) < len(specs):
        raise Refused("quote.product_twice", field="lines")
    found = quote.plan.items.filter(archived_at__isnull=True).prefetch_related("prices")
    items = {item.product_id: item for item in found}
    QuoteLine.objects.bulk_create(
        _line(quote, spec, items.get(spec.product.pk), position, on) for position, spec in enumerate(specs, start=1)
    )


def _line(quote: Quote, spec: LineSpec, item: PlanItem | None, position: int, on: date) -> QuoteLine:
    if spec.product.company_id != quote.company_id:
        raise Refused("not_found", field="product")
    price: Price | None = price_on(item, quote.currency, on) if item is not None else None
    if price is None and spec.unit_amount is None:
        raise Refused("subscription.no_price", field="lines", product=spec.product.code, currency=quote.currency)
    kind = checks.choice(
        spec.kind or (item.kind if item is not None else PlanItem.Kind.RECURRING), PlanItem.Kind.values, field="kind"
    )
    if kind == PlanItem.Kind.USAGE and item is None:
        raise Refused("quote.usage_of_the_plan", field="lines", product=spec.product.code)
    amount = spec.unit_amount
    if amount is not None:
        amount = checks.decimal(amount, field="unit_amount", most=10**12, places=10)
    checks.decimal(spec.quantity, field="quantity", most=10**9, places=6)
    if spec.quantity <= 0:
        raise Refused("quote.quantity", field="quantity")
    return QuoteLine(
        company_id=quote.company_id, quote=quote, position=position, product=spec.product, price=price, kind=kind,
        quantity=spec.quantity, unit_amount=amount, is_optional=spec.is_optional,
        is_chosen=spec.is_chosen or not spec.is_optional,
        description=checked(spec.description, field="description", limit=500),
    )  # fmt: skip


def _write_discounts(quote: Quote, discounts: Sequence[Discount]) -> None:
    for discount in discounts:
        if discount.company_id != quote.company_id:
            raise Refused("not_found", field="discount")
    QuoteDiscount.objects.bulk_create(
        QuoteDiscount(company_id=quote.company_id, quote=quote, discount=discount) for discount in discounts
    )


def _checked(company: Company, values: Mapping[str, Any]) -> dict[str, Any]:
    checks.known(values, FIELDS)
    kept = dict(values)
    for name, limit in _TEXTS.items():
        if name in kept:
            kept[name] = checked(kept[name], field=name, limit=limit, required=name in ("recipient", "title")).strip()
    if "kind" in kept:
        checks.choice(kept["kind"], Customer.Kind.values, field="kind")
    if "email" in kept:
        kept["email"] = fields.email(kept["email"])
    if "vat_id" in kept:
        kept["vat_id"] = fields.vat_id(kept["vat_id"])
    if kept.get("address"):
        kept["address"] = fields.address_values(kept["address"])
    if "language" in kept:
        checks.language(kept["language"], field="language")
    for name in ("start_on", "valid_until"):
        if kept.get(name) is not None:
            checks.day(kept[name], field=name)
    owner: User | None = kept.get("owner")
    if owner is not None and not Membership.objects.filter(company=company, user=owner).exists():
        raise Refused("task.owner_works_elsewhere", field="owner")
    return kept


def smallest_places(currency: str) -> int:
    """Places an agreed price is shown with at least."""
    return places(currency)
