"""The paper of a quote: a PDF in its language, made once from the frozen content.

The rule that matters: nothing is added up here; sums are those the engine found when the quote was sent.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date
from typing import Any

from django.template.loader import render_to_string
from django.utils.translation import gettext as _
from django.utils.translation import override, pgettext

from billing.documents import layout
from billing.documents.content import logo_of
from billing.documents.figures import Figures
from billing.documents.words import Fact
from core.models import Company, StoredFile
from core.refusal import Refused
from core.services import files
from crm.models import Quote
from crm.services import quote_content
from customers.services import messages

LAYOUT = "2026-1"


def pdf_of(quote: Quote) -> StoredFile:
    """The PDF of a quote that was sent; made now if nobody needed it before. Refuses content that was altered."""
    if quote.pdf is not None:
        return quote.pdf
    content = checked_content(quote)
    stored = files.store(
        company_id=quote.company_id, name=file_name(quote), media_type="application/pdf",
        content=render(content, quote.company), is_public=True,
    )  # fmt: skip
    # The same content gives the same bytes and so the same row: whoever comes second changes nothing.
    Quote.objects.filter(pk=quote.pk, pdf__isnull=True).update(pdf=stored)
    quote.pdf = stored
    return stored


@messages.attachment("quote")
def by_id(quote_id: int) -> StoredFile:
    """The PDF to attach to a mail."""
    return pdf_of(Quote.objects.select_related("company", "pdf").get(pk=quote_id))


def file_name(quote: Quote) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", quote.label).strip("-.") + ".pdf"


def checked_content(quote: Quote) -> dict[str, Any]:
    """The frozen content, if it is still what was sent. Refuses a draft and one that was altered."""
    if quote.content is None or quote_content.hash_of(quote.content) != quote.content_hash:
        raise Refused("quote.altered", number=quote.label)
    return dict(quote.content)


def render(content: Mapping[str, Any], company: Company) -> bytes:
    """The bytes of the PDF, the same for the same content."""
    # Loading the PDF engine takes a second; only those who print do it.
    from billing.documents import press

    logo = logo_of(company.pk, content["seller"])
    with override(content["language"]):
        html = render_to_string(f"documents/{LAYOUT}/quote.html", sheet(content, has_logo=logo is not None))
    digest = bytes.fromhex(quote_content.hash_of(dict(content)))
    return press.pdf_of(html, template=LAYOUT, identifier=digest[:16], logo=logo)


def sheet(content: Mapping[str, Any], *, has_logo: bool) -> dict[str, Any]:
    """Everything the template prints; texts only, in the active language."""
    seller, buyer = content["seller"], content["buyer"]
    figures = Figures(content["language"], content["currency"])
    name = _("Quote %(number)s") % {"number": content["number"]}
    return {
        "language": content["language"],
        "name": name,
        "issued_on": content["on"],
        **layout.letterhead(seller, buyer, figures),
        "is_test": content["is_test"],
        "running_head": " · ".join((name, figures.day(content["on"]), buyer["name"])),
        "has_logo": has_logo,
        "facts": _facts(content, figures),
        "title": content["title"],
        "intro": content["intro"],
        "closing": content["closing"],
        "positions": positions(content, figures),
        "discounts": content["discounts"],
        "terms": content["terms"],
        "sums": sums(content["cost"], figures),
        "options_note": any(one["is_optional"] for one in content["positions"]),
    }


def _facts(content: Mapping[str, Any], figures: Figures) -> list[Fact]:
    start = content["start_on"]
    facts = [
        Fact(pgettext("of a quote", "Number"), content["number"]),
        Fact(_("Date"), figures.day(content["on"])),
        Fact(_("Valid until"), figures.day(content["valid_until"])),
        Fact(_("Start"), figures.day(start) if start else _("on acceptance")),
    ]
    if content["buyer"]["vat_id"]:
        facts.append(Fact(_("Your VAT id"), content["buyer"]["vat_id"]))
    return facts


def positions(content: Mapping[str, Any], figures: Figures) -> list[dict[str, Any]]:
    """The positions as page and paper show them."""
    return [
        {
            **one,
            "place": str(place),
            "shown_quantity": "" if one["quantity"] is None else figures.quantity(one["quantity"]),
            "details": [text for text in (one["description"], *one["price_rows"]) if text],
        }
        for place, one in enumerate(content["positions"], start=1)
    ]


def sums(cost: Mapping[str, Any], figures: Figures) -> list[dict[str, Any]]:
    """What is paid on acceptance, and the invoices after it, as the engine found them."""
    rows = []
    for one in cost["now"]:
        due = _("due on %(day)s") % {"day": figures.day(one["due_on"])} if one["due_on"] else ""
        rows.append(_sum(_("On acceptance"), due, one, figures))
    if not rows:
        rows.append(
            {"label": _("On acceptance"), "note": _("nothing"), "net": "", "tax": "", "gross": figures.money(0)}
        )
    for one in cost["next"][:2]:
        label = _("Next invoice on %(day)s") % {"day": figures.day(date.fromisoformat(one["on"]))}
        rows.append(_sum(label, "", one, figures))
    return rows


def _sum(label: str, note: str, one: Mapping[str, Any], figures: Figures) -> dict[str, Any]:
    return {
        "label": label, "note": note, "net": figures.money(one["net"]), "tax": figures.money(one["tax"]),
        "gross": figures.money(one["gross"]),
    }  # fmt: skip
