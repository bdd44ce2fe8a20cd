"""Stripe's published test cards and ids, what each does, and the decline reasons with their codes."""

from __future__ import annotations

from dataclasses import dataclass

from standins.providers.stripe_errors import card_error
from standins.providers.wire import Answer

SENTENCES = {
    "expired_card": "Your card has expired.",
    "incorrect_cvc": "Your card's security code is incorrect.",
    "processing_error": "An error occurred while processing your card. Try again in a little bit.",
    "insufficient_funds": "Your card has insufficient funds.",
    "authentication_required": "Your card was declined. This transaction requires authentication.",
}
OWN_CODE = {"expired_card", "incorrect_cvc", "incorrect_number", "processing_error", "authentication_required"}
NETWORK = {
    "generic_decline": "01",
    "insufficient_funds": "51",
    "lost_card": "41",
    "stolen_card": "43",
    "do_not_honor": "05",
    "expired_card": "54",
    "incorrect_cvc": "N7",
    "processing_error": "96",
    "fraudulent": "59",
    "pickup_card": "04",
    "card_not_supported": "57",
    "invalid_account": "14",
    "transaction_not_allowed": "57",
    "revocation_of_authorization": "R1",
    "revocation_of_all_authorizations": "R3",
}
HARD = {
    "lost_card",
    "stolen_card",
    "pickup_card",
    "fraudulent",
    "invalid_account",
    "revocation_of_authorization",
    "revocation_of_all_authorizations",
}
CONFIRM_DATA = {"expired_card", "incorrect_cvc", "incorrect_number"}


@dataclass(frozen=True, slots=True)
class Decline:
    """One reason for which a payment is declined, in the codes of the API."""

    reason: str

    @property
    def code(self) -> str:
        """The error's `code`."""
        return self.reason if self.reason in OWN_CODE else "card_declined"

    @property
    def message(self) -> str:
        """The sentence a customer may read."""
        return SENTENCES.get(self.reason, "Your card was declined.")

    @property
    def advice(self) -> str:
        """The error's `advice_code`."""
        if self.reason in HARD:
            return "do_not_try_again"
        return "confirm_card_data" if self.reason in CONFIRM_DATA else "try_again_later"

    @property
    def network_code(self) -> str:
        """What the card's network would say."""
        return NETWORK.get(self.reason, "01")

    def answer(self, **more: object) -> Answer:
        """The 402 answer."""
        return card_error(
            self.code,
            self.reason,
            self.message,
            advice_code=self.advice,
            network_decline_code=self.network_code,
            **more,
        )


@dataclass(frozen=True, slots=True)
class Card:
    """A test card. `declines` is a reason or ""; `authenticate` is never, setup (unless set up) or always."""

    number: str
    brand: str = "visa"
    declines: str = ""
    attaches: bool = True
    authenticate: str = "never"
    after: str = ""
    country: str = "US"


CARDS = {
    card.number: card
    for card in (
        Card("4242424242424242"),
        Card("4000056655665556"),
        Card("5555555555554444", "mastercard"),
        Card("2223003122003222", "mastercard"),
        Card("378282246310005", "amex"),
        Card("6011111111111117", "discover"),
        Card("4000002760000016", country="DE"),
        Card("4000003800000008", country="IT"),
        Card("4000000000000341", declines="generic_decline"),
        Card("4000000000000002", declines="generic_decline", attaches=False),
        Card("4000000000009995", declines="insufficient_funds", attaches=False),
        Card("4000000000009987", declines="lost_card", attaches=False),
        Card("4000000000009979", declines="stolen_card", attaches=False),
        Card("4000000000000069", declines="expired_card", attaches=False),
        Card("4000000000000127", declines="incorrect_cvc", attaches=False),
        Card("4000000000000119", declines="processing_error", attaches=False),
        Card("4000000000006975", declines="card_velocity_exceeded", attaches=False),
        Card("4100000000000019", declines="fraudulent", attaches=False),
        Card("4000002500003155", authenticate="setup"),
        Card("4000002760003184", authenticate="always"),
        Card("4000008260003178", authenticate="setup", declines="insufficient_funds"),
        Card("4000000000003220", authenticate="always"),
        Card("4000000000000259", after="dispute"),
        Card("4000000000005126", after="refund_fails"),
        Card("4000000000007726", after="refund_pends"),
    )
}

PUBLISHED_IDS = {
    "pm_card_visa": "4242424242424242",
    "pm_card_visa_debit": "4000056655665556",
    "pm_card_mastercard": "5555555555554444",
    "pm_card_amex": "378282246310005",
    "pm_card_discover": "6011111111111117",
    "pm_card_de": "4000002760000016",
    "pm_card_it": "4000003800000008",
    "pm_card_chargeCustomerFail": "4000000000000341",
    "pm_card_chargeDeclined": "4000000000000002",
    "pm_card_visa_chargeDeclined": "4000000000000002",
    "pm_card_chargeDeclinedInsufficientFunds": "4000000000009995",
    "pm_card_visa_chargeDeclinedInsufficientFunds": "4000000000009995",
    "pm_card_visa_chargeDeclinedLostCard": "4000000000009987",
    "pm_card_visa_chargeDeclinedStolenCard": "4000000000009979",
    "pm_card_chargeDeclinedExpiredCard": "4000000000000069",
    "pm_card_chargeDeclinedIncorrectCvc": "4000000000000127",
    "pm_card_chargeDeclinedProcessingError": "4000000000000119",
    "pm_card_chargeDeclinedFraudulent": "4100000000000019",
    "pm_card_visa_chargeDeclinedVelocityLimitExceeded": "4000000000006975",
    "pm_card_authenticationRequiredOnSetup": "4000002500003155",
    "pm_card_authenticationRequired": "4000002760003184",
    "pm_card_authenticationRequiredChargeDeclinedInsufficientFunds": "4000008260003178",
    "pm_card_threeDSecure2Required": "4000000000003220",
    "pm_card_createDispute": "4000000000000259",
    "pm_card_refundFail": "4000000000005126",
    "pm_card_pendingRefund": "4000000000007726",
}


def card_of(number: str) -> Card | None:
    """The test card of a number; None for a number that is none (a real card has no business here)."""
    return CARDS.get("".join(letter for letter in number if letter.isdecimal()))
