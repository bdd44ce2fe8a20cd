"""What granted and prepaid credit took off a line, what came back to it, and what a person changed.

Made from the line's stored calculation alone. `Figures` prints; the active language is the reader's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext as _

from billing.documents.figures import Figures


def edited_texts(calculation: Mapping[str, Any], figures: Figures) -> list[str]:
    """That a person set the amount of a line that billing wrote."""
    edited = calculation.get("edited")
    if not edited:
        return []
    words = {
        "amount": figures.money(edited["amount_minor"]),
        "before": figures.money(edited["from_minor"]),
        "reason": edited.get("reason", ""),
    }
    if words["reason"]:
        return [_("Set by hand to %(amount)s, instead of %(before)s: %(reason)s") % words]
    return [_("Set by hand to %(amount)s, instead of %(before)s.") % words]


def credit_texts(calculation: Mapping[str, Any], figures: Figures) -> list[str]:
    """What credit lowered, or what of it comes back with a credit note."""
    lowers = {
        "granted": _("Granted credit lowers it by %(amount)s."),
        "prepaid": _("Prepaid credit lowers it by %(amount)s."),
    }
    returns = {
        "granted": _("Granted credit of %(amount)s comes back."),
        "prepaid": _("Prepaid credit of %(amount)s comes back."),
    }
    return [
        words[row["source"]] % {"amount": figures.money(row["amount_minor"])}
        for name, words in (("allowances", lowers), ("credit_back", returns))
        for row in calculation.get(name, ())
    ]


def pack_texts(calculation: Mapping[str, Any], figures: Figures) -> list[str]:
    """What credit a line sells, and until when it can be used."""
    pack = calculation.get("pack")
    if not pack:
        return []
    words = {"amount": figures.money(pack["amount_minor"]), "currency": figures.currency}
    if not pack.get("expires_on"):
        return [_("Credit of %(amount)s, without tax, to be used on later invoices.") % words]
    words["day"] = figures.day(pack["expires_on"])
    return [_("Credit of %(amount)s, without tax, to be used on later invoices until %(day)s.") % words]
