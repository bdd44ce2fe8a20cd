"""The contract clock of a subscription, and its answer in words.

The rule that matters: one pure function (`pricing.terms`) decides; staff, portal and API show its answer.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

from django.utils import translation
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from core.design import formats
from pricing import terms as contract
from pricing.periods import Anchor, Interval
from pricing.terms import NO_NOTICE, ContractClock, Length, Notice, Terms
from subscriptions.models import Subscription
from subscriptions.services import standing

ONE_DAY = timedelta(days=1)

#: What moved the earliest end, by reason code.
_REASONS = {
    "trial": gettext_lazy("During the trial it can end on any day."),
    "before_start": gettext_lazy("It has to begin before it can end."),
    "minimum_term": gettext_lazy("The minimum term runs until then."),
    "notice": gettext_lazy("The notice period runs until then."),
    "to_month_end": gettext_lazy("It ends with a calendar month."),
    "to_period_end": gettext_lazy("It ends with a billing period."),
    "to_term_end": gettext_lazy("It ends with the term."),
    "grace": gettext_lazy("After a renewal, the grace days still allow ending it with the old term."),
    "paused": gettext_lazy("While it is paused it ends, once canceled, with the day before the pause."),
    "notice_missed": gettext_lazy("It can end on any day: the notice that the law asks for was not sent in time."),
    "suspended": gettext_lazy("While it is suspended it ends, once canceled, with the day before the suspension."),
}


def anchor_of(subscription: Subscription) -> Anchor:
    """What every period boundary is counted from."""
    if subscription.interval_unit in ("day", "week"):
        return Anchor(subscription.anchor_on)
    return Anchor(subscription.anchor_on, subscription.anchor_month_day)


def interval_of(subscription: Subscription) -> Interval:
    """The length of its billing period."""
    return Interval(subscription.interval_unit, subscription.interval_count)  # type: ignore[arg-type]


def _length(count: int, unit: str) -> Length | None:
    return (count, unit) if count else None  # type: ignore[return-value]


def leaves_freely(subscription: Subscription, on: date) -> bool:
    """Whether its customer may end it on that day whatever was agreed: the law's notice of its renewal was missed."""
    first, last = subscription.leaves_freely_from_on, subscription.leaves_freely_until_on
    return first is not None and first <= on and (last is None or on <= last)


def terms_of(subscription: Subscription, *, with_planned_end: bool = True, on: date | None = None) -> Terms:
    """Its contract terms as the contract clock reads them; without the planned end when asked so.

    The end of a contract that expires is no planned end: the clock finds it by itself. `on`: the day notice is given;
    where the customer leaves freely on it, no notice binds.
    """
    is_free = on is not None and leaves_freely(subscription, on)
    planned = subscription.ends_on if with_planned_end and subscription.end_kind == "cancel" else None
    return Terms(
        first_paid_on=subscription.paid_from_on,
        anchor=anchor_of(subscription),
        interval=interval_of(subscription),
        minimum_term=_length(subscription.minimum_count, subscription.minimum_unit),
        notice=NO_NOTICE
        if is_free
        else Notice(subscription.notice_count, subscription.notice_unit, subscription.notice_to),  # type: ignore[arg-type]
        renewal_rule=subscription.renewal_rule,  # type: ignore[arg-type]
        renewal_term=_length(subscription.renewal_count, subscription.renewal_unit),
        grace_days=subscription.grace_days,
        planned_end=planned,
        trial_from=subscription.start_on if subscription.paid_from_on > subscription.start_on else None,
    )


def contract_clock_of(subscription: Subscription, *, on: date) -> ContractClock:
    """What notice given on that day can reach, and what happens without one.

    The term runs on in a pause and in a suspension; a cancellation then ends it with the day before (reason code
    `paused` or `suspended`), whatever the notice. Where the law's notice of a renewal was missed, any day can be the
    last (`notice_missed`).
    """
    clock = contract.contract_clock(terms_of(subscription, on=on), on)
    if leaves_freely(subscription, on) and not {"ended", "trial"} & set(clock.reasons):
        clock = replace(clock, reasons=("notice_missed", clock.reasons[-1]))
    stopped_on = standing.stopped_on(subscription)
    if stopped_on is None or "ended" in clock.reasons:
        return clock
    # What moved the end no longer does; what happens without notice stands last.
    reasons = (str(subscription.state), clock.reasons[-1])
    return replace(clock, cancel_by=None, earliest_end=stopped_on - ONE_DAY, reasons=reasons)


def running_term(subscription: Subscription, on: date) -> tuple[date, date | None]:
    """First and last day of the term that runs on that day, as if no end were planned; None: it is open."""
    clock = contract.contract_clock(terms_of(subscription, with_planned_end=False), max(on, subscription.paid_from_on))
    return clock.term_start, clock.term_end


def end_by_itself(subscription: Subscription) -> date | None:
    """The last day of a contract whose term runs out without notice; None when it goes on."""
    if subscription.renewal_rule not in ("expire", "ask"):
        return None
    clock = contract.contract_clock(terms_of(subscription, with_planned_end=False), subscription.paid_from_on)
    return clock.term_end


def in_words(clock: ContractClock, language: str | None = None) -> list[str]:
    """The answer in sentences of `language` (None: the active one): until when to cancel, the end, what follows."""
    if language is None:
        return _sentences(clock)
    with translation.override(language):
        return _sentences(clock)


def _sentences(clock: ContractClock) -> list[str]:
    end = formats.day(clock.earliest_end)
    if "ended" in clock.reasons:
        return [_("It ended on %(end)s.") % {"end": end}]
    words: list[str] = []
    if clock.cancel_by is None and not {"paused", "suspended"} & set(clock.reasons):
        if "end_planned" in clock.reasons:
            return [_("Its last day is %(end)s, as canceled.") % {"end": end}]
        if "expires" in clock.reasons:
            return [_("It ends by itself on %(end)s.") % {"end": end}]
        if "asks" in clock.reasons:
            return [_("It ends on %(end)s unless it is renewed.") % {"end": end}]
    # In a trial each of its days can be the last: its reason says so, and no single one is named.
    if clock.cancel_by is not None and ("trial" not in clock.reasons or clock.cancel_by <= clock.earliest_end):
        words.append(_("Canceled by %(day)s, it ends on %(end)s.") % {"day": formats.day(clock.cancel_by), "end": end})
    words += [str(_REASONS[code]) for code in clock.reasons if code in _REASONS]
    if "end_planned" in clock.reasons and clock.term_end is not None:
        words.append(_("Its last day is %(end)s, as canceled.") % {"end": formats.day(clock.term_end)})
    elif clock.renews_on is not None:
        words.append(_("Without notice it renews on %(day)s.") % {"day": formats.day(clock.renews_on)})
    elif "expires" in clock.reasons and clock.term_end is not None:
        words.append(_("It ends by itself on %(end)s.") % {"end": formats.day(clock.term_end)})
    elif "asks" in clock.reasons and clock.term_end is not None:
        words.append(_("It ends on %(end)s unless it is renewed.") % {"end": formats.day(clock.term_end)})
    elif "evergreen" in clock.reasons:
        words.append(_("Without notice it goes on."))
    return words
