"""Sends the notices that the law wants before a renewal, and keeps what was sent and what was missed.

The rule that matters: a notice says what the law wants said and nothing else: no offer, no advertising, in the
customer's language and in the law's own; what is missed frees the customer as the law says.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any, Final, NamedTuple

from django.conf import settings
from django.db import connection, transaction
from django.db.models import BooleanField, Exists, OuterRef
from django.db.models.expressions import RawSQL
from django.urls import NoReverseMatch, reverse
from django.utils.functional import lazy
from django.utils.translation import get_language, override
from django.utils.translation import gettext_lazy as _

from catalog.models import TaxBehavior
from core import clock
from core.actors import Actor
from core.design import formats
from core.models import Company, TickRun
from core.services import ticks
from crm.services import reminder_facts
from crm.services.law_table import Law, laws, wording
from crm.services.occasions import NOTICE_REACHES
from customers.models import Customer, Message
from customers.services import mail_texts, messages
from customers.services.mail_texts import Composed, Composer
from subscriptions.models import RenewalNotice, Subscription
from subscriptions.services import renewal_notices, terms
from subscriptions.services.renewal_notices import Wanted

BY: Final = Actor.system("Renewal law")
TICK: Final = "crm.renewal_law"
CHUNK: Final = 500
#: What a notice's message is about: the subscription with this id.
KIND: Final = "subscription"
#: Days after the last day for a notice on which its mail is still looked at.
LOOK_BACK: Final = 30
ONE_DAY: Final = timedelta(days=1)
_LOCK: Final = 0x4C4157

PLACEHOLDERS: Final = {
    "customer": _("Name of the customer"),
    "subscription": _("Name of the subscription"),
    "term_end": _("Last day of the running term"),
    "renews_on": _("First day of the next term"),
    "cancel_by": _("Last day to cancel before the renewal"),
    "price": _("What is paid from the renewal on"),
    "link": _("Where the customer cancels without signing in"),
}

_BASE: Final = {"cancel_by": NOTICE_REACHES, "term_end": "e.term_ends_on", "charge": "e.term_ends_on + 1"}
_WANTED: Final = """
SELECT d.* FROM (
    SELECT s.id, s.term_ends_on, {cancel_by} AS cancel_by,
        {earliest} AS due_from,
        LEAST(({base} - %(latest)s::interval)::date, {cancel_by}) AS due_until,
        (s.created_at AT TIME ZONE s.time_zone)::date AS concluded_on, {emails} AS emails
    FROM (
        SELECT s.id, s.company_id, s.customer_id, s.created_at, s.time_zone, s.notice_unit, s.notice_count,
            s.term_start_on, {end} AS term_ends_on
        FROM subscriptions_subscription s WHERE s.company_id = %(company)s AND {which}
    ) s
    JOIN customers_customer c ON c.id = s.customer_id AND c.archived_at IS NULL {kind}
    WHERE EXISTS (SELECT 1 FROM customers_address a WHERE a.customer_id = c.id AND a.kind = 'billing'
        AND a.replaced_at IS NULL AND a.country = %(country)s)
) d
WHERE d.due_until >= %(valid_from)s AND d.due_until >= d.concluded_on
AND GREATEST(d.due_from, d.due_until - %(ahead)s) <= %(today)s
AND NOT EXISTS (SELECT 1 FROM subscriptions_renewalnotice n
    WHERE n.subscription_id = d.id AND n.term_ends_on = d.term_ends_on AND n.law = %(law)s)
