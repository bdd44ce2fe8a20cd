"""Which occasions there are to remind of, found by the database: one question per rule, helped by indexes.

The rule that matters: what is over, paid or not going to happen is no occasion; whom a rule has reminded of one is not
found again.
"""

# ruff: noqa: S608  only constants of this module are put into its SQL; values are parameters

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final, NamedTuple

from django.db import connection

from core.models import Company
from crm.models import ReminderRule
from crm.services import segments

Occasion = ReminderRule.Occasion

#: The last day on which notice still prevents the renewal of `s`, without grace days; as `pricing.terms` reckons it.
NOTICE_REACHES: Final = """(CASE s.notice_unit
    WHEN 'month' THEN (s.term_ends_on + 1 - make_interval(months => s.notice_count))::date - 1
    ELSE s.term_ends_on - s.notice_count * CASE s.notice_unit WHEN 'week' THEN 7 ELSE 1 END END)"""
#: The same with the grace days of a renewed term.
CANCEL_BY: Final = f"CASE WHEN s.grace_days > 0 THEN s.term_ends_on + s.grace_days ELSE {NOTICE_REACHES} END"
_RENEWING: Final = """s.term_ends_on IS NOT NULL AND s.end_kind = '' AND s.renewal_rule = 'renew'
    AND s.state IN ('active', 'paused', 'suspended', 'trial')"""
#: Months of disuse after which a mandate is dead.
MANDATE_MONTHS: Final = 36

_SUBSCRIPTION: Final = "s.id AS subject_id, s.customer_id, s.id AS subscription_id, NULL::bigint AS invoice_id, "
_INVOICE: Final = "b.invoice_id AS subject_id, b.customer_id, NULL::bigint AS subscription_id, b.invoice_id, "
_METHOD: Final = "m.id AS subject_id, m.customer_id, NULL::bigint AS subscription_id, NULL::bigint AS invoice_id, "
_NO_METHOD: Final = "NULL::bigint AS method_id, "

