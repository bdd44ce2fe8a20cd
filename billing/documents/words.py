"""What the law and good manners put on a document, in its own language.

Labels stand in the template; here are the sentences that depend on the parties, the tax and the country.
Statutory phrases come from `law.toml` in the seller's language and stand beside their translation.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from babel.numbers import format_decimal
from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from billing.documents import law
from billing.documents.figures import Figures
from core.design import formats
from pricing import remittance
from pricing.taxes import EU_MEMBERS

#: Countries whose documents must show a tax even when it is none.
VAT_COUNTRIES = EU_MEMBERS | {"GB", "CH", "NO", "IS", "LI"}


@dataclass(frozen=True, slots=True)
class Fact:
    """A label with its value."""

    label: str
    value: str


def title(body: Mapping[str, Any]) -> str:
    """The document's name. A German "Gutschrift" is another thing (§ 14 Abs. 2 UStG), hence the context."""
    if body["kind"] == "credit_note":
        # Translators: de "Rechnungskorrektur", fr "Avoir", it "Nota di credito", es "Factura rectificativa".
        return pgettext("document title", "Credit note")
    # Translators: de "Rechnung", fr "Facture", it "Fattura", es "Factura".
    return pgettext("document title", "Invoice")


def tax_name(seller: Mapping[str, Any]) -> str:
    """What the tax is called where the seller is."""
    # Translators: de "USt.", fr "TVA", it "IVA", es "IVA".
    return pgettext("tax name", "VAT") if seller["country"] in VAT_COUNTRIES else pgettext("tax name", "Tax")


def tax_label(row: Mapping[str, Any], seller: Mapping[str, Any], figures: Figures) -> str:
    """A row of the tax breakdown: "VAT 19%"."""
    return _("%(tax)s %(rate)s") % {"tax": tax_name(seller), "rate": figures.rate(str(row["rate"]))}


def shows_tax(body: Mapping[str, Any], seller: Mapping[str, Any]) -> bool:
    """Whether the document speaks of tax at all: not where none is charged and none could be."""
    return bool(body["tax"]) or seller["country"] in VAT_COUNTRIES


def tax_notes(body: Mapping[str, Any], seller: Mapping[str, Any], language: str) -> list[str]:
    """Why a part of the document bears no tax: once per reason, as the directive and the country want it said."""
    if not shows_tax(body, seller):
        return []
    on = date.fromisoformat(body["issued_on"])
    notes: list[str] = []
    for row in body["tax_rows"]:
        for note in _tax_note(row, body, seller, on):
            if note and note not in notes:
                notes.append(note)
    return notes


def _tax_note(row: Mapping[str, Any], body: Mapping[str, Any], seller: Mapping[str, Any], on: date) -> list[str]:
    category, reason, home = row["category"], row.get("reason", ""), seller["country"]
    if reason == "small_business":
        return [
            law.phrase(home, "small_business", on),
            _("No VAT is charged under the seller's small-business scheme."),
        ]
    if category == "AE":
        # Translators: the law fixes the first words. de "Steuerschuldnerschaft des Leistungsempfängers",
        # fr "Autoliquidation", it "Inversione contabile", es "Inversión del sujeto pasivo".
        own = _("Reverse charge")
        statutory = law.phrase(home, "reverse_charge", on)
        return [
            _("%(statutory)s: VAT is due from the recipient (Art. 44 and 196, Directive 2006/112/EC).")
            % {"statutory": own if statutory in ("", own) else f"{own} / {statutory}"}
        ]
    if category == "K":
        return [_("Intra-Community supply, exempt from VAT (Art. 138, Directive 2006/112/EC).")]
    if category == "G":
        return [_("Export, exempt from VAT (Art. 146, Directive 2006/112/EC).")]
    if category == "O":
        return [
            _(
                "Not subject to VAT: the place of supply is outside the seller's country"
                " (Art. 44, Directive 2006/112/EC)."
            )
        ]
    if category == "E":
        given = row.get("note") or row.get("text", "")
        return [_("Exempt from VAT: %(reason)s") % {"reason": given} if given else _("Exempt from VAT.")]
    return []


def supply_note(body: Mapping[str, Any], seller: Mapping[str, Any]) -> str:
    """When the supply was made, for lines that name no period."""
    if body["kind"] != "invoice" or seller["country"] not in VAT_COUNTRIES:
        return ""
    if all(line.get("period_start") for line in body["lines"]):
        return ""
    return _("Where no period is stated, the date of supply is the invoice date.")


