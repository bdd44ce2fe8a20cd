"""What happens in a dunning case, in words: why a step was passed over or waits, and what else an entry may be."""

from __future__ import annotations

from typing import Final

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from billing.models import DunningStep

#: Reason codes of entries.
SKIPPED: Final[dict[str, str | Promise]] = {
    "paid": _("it is paid"),
    "disputed": _("the payment is disputed"),
    "promised": _("payment is promised"),
    "paused": _("dunning is paused"),
    "pending": _("a payment is under way"),
    "unknown": _("a payment is under way whose end is not known"),
    "requires_action": _("the customer is about to confirm a payment"),
    "below_minimum": _("it is less than the smallest amount"),
    "later_level": _("a later reminder was due as well"),
    "later_retry": _("a later attempt was due as well"),
    "no_recipient": _("there is no e-mail address"),
    "no_method": _("there is no payment method to charge"),
    "hard_decline": _("the payment method was refused for good; another one is needed"),
    "tries_over": _("it was tried again as often as the policy says"),
    "customer_must_act": _("the customer has to confirm or pay"),
    "nothing_to_claim": _("there is nothing to claim"),
    "rate_missing": _("no rate of interest is entered for these days"),
    "nothing_to_do": _("there is nothing left to do"),
    "by_hand": _("somebody passed it over"),
}
#: What an entry is: the actions of steps, and what else happens.
ACTIONS: Final[dict[str, str | Promise]] = {
    **{action.value: action.label for action in DunningStep.Action},
    "paid": _("money came"),
    "returned": _("money was taken back"),
    "promise": _("payment promised"),
    "broken": _("promise not kept"),
    "pause": _("dunning paused"),
    "pause_over": _("pause over"),
    "resume": _("dunning goes on"),
    "resumed": _("service resumed"),
    "give_up": _("given up"),
}


def action_words(code: str) -> str:
    """The action in the reader's language."""
    return str(ACTIONS.get(code, code))


def reason_words(code: str) -> str:
    """The reason in the reader's language."""
    return str(SKIPPED.get(code, code))
