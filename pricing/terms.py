"""The contract clock: until when one can cancel, when the contract can end, and when it renews.

The rule that matters: every end is a last day of service; notice reaches it when it arrives no later than the day
before (day after the end - notice), months clamped: end 31 May, one month, cancel by 30 April.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Final, Literal

from pricing.errors import PricingError
from pricing.periods import Anchor, Interval, Unit, add_months, boundary, index_at, period_at

NoticeUnit = Literal["day", "week", "month"]
NoticeTo = Literal["any_day", "month_end", "period_end", "term_end"]
RenewalRule = Literal["renew", "evergreen", "expire", "ask"]

# A length of time: how many of which unit, as in (12, "month").
Length = tuple[int, Unit]

_UNITS: Final = ("day", "week", "month", "year")
_NOTICE_UNITS: Final = ("day", "week", "month")
_RULES: Final = ("renew", "evergreen", "expire", "ask")
_TARGETS: Final = ("any_day", "month_end", "period_end", "term_end")


class BadTerms(PricingError):
    """Terms that contradict themselves."""


class EndTooEarly(PricingError):
    """The asked end lies before the first one the contract allows, which `earliest_end` names."""

    def __init__(self, asked: date, earliest_end: date) -> None:
        super().__init__("end_before_earliest_end", asked=asked, earliest_end=earliest_end)
        self.earliest_end = earliest_end


@dataclass(frozen=True, slots=True)
class Notice:
    """How long before an end notice must arrive, and to which days a contract may end."""

    count: int = 0
    unit: NoticeUnit = "day"
    to: NoticeTo = "any_day"

    def __post_init__(self) -> None:
        if type(self.count) is not int or self.count < 0:
            raise BadTerms("notice_count_below_zero", count=self.count)
        if self.unit not in _NOTICE_UNITS or self.to not in _TARGETS:
            raise BadTerms("notice_unknown", unit=self.unit, to=self.to)


NO_NOTICE: Final = Notice()


@dataclass(frozen=True, slots=True)
class Terms:
    """What a contract says about its own length.

    `first_paid_on` is where the minimum term counts from; `anchor` and `interval` cut the billing periods. The first
    term is `term`, or without one the minimum term, or the renewal term; a renewed one is `renewal_term`, or as long
    as the first; with none of them, a contract that renews does so with every billing period. `planned_end` is a last
    day of service already fixed. `trial_from` is the first day of a free trial that ends where the paid days begin.
    """

    first_paid_on: date
    anchor: Anchor
    interval: Interval
    minimum_term: Length | None = None
    notice: Notice = NO_NOTICE
    renewal_rule: RenewalRule = "evergreen"
    renewal_term: Length | None = None
    grace_days: int = 0
    planned_end: date | None = None
    term: Length | None = None
    trial_from: date | None = None

    def __post_init__(self) -> None:
        if self.renewal_rule not in _RULES:
            raise BadTerms("renewal_rule_unknown", renewal_rule=self.renewal_rule)
        for length in (self.minimum_term, self.renewal_term, self.term):
            if length is not None and (length[1] not in _UNITS or type(length[0]) is not int or length[0] < 1):
                raise BadTerms("term_length_unknown", length=length)
        if self.grace_days < 0:
            raise BadTerms("grace_below_zero", grace_days=self.grace_days)
        if self.renewal_rule in ("expire", "ask") and self.first_term is None and self.planned_end is None:
            raise BadTerms("term_without_length", renewal_rule=self.renewal_rule)

    @property
    def first_term(self) -> Length | None:
        """The length of the first term, or None for one that is not cut into terms."""
        return self.term or self.minimum_term or self.renewal_term


@dataclass(frozen=True, slots=True)
class ContractClock:
    """The answer, in last days of service.

    `cancel_by`: the last day (24:00 in the customer's zone) on which notice still reaches `earliest_end`; None when
    none is needed because the contract ends by itself no later. `earliest_end`: the first last day of service that
    notice given on the asked day can reach; during grace it lies in the past, on the old term's last day.
    `renews_on`: the first day of the next term, None when there will be none. `term_start` and `term_end`: first and
    last day of the running term, `term_end` None when it is open. `reasons`: codes, in the order they took effect.
    """

    cancel_by: date | None
    earliest_end: date
    renews_on: date | None
    term_start: date
    term_end: date | None
    reasons: tuple[str, ...]


def add_length(day: date, length: Length, times: int = 1) -> date:
    """The day so many lengths later, counted from the day itself and clamped.

    >>> add_length(date(2024, 1, 31), (1, "month")), add_length(date(2024, 1, 31), (1, "month"), 2)
    (datetime.date(2024, 2, 29), datetime.date(2024, 3, 31))
    """
    return boundary(Anchor(day), Interval(length[1], length[0]), times)


def _shift(day: date, days: int) -> date:
    return date.fromordinal(day.toordinal() + days)


def notice_reaches(notice: Notice, end: date) -> date:
    """The last day on which notice still reaches that last day of service.

    >>> notice_reaches(Notice(1, "month"), date(2026, 5, 31)), notice_reaches(Notice(14, "day"), date(2026, 5, 31))
    (datetime.date(2026, 4, 30), datetime.date(2026, 5, 17))
    """
    after = _shift(end, 1)
    if notice.unit == "month":
        return _shift(add_months(after, -notice.count), -1)
    return _shift(after, -notice.count * (7 if notice.unit == "week" else 1) - 1)


def _first_after_notice(notice: Notice, on: date) -> date:
    """The earliest day after an end that notice given on that day still reaches: `notice_reaches`, inverted."""
    after = _shift(on, 1)
    if notice.unit != "month":
        return _shift(after, notice.count * (7 if notice.unit == "week" else 1))
    later = add_months(after, notice.count)
    # In a month too short for the day, the first day that far away is the 1st of the month after.
    return later if later.day == after.day else _shift(later, 1)


class _TermLine:
    """Where the terms of a contract begin: at the first paid day, at `first`, and then every `interval` from there."""

    __slots__ = ("anchor", "begins", "first", "interval")

    def __init__(self, terms: Terms) -> None:
        begins = self.begins = terms.first_paid_on
        length = terms.first_term
        if length is None:
            # Every billing period is a term. The first one may be a stub up to the first boundary.
            self.interval = terms.interval
            n = index_at(terms.anchor, terms.interval, begins) + 1
            first = boundary(terms.anchor, terms.interval, n)
            aimed = terms.anchor.day
        else:
            further = terms.renewal_term or length
            self.interval = Interval(further[1], further[0])
            first = add_length(begins, length)
            aimed = begins.day
        # Counted in months throughout, a term keeps the day it aims at: 31 January, 28 February, 31 March.
        in_months = self.interval.months and (length is None or length[1] in ("month", "year"))
        self.anchor = Anchor(first, aimed) if in_months else Anchor(first)
        self.first = first

    def next_after(self, day: date) -> date:
        """The first beginning of a further term that is later than the day."""
        if day < self.first:
            return self.first
        return boundary(self.anchor, self.interval, index_at(self.anchor, self.interval, day) + 1)

    def begun_by(self, day: date) -> date:
        """The beginning of the term the day lies in; the first one for days before it."""
        if day < self.first:
            return self.begins
        return boundary(self.anchor, self.interval, index_at(self.anchor, self.interval, day))


def contract_clock(terms: Terms, on: date) -> ContractClock:
    """What notice given on that day can reach, and what happens without one.

    Reason codes: `ended`; `trial`; `before_start`, `minimum_term`, `notice`, `to_month_end`, `to_period_end`,
    `to_term_end` (what moved the earliest end); `grace`; then `end_planned`, `expires`, `asks`, `renews` or
    `evergreen` (what happens without notice). Raises `BadPeriod` outside the calendar.

    >>> terms = Terms(
    ...     date(2025, 6, 1),
    ...     Anchor(date(2025, 6, 1)),
    ...     Interval("month"),
    ...     minimum_term=(12, "month"),
    ...     notice=Notice(1, "month", "term_end"),
    ...     renewal_rule="renew",
    ... )
    >>> clock = contract_clock(terms, date(2026, 3, 10))
    >>> clock.earliest_end.isoformat(), clock.cancel_by.isoformat(), clock.renews_on.isoformat()
    ('2026-05-31', '2026-04-30', '2026-06-01')
    """
    line = _TermLine(terms)
    fixed_end, fixed_reason = _end_by_itself(terms, line)
    if fixed_end is not None and on > fixed_end:
        start, end = _running_term(terms, line, fixed_end, fixed_end)
        return ContractClock(None, fixed_end, None, start, end, ("ended",))

    term_start, term_end = _running_term(terms, line, max(on, terms.first_paid_on), fixed_end)
    renews_on: date | None = None
    if terms.renewal_rule == "renew":
        renews_on = line.next_after(max(on, terms.first_paid_on))
        if fixed_end is not None and renews_on > fixed_end:
            renews_on = None

    reasons: tuple[str, ...]
    cancel_by: date | None
    if terms.trial_from is not None and on < terms.first_paid_on:
        # A trial binds nobody: any day of it can be the last, and the last of them still comes before the first bill.
        earliest_end, cancel_by, reasons = on, _shift(terms.first_paid_on, -1), ("trial",)
    else:
        after, reasons = _earliest_after(terms, line, on)
        earliest_end = _shift(after, -1)
        cancel_by = notice_reaches(terms.notice, earliest_end)
        if terms.renewal_rule == "renew" and terms.grace_days:
            renewal = line.next_after(max(_shift(on, -terms.grace_days), _shift(_bound_until(terms), -1)))
            if renewal <= after:
                in_time = _shift(renewal, terms.grace_days - 1)
                if renewal < after:
                    earliest_end, cancel_by, reasons = _shift(renewal, -1), in_time, ("grace",)
                elif in_time > cancel_by:
                    cancel_by, reasons = in_time, (*reasons, "grace")

    if fixed_end is not None and earliest_end >= fixed_end:
        earliest_end, cancel_by, reasons = fixed_end, None, ()
    without_notice = fixed_reason or ("renews" if terms.renewal_rule == "renew" else "evergreen")
    return ContractClock(cancel_by, earliest_end, renews_on, term_start, term_end, (*reasons, without_notice))


def _end_by_itself(terms: Terms, line: _TermLine) -> tuple[date | None, str]:
    """The last day of service of a contract that needs no notice, and why: a planned end, or a term that runs out."""
    if terms.renewal_rule in ("expire", "ask") and terms.first_term is not None:
        runs_out = _shift(line.first, -1)
        if terms.planned_end is None or runs_out <= terms.planned_end:
            return runs_out, "expires" if terms.renewal_rule == "expire" else "asks"
    return (terms.planned_end, "end_planned") if terms.planned_end is not None else (None, "")


def _running_term(terms: Terms, line: _TermLine, day: date, fixed_end: date | None) -> tuple[date, date | None]:
    """First and last day of the term that contains the day."""
    if terms.renewal_rule == "evergreen":
        if terms.first_term is None:
            return line.begins, fixed_end
        if day >= line.first:
            return line.first, fixed_end
        start, last = line.begins, _shift(line.first, -1)
    else:
        if terms.renewal_rule != "renew" and terms.first_term is None:
            return line.begins, fixed_end
        start, last = line.begun_by(day), _shift(line.next_after(day), -1)
    return start, last if fixed_end is None else min(last, fixed_end)


def _earliest_after(terms: Terms, line: _TermLine, on: date) -> tuple[date, tuple[str, ...]]:
    """The day after the earliest end that notice given on that day reaches, without grace; and what moved it there."""
    reasons: list[str] = []
    after = _shift(on, 1)
    by_notice = _first_after_notice(terms.notice, on)
    if by_notice > after:
        after = by_notice
        reasons.append("notice")
    bound_until = _bound_until(terms)
    if terms.minimum_term is not None and bound_until >= after:
        after, reasons = bound_until, ["minimum_term"]
    elif bound_until > after:
        after, reasons = bound_until, ["before_start"]
    allowed = _first_allowed(terms, line, after)
    if allowed > after:
        reasons.append(f"to_{terms.notice.to}")
    return allowed, tuple(reasons)


def _bound_until(terms: Terms) -> date:
    """The first day by which the contract may have ended, whatever the notice: after its minimum term.

    Without one, a contract that may end on any day can be called off before it begins; another has to reach the
    first end its notice is bound to, so at least one day of it is served.
    """
    if terms.minimum_term is not None:
        return add_length(terms.first_paid_on, terms.minimum_term)
    return terms.first_paid_on if terms.notice.to == "any_day" else _shift(terms.first_paid_on, 1)


def _first_allowed(terms: Terms, line: _TermLine, after: date) -> date:
    """The first day from that one on before which the notice's target lets the contract end."""
    day_before = _shift(after, -1)
    match terms.notice.to:
        case "month_end":
            return after if after.day == 1 else add_months(after.replace(day=1), 1)
        case "period_end":
            return period_at(terms.anchor, terms.interval, day_before).end
        case "term_end":
            if terms.renewal_rule == "renew":
                return line.next_after(day_before)
            if terms.first_term is not None and after <= line.first:
                return line.first
    # Any day; and after its first term an open-ended contract has no further term to wait for.
    return after


def effective_end(
    terms: Terms, requested: Literal["now", "period_end"] | date, on: date
) -> tuple[date, tuple[str, ...]]:
    """The last day of service when an end is asked for on that day, and the reason codes.

    `now` (today is the last day) and `period_end` mean the later of both, that day and `earliest_end`; cancelled in
    grace, they mean the old term's last day. A date is taken as it is, or refused: `EndTooEarly` before
    `earliest_end`, `BadTerms("end_before_today")` in the past. No answer lies after an end already fixed.
    Whether a date fits the notice's target (month, period or term end) is not asked.

    >>> terms = Terms(date(2026, 1, 1), Anchor(date(2026, 1, 1)), Interval("month"))
    >>> effective_end(terms, "period_end", date(2026, 2, 10))
    (datetime.date(2026, 2, 28), ('period_end',))
    """
    clock = contract_clock(terms, on)
    if clock.reasons == ("ended",):
        return clock.earliest_end, clock.reasons
    if clock.earliest_end < on and not isinstance(requested, date):
        return clock.earliest_end, ("grace",)
    if requested == "now":
        asked = on
    elif requested == "period_end":
        if terms.trial_from is not None and on < terms.first_paid_on:
            asked = _shift(terms.first_paid_on, -1)
        else:
            asked = _shift(period_at(terms.anchor, terms.interval, max(on, terms.first_paid_on)).end, -1)
    elif isinstance(requested, date):
        asked = requested
        if asked < clock.earliest_end:
            raise EndTooEarly(asked, clock.earliest_end)
        if asked < on and asked != clock.earliest_end:
            raise BadTerms("end_before_today", asked=asked, on=on)
    else:
        raise BadTerms("end_request_unknown", requested=requested)
    end = asked
    reasons: tuple[str, ...] = (requested,) if isinstance(requested, str) else ("date",)
    if clock.earliest_end > asked:
        end, reasons = clock.earliest_end, clock.reasons
    fixed_end, fixed_reason = _end_by_itself(terms, _TermLine(terms))
    if fixed_end is not None and end > fixed_end:
        end, reasons = fixed_end, (fixed_reason,)
    return end, reasons