AND d.id > %(after)s ORDER BY d.id LIMIT %(limit)s
"""
#: The term that runs, and the one before where nobody asked for some time.
_COMING: Final = """s.term_ends_on >= %(today)s AND s.end_kind = '' AND s.renewal_rule = 'renew'
    AND s.state IN ('active', 'paused', 'suspended', 'trial')"""
_RENEWED: Final = """s.term_start_on > %(since)s AND s.term_start_on <= %(today)s AND s.term_start_on > s.paid_from_on
    AND s.renewal_rule = 'renew' AND s.state NOT IN ('canceled', 'expired', 'pending')"""
_EMAILS: Final = """ARRAY(SELECT x.email FROM (SELECT 0::bigint AS position, c.email WHERE c.email <> '' UNION ALL
    SELECT k.id, k.email FROM customers_contact k WHERE k.customer_id = c.id AND k.gets_invoices
    AND k.archived_at IS NULL AND k.email <> '') x ORDER BY x.position)"""


#: Where a notice's mail stands that is no proof of having told anybody.
UNPROVEN: Final = (Message.State.FAILED, Message.State.BOUNCED, Message.State.HELD)
#: Of a notice: its mail, or one like it that was sent again, that arrived, or was taken, at one address at least.
REACHED: Final = (
    Message.objects.annotate(
        is_taken=RawSQL(
            "jsonb_path_exists(results, '$.*.state ? (@ == \"sent\" || @ == \"delivered\" || @ == \"complained\")')",
            [],
            output_field=BooleanField(),
        )
    )
    .filter(
        company_id=OuterRef("company_id"), subject_kind=KIND, subject_id=OuterRef("subscription_id"),
        category=Message.Category.LEGAL, template=OuterRef("message__template"), id__gte=OuterRef("message_id"),
        subject=OuterRef("message__subject"), is_taken=True,
    )
    .order_by()
)  # fmt: skip


class Row(NamedTuple):
    """A notice that is due or missed."""

    subscription_id: int
    term_ends_on: date
    cancel_by: date
    due_from: date
    due_until: date
    concluded_on: date
    emails: list[str]


def keep_law(*, company: Company, at: datetime) -> dict[str, int]:
    """Sends every notice that is due, notes every one that was missed; how many of each."""
    today = clock.day_in(at, company.time_zone)
    # A run that failed has not looked at what renewed meanwhile.
    last = TickRun.objects.filter(company=company, name=TICK).values_list("well_at", flat=True).first()
    since = clock.day_in(last, company.time_zone) if last is not None else None
    counts = {"sent": 0, "missed": 0}
    terms_of = _with_terms(company, today, since)
    for law in laws() if terms_of else ():
        if law.needs_notice and law.holds(today):
            _ask(company, law, terms_of, today, since, at, counts)
    counts["missed"] += _undelivered(company, today, at)
    return counts


def _with_terms(company: Company, today: date, since: date | None) -> list[str]:
    """Which terms there are to ask about, in one question: most companies' subscriptions renew none."""
    which = {"coming": _COMING}
    if since is not None and since < today:
        which["renewed"] = _RENEWED
    there = "EXISTS (SELECT 1 FROM subscriptions_subscription s WHERE s.company_id = %(company)s AND {})"
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT " + ", ".join(there.format(one) for one in which.values()),
            {"company": company.pk, "today": today, "since": since},
        )
        return [name for name, is_there in zip(which, cursor.fetchone(), strict=True) if is_there]


def _ask(
    company: Company, law: Law, terms_of: Sequence[str], today: date, since: date | None, at: datetime,
    counts: dict[str, int],
) -> None:  # fmt: skip
    for which in terms_of:
        after = 0
        while True:
            with transaction.atomic():
                _wait_for_others(company)
                rows = _find(company, law, today, since, which, after)
                sent, missed = _keep(company, law, rows, today, at)
            counts["sent"] += sent
            counts["missed"] += missed
            if len(rows) < CHUNK:
                break
            after = rows[-1].subscription_id


def _wait_for_others(company: Company) -> None:
    """Until the transaction ends nobody else keeps this company's laws; what others did before is seen from here on."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(%s, %s)", [_LOCK, company.pk % 2**31])


def _find(company: Company, law: Law, today: date, since: date | None, which: str, after: int) -> list[Row]:
    base = _BASE[law.counted_from].replace("e.term_ends_on", "s.term_ends_on")
    sql = _WANTED.format(
        cancel_by=NOTICE_REACHES,
        base=base,
        earliest=f"({base} - %(earliest)s::interval)::date" if law.earliest else "s.term_start_on",
        emails=_EMAILS,
        end="s.term_ends_on" if which == "coming" else "s.term_start_on - 1",
        which=_COMING if which == "coming" else _RENEWED,
        kind="" if law.applies_to == "both" else "AND c.kind = %(kind)s",
    )
    given: dict[str, Any] = {
        "company": company.pk, "country": law.country, "today": today, "since": since, "law": law.code,
        "earliest": law.earliest, "latest": law.latest, "ahead": law.send_ahead_days, "valid_from": law.valid_from,
        "kind": law.applies_to, "after": after, "limit": CHUNK,
    }  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(sql, given)
        return [Row(*row) for row in cursor.fetchall()]


def _keep(company: Company, law: Law, rows: Sequence[Row], today: date, at: datetime) -> tuple[int, int]:
    """Sends what is in time and has an address, notes what is over; how many of each."""
    if not rows:
        return 0, 0
    held = Subscription.objects.select_related("customer__company", "company").in_bulk(
        [row.subscription_id for row in rows]
    )
    late = [wanted(law, held[row.subscription_id], row) for row in rows if today > row.due_until]
    due = [row for row in rows if today <= row.due_until and row.emails]
    if due:
        written = _write(company, law, due, held, at)
        given = [(wanted(law, held[row.subscription_id], row), message) for row, message in written]
        renewal_notices.keep_sent(given, company=company, by=BY, at=at)
    if late:
        renewal_notices.keep_missed(late, company=company, on=today, by=BY, at=at)
    return len(due), len(late)


def wanted(law: Law, subscription: Subscription, row: Row) -> Wanted:
    """The notice as it is kept."""
    next_end = terms.running_term(subscription, row.term_ends_on + ONE_DAY)[1]
    return Wanted(
        subscription=subscription, law=law.code, term_ends_on=row.term_ends_on, cancel_by_on=row.cancel_by,
        due_from_on=row.due_from, due_until_on=row.due_until, effect=law.effect, refund_days=law.refund_days,
        next_end_on=next_end or row.term_ends_on,
    )  # fmt: skip


def _write(
    company: Company, law: Law, rows: Sequence[Row], held: dict[int, Subscription], at: datetime
) -> list[tuple[Row, messages.Written]]:
    composer = Composer(company, only=(text_name(law), mail_texts.SIGNATURE))
    prices = reminder_facts.prices([(row.subscription_id, row.term_ends_on + ONE_DAY) for row in rows])
    drafts = []
    for row in rows:
        subscription = held[row.subscription_id]
        language = subscription.customer.language or company.language
        price = prices.get((subscription.pk, row.term_ends_on + ONE_DAY), {})
        composed = compose(composer, law, subscription, row, price, language)
        drafts.append(
            messages.Draft(
                customer=subscription.customer, template=text_name(law), language=language, subject=composed.subject,
                body=composed.body, recipients=row.emails, subject_kind=KIND, subject_id=subscription.pk,
                category=Message.Category.LEGAL,
            )
        )  # fmt: skip
    return list(zip(rows, messages.write_many(company=company, drafts=drafts, at=at), strict=True))


def compose(
    composer: Composer, law: Law, subscription: Subscription, row: Row, price: reminder_facts.Price, language: str
) -> Composed:
    """The notice in the customer's language; where that is not the law's own, with the law's wording below."""
    first = _in(composer, law, subscription, row, price, language)
    own = wording()[law.code]["language"]
    if language == own:
        return first
    second = _in(composer, law, subscription, row, price, own)
    return Composed(first.subject, f"{first.body.rstrip()}\n\n{'─' * 48}\n\n{second.subject}\n\n{second.body}")


