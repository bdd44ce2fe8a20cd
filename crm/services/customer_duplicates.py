"""Which customers may be one: the same e-mail address, phone number or VAT id, or a similar name at the same place.

The rule that matters: a likeness is shown, never acted on. It is asked about a number of customers at a time, newest
first, each of whom is looked up among the older ones by keys that have an index; nobody compares all with all.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db import connection, transaction
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from core.actors import Actor
from core.models import Company
from core.refusal import Refused
from core.services import trail
from crm.services.lead_duplicates import ALIKE
from crm.services.lead_duplicates import REASONS as OF_LEADS
from customers.models import Apart, Customer
from customers.services import merged

#: So many customers are looked at for one page.
WINDOW: Final = 250
#: An address or number that more customers share leads to the newest of them; a place to so many.
FOLLOWED, NEIGHBORS = 10, 1000
REASONS: Final[dict[str, str | Promise]] = {
    "vat_id": _("same VAT id"),
    "email": OF_LEADS["email"],
    "phone": OF_LEADS["phone"],
    "name": _("similar name at the same place"),
}
_LIVES: Final = "EXISTS (SELECT 1 FROM customers_customer c WHERE c.id = o.customer_id AND c.archived_at IS NULL)"
_PLAIN, _MAIL, _PHONE = "o.company_id = %(company)s", "turnus_mail_key({}.email)", "turnus_phone_key({}.phone)"


def _holders(key: str, reason: str) -> str:
    """Who else has the key: customers themselves, and people of theirs. `asked` are the keys of those looked at."""
    mine = key.format("o")
    return "".join(
        f"""
        UNION ALL SELECT asked.id, other.id, '{reason}' FROM {reason}s asked, LATERAL (
            SELECT DISTINCT {owner} AS id FROM {table} o
            WHERE o.company_id = %(company)s AND {mine} = asked.key AND {mine} <> '' AND o.archived_at IS NULL{lives}
                AND {owner} <> asked.id AND (%(all)s OR {owner} < asked.id)
            ORDER BY 1 DESC LIMIT {FOLLOWED}
        ) other"""  # noqa: S608
        for table, owner, lives in (
            ("customers_customer", "o.id", ""),
            ("customers_contact", "o.customer_id", f" AND {_LIVES}"),
        )
    )


def _asked(key: str, reason: str) -> str:
    return f"""
    {reason}s AS (
        SELECT id, {key.format("looked")} AS key FROM looked WHERE {key.format("looked")} <> ''
        UNION SELECT c.customer_id, {key.format("c")} FROM looked JOIN customers_contact c ON c.customer_id = looked.id
            WHERE c.archived_at IS NULL AND {key.format("c")} <> ''
    )"""  # noqa: S608


_SQL: Final = f"""
    WITH looked AS MATERIALIZED (
        SELECT id, sort_key, email, phone, vat_id FROM customers_customer o
        WHERE {_PLAIN} AND archived_at IS NULL AND (%(one)s::bigint IS NULL OR id = %(one)s)
            AND (%(before)s::bigint IS NULL OR id < %(before)s)
        ORDER BY id DESC LIMIT %(window)s
    ), {_asked(_MAIL, "email")}, {_asked(_PHONE, "phone")},
    places AS (
        SELECT looked.id, looked.sort_key, a.country, turnus_place_key(a.postal_code, a.city) AS key
        FROM looked JOIN customers_address a ON a.customer_id = looked.id
        WHERE a.kind = 'billing' AND a.replaced_at IS NULL AND turnus_place_key(a.postal_code, a.city) <> ''
    ),
    found (id, other, reason) AS (
        SELECT looked.id, other.id, 'vat_id' FROM looked, LATERAL (
            SELECT o.id FROM customers_customer o
            WHERE {_PLAIN} AND o.vat_id = looked.vat_id AND o.vat_id <> '' AND o.archived_at IS NULL
                AND o.id <> looked.id AND (%(all)s OR o.id < looked.id)
            ORDER BY 1 DESC LIMIT {FOLLOWED}
        ) other
        {_holders(_MAIL, "email")}
        {_holders(_PHONE, "phone")}
        UNION ALL SELECT places.id, other.customer_id, 'name' FROM places, LATERAL (
            SELECT o.customer_id FROM customers_address o
            WHERE {_PLAIN} AND o.country = places.country AND o.kind = 'billing' AND o.replaced_at IS NULL
                AND turnus_place_key(o.postal_code, o.city) = places.key
                AND turnus_place_key(o.postal_code, o.city) <> ''
                AND o.customer_id <> places.id AND (%(all)s OR o.customer_id < places.id)
            ORDER BY 1 DESC LIMIT {NEIGHBORS}
        ) other JOIN customers_customer c ON c.id = other.customer_id
        WHERE c.archived_at IS NULL AND similarity(c.sort_key, places.sort_key) >= %(alike)s
    )
    SELECT id, other, array_agg(DISTINCT reason) FROM found
    WHERE NOT EXISTS (
        SELECT 1 FROM customers_apart k
        WHERE k.first_id = least(found.id, other) AND k.second_id = greatest(found.id, other)
    )
    GROUP BY id, other ORDER BY id DESC, other DESC
