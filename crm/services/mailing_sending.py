"""Sends mailings: starts what is due, writes the mails in portions, notes what became of them.

The rule that matters: a portion, its mails and the note that they were written are one transaction under the mailing's
lock, so nobody is written to twice or forgotten, however often or from how many machines it is asked.
"""

# ruff: noqa: S608  constants of these modules

from __future__ import annotations

from datetime import date, datetime, timedelta
from typing import Any, Final, NamedTuple

import structlog
from django.db import connection, transaction
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import override

from core import clock
from core.actors import Actor
from core.design import formats
from core.fault_points import point
from core.models import Company
from core.services import ticks
from crm.models import Mailing, MailingRecipient
from crm.services import mailing_audience, mailing_links, mailing_texts, mailing_trail
from crm.services.mailing_texts import Reader
from crm.services.reminder_facts import offer_words
from customers.models import Customer
from customers.services import mail_texts, messages
from customers.services.mail_texts import Composer

log = structlog.get_logger(__name__)
EVERY: Final = timedelta(minutes=5)
#: Customers written to by one transaction, and of one mailing by one tick.
PORTION: Final = 1000
MOST: Final = 20_000
#: What a message of a mailing is about: the recipient with this id.
KIND: Final = "mailing_recipient"
SYSTEM: Final = Actor.system("Mailings")
#: Days after which nothing counts any more, whatever a mailing says.
LONGEST: Final = timedelta(days=731)
LeftOut = MailingRecipient.LeftOut

_TO_DO: Final = f"""
SELECT r.id, r.customer_id, c.public_id, c.name, COALESCE(NULLIF(c.language, ''), %(language)s),
    COALESCE(s.name, ''), COALESCE(e.emails, ARRAY[]::varchar[]),
    CASE WHEN c.archived_at IS NOT NULL THEN 'archived' ELSE {mailing_audience.LEFT_OUT} END
FROM crm_mailingrecipient r
JOIN customers_customer c ON c.id = r.customer_id
LEFT JOIN subscriptions_subscription s ON s.id = r.subscription_id
CROSS JOIN LATERAL ({mailing_audience.ADDRESSES}) e
WHERE r.mailing_id = %(mailing)s AND r.sent_at IS NULL AND r.left_out = ''
ORDER BY r.id LIMIT %(limit)s
"""
_SENT: Final = """
UPDATE crm_mailingrecipient r SET message_id = v.message_id, sent_at = %s, offer_until_on = %s
FROM unnest(%s::bigint[], %s::bigint[]) AS v(id, message_id) WHERE r.id = v.id
"""
_RENEWED: Final = """
UPDATE crm_mailingrecipient r SET renewed_at = %(at)s
FROM crm_mailing m
WHERE m.id = r.mailing_id AND r.company_id = %(company)s AND r.renewed_at IS NULL AND r.sent_at >= %(since)s
AND EXISTS (
    SELECT 1 FROM subscriptions_subscription s
    WHERE s.company_id = r.company_id AND s.customer_id = r.customer_id
    AND s.state NOT IN ('canceled', 'expired', 'pending') AND s.end_kind <> 'cancel'
    AND s.start_on <= (r.sent_at AT TIME ZONE %(zone)s)::date
    AND s.term_start_on > (r.sent_at AT TIME ZONE %(zone)s)::date
    AND s.term_start_on <= (r.sent_at AT TIME ZONE %(zone)s)::date + m.attribution_days
)
"""
_REDEEMED: Final = """
UPDATE crm_mailingrecipient r SET accepted_at = a.created_at, agreed_id = a.id
FROM crm_mailing m, subscriptions_agreeddiscount a, subscriptions_subscription s
WHERE m.id = r.mailing_id AND m.offer_code_id IS NOT NULL AND r.company_id = %(company)s AND r.accepted_at IS NULL
AND r.sent_at >= %(since)s AND a.company_id = r.company_id AND a.code_id = m.offer_code_id
AND s.id = a.subscription_id AND s.customer_id = r.customer_id AND a.created_at >= r.sent_at
AND a.created_at < r.sent_at + make_interval(days => m.attribution_days)
AND NOT EXISTS (
    SELECT 1 FROM subscriptions_agreeddiscount b JOIN subscriptions_subscription t ON t.id = b.subscription_id
    WHERE b.company_id = r.company_id AND b.code_id = m.offer_code_id AND t.customer_id = r.customer_id
    AND b.created_at >= r.sent_at AND b.id < a.id
)
"""