def late_notes(body: Mapping[str, Any], seller: Mapping[str, Any], figures: Figures) -> list[str]:
    """What follows from paying late, where the law wants it printed. Credit notes say nothing of it."""
    if body["kind"] != "invoice":
        return []
    home, on = seller["country"], date.fromisoformat(body["issued_on"])
    if body["buyer"].get("kind") == "person":
        days = law.consumer_default_days(home, on)
        if days is None:
            return []
        return [
            _(
                "You are in default at the latest %(days)d days after this invoice was due and received,"
                " even without a reminder."
            )
            % {"days": days}
        ]
    rule = law.late_payment(home, on)
    if rule is None or not rule.is_printed:
        return []
    words = {
        "points": format_decimal(Decimal(rule.points), locale=formats.locale_of(figures.language)),
        "compensation": Figures(figures.language, rule.currency).money(int(Decimal(rule.compensation) * 100)),
    }
    notes = [
        _(
            "Late payment: interest at the refinancing rate of the European Central Bank plus %(points)s percentage"
            " points, and a fixed compensation of %(compensation)s for recovery costs."
        )
        % words
    ]
    no_discount = law.phrase(home, "no_discount", on)
    if no_discount:
        # Translators: fr "Pas d'escompte pour paiement anticipé."
        own = _("No discount for early payment.")
        notes.append(own if own == no_discount else f"{own} / {no_discount}")
    return notes


def payment_note(body: Mapping[str, Any], seller: Mapping[str, Any], figures: Figures) -> str:
    """What is to be paid until when, or that nothing is."""
    if body["kind"] == "credit_note":
        return _credit_note(body, figures)
    if body.get("is_test"):
        return _("This is a test document: nothing is to be paid.")
    to_pay = body.get("to_pay", body["gross"])
    if not to_pay:
        if body.get("credit_used"):
            return _("Nothing is left to pay: your account credit covered this invoice.")
        return _("Nothing is to be paid.")
    debit = body.get("debit")
    if debit:
        return _(
            "%(amount)s will be collected from your account ending in %(account)s on %(day)s by direct debit"
            " (mandate %(reference)s, creditor identifier %(creditor)s). Please don't pay it yourself."
        ) % {
            "amount": figures.money(to_pay),
            "account": debit["account"],
            "day": figures.day(debit["on"]),
            "reference": debit["reference"],
            "creditor": debit["creditor_id"],
        }
    words = {"amount": figures.money(to_pay), "day": figures.day(body["payment_due_on"]), "number": body["number"]}
    if body["payment_due_on"] <= body["issued_on"]:
        text = _("Please pay %(amount)s at once, quoting %(number)s.")
    else:
        text = _("Please pay %(amount)s by %(day)s, quoting %(number)s.")
    return text % words


def _credit_note(body: Mapping[str, Any], figures: Figures) -> str:
    """What becomes of the amount given back."""
    settled, rest = body.get("settled", 0), body.get("to_account", 0)
    if settled and rest:
        return _(
            "%(settled)s lowers what is still due on that invoice, %(rest)s is kept as credit on your account or"
            " paid back."
        ) % {"settled": figures.money(settled), "rest": figures.money(rest)}
    if settled:
        return _("The amount lowers what is still due on that invoice.")
    return _("The amount is kept as credit on your account or paid back.")


def footer_text(seller: Mapping[str, Any], language: str, fallback: str = "en") -> str:
    """The company's own closing words in the document's language, else in the first it has."""
    texts = seller.get("footer") or {}
    return str(texts.get(language) or texts.get(fallback) or next(iter(texts.values()), ""))


def bank_facts(body: Mapping[str, Any], seller: Mapping[str, Any]) -> list[Fact]:
    """Where to transfer the money to; nothing where none is to come."""
    if (
        body["kind"] != "invoice"
        or body.get("is_test")
        or not body.get("to_pay", body["gross"])
        or not seller.get("iban")
    ):
        return []
    facts = [
        Fact(_("Account holder"), seller["legal_name"]),
        Fact(_("IBAN"), spaced_iban(seller["iban"])),
    ]
    if seller.get("bic"):
        facts.append(Fact(_("BIC"), seller["bic"]))
    if seller.get("bank_name"):
        facts.append(Fact(_("Bank"), seller["bank_name"]))
    facts.append(Fact(_("Payment reference"), body["number"]))
    # For banks that ask for a structured reference instead; what is longer could be another invoice's, too.
    if body["currency"] == "EUR" and 0 < len(remittance.folded(body["number"])) <= remittance.MOST_REFERENCE:
        facts.append(Fact(_("Creditor reference"), spaced_iban(remittance.creditor_reference(body["number"]))))
    return facts


def spaced_iban(iban: str) -> str:
    """In groups of four, as people read it.

    >>> spaced_iban("DE89370400440532013000")
    'DE89 3704 0044 0532 0130 00'
    """
    plain = iban.replace(" ", "")
    return " ".join(plain[start : start + 4] for start in range(0, len(plain), 4))
