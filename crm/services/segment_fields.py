"""The fields a segment can ask about: each with its kind, its words and its condition as a question to the database.

The rule that matters: a field is data in this table and nothing else; a condition is a `Q` over the customer, or over
one subscription, and never a loop over rows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any, Final, Literal

from django.db.models import Model, Q
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from billing.models import PaymentMethod
from catalog.models import Campaign, Discount, Meter, Plan, Product, RenewalRule
from core.models import LANGUAGE_CHOICES, Company
from crm.services import segment_conditions as on_rows
from customers.models import Customer
from subscriptions.models import Subscription
from subscriptions.services import end_reasons

Kind = Literal["choice", "yes", "number", "money", "date", "text", "ref", "entry", "usage"]
About = Literal["customer", "payments", "usage", "subscription"]
Words = str | Promise

#: What each kind of field can be asked, with how it is called where the operator is chosen.
OPERATORS: Final[Mapping[Kind, Mapping[str, Words]]] = {
    "choice": {"in": _("is"), "not_in": _("is not")},
    "ref": {"in": _("is"), "not_in": _("is not")},
    "yes": {"is": _("is")},
    "number": {"at_least": _("is at least"), "at_most": _("is at most"), "is": _("is exactly")},
    "money": {"at_least": _("is at least"), "at_most": _("is at most")},
    "date": {
        "in_next": _("is within the next days"), "in_last": _("was within the last days"),
        "longer_ago": _("was longer ago than days"), "from": _("is on this day or later"),
        "before": _("is before this day"), "set": _("is known"), "empty": _("is not known"),
    },
    "text": {
        "is": _("is"), "contains": _("contains"), "begins": _("begins with"), "empty": _("is empty"),
    },
    "entry": {"is": _("is"), "contains": _("contains"), "set": _("is known")},
    "usage": {"at_least": _("is at least"), "at_most": _("is at most")},
}  # fmt: skip
#: Operators of days that are a number of days, a day, or nothing.
DAYS_OPS, DAY_OPS, BARE_OPS = ("in_next", "in_last", "longer_ago"), ("from", "before"), ("set", "empty")
GROUPS: Final[Mapping[About, Words]] = {
    "customer": _("Customer"), "subscription": _("Subscription"), "payments": _("Payments"), "usage": _("Usage"),
}  # fmt: skip
INTERVALS: Final[Mapping[str, Words]] = {
    "day": _("daily"), "week": _("weekly"), "month": _("monthly"), "quarter": _("quarterly"),
    "half_year": _("half-yearly"), "year": _("yearly"), "other": pgettext_lazy("billing interval", "another"),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Asked:
    """One condition, typed: ids for references, minor units for money, days and numbers as such.

    `first` and `last` are the days of a condition on a day, both included, None where open. `key` names an entry of
    further data; `extra` are a meter's id and the days looked back of a condition on usage.
    """

    company: Company
    on: date
    op: str
    value: Any = None
    first: date | None = None
    last: date | None = None
    key: str = ""
    currency: str = ""
    meter_id: int = 0


@dataclass(frozen=True, slots=True)
class SegmentField:
    """`condition` answers for a customer, for a field about subscriptions for one subscription.

    `not_in` and a yes-field's "no" are the opposite of what it says; it is never asked for them.
    """

    name: str
    label: Words
    kind: Kind
    about: About
    condition: Callable[[Asked], Q]
    choices: Mapping[str, Words] = field(default_factory=dict)
    model: type[Model] | None = None

    @property
    def is_of_subscription(self) -> bool:
        """Whether it is asked about one subscription, together with the others beside it."""
        return self.about == "subscription"

    @property
    def operators(self) -> Mapping[str, Words]:
        """What it can be asked."""
        return OPERATORS[self.kind]


def window(op: str, value: Any, on: date) -> tuple[date | None, date | None]:
    """First and last day that a condition on a day means; both None for one that is open on both sides.

    >>> window("in_next", 60, date(2026, 1, 1))
    (datetime.date(2026, 1, 1), datetime.date(2026, 3, 2))
    >>> window("longer_ago", 10, date(2026, 1, 31))
    (None, datetime.date(2026, 1, 20))
    """
    day = timedelta(days=1)
    match op:
        case "in_next":
            return on, on + value * day
        case "in_last":
            return on - value * day, on
        case "longer_ago":
            return None, on - (value + 1) * day
        case "from":
            return value, None
        case "before":
            return None, value - day
    return None, None


def _choices(choices: Any) -> dict[str, Words]:
    return dict(choices)


_TABLE: Final = (
    # Who it is.
    SegmentField("kind", _("kind of customer"), "choice", "customer", on_rows.column("kind"),
                 _choices(Customer.Kind.choices)),
    SegmentField("language", _("language"), "choice", "customer", on_rows.language, _choices(LANGUAGE_CHOICES)),
    SegmentField("country", _("country"), "choice", "customer", on_rows.country),
    SegmentField("customer_since", _("customer since"), "date", "customer", on_rows.instant("created_at")),
    SegmentField("name", _("name"), "text", "customer", on_rows.text("name")),
    SegmentField("email", _("e-mail"), "text", "customer", on_rows.text("email")),
    SegmentField("has_vat_id", _("has a VAT id"), "yes", "customer", lambda asked: ~Q(vat_id="")),
    SegmentField("dunning_group", _("dunning group"), "text", "customer", on_rows.text("dunning_group")),
    SegmentField("metadata", _("further data of the customer"), "entry", "customer", on_rows.entry("metadata")),
    SegmentField("advertising_allowed", _("advertising is allowed"), "yes", "customer", on_rows.advertising_allowed),
    SegmentField("address_blocked", _("e-mail address is blocked"), "yes", "customer", on_rows.address_blocked),
    SegmentField("first_campaign", _("campaign that brought the customer"), "ref", "customer", on_rows.first_campaign,
                 model=Campaign),
    SegmentField("first_source", _("source that brought the customer"), "text", "customer", on_rows.first_source),
    SegmentField("list_elsewhere", _("list or tag in another system"), "text", "customer", on_rows.list_elsewhere),
    SegmentField("subscription_count", _("number of subscriptions"), "number", "customer", on_rows.subscription_count),
    SegmentField("customer_mrr", _("monthly revenue of the customer"), "money", "customer", on_rows.customer_mrr),
    SegmentField("got_mailing_on", _("last mailing"), "date", "customer", on_rows.last_mailing),
    # What is agreed; those of one group are asked about one subscription.
    SegmentField("state", _("state"), "choice", "subscription", on_rows.column("state"),
                 _choices(Subscription.State.choices)),
    SegmentField("plan", _("plan"), "ref", "subscription", on_rows.column("plan"), model=Plan),
    SegmentField("product", _("product"), "ref", "subscription", on_rows.product, model=Product),
    SegmentField("interval", _("billing interval"), "choice", "subscription", on_rows.interval, INTERVALS),
    SegmentField("currency", _("currency"), "text", "subscription", on_rows.text("currency")),
    SegmentField("started_on", _("start"), "date", "subscription", on_rows.day("start_on")),
    SegmentField("renews_on", _("next renewal"), "date", "subscription", on_rows.renewal),
    SegmentField("trial_ends_on", _("end of the trial"), "date", "subscription", on_rows.trial_end),
    SegmentField("ends_on", _("end of the subscription"), "date", "subscription", on_rows.day("ends_on")),
    SegmentField("is_canceled", _("is canceled, or will end by a cancellation"), "yes", "subscription",
                 lambda asked: Q(end_kind="cancel")),
    SegmentField("end_reason", _("reason of the end"), "choice", "subscription", on_rows.column("end_reason"),
                 {**end_reasons.WORDS, **end_reasons.EXITS}),
    SegmentField("renewal_rule", _("renewal"), "choice", "subscription", on_rows.column("renewal_rule"),
                 _choices(RenewalRule.choices)),
    SegmentField("subscription_mrr", _("monthly revenue of the subscription"), "money", "subscription",
                 on_rows.subscription_mrr),
    SegmentField("discount", _("discount"), "ref", "subscription", on_rows.discount, model=Discount),
    SegmentField("subscription_metadata", _("further data of the subscription"), "entry", "subscription",
                 on_rows.entry("metadata")),
    # What is paid.
    SegmentField("payment_method", _("payment method"), "choice", "payments", on_rows.payment_method,
                 _choices(PaymentMethod.Kind.choices)),
    SegmentField("has_payment_method", _("has a usable payment method"), "yes", "payments",
                 on_rows.has_payment_method),
    SegmentField("method_expires_on", _("default payment method expires"), "date", "payments", on_rows.method_expires),
    SegmentField("open_amount", _("open amount"), "money", "payments", on_rows.open_amount),
    SegmentField("is_overdue", _("has an overdue invoice"), "yes", "payments", on_rows.is_overdue),
    SegmentField("in_dunning", _("is being dunned"), "yes", "payments", on_rows.in_dunning),
    SegmentField("paid_on", _("an invoice was paid"), "date", "payments", on_rows.paid_on),
    SegmentField("failed_on", _("a payment failed"), "date", "payments", on_rows.failed_on),
    # What is used.
    SegmentField("usage", _("usage"), "usage", "usage", on_rows.usage, model=Meter),
    SegmentField("used_on", _("something was used"), "date", "usage", on_rows.used_on),
)  # fmt: skip
FIELDS: Final[Mapping[str, SegmentField]] = {one.name: one for one in _TABLE}
