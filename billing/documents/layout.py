"""A document's frozen content as the texts its template prints, every figure in the document's language.

Each line carries the sum up to and with it; the style sheet prints that sum where a page ends and the next begins,
so carried totals are right wherever the break falls.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import override, pgettext

from billing.documents import transfer_code, words
from billing.documents.content import Content
from billing.documents.explaining import facts_of, sentences
from billing.documents.figures import Figures, address_lines, town_lines
from billing.documents.words import Fact

ACCENT = re.compile(r"#[0-9a-fA-F]{6}")
#: Millimetres of a line in the address field, and of the zone above it in an envelope's window (DIN 5008, form B).
ADDRESS_LINE, WINDOW_HEAD, WINDOW_LINES = 4.35, 17.7, 6
LONG_WORD = 14


@dataclass(frozen=True, slots=True)
class Row:
    """One printed line. `carried` and `brought` are the running sum in words."""

    position: str
    description: str
    details: list[str]
    quantity: str
    unit_amount: str
    tax: str
    amount: str
    carried: str
    brought: str
    has_long_word: bool


def sheet(content: Content) -> dict[str, Any]:
    """Everything the template prints; texts only, made in the document's language."""
    body, seller = content.body, content.seller
    figures = Figures(body["language"], body["currency"])
    with override(body["language"]):
        title = words.title(body)
        name = f"{title} {body['number']}"
        return {
            "language": body["language"],
            "title": title,
            "name": name,
            "number": body["number"],
            "issued_on": body["issued_on"],
            **letterhead(seller, body["buyer"], figures),
            "is_test": bool(body.get("is_test")),
            "running_head": " · ".join((name, figures.day(body["issued_on"]), body["buyer"]["name"])),
            "has_logo": content.logo is not None,
            "facts": _facts(body, figures),
            "opening": _opening(body, figures),
            "reason": body.get("reason", ""),
            "is_gross": body["tax_behavior"] == "inclusive",
            "shows_tax": words.shows_tax(body, seller),
            # A credit note gives back amounts, not units at a price.
            "shows_price": any(line.get("unit_amount") is not None for line in body["lines"]),
            "tax_name": words.tax_name(seller),
            "currency": body["currency"],
            "rows": _rows(body, figures),
            "totals": _totals(body, seller, figures),
            "payment": words.payment_note(body, seller, figures),
            "bank": [] if body.get("debit") else words.bank_facts(body, seller),
            "code": "" if body.get("debit") else transfer_code.drawn(transfer_code.of_invoice(body, seller)),
            "notes": _notes(body, seller, figures),
            "closing": words.footer_text(seller, body["language"]),
        }


def letterhead(seller: Mapping[str, Any], buyer: Mapping[str, Any], figures: Figures) -> dict[str, Any]:
    """Who writes to whom, as every sheet says it: above, in the envelope's window and at the foot."""
    window = [buyer["name"], *address_lines(buyer, home=seller["country"], figures=figures)]
    return {
        "accent": seller["accent"] if ACCENT.fullmatch(seller.get("accent") or "") else "#3b5bdb",
        "seller_name": seller["name"] or seller["legal_name"],
        "legal_name": seller["legal_name"],
        "sender": " · ".join([seller["legal_name"], *seller.get("address_lines", ()), *town_lines(seller)]),
        "window": window,
        "window_head": _window_head(window),
        "footer": _footer(seller, buyer, figures),
    }


def _window_head(window: Sequence[str]) -> str:
    """Height of the zone above the address, in mm: a long address grows upwards, so the last line stays in view."""
    extra = max(0, len(window) - WINDOW_LINES)
    return f"{max(4.5, WINDOW_HEAD - extra * ADDRESS_LINE):.2f}"