class Row(NamedTuple):
    """Somebody to be written to."""

    id: int
    customer_id: int
    customer_public_id: Any
    name: str
    language: str
    subscription: str
    emails: list[str]
    left_out: str


@ticks.tick(
    "crm.mailings", order=62, every=EVERY, title=_("Mailings"),
    text=_("Sends the mailings that are due, no faster than they say, and notes what became of earlier ones."),
)  # fmt: skip
def mailings_tick(company: Company, at: datetime) -> dict[str, Any]:
    """Sends what is due; one question where there is no mailing."""
    rows = Mailing.objects.filter(company=company).filter(
        Q(state__in=Mailing.LIVE, starts_at__lte=at) | Q(frozen_at__gte=at - LONGEST)
    )
    known = list(rows.order_by("starts_at", "pk"))
    if not known:
        return {"sent": 0, "renewed": 0, "redeemed": 0}
    today = clock.day_in(at, company.time_zone)
    is_quiet = company.mails_start_on is not None and today < company.mails_start_on
    due = [] if is_quiet else [row for row in known if row.state in Mailing.LIVE]
    counts = {"sent": sum(send(mailing, at=at) for mailing in due)}
    return counts | follow_up(company=company, at=at)


def send(mailing: Mailing, *, at: datetime, most: int = MOST) -> int:
    """Starts a mailing that is due and writes its next mails; how many customers were written to."""
    total = 0
    if mailing.state == Mailing.State.SCHEDULED and not _start(mailing.pk, at):
        return 0
    while total < most:
        written = _portion(mailing.pk, at, min(PORTION, most - total))
        if written is None:
            break
        total += written
    return total


def _start(mailing_id: int, at: datetime) -> bool:
    """Fixes who gets it. False where another machine is at it or it isn't due any more."""
    with transaction.atomic():
        mailing = _held(mailing_id)
        if mailing is None or mailing.state != Mailing.State.SCHEDULED:
            return False
        if mailing.starts_at is None or mailing.starts_at > at:
            return False
        mailing_audience.freeze(mailing, on=clock.day_in(at, mailing.company.time_zone))
        mailing.state, mailing.frozen_at = Mailing.State.RUNNING, at
        mailing.save(update_fields=["state", "frozen_at"])
        planned = mailing.recipients.filter(left_out="").count()
        left_out = mailing.recipients.exclude(left_out="").count()
        facts = {"planned": planned, "left_out": left_out}
        mailing_trail.tell(mailing, "start", "started", facts, by=SYSTEM, at=at)
        point("mailing.started")
    return True


def _held(mailing_id: int) -> Mailing | None:
    """The mailing under its lock; None where somebody else has it."""
    rows = Mailing.objects.select_for_update(of=("self",), skip_locked=True)
    return rows.select_related("company", "segment", "campaign", "offer__discount", "offer_code").filter(
        pk=mailing_id
    ).first()  # fmt: skip


def _portion(mailing_id: int, at: datetime, limit: int) -> int | None:
    """Writes the next mails; how many. None: nothing more now, as it is done, paused, full for the hour or taken."""
    with transaction.atomic():
        mailing = _held(mailing_id)
        if mailing is None or mailing.state != Mailing.State.RUNNING:
            return None
        limit = min(limit, _room(mailing, at))
        if limit <= 0:
            return None
        rows = _to_do(mailing, limit)
        if not rows:
            mailing.state, mailing.done_at = Mailing.State.DONE, at
            mailing.save(update_fields=["state", "done_at"])
            sent = mailing.recipients.filter(sent_at__isnull=False).count()
            mailing_trail.tell(mailing, "finish", "done", {"sent": sent}, by=SYSTEM, at=at)
            return None
        written = _write(mailing, rows, at)
        point("mailing.portion")
        return written