#: For each occasion the rows (subject_id, customer_id, subscription_id, invoice_id, method_id, occasion_on,
#: amount_minor, currency) whose day lies from %(first)s to %(last)s. `today` is the company's.
_SOURCES: Final[dict[str, str]] = {
    Occasion.BEFORE_RENEWAL: f"""
        SELECT {_SUBSCRIPTION}{_NO_METHOD} s.term_ends_on + 1 AS occasion_on, NULL::bigint AS amount_minor, s.currency
        FROM subscriptions_subscription s
        WHERE s.company_id = %(company)s AND {_RENEWING}
        AND s.term_ends_on BETWEEN %(first)s::date - 1 AND %(last)s::date - 1 AND s.term_ends_on >= %(today)s
    """,
    Occasion.BEFORE_NOTICE_DEADLINE: f"""
        SELECT {_SUBSCRIPTION}{_NO_METHOD} ({CANCEL_BY}) AS occasion_on, NULL::bigint AS amount_minor, s.currency
        FROM subscriptions_subscription s
        WHERE s.company_id = %(company)s AND {_RENEWING}
        AND s.term_ends_on BETWEEN %(first)s::date - s.grace_days AND %(last)s::date + 400
        AND ({CANCEL_BY}) BETWEEN %(first)s AND %(last)s AND ({CANCEL_BY}) >= %(today)s
    """,
    Occasion.BEFORE_TRIAL_END: f"""
        SELECT {_SUBSCRIPTION}{_NO_METHOD} s.paid_from_on AS occasion_on, NULL::bigint AS amount_minor, s.currency
        FROM subscriptions_subscription s
        WHERE s.company_id = %(company)s AND s.state = 'trial' AND s.end_kind <> 'cancel'
        AND s.paid_from_on BETWEEN %(first)s AND %(last)s AND s.paid_from_on > %(today)s
    """,
    Occasion.BEFORE_PRICE_CHANGE: f"""
        SELECT {_SUBSCRIPTION}{_NO_METHOD} c.effective_on AS occasion_on, NULL::bigint AS amount_minor, s.currency
        FROM subscriptions_change c JOIN subscriptions_subscription s ON s.id = c.subscription_id
        WHERE c.company_id = %(company)s AND c.status = 'planned' AND c.kind IN ('version', 'price')
        AND c.effective_on BETWEEN %(first)s AND %(last)s AND c.effective_on > %(today)s
        AND s.state IN ('active', 'paused', 'suspended', 'trial') AND (s.ends_on IS NULL OR s.ends_on >= c.effective_on)
    """,
    Occasion.CARD_EXPIRING: f"""
        SELECT {_METHOD} m.id AS method_id, m.expires_on AS occasion_on, NULL::bigint AS amount_minor, '' AS currency
        FROM billing_paymentmethod m
        WHERE m.company_id = %(company)s AND m.status = 'active' AND m.kind = 'card'
        AND m.expires_on BETWEEN %(first)s AND %(last)s AND m.expires_on >= %(today)s
        AND (m.is_default OR EXISTS (SELECT 1 FROM billing_subscriptionmethod u WHERE u.method_id = m.id))
        AND EXISTS (SELECT 1 FROM subscriptions_subscription s WHERE s.company_id = m.company_id
            AND s.customer_id = m.customer_id AND s.state NOT IN ('canceled', 'expired')
            AND (s.ends_on IS NULL OR s.ends_on > m.expires_on))
    """,
    Occasion.MANDATE_EXPIRING: f"""
        SELECT {_METHOD} m.id AS method_id, d.lapses_on AS occasion_on, NULL::bigint AS amount_minor, '' AS currency
        FROM (SELECT a.*, (COALESCE(a.last_used_on, a.signed_on) + make_interval(months => {MANDATE_MONTHS}))::date
                  AS lapses_on FROM billing_mandate a WHERE a.company_id = %(company)s AND a.ended_on IS NULL) d
        JOIN billing_paymentmethod m ON m.id = d.method_id
        WHERE m.status = 'active' AND d.lapses_on BETWEEN %(first)s AND %(last)s AND d.lapses_on >= %(today)s
        AND EXISTS (SELECT 1 FROM subscriptions_subscription s WHERE s.company_id = m.company_id
            AND s.customer_id = m.customer_id AND s.state NOT IN ('canceled', 'expired'))
    """,
    Occasion.PAYMENT_DUE: f"""
        SELECT {_INVOICE}{_NO_METHOD} b.payment_due_on AS occasion_on, b.open_minor AS amount_minor, b.currency
        FROM billing_invoicebalance b
        WHERE b.company_id = %(company)s AND b.status = 'open' AND b.open_minor > 0
        AND b.payment_due_on BETWEEN %(first)s AND %(last)s AND b.payment_due_on >= %(today)s
        AND NOT EXISTS (SELECT 1 FROM billing_paymentmethod p WHERE p.company_id = b.company_id
            AND p.customer_id = b.customer_id AND p.is_default AND p.status = 'active')
        AND NOT EXISTS (SELECT 1 FROM billing_attempt t WHERE t.invoice_id = b.invoice_id
            AND t.state IN ('created', 'sent', 'pending', 'unknown', 'requires_action'))
    """,
    Occasion.PAYMENT_FAILED: f"""
        SELECT {_INVOICE}{_NO_METHOD} f.failed_on AS occasion_on, b.open_minor AS amount_minor, b.currency
        FROM (SELECT t.invoice_id, max((t.closed_at AT TIME ZONE %(zone)s)::date) AS failed_on
              FROM billing_attempt t WHERE t.company_id = %(company)s AND t.state = 'failed'
              AND t.closed_at >= (%(first)s::date - 1) AND t.closed_at < (%(last)s::date + 2)
              GROUP BY t.invoice_id) f
        JOIN billing_invoicebalance b ON b.invoice_id = f.invoice_id
        WHERE b.status = 'open' AND b.open_minor > 0 AND f.failed_on BETWEEN %(first)s AND %(last)s
        AND NOT EXISTS (SELECT 1 FROM billing_attempt t WHERE t.invoice_id = b.invoice_id
            AND t.state IN ('created', 'sent', 'pending', 'unknown', 'requires_action'))
    """,
    Occasion.AFTER_PAYMENT: f"""
        SELECT {_INVOICE}{_NO_METHOD} b.closed_on AS occasion_on, b.gross_minor AS amount_minor, b.currency
        FROM billing_invoicebalance b
        WHERE b.company_id = %(company)s AND b.status = 'paid' AND b.gross_minor > 0 AND b.paid_minor > 0
        AND b.closed_on BETWEEN %(first)s AND %(last)s
    """,
    Occasion.WIN_BACK: f"""
        SELECT {_SUBSCRIPTION}{_NO_METHOD} s.ends_on + 1 AS occasion_on, NULL::bigint AS amount_minor, s.currency
        FROM subscriptions_subscription s
        WHERE s.company_id = %(company)s AND s.state IN ('canceled', 'expired')
        AND s.ends_on BETWEEN %(first)s::date - 1 AND %(last)s::date - 1
        AND s.end_reason NOT IN ('withdrawal', 'extraordinary', 'unpaid', 'erased')
        AND NOT EXISTS (SELECT 1 FROM subscriptions_subscription o WHERE o.company_id = s.company_id
            AND o.customer_id = s.customer_id AND o.state NOT IN ('canceled', 'expired'))
    """,
}

