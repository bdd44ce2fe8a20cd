"""The statement of account on paper: a PDF in the customer's language, made anew whenever it is asked for.

The rule that matters: it is no document of the books; nothing is numbered or kept, and it says the day it was made.
"""

from __future__ import annotations

import hashlib
import json
import re
from datetime import date
from typing import Any

from django.template.loader import render_to_string
from django.utils.translation import gettext as _
from django.utils.translation import override

from billing.documents import layout
from billing.documents.figures import Figures
from billing.documents.words import Fact
from billing.services import customer_accounts
from billing.services.customer_accounts import Account
from billing.services.snapshots import seller_body
from core.models import Company, StoredFile
from customers.models import Address, Customer

LAYOUT = "2026-1"


def pdf_of(*, customer: Customer, currency: str, first: date, last: date, on: date, language: str = "") -> bytes:
    """The statement of account of these days. Refuses `account.days_reversed`; the same facts give the same bytes."""
    # Loading the PDF engine takes a second; only those who print do it.
    from billing.documents import press

    company = customer.company
    language = language or customer.language or company.language
    with override(language):
        account = customer_accounts.account_of(customer=customer, currency=currency, first=first, last=last)
        logo = _logo(company)
        html = render_to_string(
            f"documents/{LAYOUT}/account.html", sheet(account, on=on, language=language, has_logo=logo is not None)
        )
    return press.pdf_of(html, template=LAYOUT, identifier=hashlib.sha256(html.encode()).digest()[:16], logo=logo)


def file_name(customer: Customer, first: date, last: date) -> str:
    """As in `statement-K-0001-2026-01-01-2026-03-31.pdf`."""
    name = f"statement-{customer.number}-{first.isoformat()}-{last.isoformat()}"
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.") + ".pdf"


def sheet(account: Account, *, on: date, language: str, has_logo: bool) -> dict[str, Any]:
    """Everything the template prints; texts only, in the active language."""
    company, customer = account.customer.company, account.customer
    seller: dict[str, Any] = json.loads(seller_body(company))
    figures = Figures(language, account.currency)
    buyer = _buyer(customer, seller["country"])
    name = _("Statement of account")
    return {
        "language": language,
        "name": name,
        "issued_on": on.isoformat(),
        **layout.letterhead(seller, buyer, figures),
        "is_test": not company.is_live,
        "running_head": " · ".join((name, figures.day(on), customer.name)),
        "has_logo": has_logo,
        "facts": [
            Fact(_("Date"), figures.day(on)),
            Fact(_("From"), figures.day(account.first)),
            Fact(_("Up to and with"), figures.day(account.last)),
            Fact(_("Customer number"), customer.number),
            Fact(_("Currency"), account.currency),
        ],
        "opening_words": _balance_on(account.first, _("Balance before %(day)s"), figures),
        "opening": figures.plain(account.opening_minor),
        "rows": [_row(entry, figures) for entry in account.entries],
        "closing_words": _balance_on(account.last, _("Balance at the end of %(day)s"), figures),
        "closing": figures.plain(account.closing_minor),
        "meaning": _meaning(account.closing_minor, figures),
    }


def _row(entry: customer_accounts.Entry, figures: Figures) -> dict[str, str]:
    due = _("due on %(day)s") % {"day": figures.day(entry.due_on)} if entry.due_on else ""
    return {
        "day": figures.day(entry.on),
        "words": entry.words,
        "reference": entry.reference,
        "due": due,
        "charged": figures.plain(entry.amount_minor) if entry.amount_minor > 0 else "",
        "credited": figures.plain(-entry.amount_minor) if entry.amount_minor < 0 else "",
        "balance": figures.plain(entry.balance_minor),
    }


def _balance_on(day: date, words_of: str, figures: Figures) -> str:
    return words_of % {"day": figures.day(day)}


def _meaning(closing_minor: int, figures: Figures) -> str:
    if closing_minor > 0:
        return _("You owe us %(amount)s.") % {"amount": figures.money(closing_minor)}
    if closing_minor < 0:
        return _("You have a credit of %(amount)s.") % {"amount": figures.money(-closing_minor)}
    return _("Your account is settled.")


def _buyer(customer: Customer, home: str) -> dict[str, Any]:
    address = Address.objects.filter(
        company_id=customer.company_id, customer=customer, kind=Address.Kind.BILLING, replaced_at__isnull=True
    ).first()
    if address is None:
        return {"name": customer.name, "lines": [], "postal_code": "", "city": "", "region": "", "country": home}
    return {
        "name": customer.name, "recipient": address.recipient, "lines": list(address.lines),
        "postal_code": address.postal_code, "city": address.city, "region": address.region, "country": address.country,
    }  # fmt: skip


def _logo(company: Company) -> bytes | None:
    stored: StoredFile | None = company.logo
    return None if stored is None else stored.content