def _room(mailing: Mailing, at: datetime) -> int:
    """How many more may be written to within this hour."""
    if mailing.per_hour is None:
        return PORTION
    since = at - timedelta(hours=1)
    return mailing.per_hour - mailing.recipients.filter(sent_at__gt=since).count()


def _to_do(mailing: Mailing, limit: int) -> list[Row]:
    given: dict[str, Any] = {"language": mailing.company.language, "mailing": mailing.pk, "limit": limit}
    with connection.cursor() as cursor:
        cursor.execute(_TO_DO, given)
        return [Row(*row) for row in cursor.fetchall()]


def _write(mailing: Mailing, rows: list[Row], at: datetime) -> int:
    """The mails of one portion; who can't be written to any more is left out with the reason."""
    today = clock.day_in(at, mailing.company.time_zone)
    until = last_offer_day(mailing, today)
    composer = Composer(mailing.company, only=(mailing_texts.NAME, mail_texts.SIGNATURE))
    out: dict[str, list[int]] = {}
    drafts: list[messages.Draft] = []
    for row in sorted(rows, key=lambda one: (one.language, one.id)):
        if row.left_out:
            out.setdefault(row.left_out, []).append(row.id)
            continue
        try:
            drafts.append(_draft(composer, mailing, row, today, until))
        except Exception:
            # One that can't be told stops nobody.
            log.exception("mailing_mail_not_made", mailing=mailing.pk, customer=row.customer_id)
            out.setdefault(LeftOut.FAILED, []).append(row.id)
    for why, ids in out.items():
        MailingRecipient.objects.filter(pk__in=ids).update(left_out=why)
    first: dict[int, int] = {}
    for message in messages.write_many(company=mailing.company, drafts=drafts, at=at):
        first.setdefault(message.subject_id or 0, message.pk)
    with connection.cursor() as cursor:
        cursor.execute(_SENT, [at, until, list(first), list(first.values())])
    return len(first)


def _draft(
    composer: Composer, mailing: Mailing, row: Row, today: date, until: date | None
) -> messages.Draft:  # fmt: skip
    link = mailing_links.link_of(mailing.public_id, row.customer_public_id, on=today, until=until)
    reader = reader_of(
        mailing, name=row.name, subscription=row.subscription, language=row.language, link=link, until=until
    )
    with override(reader.language):
        composed = mailing_texts.compose(composer, mailing, reader)
    return messages.Draft(
        customer=Customer(pk=row.customer_id, company=mailing.company), template=mailing_texts.NAME,
        language=reader.language, subject=composed.subject, body=composed.body, recipients=row.emails,
        subject_kind=KIND, subject_id=row.id, category="marketing",
    )  # fmt: skip


def reader_of(
    mailing: Mailing, *, name: str, subscription: str, language: str, link: str, until: date | None
) -> Reader:
    """What the mail says of somebody, in their language where the mailing has words in it."""
    language = mailing_texts.language_for(mailing, language)
    with override(language):
        offer = offer_words(mailing.offer, language, mailing.company) if mailing.offer is not None else ""
        last = formats.day(until, language=language, style="long") if until is not None else ""
    code = mailing.offer_code.code if mailing.offer_code is not None else ""
    return Reader(name, subscription, language, link, offer, last, code)


def last_offer_day(mailing: Mailing, today: date) -> date | None:
    """Last day to take what a mail of today offers; None where it has none."""
    if mailing.offer is not None:
        return today + timedelta(days=mailing.offer.valid_days)
    return mailing.offer_code.valid_until if mailing.offer_code is not None else None


def follow_up(*, company: Company, at: datetime) -> dict[str, int]:
    """Notes whose term renewed and who used the code; how many."""
    given: dict[str, Any] = {"company": company.pk, "at": at, "zone": company.time_zone, "since": at - LONGEST}
    with connection.cursor() as cursor:
        cursor.execute(_RENEWED, given)
        renewed = cursor.rowcount
        cursor.execute(_REDEEMED, given)
        return {"renewed": renewed, "redeemed": cursor.rowcount}