#: Whether the customer's default method can't be charged on the day of the occasion.
_STALE: Final = """EXISTS (SELECT 1 FROM billing_paymentmethod p WHERE p.company_id = %(company)s
    AND p.customer_id = o.customer_id AND p.is_default
    AND (p.status <> 'active' OR p.expires_on < o.occasion_on))"""
#: Addresses that get mail of the rule's kind: the customer's own, then of people there; blocked ones left out.
_ADDRESSES: Final = """
SELECT array_agg(a.email ORDER BY a.position) AS emails FROM (
    SELECT 0::bigint AS position, c.email WHERE c.email <> ''{own}
    UNION ALL
    SELECT k.id, k.email FROM customers_contact k
    WHERE k.customer_id = c.id AND k.archived_at IS NULL AND k.email <> '' AND {theirs}
) a WHERE NOT EXISTS (
    SELECT 1 FROM customers_suppression x WHERE x.company_id = %(company)s AND x.lifted_at IS NULL
    AND x.address_hash = encode(sha256(convert_to(lower(btrim(a.email)), 'UTF8')), 'hex'){scope}
)
"""
_FOUND: Final = f"""
SELECT o.*, c.name, COALESCE(NULLIF(c.language, ''), %(language)s), COALESCE(e.emails, ARRAY[]::varchar[]),
    {_STALE}, c.public_id
FROM ({{source}}) o
JOIN customers_customer c ON c.id = o.customer_id
CROSS JOIN LATERAL ({{addresses}}) e
WHERE c.archived_at IS NULL {{conditions}}
"""


class Due(NamedTuple):
    """Somebody to be reminded of something."""

    subject_id: int
    customer_id: int
    subscription_id: int | None
    invoice_id: int | None
    method_id: int | None
    occasion_on: date
    amount_minor: int | None
    currency: str
    customer_name: str
    language: str
    emails: list[str]
    is_stale: bool
    customer_public_id: Any


@dataclass(frozen=True, slots=True)
class Window:
    """The days of occasions that a rule tells of on one day, or over several."""

    first: date
    last: date
    today: date

    @classmethod
    def of(cls, rule: ReminderRule, today: date, *, ahead: int = 0) -> Window:
        """What is due that day, late ones included; with `ahead`, what will be due in so many days besides."""
        late = min(rule.late_days, rule.days) if not rule.is_after else rule.late_days
        if rule.is_after:
            last = today - timedelta(days=rule.days) + timedelta(days=ahead)
            return cls(today - timedelta(days=rule.days + late), last, today)
        on = today + timedelta(days=rule.days)
        return cls(on - timedelta(days=late), on + timedelta(days=ahead), today)


def found(
    rule: ReminderRule, company: Company, window: Window, *, after: tuple[int, date] | None = None, limit: int = 0
) -> list[Due]:
    """Who is to be reminded by that rule of occasions in that window, by subject and day; past `after`."""
    sql, params = question(rule, company, window)
    if after is not None:
        # The first half is the second's consequence, and the one an index helps with.
        sql += " AND o.subject_id >= %(after_id)s AND (o.subject_id, o.occasion_on) > (%(after_id)s, %(after_on)s)"
        params |= {"after_id": after[0], "after_on": after[1]}
    sql += " ORDER BY o.subject_id, o.occasion_on"
    if limit:
        sql += f" LIMIT {limit:d}"
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return [Due(*row) for row in cursor.fetchall()]


def count(rule: ReminderRule, company: Company, window: Window) -> int:
    """How many `found` would find."""
    sql, params = question(rule, company, window)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) FROM ({sql}) counted", params)
        (total,) = cursor.fetchone()
    return int(total)


def with_due(rules: Sequence[ReminderRule], company: Company, today: date) -> list[ReminderRule]:
    """Those of the rules that have somebody to remind: one question for all of them."""
    if not rules:
        return []
    parts: list[str] = []
    every: dict[str, Any] = {}
    for rule in rules:
        sql, params = question(rule, company, Window.of(rule, today))
        for name in sorted(params, key=len, reverse=True):
            sql = sql.replace(f"%({name})s", f"%({name}_{rule.pk})s")
        every |= {f"{name}_{rule.pk}": value for name, value in params.items()}
        parts.append(f"SELECT {rule.pk:d} WHERE EXISTS ({sql})")
    with connection.cursor() as cursor:
        cursor.execute(" UNION ALL ".join(parts), every)
        due = {row[0] for row in cursor.fetchall()}
    return [rule for rule in rules if rule.pk in due]


