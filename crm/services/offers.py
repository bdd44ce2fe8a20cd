"""Offers: made for reminders, taken by customers with one click, taken back by staff.

The rule that matters: an offer that is taken is a discount given by the billing act, as its preview showed; clicking
often is clicking once.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, Final

from django.db import transaction

from billing.services import acts, acts_discounting, previews, receivables
from billing.services.acting import ActResult
from catalog.models import Discount
from catalog.services.texts import checked_texts
from core import checks, clock
from core.actors import Actor
from core.models import NAME_LENGTH, Company
from core.refusal import Refused
from core.services import trail
from core.texts import checked
from crm.models import MailingRecipient, Offer, Reminder
from subscriptions.models import Subscription

#: Who acts where a reminder's link is opened without signing in.
READER: Final = Actor.system("link in a reminder")
ENDED: Final = (Subscription.State.CANCELED, Subscription.State.EXPIRED)
WORDS_MOST, DAYS_MOST, TIMES_MOST = 1000, 365, 100


def save(
    *, company: Company, offer: Offer | None = None, name: str, discount: Discount,
    words: Mapping[str, str] | None = None, valid_days: int = 30, customer_limit: int = 1, by: Actor, at: datetime,
) -> Offer:  # fmt: skip
    """Makes an offer, or changes `offer`: what was offered before keeps its last day. Refuses an archived discount."""
    if offer is not None and offer.company_id != company.pk:
        raise Refused("not_found", field="offer")
    if discount.company_id != company.pk:
        raise Refused("not_found", field="discount")
    if discount.archived_at is not None:
        raise Refused("discount.archived", field="discount", code=discount.code)
    values: dict[str, Any] = {
        "name": checked(name, field="name", limit=NAME_LENGTH, required=True),
        "discount": discount,
        "words": checked_texts(words or {}, company=company, field="words", limit=WORDS_MOST),
        "valid_days": checks.whole(valid_days, field="valid_days", least=1, most=DAYS_MOST),
        "customer_limit": checks.whole(customer_limit, field="customer_limit", least=1, most=TIMES_MOST),
    }
    with transaction.atomic():
        if offer is None:
            held = Offer.objects.create(company=company, created_at=at, **values)
        else:
            held = Offer.objects.select_for_update().get(pk=offer.pk)
            for field, value in values.items():
                setattr(held, field, value)
            held.save()
        _audit(held, "save", {"discount": discount.pk, "valid_days": valid_days}, by=by, at=at)
    return held


def archive(*, offer: Offer, by: Actor, at: datetime) -> Offer:
    """No longer made; what was offered can't be taken any more. Repeated: nothing happens."""
    with transaction.atomic():
        held = Offer.objects.select_for_update().get(pk=offer.pk)
        if held.archived_at is None:
            held.archived_at = at
            held.save(update_fields=["archived_at"])
            _audit(held, "archive", {}, by=by, at=at)
    return held


def note_opened(reminder: Reminder, *, at: datetime) -> None:
    """Keeps when the link was first opened."""
    Reminder.objects.filter(pk=reminder.pk, opened_at__isnull=True).update(opened_at=at)


def check_open(reminder: Reminder, *, at: datetime) -> Offer:
    """The offer, where it can be taken. Refuses `offer.none`, `.withdrawn`, `.over`, `.used`, `subscription.ended`, and
    where it is to win back `offer.back_already`.
    """
    offer, subscription = reminder.offer, reminder.subscription
    if offer is None or subscription is None:
        raise Refused("offer.none")
    if is_to_win_back(reminder):
        _check_left(subscription)
    elif subscription.state in ENDED:
        raise Refused("subscription.ended", day=subscription.ends_on)
    elif subscription.end_kind == Subscription.EndKind.CANCEL:
        raise Refused("offer.canceled")
    if offer.archived_at is not None or offer.discount.archived_at is not None:
        raise Refused("offer.withdrawn")
    today = clock.day_in(at, reminder.company.time_zone)
    if reminder.offer_until_on is None or today > reminder.offer_until_on:
        raise Refused("offer.over", day=reminder.offer_until_on)
    taken = Reminder.objects.filter(offer=offer, customer_id=reminder.customer_id, accepted_at__isnull=False)
    from_mailings = MailingRecipient.objects.filter(
        mailing__offer=offer, customer_id=reminder.customer_id, accepted_at__isnull=False
    )
    if taken.exclude(pk=reminder.pk).count() + from_mailings.count() >= offer.customer_limit:
        raise Refused("offer.used")
    return offer


def is_to_win_back(reminder: Reminder) -> bool:
    """Whether the offer is to begin anew: a subscription of the same plan, with the discount."""
    return reminder.rule.occasion == reminder.rule.Occasion.WIN_BACK


def _check_left(subscription: Subscription) -> None:
    if subscription.plan is None:
        raise Refused("offer.withdrawn")
    same = Subscription.objects.filter(customer_id=subscription.customer_id, plan=subscription.plan)
    if same.exclude(state__in=ENDED).exists():
        raise Refused("offer.back_already")


