"""Why money didn't come: one list of reasons for all gateways, with what each means for another try.

The rule that matters: a soft reason may pass and is tried again; a hard one needs another method from the customer.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

SOFT: Final = "soft"
HARD: Final = "hard"
ASK: Final = "ask"


@dataclass(frozen=True, slots=True)
class Reason:
    """`kind`: soft (may pass), hard (another method is needed), ask (the customer has to act once)."""

    kind: str
    words: str | Promise


REASONS: Final[dict[str, Reason]] = {
    "insufficient_funds": Reason(SOFT, _("not enough money on the account")),
    "limit_exceeded": Reason(SOFT, _("a limit of the card or account is reached")),
    "processing_error": Reason(SOFT, _("the bank had a technical problem")),
    "try_again": Reason(SOFT, _("the bank asks to try again later")),
    "do_not_honor": Reason(SOFT, _("the bank refused without saying why")),
    "generic_decline": Reason(SOFT, _("the bank refused without saying why")),
    "provider_down": Reason(SOFT, _("the payment provider had a technical problem")),
    "authentication_required": Reason(ASK, _("the customer has to confirm the payment")),
    "abandoned": Reason(ASK, _("the customer didn't finish the payment")),
    "canceled_by_customer": Reason(ASK, _("the customer canceled the payment")),
    "expired_method": Reason(HARD, _("the card has expired")),
    "wrong_details": Reason(HARD, _("the details of the card or account are wrong")),
    "lost_or_stolen": Reason(HARD, _("the card was reported lost or stolen")),
    "fraud_suspected": Reason(HARD, _("the bank or provider suspects fraud")),
    "method_gone": Reason(HARD, _("the payment method was removed")),
    "not_permitted": Reason(HARD, _("the card or account can't be used for this")),
    "currency_refused": Reason(HARD, _("the card or account can't be charged in this currency")),
    "account_closed": Reason(HARD, _("the account is closed")),
    "account_wrong": Reason(HARD, _("the account number is wrong")),
    "account_blocked": Reason(HARD, _("the account is blocked")),
    "holder_deceased": Reason(HARD, _("the account holder has died")),
    "no_mandate": Reason(HARD, _("the bank knows no valid mandate")),
    "refused_by_customer": Reason(HARD, _("the customer objected to the debit")),
    "debits_barred": Reason(HARD, _("the account takes no direct debits")),
    "duplicate": Reason(HARD, _("it was collected already")),
    "bank_form": Reason(HARD, _("the bank couldn't read the order")),
    "other": Reason(SOFT, _("another reason")),
}

#: ISO 20022 return codes of direct debits (EPC guidance on reason codes).
SEPA_CODES: Final[dict[str, str]] = {
    "AC01": "account_wrong",
    "AC04": "account_closed",
    "AC06": "account_blocked",
    "AC13": "not_permitted",
    "AG01": "debits_barred",
    "AG02": "bank_form",
    "AM04": "insufficient_funds",
    "AM05": "duplicate",
    "BE05": "bank_form",
    "CNOR": "bank_form",
    "DNOR": "bank_form",
    "ED05": "processing_error",
    "FF01": "bank_form",
    "FF05": "bank_form",
    "FOCR": "other",
    "MD01": "no_mandate",
    "MD02": "no_mandate",
    "MD06": "refused_by_customer",
    "MD07": "holder_deceased",
    "MS02": "refused_by_customer",
    "MS03": "other",
    "RC01": "account_wrong",
    "RR01": "not_permitted",
    "RR02": "not_permitted",
    "RR03": "not_permitted",
    "RR04": "not_permitted",
    "SL01": "debits_barred",
}


def kind_of(code: str) -> str:
    """soft, hard or ask; an unknown code is soft."""
    return REASONS[code].kind if code in REASONS else SOFT


def words_of(code: str) -> str:
    """The reason in the reader's language."""
    return str(REASONS[code if code in REASONS else "other"].words)


#: What a payer is not told: it is about a person, or only guessed.
UNTOLD: Final = frozenset({"holder_deceased", "fraud_suspected", "lost_or_stolen", "duplicate", "bank_form", "other"})


def told_to_payer(code: str) -> str:
    """The reason as the payer may read it, in the reader's language: some are only for staff."""
    return words_of("do_not_honor" if code in UNTOLD or code not in REASONS else code)