def _in(
    composer: Composer, law: Law, subscription: Subscription, row: Row, price: reminder_facts.Price, language: str
) -> Composed:
    def day(value: date) -> str:
        return formats.day(value, language=language, style="long")

    with override(language):
        facts = {
            "customer": subscription.customer.name,
            "subscription": subscription.name,
            "term_end": day(row.term_ends_on),
            "renews_on": day(row.term_ends_on + ONE_DAY),
            "cancel_by": day(row.cancel_by),
            "price": reminder_facts.price_in_words(
                price, subscription.currency, language, is_net=subscription.tax_behavior == TaxBehavior.EXCLUSIVE
            ),
            "link": cancel_link(composer.company),
        }
        return composer.compose(text_name(law), language, facts)


def cancel_link(company: Company) -> str:
    """Where a contract is canceled without signing in."""
    try:
        path = reverse("portal:public-cancel", kwargs={"slug": company.slug})
    except NoReverseMatch:  # the product without its portal
        path = "/portal/"
    return f"{settings.SITE_URL}{path}"


def _undelivered(company: Company, today: date, at: datetime) -> int:
    """Notices whose time is over and whose mail reached nobody.

    Where a company's own clock runs ahead, mails that still wait are not late.
    """
    not_taken = [*UNPROVEN, *(["waiting"] if company.clock_at is None else [])]
    rows = RenewalNotice.objects.filter(
        company=company, sent_at__isnull=False, missed_on__isnull=True,
        due_until_on__range=(today - timedelta(days=LOOK_BACK), today - ONE_DAY),
        message__state__in=not_taken,
    )  # fmt: skip
    if not rows.exists():
        return 0
    unreached = rows.exclude(Exists(REACHED)).select_related("subscription__company", "message")
    found = list(unreached.order_by("pk")[:CHUNK])
    for notice in found:
        next_end = terms.running_term(notice.subscription, notice.term_ends_on + ONE_DAY)[1]
        renewal_notices.miss(
            notice, next_end_on=next_end or notice.term_ends_on, on=today, by=BY, at=at
        )  # fmt: skip
    return len(found)


def text_name(law: Law) -> str:
    """The name of the notice's mail text."""
    return f"notice_{law.code}".lower().replace("-", "_")


def _words(code: str, part: str) -> Any:
    """Its wording in the language that is active when it is read."""

    def read() -> str:
        by_language = wording()[code]
        return str(by_language.get(get_language() or "", by_language["en"])[part]).strip()

    return lazy(read, str)()


def _example(customer: Customer) -> dict[str, str]:
    return {**dict.fromkeys(PLACEHOLDERS, ""), "customer": customer.name, "link": cancel_link(customer.company)}


def _register() -> None:
    for law in laws():
        if law.needs_notice:
            mail_texts.register(
                text_name(law), title=law.title, category="legal", placeholders=PLACEHOLDERS,
                purpose=_("Notice of a renewal that the law of the country asks for; the words follow the law."),
                subject=_words(law.code, "subject"), body=_words(law.code, "body"), example=_example,
            )  # fmt: skip


@ticks.tick(
    TICK, order=58, every=timedelta(hours=1), title=_("Renewal notices by law"),
    text=_("Sends the notices that the law of a country wants before a renewal, and notes those that were missed."),
)  # fmt: skip
def law_tick(company: Company, at: datetime) -> dict[str, Any]:
    """Sends what is due."""
    return dict(keep_law(company=company, at=at))


_register()
