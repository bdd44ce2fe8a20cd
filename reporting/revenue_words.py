"""The words of recurring revenue: what its movements are called, and what each figure counts, for an accountant."""

from __future__ import annotations

from typing import Final

from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from reporting.shapes import Words

#: Movements by kind; `moved` passes between plans, products or countries.
KIND_WORDS: Final[dict[str, Words]] = {
    "new": pgettext_lazy("recurring revenue", "New"),
    "expansion": pgettext_lazy("recurring revenue", "Expansion"),
    "contraction": pgettext_lazy("recurring revenue", "Contraction"),
    "churn": pgettext_lazy("recurring revenue", "Churn"),
    "reactivation": pgettext_lazy("recurring revenue", "Reactivation"),
    "moved": pgettext_lazy("recurring revenue", "Moved over"),
    "exchange": pgettext_lazy("recurring revenue", "Exchange rates"),
}
KIND_DEFINITIONS: Final[dict[str, Words]] = {
    "new": _("Monthly revenue of customers who never had any before, from their first paid day."),
    "expansion": _("What customers came to pay more a month: changes, price rises, ended discounts, ended pauses."),
    "contraction": _("What customers came to pay less a month without leaving: changes, discounts, pauses."),
    "churn": _("Monthly revenue lost when the last of a customer's subscriptions in the currency ended."),
    "reactivation": _("Monthly revenue of customers who had left and came back."),
    "moved": _(
        "Monthly revenue that passed from one plan, product or country to another, such as with a change of plan."
        " Over all of them it is nothing."
    ),
    "exchange": _(
        "What a change of the exchange rate from one month's end to the next did to the revenue there was. Only where"
        " several currencies are told in one."
    ),
}

MRR: Final = _(
    "Monthly recurring revenue at the end of the day: the recurring prices of all running subscriptions after recurring"
    " discounts, without tax, single charges and usage, turned into a month (a year is 12 months, a week 12/52, a day"
    " 12/365). Trials, pauses and what has not started count nothing; suspended and late payers count."
)
ARR: Final = _("Annual recurring revenue: monthly recurring revenue × 12.")
CUSTOMERS: Final = _("Customers with recurring revenue above zero at the end of the day.")
ARPA: Final = _("Average revenue per account: monthly recurring revenue ÷ customers with recurring revenue.")
QUICK: Final = _(
    "Quick ratio: what was won in the time (new, expansion, reactivation) ÷ what was lost (contraction, churn). Nothing"
    " lost: no figure."
)
NET: Final = _(
    "Of the monthly revenue that customers had on the morning of the first day, how much the same customers had at the"
    " end of the last, expansion included; in percent."
)
GROSS: Final = _(
    "Of the monthly revenue that customers had on the morning of the first day, how much of it was left at the end of"
    " the last: no customer counts more than at the start; in percent."
)
CUSTOMER_CHURN: Final = _(
    "Customers lost in the time ÷ customers at the start of each of its months, added up: the share lost in an average"
    " month, in percent."
)
REVENUE_CHURN: Final = _(
    "Monthly revenue lost to churn in the time ÷ revenue at the start of each of its months, added up: the share lost"
    " in an average month, in percent."
)
LTV: Final = _(
    "Lifetime value: average revenue per account ÷ the share of customers lost in an average month. It is revenue, not"
    " profit."
)
LTV_NONE: Final = _(
    "Lifetime value: average revenue per account ÷ the share of customers lost in an average month. No customer was"
    " lost in this time, so there is no figure."
)
SIGNED: Final = _(
    "Agreed by the end of the day and starting later: what these subscriptions are worth a month on their first paid"
    " day."
)
LEAVING: Final = _(
    "The part of monthly recurring revenue whose cancellation had come in by the end of the day while service went on."
)
COMMITTED: Final = _(
    "Committed monthly recurring revenue: monthly recurring revenue, plus what is signed and starts later, less what is"
    " canceled and still runs."
)
AT_RISK: Final = _(
    "The part of monthly recurring revenue that may be lost over money: subscriptions suspended for non-payment, and"
    " all of a customer in a currency while a case of dunning is open, which a failed or missed payment opens."
)
