"""Reminds whoever is due: found by the database, written in chunks, each with its mails in one transaction.

The rule that matters: one rule reminds once of one occasion, however often, late or from how many machines it is asked;
what is over is not told any more.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from datetime import date, datetime, timedelta
from typing import Any, Final
from uuid import UUID

import structlog
from django.db import connection, transaction
from django.utils.translation import get_language, override
from django.utils.translation import gettext_lazy as _

from core import clock
from core.copying import copy, optional, take_ids
from core.fault_points import point
from core.ids import encode, new_id
from core.models import Company
from core.services import ticks, trail
from crm.models import Offer, Reminder, ReminderRule
from crm.services import occasions, offer_links, reminder_outcomes, reminder_rules
from crm.services.occasions import Due, Window
from crm.services.reminder_facts import Known
from customers.services import mail_texts, messages
from customers.services.mail_texts import Composed, Composer

log = structlog.get_logger(__name__)
EVERY: Final = timedelta(hours=1)
#: Reminders written by one transaction.
CHUNK: Final = 1000
#: What a message of a reminder is about: the reminder with this id.
KIND: Final = "reminder"
#: First part of the key of the lock that one rule's chunk is written under.
_LOCK: Final = 0x52454D
_SEQUENCE: Final = "crm_reminder_id_seq"
_COLUMNS: Final = (
    "id, public_id, company_id, rule_id, customer_id, subscription_id, invoice_id, method_id, subject_id, occasion_on, "
    "message_id, offer_id, offer_until_on, sent_at"
)


def remind_due(*, company: Company, at: datetime) -> dict[str, int]:
    """Sends what is due at that instant; how many reminders were made, and how many could not be.

    One question where nothing is due. Rules that another machine works on are left to it.
    """
    today = clock.day_in(at, company.time_zone)
    rules = reminder_rules.active(company)
    counts = {"reminded": 0, "failed": 0}
    for rule in occasions.with_due(rules, company, today):
        window = Window.of(rule, today)
        writer = Writer(company, rule, today, at)
        after: tuple[int, date] | None = None
        while True:
            with transaction.atomic():
                if not _alone(rule):
                    break
                found = occasions.found(rule, company, window, after=after, limit=CHUNK)
                writer.write(found)
                point("reminder.written")
            if len(found) < CHUNK:
                break
            after = found[-1].subject_id, found[-1].occasion_on
        counts["reminded"] += writer.made
        counts["failed"] += writer.failed
    return counts


def _alone(rule: ReminderRule) -> bool:
    """Whether nobody else writes this rule's reminders until the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_xact_lock(%s, %s)", [_LOCK, rule.pk % 2**31])
        return bool(cursor.fetchone()[0])


