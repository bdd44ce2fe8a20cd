"""What the timeline calls each event and act. An upper room may add its own; an unknown one is read from its name."""

from __future__ import annotations

from collections.abc import Mapping

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

_TITLES: dict[str, str | Promise] = {
    "company.update": _("Settings of the company changed"),
    "key.issue": _("API key issued"),
    "key.revoke": _("API key revoked"),
    "member.add": _("Colleague added"),
    "member.change_role": _("Role of a colleague changed"),
    "member.remove": _("Colleague removed"),
    "role.save": _("Role saved"),
    "webhook_endpoint.create": _("Webhook endpoint made"),
    "webhook_endpoint.update": _("Webhook endpoint changed"),
    "webhook_endpoint.disable": _("Webhook endpoint switched off"),
    "webhook_endpoint.enable": _("Webhook endpoint switched on"),
    "webhook_endpoint.rotate_secret": _("Secret of a webhook endpoint replaced"),
    "webhook_endpoint.test": _("Webhook endpoint tested"),
    "webhook_endpoint.resend": _("Webhook sent again"),
    "webhook_endpoint.resend_since": _("Webhooks of a time sent again"),
    "tick.run": _("Timetable: run by hand"),
    "campaign.create": _("Campaign made"),
    "campaign.update": _("Campaign changed"),
    "campaign.archive": _("Campaign archived"),
    "discount.create": _("Discount made"),
    "discount.update": _("Discount changed"),
    "discount.archive": _("Discount archived"),
    "offer_code.create": _("Offer code made"),
    "offer_code.update": _("Offer code changed"),
    "offer_code.archive": _("Offer code archived"),
    "plan.create": _("Plan made"),
    "plan.update": _("Plan changed"),
    "plan.publish": _("Plan put on sale"),
    "plan.retire": _("Plan taken off sale"),
    "price.add": _("Price added"),
    "product.create": _("Product made"),
    "product.update": _("Product changed"),
    "product.archive": _("Product archived"),
    "product.restore": _("Product restored"),
    "customer.create": _("Customer created"),
    "customer.created": _("Customer created"),
    "customer.update": _("Customer changed"),
    "customer.updated": _("Customer changed"),
    "customer.archive": _("Customer archived"),
    "customer.archived": _("Customer archived"),
    "customer.restore": _("Customer restored"),
    "customer.restored": _("Customer restored"),
    "customer.merged": _("Merged with another customer"),
    "customer.merge": _("Merged with another customer"),
    "customer.found_apart": _("Found to be two customers"),
    "customer.keep_apart": _("Found to be two customers"),
    "customer.erase": _("Personal data erased"),
    "customer.erased": _("Personal data erased"),
    "customer.export": _("All data exported"),
    "customer.set_address": _("Address changed"),
    "customer.check_vat_id": _("VAT id asked about"),
    "customer.vat_checked": _("VAT id checked"),
    "customer.allow_marketing": _("Consent to advertising given"),
    "customer.withdraw_marketing": _("Consent to advertising withdrawn"),
    "note.add": _("Note written"),
    "note.added": _("Note"),
    "note.archive": _("Note archived"),
    "contact.add": _("Contact added"),
    "contact.added": _("Contact added"),
    "contact.update": _("Contact changed"),
    "contact.updated": _("Contact changed"),
    "contact.archive": _("Contact archived"),
    "contact.archived": _("Contact archived"),
    "contact.invite": _("Contact invited to the portal"),
    "contact.invited": _("Contact invited to the portal"),
    "contact.allow_marketing": _("Consent to advertising given"),
    "contact.withdraw_marketing": _("Consent to advertising withdrawn"),
    "mail_address.suppress": _("Address blocked"),
    "mail_address.lift": _("Block of an address lifted"),
    "mail_text.save": _("Mail text saved"),
    "mail_text.restore": _("Mail text put back as it was delivered"),
    "mail_text.trial": _("Mail text sent on trial"),
    "message.resend": _("Message sent again"),
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
    "tax.seed": _("Tax rates set up"),
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


def known() -> dict[str, str]:
    """The event types and verbs that have words, with their words."""
    return {name: str(words) for name, words in _TITLES.items()}


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
