"""Reminder rules: made, changed, switched off; and those that every company begins with.

The rule that matters: what a rule has sent stays as it was sent; a changed rule says other things from then on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop, override

from catalog.models import Plan, Product, Unit
from core import checks
from core.actors import Actor
from core.models import NAME_LENGTH, Company
from core.refusal import Refused
from core.services import trail
from core.texts import checked
from crm.models import Offer, ReminderRule, Segment
from crm.services.reminder_texts import PLACEHOLDERS, TEXT_OF, WITH_OFFER
from customers.models import Customer
from customers.services import mail_texts

Occasion, Category, Channel = ReminderRule.Occasion, ReminderRule.Category, ReminderRule.Channel
SYSTEM: Final = Actor.system("Reminders")
LATEST_DAYS, LATEST_LATE, MOST_MONTHS = 400, 60, 120

#: What every company begins with: name, occasion, days, and what else is set.
DEFAULTS: Final[tuple[tuple[str, str, int, dict[str, Any]], ...]] = (
    (gettext_noop("Yearly renewal, a month before"), Occasion.BEFORE_RENEWAL, 30, {"shortest_term_months": 12}),
    (gettext_noop("Trial ends in a week"), Occasion.BEFORE_TRIAL_END, 7, {"late_days": 5}),
    (gettext_noop("Price changes in a month"), Occasion.BEFORE_PRICE_CHANGE, 30, {"late_days": 29}),
    (gettext_noop("Card expires in a month"), Occasion.CARD_EXPIRING, 30, {"late_days": 20}),
    (gettext_noop("Card expires in a week"), Occasion.CARD_EXPIRING, 7, {}),
    (gettext_noop("Mandate lapses in two months"), Occasion.MANDATE_EXPIRING, 60, {"late_days": 30}),
    (gettext_noop("Last day to cancel, two weeks before"), Occasion.BEFORE_NOTICE_DEADLINE, 14,
     {"shortest_term_months": 12, "is_active": False}),
    (gettext_noop("Payment due in three days"), Occasion.PAYMENT_DUE, 3, {"is_active": False}),
    (gettext_noop("Payment failed"), Occasion.PAYMENT_FAILED, 1, {"is_active": False}),
    (gettext_noop("Thanks for the payment"), Occasion.AFTER_PAYMENT, 0, {"is_active": False}),
    (gettext_noop("Back after three months"), Occasion.WIN_BACK, 90,
     {"is_active": False, "category": Category.MARKETING}),
)  # fmt: skip


def active(company: Company) -> list[ReminderRule]:
    """The rules that remind."""
    rows = ReminderRule.objects.filter(company=company, is_active=True)
    return list(rows.prefetch_related("offer__discount", "segment__company").order_by("pk"))


def ensure_defaults(*, company: Company, at: datetime) -> bool:
    """Writes the rules a company begins with, named in its language; False where it has any, or had."""
    if ReminderRule.objects.filter(company=company).exists():
        return False
    with transaction.atomic():
        Company.objects.select_for_update(no_key=True).get(pk=company.pk)
        if ReminderRule.objects.filter(company=company).exists():
            return False
        with override(company.language):
            rows = [
                ReminderRule(
                    company=company, name=_(name), occasion=occasion, days=days, text=TEXT_OF[occasion],
                    created_at=at, **more,
                )
                for name, occasion, days, more in DEFAULTS
            ]  # fmt: skip
        ReminderRule.objects.bulk_create(rows)
    return True


def save(
    *,
    company: Company,
    rule: ReminderRule | None = None,
    name: str,
    occasion: str,
    days: int,
    late_days: int = 7,
    category: str = Category.CONTRACT,
    channel: str = Channel.MAIL,
    text: str = "",
    subject: Mapping[str, str] | None = None,
    body: Mapping[str, str] | None = None,
    offer: Offer | None = None,
    segment: Segment | None = None,
    customer_kind: str = "",
    language: str = "",
    countries: Sequence[str] = (),
    plans: Sequence[Plan] = (),
    products: Sequence[Product] = (),
    cycle_unit: str = "",
    shortest_term_months: int = 0,
    minimum_minor: int = 0,
    only_stale_method: bool = False,
    is_active: bool = True,
    by: Actor,
    at: datetime,
) -> ReminderRule:
    """Makes a rule, or gives `rule` these values. With an offer it is advertising.

    Refuses `reminder.offer_is_advertising`, `reminder.no_offer_here`, `reminder.text_unknown`, unknown placeholders.
    """
    checks.choice(occasion, Occasion.values, field="occasion")
    checks.choice(category, Category.values, field="category")
    checks.choice(channel, Channel.values, field="channel")
    for field, value, choices in (
        ("customer_kind", customer_kind, Customer.Kind.values), ("cycle_unit", cycle_unit, Unit.values),
    ):  # fmt: skip
        if value:
            checks.choice(value, choices, field=field)
    if language:
        checks.language(language)
    if rule is not None and rule.company_id != company.pk:
        raise Refused("not_found", field="rule")
    _check_offer(company, occasion, category, offer)
    if segment is not None and segment.company_id != company.pk:
        raise Refused("not_found", field="segment")
    text = text or (WITH_OFFER if offer is not None and occasion == Occasion.BEFORE_RENEWAL else TEXT_OF[occasion])
    values: dict[str, Any] = {
        "name": checked(name, field="name", limit=NAME_LENGTH, required=True),
        "occasion": occasion,
        "days": checks.whole(days, field="days", most=LATEST_DAYS),
        "late_days": checks.whole(late_days, field="late_days", most=LATEST_LATE),
        "category": category,
        "channel": channel,
        "text": _known(text),
        **_own_words(text, subject or {}, body or {}),
        "offer": offer,
        "segment": segment,
        "customer_kind": customer_kind,
        "language": language,
        "countries": sorted({checks.country(code, field="countries") for code in countries}),
        "plan_ids": _ids(company, plans, "plans"),
        "product_ids": _ids(company, products, "products"),
        "cycle_unit": cycle_unit,
        "shortest_term_months": checks.whole(shortest_term_months, field="shortest_term_months", most=MOST_MONTHS),
        "minimum_minor": checks.minor(minimum_minor, field="minimum_minor"),
        "only_stale_method": only_stale_method,
        "is_active": is_active,
    }
    with transaction.atomic():
        if rule is None:
            held = ReminderRule.objects.create(company=company, created_at=at, **values)
        else:
            held = ReminderRule.objects.select_for_update().get(pk=rule.pk)
            for field, value in values.items():
                setattr(held, field, value)
            held.save()
        _tell(held, "save", {"occasion": occasion, "days": days, "offer": offer.pk if offer else None}, by=by, at=at)
    return held


def switch(*, rule: ReminderRule, is_active: bool, by: Actor, at: datetime) -> ReminderRule:
    """Switches a rule on or off. Repeated: nothing happens."""
    with transaction.atomic():
        held = ReminderRule.objects.select_for_update().get(pk=rule.pk)
        if held.is_active != is_active:
            held.is_active = is_active
            held.save(update_fields=["is_active"])
            _tell(held, "switch_on" if is_active else "switch_off", {}, by=by, at=at)
    return held


#: Where something is offered to who stays; to who left it is offered to come back.
OFFERED: Final = (Occasion.BEFORE_RENEWAL, Occasion.BEFORE_NOTICE_DEADLINE, Occasion.BEFORE_TRIAL_END)


def _check_offer(company: Company, occasion: str, category: str, offer: Offer | None) -> None:
    if offer is None:
        if occasion == Occasion.WIN_BACK and category != Category.MARKETING:
            raise Refused("reminder.offer_is_advertising", field="category")
        return
    if offer.company_id != company.pk or offer.archived_at is not None:
        raise Refused("not_found", field="offer")
    if category != Category.MARKETING:
        raise Refused("reminder.offer_is_advertising", field="category")
    if occasion not in (*OFFERED, Occasion.WIN_BACK):
        raise Refused("reminder.no_offer_here", field="offer")


def _known(text: str) -> str:
    try:
        kind = mail_texts.kind_of(text)
    except LookupError:
        kind = None
    if kind is None or set(kind.placeholders) != set(PLACEHOLDERS):
        raise Refused("reminder.text_unknown", field="text")
    return text


def _own_words(text: str, subject: Mapping[str, str], body: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Own words by language, with no placeholder that the mail doesn't know."""
    kind = mail_texts.kind_of(_known(text))
    kept: dict[str, dict[str, str]] = {"subject": {}, "body": {}}
    for language in sorted({*subject, *body}):
        checks.language(language, field="body")
        own_subject, own_body = subject.get(language, "").strip(), body.get(language, "").strip()
        mail_texts.check(kind, own_subject or "-", own_body or "-")
        if own_subject:
            kept["subject"][language] = own_subject
        if own_body:
            kept["body"][language] = own_body
    return kept


def _ids(company: Company, rows: Sequence[Plan] | Sequence[Product], field: str) -> list[int]:
    if any(row.company_id != company.pk for row in rows):
        raise Refused("not_found", field=field)
    return sorted({row.pk for row in rows})


def _tell(rule: ReminderRule, verb: str, facts: dict[str, Any], *, by: Actor, at: datetime) -> None:
    trail.audit(
        company_id=rule.company_id, at=at, by=by, verb=f"reminder_rule.{verb}", subject_kind="reminder_rule",
        subject_id=rule.pk, facts={"name": rule.name, **facts},
    )  # fmt: skip