def _facts(body: Mapping[str, Any], figures: Figures) -> list[Fact]:
    is_invoice = body["kind"] == "invoice"
    facts = [
        Fact(_("Invoice number") if is_invoice else _("Number"), body["number"]),
        Fact(_("Date"), figures.day(body["issued_on"])),
    ]
    periods = _periods(body)
    if len(periods) == 1:
        (start, end) = next(iter(periods))
        if start and end:
            facts.append(Fact(_("Service period"), figures.period(start, end)))
    if is_invoice and body.get("payment_due_on"):
        facts.append(Fact(_("Due on"), figures.day(body["payment_due_on"])))
    terms = body.get("terms")
    if terms:
        days = _("End of month + %(days)s days") % {"days": terms["days"]}
        facts.append(Fact(_("Payment terms"), days))
    if body.get("corrects"):
        facts.append(Fact(_("Corrects invoice"), body["corrects"]["number"]))
    if body.get("replaces"):
        facts.append(Fact(_("Replaces invoice"), body["replaces"]["number"]))
    facts.append(Fact(_("Customer number"), body["buyer"]["number"]))
    if body["buyer"].get("vat_id"):
        facts.append(Fact(_("Your VAT id"), body["buyer"]["vat_id"]))
    if body.get("po_reference"):
        facts.append(Fact(_("Your reference"), body["po_reference"]))
    subscriptions = sorted({line["subscription"] for line in body["lines"] if line.get("subscription")})
    if len(subscriptions) == 1:
        facts.append(Fact(_("Subscription"), subscriptions[0]))
    return facts


def _opening(body: Mapping[str, Any], figures: Figures) -> str:
    if not body.get("corrects"):
        return ""
    return _("This document corrects invoice %(number)s of %(day)s.") % {
        "number": body["corrects"]["number"],
        "day": figures.day(body["corrects"]["issued_on"]),
    }


def _rows(body: Mapping[str, Any], figures: Figures) -> list[Row]:
    carried, brought = _("Carried forward"), _("Brought forward")
    says_period = len(_periods(body)) > 1
    rows, running = [], 0
    for line in body["lines"]:
        running += line["amount"]
        total = figures.plain(running)
        details = _details(line, body, figures, says_period=says_period)
        quantity = _quantity(line, figures)
        rows.append(
            Row(
                position=str(line["position"]),
                description=line["description"],
                details=details,
                quantity=quantity,
                unit_amount=figures.unit_amount(line["unit_amount"]) if line.get("unit_amount") is not None else "",
                tax=figures.rate(str(line["tax_rate"])),
                amount=figures.plain(line["amount"]),
                carried=f"{carried}\u2003{total}",
                brought=f"{brought}\u2003{total}",
                has_long_word=has_long_word(line["description"], quantity, *details),
            )
        )
    return rows


def _quantity(line: Mapping[str, Any], figures: Figures) -> str:
    if line.get("quantity") is None:
        return ""
    unit = line.get("unit") or ""
    return f"{figures.quantity(line['quantity'])} {unit}".strip()


def has_long_word(*texts: str) -> bool:
    """Whether a word may be wider than its column. Breaking inside words is dear, so only such rows ask for it.

    >>> has_long_word("Turnus Team", "10"), has_long_word("Donaudampfschifffahrtsgesellschaft")
    (False, True)
    """
    return any(len(word) > LONG_WORD for text in texts for word in text.split())


def _periods(body: Mapping[str, Any]) -> set[tuple[str | None, str | None]]:
    return {(line.get("period_start"), line.get("period_end")) for line in body["lines"]}


def _details(line: Mapping[str, Any], body: Mapping[str, Any], figures: Figures, *, says_period: bool) -> list[str]:
    """Small print under a description: period, further words, and the steps the columns don't show."""
    details = []
    if says_period and line.get("period_start"):
        details.append(figures.period(line["period_start"], line["period_end"]))
    if line.get("detail"):
        details.append(line["detail"])
    steps = sentences(facts_of(line), body["language"], body["currency"])
    shown = {sentence.step for sentence in steps} & {"usage", "share", "full", "part", "credit"}
    told = [sentence.text for sentence in steps if sentence.step in shown]
    if "share" in shown:
        told = [sentence.text for sentence in steps if sentence.step == "price"] + told
    if told:
        details.append(" ".join(told))
    details += [s.text for s in steps if s.step in ("discount", "edited", "allowance", "pack")]
    return details


