"""Offers of mailings: looked at and taken by customers with one click.

The rule that matters: an offer that is taken is a discount given by the billing act, as its preview showed; clicking
often is clicking once, and what was taken from a reminder counts, too.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from django.db import transaction
from django.db.models import Max

from billing.services import acts_discounting, previews, receivables
from billing.services.acting import ActResult
from core import clock
from core.actors import Actor
from core.refusal import Refused
from core.services import trail
from crm.models import MailingRecipient, Offer, Reminder
from subscriptions.models import Movement, Subscription
from subscriptions.services import first_touch

#: Who acts where a mailing's link is opened without signing in.
READER: Final = Actor.system("link in a mailing")
#: The source of a customer without any subscription who came by a mailing.
SOURCE: Final = "mailing"
ENDED: Final = (Subscription.State.CANCELED, Subscription.State.EXPIRED)


def note_clicked(recipient: MailingRecipient, *, at: datetime) -> None:
    """Keeps when the link was first opened; somebody who never bought was brought by its campaign."""
    opened = MailingRecipient.objects.filter(pk=recipient.pk, clicked_at__isnull=True).update(clicked_at=at)
    if opened and not recipient.customer.subscriptions.exists():
        first_touch.note(
            company=recipient.company, customer=recipient.customer, campaign=recipient.mailing.campaign, source=SOURCE,
            at=at,
        )  # fmt: skip


def times_taken(offer: Offer, customer_id: int) -> int:
    """How often the customer took the offer, from reminders and mailings."""
    from_reminders = Reminder.objects.filter(offer=offer, customer_id=customer_id, accepted_at__isnull=False)
    from_mailings = MailingRecipient.objects.filter(
        mailing__offer=offer, customer_id=customer_id, accepted_at__isnull=False
    )
    return from_reminders.count() + from_mailings.count()


def check_open(recipient: MailingRecipient, *, at: datetime) -> Offer:
    """The offer, where it can be taken. Refuses `offer.none`, `.withdrawn`, `.over`, `.used`, `.canceled`,
    `subscription.ended`.
    """
    offer, subscription = recipient.mailing.offer, recipient.subscription
    if offer is None or subscription is None:
        raise Refused("offer.none")
    if subscription.state in ENDED:
        raise Refused("subscription.ended", day=subscription.ends_on)
    if subscription.end_kind == Subscription.EndKind.CANCEL:
        raise Refused("offer.canceled")
    if offer.archived_at is not None or offer.discount.archived_at is not None:
        raise Refused("offer.withdrawn")
    today = clock.day_in(at, recipient.company.time_zone)
    if recipient.offer_until_on is None or today > recipient.offer_until_on:
        raise Refused("offer.over", day=recipient.offer_until_on)
    if times_taken(offer, recipient.customer_id) >= offer.customer_limit:
        raise Refused("offer.used")
    return offer


def preview(recipient: MailingRecipient, *, by: Actor, at: datetime) -> previews.Preview:
    """What taking the offer will do to the next invoices; nothing is done. Refuses as `accept` does."""
    check_open(recipient, at=at)
    return previews.preview(lambda: _give(recipient, by=by, at=at, token=None))


def accept(
    *, recipient: MailingRecipient, preview_token: str | None = None, by: Actor, at: datetime
) -> MailingRecipient:
    """Takes the offer: its discount lowers the periods that begin from today on. Repeated: nothing happens.

    Refuses as `check_open`, what giving a discount refuses, and `preview.differs`.
    """
    with transaction.atomic():
        receivables.lock_customer(recipient.company, recipient.customer_id)
        held = (
            MailingRecipient.objects.select_for_update(of=("self",))
            .select_related(
                "company", "customer", "mailing__campaign", "mailing__segment", "mailing__offer__discount",
                "subscription__company", "subscription__customer__company",
            )
            .get(pk=recipient.pk)
        )  # fmt: skip
        if held.accepted_at is not None:
            return held
        offer = check_open(held, at=at)
        assert held.subscription is not None
        before = Movement.objects.filter(customer_id=held.customer_id).aggregate(last=Max("pk"))
        held.movement_mark = before["last"] or 0
        result = _give(held, by=by, at=at, token=preview_token)
        held.agreed = held.subscription.discounts.filter(discount=offer.discount).latest("pk")
        held.accepted_at = at
        held.clicked_at = held.clicked_at or at
        held.save(update_fields=["agreed", "accepted_at", "clicked_at", "movement_mark"])
        _tell(held, offer, result, by=by, at=at)
    return held


def _give(recipient: MailingRecipient, *, by: Actor, at: datetime, token: str | None) -> ActResult:
    assert recipient.subscription is not None and recipient.mailing.offer is not None
    return acts_discounting.give(
        subscription=recipient.subscription, discount=recipient.mailing.offer.discount, by=by, at=at,
        preview_token=token,
    )  # fmt: skip


def _tell(recipient: MailingRecipient, offer: Offer, result: ActResult, *, by: Actor, at: datetime) -> None:
    mailing, subscription, agreed = recipient.mailing, recipient.subscription, recipient.agreed
    assert subscription is not None and agreed is not None
    facts = {
        "id": mailing.ref, "name": mailing.name, "campaign": mailing.campaign.ref, "segment": mailing.segment.ref,
        "offer": offer.ref, "discount": agreed.ref, "subscription": subscription.ref, "mrr_before": result.mrr_before,
        "mrr_after": result.mrr_after,
    }  # fmt: skip
    common: dict[str, Any] = {
        "company_id": recipient.company_id, "at": at, "subject_kind": "subscription", "subject_id": subscription.pk,
        "customer_id": recipient.customer_id,
    }  # fmt: skip
    trail.audit(by=by, verb="mailing.accept_offer", facts=facts, **common)
    trail.emit(type="mailing.offer_accepted", data=facts, **common)
