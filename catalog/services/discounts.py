"""Discounts as templates, the codes that give them, and the campaigns under which their effect is watched.

The rule that matters: what a template gives never changes once it is made; only its name does. Archiving stops new
uses, what was given runs on.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any, TypeVar

from django.db import IntegrityError, transaction

from catalog.models import Campaign, Discount, OfferCode, Price, Product
from catalog.services.products import checked_code
from catalog.services.texts import checked_texts
from core import checks
from core.actors import Actor
from core.models import NAME_LENGTH, Company
from core.refusal import Refused
from core.services import trail
from core.texts import checked

MOST_PERIODS = 1200
CODE_LENGTH = 40
CAMPAIGN_NAME_LENGTH = 120

Duration, Scope = Discount.Duration, Discount.Scope
Row = TypeVar("Row", Campaign, Discount, OfferCode)


def create_campaign(*, company: Company, code: str, name: str, by: Actor, at: datetime) -> Campaign:
    """A campaign; its code is unique in the company."""
    campaign = Campaign(
        company=company,
        code=checked_code(code),
        name=checked(name, field="name", limit=CAMPAIGN_NAME_LENGTH, required=True),
    )
    with transaction.atomic():
        _save_new(campaign)
        _tell(campaign, "campaign", "created", by=by, at=at, facts={"code": campaign.code})
    return campaign


def archive_campaign(*, campaign: Campaign, by: Actor, at: datetime) -> Campaign:
    """Hides a campaign; its discounts stay as they are. Again is a quiet no-op."""
    return _archive(campaign, "campaign", by=by, at=at)


def create_discount(
    *,
    company: Company,
    code: str,
    name: Mapping[str, str],
    percent: Decimal | None = None,
    amount_minor: int | None = None,
    currency: str = "",
    duration: str = Duration.FOREVER,
    periods: int | None = None,
    scope: str = Scope.EVERYTHING,
    product: Product | None = None,
    price: Price | None = None,
    campaign: Campaign | None = None,
    by: Actor,
    at: datetime,
) -> Discount:
    """A template: a percent (above 0, up to 100) or an amount off a period in minor units of a currency.

    `periods` belongs to the duration `periods`; product or price to their scope. Refuses `discount.percent_or_amount`,
    `discount.percent_range`, `discount.periods`, `discount.target`, `catalog.code_taken`.
    """
    values = _what(percent, amount_minor, currency)
    values |= _how_long(duration, periods) | _covers(company, scope, product, price)
    if campaign is not None and (campaign.company_id != company.pk or campaign.archived_at is not None):
        raise Refused("not_found", field="campaign")
    discount = Discount(
        company=company,
        code=checked_code(code),
        name=checked_texts(name, company=company, field="name", limit=NAME_LENGTH, required=True),
        campaign=campaign,
        **values,
    )
    with transaction.atomic():
        _save_new(discount)
        facts = {
            "code": discount.code,
            "percent": None if percent is None else f"{percent:f}",
            "amount_minor": amount_minor,
            "currency": discount.currency,
            "duration": discount.duration,
            "periods": periods,
            "scope": discount.scope,
            "campaign": None if campaign is None else campaign.code,
        }
        _tell(discount, "discount", "created", by=by, at=at, facts=facts)
    return discount


def _what(percent: object, amount_minor: object, currency: str) -> dict[str, Any]:
    if (percent is None) == (amount_minor is None):
        raise Refused("discount.percent_or_amount", field="percent")
    if percent is not None:
        value = checks.decimal(percent, field="percent", most=101, places=3)
        if not 0 < value <= 100:
            raise Refused("discount.percent_range", field="percent")
        if currency:
            raise Refused("discount.percent_or_amount", field="currency")
        return {"percent": value, "currency": ""}
    amount = checks.minor(amount_minor, field="amount", least=1)
    return {"amount_minor": amount, "currency": checks.currency(currency)}


def _how_long(duration: str, periods: object) -> dict[str, Any]:
    checks.choice(duration, Duration.values, field="duration")
    if (duration == Duration.PERIODS) != (periods is not None):
        raise Refused("discount.periods", field="periods")
    if periods is not None:
        checks.whole(periods, field="periods", least=1, most=MOST_PERIODS)
    return {"duration": duration, "periods": periods}


def _covers(company: Company, scope: str, product: Product | None, price: Price | None) -> dict[str, Any]:
    checks.choice(scope, Scope.values, field="scope")
    if (scope == Scope.PRODUCT) != (product is not None) or (scope == Scope.PRICE) != (price is not None):
        raise Refused("discount.target", field="scope")
    for field, target in (("product", product), ("price", price)):
        if target is not None and target.company_id != company.pk:
            raise Refused("not_found", field=field)
    return {"scope": scope, "product": product, "price": price}


def rename_discount(*, discount: Discount, name: Mapping[str, str], by: Actor, at: datetime) -> Discount:
    """Another name for what is given from now on; what was given keeps its own. No change writes nothing."""
    with transaction.atomic():
        held = Discount.objects.select_for_update().select_related("company").get(pk=discount.pk)
        texts = checked_texts(name, company=held.company, field="name", limit=NAME_LENGTH, required=True)
        if texts != held.name:
            held.name = texts
            held.save(update_fields=["name"])
            _tell(held, "discount", "updated", by=by, at=at, facts={"fields": ["name"]})
    return held


def archive_discount(*, discount: Discount, by: Actor, at: datetime) -> Discount:
    """Stops giving it anew, by hand and by code; what was given runs on. Again is a quiet no-op."""
    return _archive(discount, "discount", by=by, at=at)


def normal_code(code: object) -> str:
    """A code as it is kept: upper case, without spaces around it.

    >>> normal_code(" spring26 ")
    'SPRING26'
    """
    return code.strip().upper() if isinstance(code, str) else ""


def create_code(
    *,
    discount: Discount,
    code: str,
    valid_from: date | None = None,
    valid_until: date | None = None,
    total_limit: int | None = None,
    customer_limit: int | None = None,
    first_time_only: bool = False,
    by: Actor,
    at: datetime,
) -> OfferCode:
    """A code for a discount; its days are days of the company, both inclusive. None: no limit.

    Refuses `discount.archived`, `offer_code.days`, `catalog.code_taken`.
    """
    if discount.archived_at is not None:
        raise Refused("discount.archived", field="discount", code=discount.code)
    for field, day in (("valid_from", valid_from), ("valid_until", valid_until)):
        if day is not None:
            checks.day(day, field=field)
    if valid_from is not None and valid_until is not None and valid_until < valid_from:
        raise Refused("offer_code.days", field="valid_until")
    for field, limit, most in (("total_limit", total_limit, 10**9), ("customer_limit", customer_limit, 32_767)):
        if limit is not None:
            checks.whole(limit, field=field, least=1, most=most)
    offer = OfferCode(
        company_id=discount.company_id,
        discount=discount,
        code=checked_code(normal_code(code), limit=CODE_LENGTH),
        valid_from=valid_from,
        valid_until=valid_until,
        total_limit=total_limit,
        customer_limit=customer_limit,
        first_time_only=bool(first_time_only),
    )
    with transaction.atomic():
        _save_new(offer)
        facts = {
            "code": offer.code,
            "discount": discount.code,
            "valid_from": valid_from and valid_from.isoformat(),
            "valid_until": valid_until and valid_until.isoformat(),
            "total_limit": total_limit,
            "customer_limit": customer_limit,
            "first_time_only": offer.first_time_only,
        }
        _tell(offer, "offer_code", "created", by=by, at=at, facts=facts)
    return offer


def archive_code(*, code: OfferCode, by: Actor, at: datetime) -> OfferCode:
    """Refuses the code from now on; what it gave runs on. Again is a quiet no-op."""
    return _archive(code, "offer_code", by=by, at=at)


def _save_new(row: Row) -> Row:
    """Inserts a row, or says that its code is taken."""
    try:
        with transaction.atomic():
            row.save(force_insert=True)
    except IntegrityError as error:
        if "code_unique" in str(error):
            raise Refused("catalog.code_taken", field="code", value=row.code) from None
        raise
    return row


def _archive(row: Row, kind: str, *, by: Actor, at: datetime) -> Row:
    with transaction.atomic():
        held = type(row)._default_manager.select_for_update().get(pk=row.pk)
        if held.archived_at is None:
            held.archived_at = at
            held.save(update_fields=["archived_at"])
            _tell(held, kind, "archived", by=by, at=at, facts={"code": held.code})
    return held


def _tell(
    row: Campaign | Discount | OfferCode, kind: str, what: str, *, by: Actor, at: datetime, facts: Mapping[str, Any]
) -> None:
    verbs = {"created": "create", "updated": "update", "archived": "archive"}
    common: dict[str, Any] = {
        "company_id": row.company_id,
        "at": at,
        "subject_kind": kind,
        "subject_id": row.pk,
    }
    trail.audit(by=by, verb=f"{kind}.{verbs[what]}", facts=facts, **common)
    trail.emit(type=f"{kind}.{what}", data={"id": row.ref, "code": row.code, **facts}, **common)
