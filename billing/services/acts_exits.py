"""Acts that leave beside the cancellation: withdrawal, good cause, switching; each settles at once.

The rule that matters: a withdrawal gives everything back, or all but what was used, and the money goes back the way it
came; unprorated prices and set-up fees are no exception.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta

from django.db import connection
from django.utils import translation
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from billing.models import InvoiceBalance, InvoiceLine
from billing.services import crediting
from billing.services.acting import ActResult, Done, carry_out
from billing.services.crediting import GiveBack
from billing.services.releasing import take_up_again
from core.actors import Actor
from subscriptions.models import Subscription
from subscriptions.services import exits

ONE_DAY = timedelta(days=1)


def withdraw(
    *,
    subscription: Subscription,
    start_requested: bool = False,
    comment: str = "",
    override: bool = False,
    override_reason: str = "",
    on: date | None = None,
    by: Actor,
    at: datetime,
    preview_token: str | None = None,
) -> ActResult:
    """A consumer withdraws within 14 days of the conclusion; see `subscriptions.services.exits.withdraw`."""

    def verb(today: date) -> Done:
        ended = exits.withdraw(
            subscription=subscription, start_requested=start_requested, comment=comment, override=override,
            override_reason=override_reason, on=today, by=by, at=at,
        )  # fmt: skip
        notes = []
        if ended.end_reason == exits.WITHDRAWAL:
            notes = _give_back(ended, today, whole=not start_requested, by=by, at=at)
        take_up_again(ended.pk)
        return Done(ended, credit_note_ids=notes)

    return carry_out(subscription, verb, on=on, by=by, at=at, preview_token=preview_token)


def terminate(
    *,
    subscription: Subscription,
    reason: str,
    ends_on: date | None = None,
    unused: str | None = None,
    override: bool = False,
    on: date | None = None,
    by: Actor,
    at: datetime,
    preview_token: str | None = None,
) -> ActResult:
    """Ends for good cause, whatever the term; see `subscriptions.services.exits.terminate`."""

    def verb(today: date) -> Done:
        ended = exits.terminate(
            subscription=subscription, reason=reason, ends_on=ends_on, unused=unused, override=override, on=today,
            by=by, at=at,
        )  # fmt: skip
        take_up_again(ended.pk)
        return Done(ended)

    return carry_out(subscription, verb, on=on, by=by, at=at, preview_token=preview_token)


def switch(
    *,
    subscription: Subscription,
    ends_on: date | None = None,
    comment: str = "",
    on: date | None = None,
    by: Actor,
    at: datetime,
    preview_token: str | None = None,
) -> ActResult:
    """The customer switches to another provider; see `subscriptions.services.exits.switch`."""

    def verb(today: date) -> Done:
        ended = exits.switch(subscription=subscription, ends_on=ends_on, comment=comment, on=today, by=by, at=at)
        take_up_again(ended.pk)
        return Done(ended)

    return carry_out(subscription, verb, on=on, by=by, at=at, preview_token=preview_token)


def _give_back(ended: Subscription, today: date, *, whole: bool, by: Actor, at: datetime) -> list[int]:
    """Notes over what settling leaves alone: with `whole` every line, else unused days of unprorated ones. Their ids.

    Days are released with their lines; what was billed of them is over.
    """
    assert ended.ends_on is not None
    after = ended.ends_on + ONE_DAY
    lines = [line for line in _lines(ended) if whole or _is_cut(line, after)]
    if not lines:
        return []
    notes = crediting.give_back(
        company=ended.company, invoice_lines=[_all_of(line) if whole else _rest_of(line, after) for line in lines],
        cause="cancel", reason=_words(ended, today), at=at, by=by, refund=True,
    )  # fmt: skip
    _close_slots(ended, after)
    return [note.pk for note in notes]


def _lines(ended: Subscription) -> list[InvoiceLine]:
    """Issued lines of it on which something is left to give back."""
    rows = InvoiceLine.objects.filter(subscription=ended, invoice__sequence__isnull=False, amount_minor__gt=0)
    rows = rows.exclude(invoice__balance__status=InvoiceBalance.Status.VOID).select_related("credit")
    return [line for line in rows.order_by("invoice_id", "position") if _left(line)]


def _left(line: InvoiceLine) -> int:
    credit = getattr(line, "credit", None)
    return line.amount_minor - (credit.credited_minor if credit is not None else 0)


def _is_cut(line: InvoiceLine, after: date) -> bool:
    prorated = line.calculation.get("prorated", True)
    return not prorated and line.period_end is not None and line.period_end > after


def _all_of(line: InvoiceLine) -> GiveBack:
    days = None if line.period_start is None or line.period_end is None else (line.period_start, line.period_end)
    return GiveBack(line.pk, _left(line), days)


def _rest_of(line: InvoiceLine, after: date) -> GiveBack:
    assert line.period_start is not None and line.period_end is not None
    return GiveBack(line.pk, None, (max(line.period_start, after), line.period_end))


def _close_slots(ended: Subscription, after: date) -> None:
    """Positions whose days from that one on are all given back are billed up to the day before."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE subscriptions_slot slot SET billed_through_on = %(last)s
            WHERE slot.subscription_id = %(id)s AND slot.billed_through_on > %(last)s AND NOT EXISTS (
                SELECT 1 FROM billing_billeddays days WHERE days.slot_id = slot.id AND days.released_at IS NULL
                AND days.days && daterange(%(after)s, NULL)
            )
            """,
            {"id": ended.pk, "after": after, "last": after - ONE_DAY},
        )


def _words(ended: Subscription, today: date) -> str:
    with translation.override(ended.customer.language or ended.company.language):
        day = date_format(today, "DATE_FORMAT")
        return _("Withdrawal on %(day)s: what was paid is given back.") % {"day": day}