def question(rule: ReminderRule, company: Company, window: Window) -> tuple[str, dict[str, Any]]:
    """The SQL that finds whom the rule has to remind, with its parameters."""
    params: dict[str, Any] = {
        "company": company.pk,
        "language": company.language,
        "zone": company.time_zone,
        "first": window.first,
        "last": window.last,
        "today": window.today,
        "rule": rule.pk,
    }
    conditions = list(_conditions(rule, company, params))
    if rule.pk is not None:
        conditions.append(
            "NOT EXISTS (SELECT 1 FROM crm_reminder r WHERE r.rule_id = %(rule)s"
            " AND r.subject_id = o.subject_id AND r.occasion_on = o.occasion_on)"
        )
    words = "".join(f" AND {one}" for one in conditions)
    addresses = _addresses(is_advertising=rule.category == ReminderRule.Category.MARKETING)
    return _FOUND.format(source=_SOURCES[rule.occasion], addresses=addresses, conditions=words), params


def _addresses(*, is_advertising: bool) -> str:
    """Advertising goes only to addresses that allowed it; the rest to those who get the customer's documents."""
    if is_advertising:
        allowed = " AND c.marketing_consent_at IS NOT NULL"
        return _ADDRESSES.format(own=allowed, theirs="k.marketing_consent_at IS NOT NULL", scope="")
    return _ADDRESSES.format(own="", theirs="k.gets_invoices", scope=" AND x.scope = 'all'")


def _conditions(rule: ReminderRule, company: Company, params: dict[str, Any]) -> Iterator[str]:
    if rule.channel == ReminderRule.Channel.MAIL:
        yield "e.emails IS NOT NULL"
    if rule.category == ReminderRule.Category.MARKETING:
        # Nobody is advertised to who owes money late, or who allowed it on no address.
        yield (
            "NOT EXISTS (SELECT 1 FROM billing_dunningcase g WHERE g.company_id = %(company)s"
            " AND g.customer_id = c.id AND g.closed_at IS NULL)"
        )
        yield "e.emails IS NOT NULL"
    if rule.segment is not None:
        yield f"o.customer_id IN ({segments.named_sql(rule.segment, params['today'], params)})"
    if rule.customer_kind:
        params["kind"] = rule.customer_kind
        yield "c.kind = %(kind)s"
    if rule.language:
        params["wanted_language"] = rule.language
        yield "COALESCE(NULLIF(c.language, ''), %(language)s) = %(wanted_language)s"
    if rule.countries:
        params["countries"] = list(rule.countries)
        yield (
            "EXISTS (SELECT 1 FROM customers_address d WHERE d.customer_id = c.id AND d.kind = 'billing'"
            " AND d.replaced_at IS NULL AND d.country = ANY(%(countries)s))"
        )
    yield from _of_subscription(rule, params)
    if rule.minimum_minor:
        params["minimum"] = rule.minimum_minor
        yield (
            "COALESCE(o.amount_minor, (SELECT sum(l.mrr_minor) FROM subscriptions_slot l"
            " JOIN subscriptions_subscription v ON v.id = l.subscription_id WHERE v.company_id = %(company)s"
            " AND v.customer_id = o.customer_id"
            " AND (o.subscription_id IS NULL OR v.id = o.subscription_id))) >= %(minimum)s"
        )
    if rule.only_stale_method:
        yield _STALE
    if company.mails_start_on is not None:
        params["quiet_until"] = company.mails_start_on
        yield "%(today)s >= %(quiet_until)s"


def _of_subscription(rule: ReminderRule, params: dict[str, Any]) -> Iterator[str]:
    """Conditions on the subscription; of a payment or method: on one of the customer's subscriptions."""
    wanted = []
    if rule.plan_ids:
        params["plans"] = list(rule.plan_ids)
        wanted.append("w.plan_id = ANY(%(plans)s::bigint[])")
    if rule.product_ids:
        params["products"] = list(rule.product_ids)
        wanted.append(
            "EXISTS (SELECT 1 FROM subscriptions_slot l WHERE l.subscription_id = w.id"
            " AND l.product_id = ANY(%(products)s::bigint[]))"
        )
    if rule.cycle_unit:
        params["cycle"] = rule.cycle_unit
        wanted.append("w.interval_unit = %(cycle)s")
    if rule.shortest_term_months:
        params["term"] = rule.shortest_term_months
        wanted.append("w.term_ends_on + 1 >= (w.term_start_on + make_interval(months => %(term)s))::date")
    if wanted:
        yield (
            "EXISTS (SELECT 1 FROM subscriptions_subscription w WHERE w.company_id = %(company)s"
            " AND w.customer_id = o.customer_id AND (o.subscription_id IS NULL OR w.id = o.subscription_id)"
            f" AND {' AND '.join(wanted)})"
        )
