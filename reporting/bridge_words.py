"""The closed list of causes of the monthly bridge, in an accountant's words; there is none for what is left over."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from django.utils.translation import gettext_lazy as _


@dataclass(frozen=True, slots=True)
class Cause:
    """`leg`: between which sums it lies; `facts`: the rows it is made of."""

    label: Any
    definition: Any
    leg: tuple[str, str]
    facts: str


@dataclass(frozen=True, slots=True)
class Sum:
    label: Any
    definition: Any


SUMS: Final[dict[str, Sum]] = {
    "mrr": Sum(
        _("MRR at the month's end"),
        _("Monthly recurring revenue: all movements booked up to the last day of the month, without tax."),
    ),
    "invoiced": Sum(
        _("Invoiced"),
        _("Invoices less credit notes issued in the month, without tax."),
    ),
    "booked": Sum(
        _("Booked as revenue"),
        _("What the month's postings on revenue accounts add up to."),
    ),
    "paid": Sum(
        _("Paid"),
        _("What the month's postings on bank accounts and accounts at payment providers add up to, fees deducted."),
    ),
}

_INVOICED = ("mrr", "invoiced")
_BOOKED = ("invoiced", "booked")
_PAID = ("booked", "paid")


def _lines(label: Any, definition: Any) -> Cause:
    return Cause(label, definition, _INVOICED, "lines")


def _positions(label: Any, definition: Any) -> Cause:
    return Cause(label, definition, _INVOICED, "positions")


def _notes(label: Any) -> Cause:
    return Cause(label, _("Lines of credit notes issued in the month, by what led to the note."), _INVOICED, "notes")


def _prepaid(label: Any, definition: Any) -> Cause:
    return Cause(label, definition, _BOOKED, "postings")


def _paid(label: Any, definition: Any) -> Cause:
    return Cause(label, definition, _PAID, "postings")


CAUSES: Final[dict[str, Cause]] = {
    "invoiced_before": _positions(
        _("Invoiced in an earlier month"),
        _("Positions that recur at the month's end and were invoiced for these days before: their monthly revenue."),
    ),
    "invoiced_later": _positions(
        _("Invoiced in a later month"),
        _("Positions whose last days of the month were invoiced after it, such as in arrears."),
    ),
    "draft": _positions(
        _("In a draft"), _("Positions whose last days of the month stand in an invoice not issued yet.")
    ),
    "cost_nothing": _positions(
        _("Period that costs nothing"),
        _("Positions whose period came to nothing after discounts, so that no invoice was issued."),
    ),
    "suspended": _positions(
        _("Suspended"), _("Positions suspended at the month's end: they count as recurring but aren't invoiced.")
    ),
    "not_yet": _positions(
        _("Not invoiced yet"),
        _(
            "Positions whose last days of the month are on no invoice: in arrears, in their days of grace, given back"
            " while they still counted, or invoiced elsewhere before."
        ),
    ),
    "longer": _lines(
        _("Invoiced for more than a month"),
        _("Lines for a whole period longer than a month: the line less the position's monthly revenue."),
    ),
    "shorter": _lines(
        _("Invoiced for less than a month"),
        _("Lines for a whole period shorter than a month: the line less the position's monthly revenue."),
    ),
    "part": _lines(
        _("Part of a period"),
        _("Lines for days of a period that began late, ended early or changed: the line less the monthly revenue."),
    ),
    "further": _lines(
        _("Further periods of the same position"),
        _("Lines of positions that were invoiced more than once in the month; the latest period stands for the month."),
    ),
    "added": _lines(_("Units added"), _("Lines for units added within a period that was invoiced already.")),
    "ended": _lines(
        _("No longer recurring at the month's end"),
        _("Recurring lines of positions that recur no more at the month's end: ended, paused or not yet begun."),
    ),
    "changed": _lines(
        _("Changed after it was invoiced"),
        _(
            "Whole monthly lines of positions whose price, quantity or discount moved between the line's first day and"
            " the month's end."
        ),
    ),
    "discount": _lines(
        _("Discounts for a time"),
        _("Whole monthly lines with a discount that doesn't last: the line less the monthly revenue."),
    ),
    "credit_before_tax": _lines(
        _("Credit used before tax"),
        _("Whole monthly lines lowered by granted or prepaid credit: the line less the monthly revenue."),
    ),
    "with_tax": _lines(
        _("Prices that include tax"),
        _("Whole monthly lines at prices with tax, whose tax was taken out of the document's sum or at another rate."),
    ),
    "rounding": _lines(_("Rounding"), _("Whole monthly lines that differ from the monthly revenue by a minor unit.")),
    "one_off": _lines(_("One-offs"), _("Lines that are charged once.")),
    "by_hand": _lines(_("Invoiced by hand"), _("Lines that a person wrote, of no subscription.")),
    "usage": _lines(_("Usage"), _("Lines for usage, also interim and late.")),
    "minimum": _lines(_("Minimums"), _("Lines that make up for an agreed minimum.")),
    "prepaid_sold": _lines(_("Prepaid credit sold"), _("Lines that sold prepaid credit.")),
    "note_cancel": _notes(_("Credit notes: cancellation")),
    "note_change": _notes(_("Credit notes: change")),
    "note_pause": _notes(_("Credit notes: pause")),
    "note_usage": _notes(_("Credit notes: late usage")),
    "note_replace": _notes(_("Credit notes: invoice replaced")),
    "note_void": _notes(_("Credit notes: invoice voided")),
    "note_manual": _notes(_("Credit notes: by hand")),
    "sold_on_credit": _prepaid(
        _("Prepaid credit: owed, no revenue yet"), _("Invoiced, but owed to the customer until it is used.")
    ),
    "credit_spent": _prepaid(
        _("Prepaid credit used"), _("Revenue by prepaid credit that lowered an invoice before tax.")
    ),
    "sale_taken_back": _prepaid(
        _("Sale of prepaid credit taken back"), _("Credit notes over prepaid credit, which had been no revenue.")
    ),
    "spent_given_back": _prepaid(
        _("Used prepaid credit given back"), _("Revenue by prepaid credit that became credit again.")
    ),
    "lapsed": _prepaid(_("Prepaid credit lapsed"), _("Prepaid credit that expired unused became revenue.")),
    "prepaid": _paid(
        _("Prepaid credit, as it was invoiced"),
        _("What lies between invoiced and booked for prepaid credit comes off again: no money came or went by it."),
    ),
    "tax": _paid(_("Taxes"), _("Tax of the month's invoices less that of its credit notes.")),
    "open": Cause(
        _("Open at the month's end"), _("What was still owed on the month's invoices at its end."), _PAID, "open"
    ),
    "earlier": Cause(
        _("Invoices of earlier months settled"),
        _(
            "Invoices of earlier months of which less was owed at the end of the month than at its start: by money,"
            " account credit, credit notes or as lost."
        ),
        _PAID,
        "earlier",
    ),
    "open_again": Cause(
        _("Invoices of earlier months open again"),
        _("Invoices of earlier months of which more was owed at the end of the month: money returned or charged back."),
        _PAID,
        "earlier",
    ),
    "given_as_credit": _paid(
        _("Credit notes that became account credit"), _("What credit notes gave back of what was paid.")
    ),
    "credit_used": _paid(_("Paid from account credit"), _("Invoices, fees and interest that account credit paid.")),
    "overpaid": _paid(_("Overpaid"), _("Money that paid nothing and became account credit.")),
    "credit_returned": _paid(
        _("Account credit taken back"), _("Account credit that went with returned money or a chargeback.")
    ),
    "refunded": _paid(_("Refunds"), _("Account credit paid out, less refunds that came back.")),
    "payer_unknown": _paid(
        _("Money of unknown payers"), _("Money that nobody's was, less what was allocated or went back since.")
    ),
    "lost": _paid(_("Given up as lost"), _("Invoices written off.")),
    "loss_credited": _paid(_("Losses that were credited"), _("Written-off amounts that a credit note gave back.")),
    "loss_recovered": _paid(_("Losses recovered"), _("Money that came for invoices written off before.")),
    "returned_after_refund": _paid(
        _("Returned after it was refunded"), _("Money taken back that had been paid out before: a loss.")
    ),
    "claims_made": _paid(
        _("Fees and interest for late payment"), _("Claims made, less those waived; they are no turnover.")
    ),
    "claims_owed": _paid(
        _("Fees and interest not paid yet"), _("Claims made in the month and not paid, less earlier ones paid in it.")
    ),
    "fees": _paid(_("Fees of banks and providers"), _("What banks and payment providers kept.")),
    "exchange": _paid(_("Exchange differences"), _("Postings on accounts of exchange differences.")),
}