"""  # noqa: S608 - made of the constants above alone


@dataclass(frozen=True, slots=True)
class Pair:
    """Two customers that may be one, the younger first, and by what: keys of `REASONS`, the surest first."""

    younger: Customer
    older: Customer
    reasons: tuple[str, ...]

    @property
    def words(self) -> list[str]:
        return [str(REASONS[reason]) for reason in self.reasons]

    def other(self, customer: Customer) -> Customer:
        """The one that it isn't."""
        return self.older if customer.pk == self.younger.pk else self.younger


@dataclass(frozen=True, slots=True)
class Found:
    """The pairs among so many customers. `next`: the last one looked at, if there are older ones."""

    pairs: list[Pair]
    looked_at: int
    next: Customer | None


def find(*, company: Company, before: int | None = None, window: int = WINDOW) -> Found:
    """Pairs whose younger customer is one of the `window` newest with an id below `before`. Four queries."""
    rows = Customer.objects.filter(company=company, archived_at__isnull=True).order_by("-pk")
    if before is not None:
        rows = rows.filter(pk__lt=before)
    ids = list(rows.values_list("pk", flat=True)[: window + 1])
    last = Customer.objects.get(pk=ids[window - 1]) if len(ids) > window else None
    pairs = _pairs({"company": company.pk, "before": before, "window": window, "one": None, "all": False})
    return Found(pairs, min(len(ids), window), last)


def of_customer(customer: Customer) -> list[Pair]:
    """Whom the customer may be the same as, younger or older. Two queries."""
    if customer.archived_at is not None:
        return []
    return _pairs({"company": customer.company_id, "before": None, "window": 1, "one": customer.pk, "all": True})


def _pairs(params: dict[str, Any]) -> list[Pair]:
    with connection.cursor() as cursor:
        cursor.execute(_SQL, {**params, "alike": ALIKE})
        found = cursor.fetchall()
    rows = Customer.objects.in_bulk({pk for first, second, _reasons in found for pk in (first, second)})
    return [
        Pair(rows[max(first, second)], rows[min(first, second)], tuple(one for one in REASONS if one in reasons))
        for first, second, reasons in found
    ]


@transaction.atomic
def keep_apart(*, first: Customer, second: Customer, by: Actor, at: datetime) -> Apart:
    """These are two, and not shown as duplicates again. Repeated: nothing happens.

    Refuses `merging.itself`, and `customer.merged` for whoever is one with another already.
    """
    if first.pk == second.pk:
        raise Refused("merging.itself", field="customer")
    if first.company_id != second.company_id:
        raise Refused("not_found", field="customer")
    older, younger = sorted((first, second), key=lambda row: row.pk)
    merged.refuse(older)
    merged.refuse(younger)
    row, made = Apart.objects.get_or_create(
        first=older, second=younger, defaults={"company_id": older.company_id, "by": by.label[:120], "at": at}
    )
    if made:
        trail.audit(
            company_id=older.company_id, at=at, by=by, verb="customer.keep_apart", subject_kind="customer",
            subject_id=younger.pk, customer_id=younger.pk, facts={"from": older.ref},
        )  # fmt: skip
        trail.emit(
            company_id=older.company_id, type="customer.found_apart", at=at, subject_kind="customer",
            subject_id=younger.pk, customer_id=younger.pk, data={"id": younger.ref, "from": older.ref},
        )  # fmt: skip
    return row


def inherit(goes: Customer, stays: Customer) -> None:
    """Whoever was found to be another than the one that goes is another than the one that stays."""
    pairs = Apart.objects.filter(company_id=goes.company_id)
    known = [*pairs.filter(first=goes), *pairs.filter(second=goes)]
    others = {row.second_id if row.first_id == goes.pk else row.first_id: row for row in known}
    Apart.objects.bulk_create(
        [
            Apart(
                company_id=row.company_id, first_id=min(pk, stays.pk), second_id=max(pk, stays.pk), by=row.by, at=row.at
            )
            for pk, row in others.items()
            if pk != stays.pk
        ],
        ignore_conflicts=True,
    )
