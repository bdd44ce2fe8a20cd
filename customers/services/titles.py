"""What the timeline calls each event and act. An upper room may add its own; an unknown one is read from its name."""

from __future__ import annotations

from collections.abc import Mapping

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

_TITLES: dict[str, str | Promise] = {
    "customer.created": _("Customer created"),
    "customer.updated": _("Customer changed"),
    "customer.archived": _("Customer archived"),
    "customer.restored": _("Customer restored"),
    "customer.merged": _("Merged with another customer"),
    "customer.merge": _("Merged with another customer"),
    "customer.found_apart": _("Found to be two customers"),
    "customer.keep_apart": _("Found to be two customers"),
    "customer.erased": _("Personal data erased"),
    "customer.export": _("All data exported"),
    "customer.set_address": _("Address changed"),
    "customer.check_vat_id": _("VAT id asked about"),
    "customer.vat_checked": _("VAT id checked"),
    "note.added": _("Note"),
    "contact.added": _("Contact added"),
    "contact.updated": _("Contact changed"),
    "contact.archived": _("Contact archived"),
    "contact.invited": _("Contact invited to the portal"),
    "subscription.scheduled": _("Subscription agreed, starts later"),
    "subscription.started": _("Subscription started"),
    "subscription.trialing": _("Trial started"),
    "subscription.converted": _("Trial over, goes on paid"),
    "subscription.renewed": _("Subscription renewed"),
    "subscription.term_over": _("Term over, goes on without one"),
    "subscription.paused": _("Subscription paused"),
    "subscription.one_off_added": _("One-off charge added"),
    "subscription.one_off_canceled": _("One-off charge canceled"),
    "subscription.one_off_moved": _("One-off charge moved to another day"),
    "subscription.one_off_due": _("One-off charge billed early"),
    "subscription.end_planned": _("Cancellation planned"),
    "subscription.end_undone": _("Cancellation taken back"),
    "subscription.canceled": _("Subscription ended after cancellation"),
    "subscription.expired": _("Subscription ended with its term"),
    "subscription.discount": _("A discount began or ended"),
    "subscription.discount_give": _("Discount given"),
    "subscription.discount_end": _("Discount taken back"),
    "subscription.discount_over": _("Discount used up"),
    "discount.given": _("Discount given"),
    "discount.taken_back": _("Discount taken back"),
    "usage.threshold_passed": _("Usage passed a threshold"),
    "usage.set_thresholds": _("Usage thresholds set"),
    "usage.import": _("Usage sent as a file"),
    "meter.created": _("Meter made"),
    "meter.updated": _("Meter changed"),
    "meter.archived": _("Meter archived"),
    "meter.restored": _("Meter restored"),
    "invoice.issued": _("Invoice issued"),
    "tax.update": _("Table of tax rates brought up to date"),
    "tax_rate.set": _("Tax rate entered"),
    "tax_rate.correct": _("Tax rate corrected"),
    "tax_rate.correct_documents": _("Documents corrected after a tax rate"),
    "invoice.vat_unchecked": _("Invoice issued with the VAT id still unchecked"),
    "invoice.issue_unchecked": _("Invoice issued with the VAT id still unchecked"),
    "invoice.voided": _("Invoice voided"),
    "invoice.paid": _("Invoice paid"),
    "invoice.written_off": _("Invoice written off"),
    "invoice.draft": _("Draft invoice written"),
    "invoice.update_draft": _("Draft invoice changed"),
    "invoice.delete_draft": _("Draft invoice deleted"),
    "credit_note.issued": _("Credit note issued"),
    "payment.recorded": _("Payment received"),
    "payment.allocated": _("Payment allocated"),
    "payment.taken_back": _("Payment taken back"),
    "credit.applied": _("Credit used"),
    "credit.granted": _("Credit granted"),
    "credit.reversed": _("Granted credit taken back"),
    "credit.lapsed": _("Credit lapsed"),
    "refund.created": _("Refund planned"),
    "refund.settled": _("Refund paid"),
}

_REASONS: dict[str, str | Promise] = {}


def register(titles: Mapping[str, str | Promise]) -> None:
    """Gives event types and verbs their words."""
    _TITLES.update(titles)


def register_reasons(reasons: Mapping[str, str | Promise]) -> None:
    """Gives reason codes their words."""
    _REASONS.update(reasons)


def reason_of(reason: str) -> str:
    """The words of a reason code; a sentence somebody wrote stays as it is.

    >>> reason_of("the pipe burst")
    'the pipe burst'
    """
    return str(_REASONS.get(reason, reason))


def title_of(name: str) -> str:
    """The words of an event type or a verb.

    >>> title_of("parcel.sent_back")
    'Parcel: sent back'
    """
    known = _TITLES.get(name)
    if known is not None:
        return str(known)
    noun, _dot, what = name.partition(".")
    return f"{noun.replace('_', ' ').capitalize()}: {what.replace('_', ' ')}"