def preview(reminder: Reminder, *, by: Actor, at: datetime) -> previews.Preview:
    """What taking the offer will do to the next invoices; nothing is done. Refuses as `accept` does."""
    check_open(reminder, at=at)
    return previews.preview(lambda: _give(reminder, by=by, at=at, token=None))


def accept(*, reminder: Reminder, preview_token: str | None = None, by: Actor, at: datetime) -> Reminder:
    """Takes the offer: its discount is given to the subscription from the renewal on; to win back, a subscription of
    the same plan begins today with it. Repeated: nothing happens.

    Refuses as `check_open`, what giving a discount refuses, and `preview.differs`.
    """
    with transaction.atomic():
        held = _locked(reminder)
        if held.accepted_at is not None:
            return held
        offer = check_open(held, at=at)
        result = _give(held, by=by, at=at, token=preview_token)
        held.agreed = result.subscription.discounts.filter(discount=offer.discount).latest("pk")
        held.accepted_at = at
        held.opened_at = held.opened_at or at
        held.save(update_fields=["agreed", "accepted_at", "opened_at"])
        facts = {
            "reminder": held.ref, "offer": offer.ref, "discount": held.agreed.ref,
            "subscription": result.subscription.ref, "mrr_before": result.mrr_before, "mrr_after": result.mrr_after,
        }  # fmt: skip
        _tell(held, "accept", "accepted", facts, by=by, at=at)
    return held


def take_back(*, reminder: Reminder, by: Actor, at: datetime) -> Reminder:
    """Staff take a given discount back: periods from then on no longer take it. Repeated: nothing happens.

    Refuses `offer.not_taken`, and what taking a discount back refuses.
    """
    with transaction.atomic():
        held = _locked(reminder)
        if held.agreed is None:
            raise Refused("offer.not_taken")
        if held.taken_back_at is not None:
            return held
        acts_discounting.end(agreed=held.agreed, by=by, at=at)
        held.taken_back_at = at
        held.save(update_fields=["taken_back_at"])
        facts = {"reminder": held.ref, "discount": held.agreed.ref}
        _tell(held, "take_back", "taken_back", facts, by=by, at=at)
    return held


def from_on(reminder: Reminder, today: date) -> date:
    """The day from which the discount holds: that of the renewal, or today where it is over."""
    subscription = reminder.subscription
    assert subscription is not None
    if reminder.rule.occasion == reminder.rule.Occasion.BEFORE_NOTICE_DEADLINE and subscription.term_ends_on:
        return max(today, date.fromordinal(subscription.term_ends_on.toordinal() + 1))
    return max(today, reminder.occasion_on)


def _give(reminder: Reminder, *, by: Actor, at: datetime, token: str | None) -> ActResult:
    subscription = reminder.subscription
    assert subscription is not None and reminder.offer is not None
    today = clock.day_in(at, subscription.time_zone)
    if is_to_win_back(reminder):
        today = clock.day_in(at, reminder.company.time_zone)
        return acts.start(
            company=reminder.company, customer=reminder.customer, plan=subscription.plan,
            currency=subscription.currency, start_on=today, on=today, discounts=[reminder.offer.discount], by=by,
            at=at, preview_token=token,
        )  # fmt: skip
    return acts_discounting.give(
        subscription=subscription, discount=reminder.offer.discount, from_on=from_on(reminder, today),
        by=by, at=at, preview_token=token,
    )  # fmt: skip


def _locked(reminder: Reminder) -> Reminder:
    """The reminder as it is now. The customer is locked first, as by every act, so that limits are counted alone."""
    receivables.lock_customer(reminder.company, reminder.customer_id)
    rows = Reminder.objects.select_for_update(of=("self",)).select_related(
        "company", "rule", "offer__discount", "subscription__company", "subscription__customer__company",
        "subscription__plan", "customer__company", "agreed",
    )  # fmt: skip
    return rows.get(pk=reminder.pk)


def _audit(offer: Offer, verb: str, facts: dict[str, Any], *, by: Actor, at: datetime) -> None:
    trail.audit(
        company_id=offer.company_id, at=at, by=by, verb=f"offer.{verb}", subject_kind="offer", subject_id=offer.pk,
        facts={"name": offer.name, **facts},
    )  # fmt: skip


def _tell(reminder: Reminder, verb: str, past: str, facts: dict[str, Any], *, by: Actor, at: datetime) -> None:
    common: dict[str, Any] = {
        "company_id": reminder.company_id, "at": at, "subject_kind": "subscription",
        "subject_id": reminder.subscription_id, "customer_id": reminder.customer_id,
    }  # fmt: skip
    trail.audit(by=by, verb=f"offer.{verb}", facts=facts, **common)
    trail.emit(type=f"offer.{past}", data=facts, **common)
