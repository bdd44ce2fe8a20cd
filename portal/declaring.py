"""A cancellation declared without signing in: received and confirmed at once, matched by staff.

The answer is the same whether or not the contract is known here, so nobody can find out who is a customer. Legal
ground: § 312k BGB (Germany), Art. L215-1-1 Code de la consommation (France).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.conf import settings
from django.db import transaction
from django.urls import reverse
from django.utils.translation import get_language, override
from django.utils.translation import gettext as _

from billing.models import Invoice
from core import clock
from core.design import formats
from core.models import Company
from customers.models import Customer, Message
from customers.services import mail_texts, messages
from portal import receipts
from portal.cancelling import to_the_second
from subscriptions.models import Subscription

RECEIPT = receipts.DECLARED
FOR_STAFF = receipts.DECLARED_TO_STAFF
_NUMBERED = re.compile(r"(SUB|CUS)-0*(\d{1,18})", re.IGNORECASE)


def declare(*, company: Company, said: Mapping[str, Any], at: datetime) -> Message:
    """Writes the receipt to the declarer and a message to staff, both or neither; the receipt.

    `said` holds kind, cause, name, contract, when, ends_on, email as `forms.PublicCancelForm` cleans them.
    """
    customer = customer_named(company, said["contract"], said["email"])
    moment = to_the_second(at, company.time_zone)
    language = get_language() or company.language
    values = {"declared": "\n".join(lines(said, moment)), "address": receipts.address(company)}
    mail = mail_texts.compose(company=company, name=RECEIPT, language=language, facts=values)
    with transaction.atomic():
        receipt = messages.write(
            company=company,
            # What is sent to a stranger's address is no part of a customer's story.
            customer=None,
            template=RECEIPT,
            category="legal",
            language=language,
            subject=mail.subject,
            body=mail.body,
            recipients=[said["email"]],
            at=at,
        )
        _tell_staff(company, customer, said, moment, receipt, at=at)
    return receipt


def _tell_staff(
    company: Company, customer: Customer | None, said: Mapping[str, Any], moment: str, receipt: Message, *, at: datetime
) -> None:
    """The mail to the company's own address, in its language: what was declared, and whom it seems to be about."""
    with override(company.language):
        about, link = _("No contract was found by what they wrote; please look."), ""
        if customer is not None:
            about = _("It seems to be about %(name)s (%(number)s).") % {
                "name": customer.name, "number": customer.number,
            }  # fmt: skip
            link = settings.SITE_URL + reverse("backoffice:customer", args=[customer.ref])
        values = {"name": said["name"], "about": about, "declared": "\n".join(lines(said, moment)), "link": link}
    mail = mail_texts.compose(company=company, name=FOR_STAFF, language=company.language, facts=values)
    messages.write(
        company=company, customer=customer, template=FOR_STAFF, language=company.language, subject=mail.subject,
        body=mail.body, recipients=[company.email], subject_kind="message", subject_id=receipt.pk, at=at,
    )  # fmt: skip


def lines(said: Mapping[str, Any], moment: str) -> list[str]:
    """What was declared, one line each."""
    kinds = {"ordinary": _("ordinary"), "extraordinary": _("extraordinary, for good cause")}
    end = formats.day(said["ends_on"], style="long") if said["when"] == "date" else _("as early as possible")
    declared = [
        _("Received: %(moment)s") % {"moment": moment},
        _("Kind: %(kind)s") % {"kind": kinds[said["kind"]]},
        _("Name: %(name)s") % {"name": said["name"]},
        _("Contract: %(contract)s") % {"contract": said["contract"]},
        _("End: %(end)s") % {"end": end},
        _("E-mail: %(email)s") % {"email": said["email"]},
    ]
    if said["cause"]:
        declared.append(_("Cause: %(cause)s") % {"cause": said["cause"]})
    return declared


def customer_named(company: Company, contract: str, email: str) -> Customer | None:
    """The customer meant by a number in the text, else by the address; None unless exactly one fits."""
    rows = Customer.objects.filter(company=company)
    numbered = _NUMBERED.search(contract)
    if numbered:
        kind, pk = numbered[1].upper(), int(numbered[2])
        if kind == "CUS":
            return rows.filter(pk=pk).first()
        row = Subscription.objects.filter(company=company, pk=pk).select_related("customer").first()
        return row.customer if row else None
    invoice = Invoice.objects.filter(company=company, number=contract.strip()).select_related("customer").first()
    if contract.strip() and invoice:
        return invoice.customer
    found = list(rows.filter(email__iexact=email)[:2])
    return found[0] if len(found) == 1 else None


def now(company: Company) -> datetime:
    """When it arrives, by the company's clock."""
    return clock.now(company)