@dataclass(frozen=True, slots=True)
class Total:
    """A row under the lines; `weight` is plain, strong or small."""

    label: str
    value: str
    weight: str = "plain"


def _totals(body: Mapping[str, Any], seller: Mapping[str, Any], figures: Figures) -> list[Total]:
    taxes = [
        (words.tax_label(row, seller, figures), figures.money(row["base"]), figures.money(row["tax"]))
        for row in body["tax_rows"]
    ]
    is_credit = body["kind"] == "credit_note"
    grand = Total(_("Total credit") if is_credit else _("Total"), figures.money(body["gross"]), "strong")
    if not words.shows_tax(body, seller):
        totals = [grand]
    elif body["tax_behavior"] == "inclusive":
        totals = [grand]
        for label, base, tax in taxes:
            words_of_tax = _("including %(tax)s on %(base)s net") % {"tax": label, "base": base}
            totals.append(Total(words_of_tax, tax, "small"))
        totals.append(Total(_("Total without tax"), figures.money(body["net"]), "small"))
    else:
        totals = [Total(_("Total without tax"), figures.money(body["net"]))]
        for label, base, tax in taxes:
            totals.append(Total(_("%(tax)s on %(base)s") % {"tax": label, "base": base}, tax))
        totals.append(grand)
    if body.get("tax_currency"):
        totals.append(_tax_in_tax_currency(body["tax_currency"], body, seller, figures))
    if body.get("credit_used"):
        totals.append(Total(_("Paid from your account credit"), figures.money(-body["credit_used"])))
        totals.append(Total(_("Amount due"), figures.money(body["to_pay"]), "strong"))
    return totals


def _tax_in_tax_currency(
    fixed: Mapping[str, Any], body: Mapping[str, Any], seller: Mapping[str, Any], figures: Figures
) -> Total:
    """The tax once more in the currency it is reported in, with the rate it was fixed at."""
    theirs = Figures(body["language"], fixed["currency"])
    label = _("%(tax)s in %(currency)s (1 %(currency)s = %(rate)s %(own)s, %(day)s)") % {
        "tax": words.tax_name(seller),
        "currency": fixed["currency"],
        "rate": figures.quantity(str(fixed["rate"])),
        "own": body["currency"],
        "day": figures.day(fixed["on"]),
    }
    return Total(label, theirs.money(fixed["tax"]), "small")


def _notes(body: Mapping[str, Any], seller: Mapping[str, Any], figures: Figures) -> list[str]:
    supply = words.supply_note(body, seller)
    return [
        *words.tax_notes(body, seller, body["language"]),
        *([supply] if supply else []),
        *words.late_notes(body, seller, figures),
    ]


def _footer(seller: Mapping[str, Any], buyer: Mapping[str, Any], figures: Figures) -> list[list[str]]:
    """Columns at the foot of every page: who, how to reach, where to pay, how registered."""
    abroad = [figures.country(seller["country"])] if buyer["country"] != seller["country"] else []
    register = []
    if seller.get("vat_id"):
        register.append(_("VAT id %(number)s") % {"number": seller["vat_id"]})
    if seller.get("tax_number"):
        register.append(pgettext("of a company", "Tax number %(number)s") % {"number": seller["tax_number"]})
    if seller.get("register_entry"):
        register.append(seller["register_entry"])
    bank = []
    if seller.get("iban"):
        bank = [
            line for line in (seller.get("bank_name"), words.spaced_iban(seller["iban"]), seller.get("bic")) if line
        ]
    columns = [
        [seller["legal_name"], *seller.get("address_lines", ()), *town_lines(seller), *abroad],
        [line for line in (seller.get("phone"), seller.get("email"), _bare(seller.get("website") or "")) if line],
        bank,
        register,
    ]
    return [column for column in columns if column]


def _bare(website: str) -> str:
    return re.sub(r"^https?://", "", website).rstrip("/")