class Writer:
    """Writes the reminders of one rule, chunk by chunk."""

    def __init__(self, company: Company, rule: ReminderRule, today: date, at: datetime) -> None:
        self.company, self.rule, self.today, self.at = company, rule, today, at
        self.offer = rule.offer if rule.offer is not None and rule.offer.archived_at is None else None
        self.offer_until = today + timedelta(days=self.offer.valid_days) if self.offer is not None else None
        self.composer = Composer(company, only=(rule.text, mail_texts.SIGNATURE))
        self.made = self.failed = 0

    def write(self, found: Sequence[Due]) -> None:
        """Reminders with their messages, outbox rows and events; inside the caller's transaction."""
        if not found:
            return
        known = Known(self.company, self.rule, found, self.today)
        fresh = take_ids({_SEQUENCE: len(found)})[_SEQUENCE]
        made: list[tuple[int, UUID, Due]] = []
        drafts = []
        for id_, row in zip(fresh, found, strict=True):
            public_id = new_id()
            if row.emails and self.rule.channel != ReminderRule.Channel.PORTAL:
                try:
                    composed = self._compose(known, public_id, row)
                except Exception:
                    # One that can't be told stops nobody; it is looked at again by the next tick.
                    log.exception("reminder_not_made", rule=self.rule.pk, subject=row.subject_id)
                    self.failed += 1
                    continue
                drafts.append(self._draft(id_, row, composed))
            made.append((id_, public_id, row))
        first: dict[int | None, int] = {}
        for message in messages.write_many(company=self.company, drafts=drafts, at=self.at):
            first.setdefault(message.subject_id, message.pk)
        self._keep(made, first)
        self._tell(made)
        self.made += len(made)

    def _compose(self, known: Known, public_id: UUID, row: Due) -> Composed:
        return compose(self.composer, self.rule, known, row, public_id, self.offer, self.offer_until)

    def _draft(self, id_: int, row: Due, composed: Composed) -> messages.Draft:
        return messages.Draft(
            customer=None, customer_id=row.customer_id, template=self.rule.text, language=row.language,
            subject=composed.subject, body=composed.body, recipients=row.emails, subject_kind=KIND, subject_id=id_,
            category=self.rule.category,
        )  # fmt: skip

    def _keep(self, made: Sequence[tuple[int, UUID, Due]], message_ids: Mapping[int | None, int]) -> None:
        """The reminders themselves."""
        offered = f"{optional(self.offer and self.offer.pk)}\t{optional(self.offer_until)}\t{self.at.isoformat()}"
        lines = [
            f"{id_}\t{public_id}\t{self.company.pk}\t{self.rule.pk}\t{row.customer_id}\t"
            f"{optional(row.subscription_id)}\t{optional(row.invoice_id)}\t{optional(row.method_id)}\t{row.subject_id}\t"
            f"{row.occasion_on}\t{optional(message_ids.get(id_))}\t{offered}"
            for id_, public_id, row in made
        ]
        copy(Reminder._meta.db_table, _COLUMNS, lines)

    def _tell(self, made: Sequence[tuple[int, UUID, Due]]) -> None:
        common = {
            "rule": self.rule.ref,
            "occasion": self.rule.occasion,
            "offer": self.offer.ref if self.offer is not None else None,
        }
        trail.emit_many(
            company_id=self.company.pk, type="reminder.sent", at=self.at, subject_kind=KIND,
            rows=[
                (id_, row.customer_id, {
                    "id": encode(Reminder.PREFIX, public_id), "occasion_on": row.occasion_on.isoformat(), **common,
                })
                for id_, public_id, row in made
            ],
        )  # fmt: skip


def compose(
    composer: Composer, rule: ReminderRule, known: Known, row: Due, public_id: Any, offer: Offer | None,
    offer_until: date | None,
) -> Composed:  # fmt: skip
    """The mail of one reminder: the rule's own words in the reader's language, else the mail text's."""
    with nullcontext() if get_language() == row.language else override(row.language):
        link = offer_links.link_of(public_id, on=known.today, until=offer_until)
        facts = known.facts(row, link=link, offer=offer, offer_until=offer_until)
        return composer.compose(rule.text, row.language, facts, own_text(composer, rule, row.language))


def own_text(composer: Composer, rule: ReminderRule, language: str) -> mail_texts.Text | None:
    """The rule's own words in that language, completed by the mail text's; None without any."""
    subject, body = rule.subject.get(language, ""), rule.body.get(language, "")
    if not subject and not body:
        return None
    usual = composer.text(rule.text, language)
    return mail_texts.Text(subject or usual.subject, body or usual.body)


@ticks.tick(
    "crm.reminders", order=60, every=EVERY, title=_("Reminders"),
    text=_("Reminds customers by the rules of the company, and notes what became of earlier reminders."),
)  # fmt: skip
def reminders_tick(company: Company, at: datetime) -> dict[str, Any]:
    """Sends what is due and follows up what was sent."""
    reminder_rules.ensure_defaults(company=company, at=at)
    counts = remind_due(company=company, at=at)
    return {**counts, **reminder_outcomes.follow_up(company=company, at=at)}
