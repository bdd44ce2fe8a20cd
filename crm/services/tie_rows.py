"""What a tie has to send: the people, companies and deals of a portion of customers that changed since they were sent.

The rule that matters: consent decides. Who allowed no advertising, or unsubscribed, is never sent as subscribed; what
a preview counts and what a run sends is the same list.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any, Final, NamedTuple

from django.db import connection
from django.db.models.functions import Lower

from core import clock
from core.ids import encode
from core.models import Company
from crm.models import Segment, Tie, TieRecord
from crm.services import segments
from crm.ties import base
from crm.ties.base import Outgoing, Wanted
from customers.models import Contact, Customer, Erasure
from pricing.money import Money
from subscriptions.models import Subscription

State = TieRecord.State
#: Customers looked at in one question.
LOOKED: Final = 1000
#: Subscription states in the order in which one speaks for the customer.
_STATES: Final = ("active", "suspended", "trial", "paused", "pending", "expired", "canceled")
#: States in which the other system may write to the address, as far as we know.
_THERE: Final = frozenset({State.SENT, State.SENDING})

_HOLDERS: Final = """
WITH portion AS (
    SELECT * FROM customers_customer WHERE company_id = %(company)s AND id > %(after)s ORDER BY id LIMIT %(limit)s
)
SELECT h.*, EXISTS (
    SELECT 1 FROM customers_suppression x WHERE x.company_id = %(company)s AND x.lifted_at IS NULL
    AND x.address_hash = encode(sha256(convert_to(h.email, 'UTF8')), 'hex')
) AS is_blocked
FROM (
    SELECT p.id AS customer_id, 0::bigint AS position, lower(btrim(p.email)) AS email, p.name AS name,
        p.marketing_consent_at IS NOT NULL AS is_allowed, p.archived_at IS NOT NULL AS is_archived, p.phone AS phone
    FROM portion p
    UNION ALL
    SELECT p.id, k.id, lower(btrim(k.email)), k.name, k.marketing_consent_at IS NOT NULL,
        p.archived_at IS NOT NULL OR k.archived_at IS NOT NULL, k.phone
    FROM portion p JOIN customers_contact k ON k.customer_id = p.id
    WHERE k.email <> ''
) h
ORDER BY h.customer_id, h.position
"""
_FIGURES: Final = """
SELECT s.customer_id, s.public_id, s.name, s.state, s.currency, s.start_on, s.ends_on,
    CASE WHEN s.end_kind <> 'cancel' THEN s.term_ends_on + 1 END AS renews_on,
    COALESCE((SELECT sum(l.mrr_minor) FROM subscriptions_slot l WHERE l.subscription_id = s.id), 0)::bigint AS mrr
FROM subscriptions_subscription s
WHERE s.company_id = %(company)s AND s.customer_id > %(after)s AND s.customer_id <= %(last)s
ORDER BY s.customer_id, s.id
"""


class Holder(NamedTuple):
    """An address at a customer; position 0 is the customer's own."""

    customer_id: int
    position: int
    email: str
    name: str
    is_allowed: bool
    is_archived: bool
    phone: str
    is_blocked: bool


class Figure(NamedTuple):
    """A subscription of a customer."""

    customer_id: int
    public_id: Any
    name: str
    state: str
    currency: str
    start_on: date
    ends_on: date | None
    renews_on: date | None
    mrr: int


@dataclass(slots=True)
class Portion:
    """`rows` have to be sent, `digests` is what to note for them; `last_id` is the last customer, 0: there are no more.

    `moved` are records that belong to another customer now, `gone` records whose address nobody has any more,
    `forgotten` those of them that were never sent. `erased` are customers who are to be deleted over there.
    """

    rows: list[Outgoing] = field(default_factory=list)
    digests: dict[tuple[str, str], str] = field(default_factory=dict)
    unchanged: int = 0
    last_id: int = 0
    moved: dict[int, int] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)
    forgotten: list[int] = field(default_factory=list)
    erased: set[int] = field(default_factory=set)


def portion(tie: Tie, *, after: int, at: datetime, limit: int = LOOKED) -> Portion:
    """What changed for the next customers after this one. A fixed number of statements and one for each segment."""
    cls = base.of_kind(tie.kind)
    found = Portion()
    params: dict[str, Any] = {"company": tie.company_id, "after": after, "limit": limit}
    holders = [Holder(*row) for row in _asked(_HOLDERS, params)]
    if not holders:
        return found
    found.last_id = holders[-1].customer_id
    looked = _Looked(tie, cls, holders, after, found.last_id, at)
    wanted = list(looked.people())
    if "company" in cls.takes:
        wanted = [*looked.companies(), *wanted, *looked.deals()]
    for row in wanted:
        digest = _digest(row, plain=not cls.keeps_everybody)
        record = looked.records.get((row.kind, row.key))
        if record is not None and record.digest == digest:
            found.unchanged += 1
            continue
        found.rows.append(row)
        found.digests[row.kind, row.key] = digest
    looked.orphans(found)
    order = {kind: place for place, kind in enumerate(cls.takes)}
    found.rows.sort(key=lambda row: order[row.kind])
    return found


class _Looked:
    """A portion of customers with all that is asked about them."""

    def __init__(
        self, tie: Tie, cls: type[base.Connection], holders: Sequence[Holder], after: int, last: int, at: datetime
    ) -> None:
        self.tie, self.cls, self.after, self.last = tie, cls, after, last
        self.company: Company = tie.company
        self.on = clock.day_in(at, self.company.time_zone)
        self.holders = [one for one in holders if one.email]
        ids = {"pk__gt": after, "pk__lte": last}
        self.customers = Customer.objects.filter(company_id=tie.company_id, **ids).in_bulk()
        self.countries = _countries(self.customers)
        erased = Erasure.objects.filter(company_id=tie.company_id, customer_id__gt=after, customer_id__lte=last)
        self.erased = set(erased.values_list("customer_id", flat=True))
        self.members = self._members(tie.segment, ids) if tie.segment is not None else None
        self.marks = self._marks(ids)
        self.figures: dict[int, list[Figure]] = defaultdict(list)
        for row in _asked(_FIGURES, {"company": tie.company_id, "after": after, "last": last}):
            self.figures[row[0]].append(Figure(*row))
        own = TieRecord.objects.filter(tie=tie)
        known = {row.pk: row for row in own.filter(customer_id__gt=after, customer_id__lte=last)}
        addresses = {one.email for one in self.holders}
        known |= {row.pk: row for row in own.filter(kind="person", key__in=addresses)}
        self.records = {(row.kind, row.key): row for row in known.values()}

    def _members(self, segment: Segment, ids: Mapping[str, int]) -> set[int]:
        return set(segments.members(segment=segment, on=self.on).filter(**ids).order_by().values_list("pk", flat=True))

    def _marks(self, ids: Mapping[str, int]) -> dict[int, list[str]]:
        found: dict[int, list[str]] = defaultdict(list)
        for segment in marks_of(self.tie):
            for pk in self._members(segment, ids):
                found[pk].append(segment.name)
        return found

    def is_in(self, customer_id: int) -> bool:
        return self.members is None or customer_id in self.members

    def people(self) -> Iterable[Outgoing]:
        """One row for each address: several holders of one at a customer speak together, and yes has to be said."""
        by_key: dict[str, list[Holder]] = defaultdict(list)
        for one in self.holders:
            by_key[one.email].append(one)
        for key, many in by_key.items():
            record = self.records.get(("person", key))
            if record is not None and all(record.customer_id != one.customer_id for one in many) and record.state in (
                *_THERE, State.KEPT
            ):  # fmt: skip
                continue  # another customer's, who has it first
            live = [one for one in many if not one.is_archived and self.is_in(one.customer_id)]
            allowed = [one for one in many if one.is_allowed and not one.is_blocked]
            speaker = next((one for one in live if one in allowed), (live or many)[0])
            wanted = self._wanted(speaker, record, is_live=bool(live), is_allowed=bool(allowed))
            if wanted is not None:
                yield self._person(speaker, wanted, record)

    def _wanted(self, one: Holder, record: TieRecord | None, *, is_live: bool, is_allowed: bool) -> Wanted | None:
        state = record.state if record is not None and record.state != State.HEARD else ""
        if is_live and one.is_allowed and not one.is_blocked:
            return "on"
        if self.cls.keeps_everybody:
            if not is_live and not state:
                return None
            return "off" if state in (*_THERE, State.OFF, State.LEFT) and not is_allowed else "kept"
        if not state or (not is_allowed and state in (State.OFF, State.LEFT)):
            return None
        return "out" if is_allowed else "off"

    def _person(self, one: Holder, wanted: Wanted, record: TieRecord | None) -> Outgoing:
        customer = self.customers[one.customer_id]
        values = {} if wanted == "out" else self._values(one, customer)
        return Outgoing(
            "person", one.email, one.customer_id, wanted, values, tuple(self.marks.get(one.customer_id, ())),
            was=record.state if record is not None else "", external_id=record.external_id if record else "",
            company_key=customer.ref, shared=self._shared(one, customer, wanted),
        )  # fmt: skip

    def _shared(self, one: Holder, customer: Customer, wanted: Wanted) -> dict[str, str]:
        """What may be changed on both sides; see `tie_hearing.shared_of`."""
        if not self.tie.is_two_way or wanted == "out" or (wanted != "on" and not self.cls.keeps_everybody):
            return {}
        is_ours_alone = customer.kind == Customer.Kind.COMPANY and not one.position
        return {"phone": one.phone} | ({} if is_ours_alone else {"name": one.name})

    def _values(self, one: Holder, customer: Customer) -> dict[str, str]:
        is_business = customer.kind == Customer.Kind.COMPANY
        return {
            "name": "" if is_business and not one.position else one.name,
            "company": customer.name if is_business else "",
            "language": customer.language or self.company.language,
            "country": self.countries.get(customer.pk, ""),
            "customer": customer.ref,
            "since": str(clock.day_in(customer.created_at, self.company.time_zone)),
            **self._of_subscriptions(customer),
        }

    def _of_subscriptions(self, customer: Customer) -> dict[str, str]:
        rows = self.figures.get(customer.pk, [])
        live = [row for row in rows if row.state not in ("canceled", "expired")]
        states = {row.state for row in rows}
        sums: dict[str, int] = defaultdict(int)
        for row in live:
            sums[row.currency] += row.mrr
        usual = customer.currency or self.company.currency
        currency = usual if usual in sums or not sums else max(sums, key=lambda code: sums[code])
        renews = [row.renews_on for row in live if row.renews_on is not None]
        state = next((state for state in _STATES if state in states), "")
        return {
            "state": "archived" if customer.archived_at is not None else state,
            "plans": ", ".join(sorted({row.name for row in live})),
            "mrr": str(Money(sums[currency], currency).amount) if sums else "0",
            "currency": currency,
            "renews_on": str(min(renews)) if renews else "",
        }

    def _kept(self, customer: Customer, kind: str, key: str) -> TieRecord | None | bool:
        """Its record; False where it isn't sent: never was, and is archived or outside, or its customer is erased."""
        record = self.records.get((kind, key))
        live = customer.archived_at is None and self.is_in(customer.pk)
        return record if customer.pk not in self.erased and (live or record is not None) else False

    def companies(self) -> Iterable[Outgoing]:
        for customer in self.customers.values():
            record = self._kept(customer, "company", customer.ref)
            if record is False or customer.kind != Customer.Kind.COMPANY:
                continue
            values = {
                "company": customer.name, "country": self.countries.get(customer.pk, ""), "customer": customer.ref,
                "vat_id": customer.vat_id, "since": str(clock.day_in(customer.created_at, self.company.time_zone)),
                **self._of_subscriptions(customer),
            }  # fmt: skip
            yield self._row("company", customer.ref, customer, values, record)

    def deals(self) -> Iterable[Outgoing]:
        for customer in self.customers.values():
            for one in self.figures.get(customer.pk, []):
                key = encode(Subscription.PREFIX, one.public_id)
                record = self._kept(customer, "deal", key)
                if record is False:
                    continue
                values = {
                    "name": f"{customer.name} · {one.name}", "state": one.state, "subscription": key,
                    "mrr": str(Money(one.mrr, one.currency).amount),
                    "arr": str(Money(one.mrr * 12, one.currency).amount), "currency": one.currency,
                    "start_on": str(one.start_on), "renews_on": str(one.renews_on or ""),
                    "ends_on": str(one.ends_on or ""),
                }  # fmt: skip
                yield self._row("deal", key, customer, values, record)

    def _row(
        self, kind: str, key: str, customer: Customer, values: dict[str, str], record: TieRecord | bool | None
    ) -> Outgoing:
        known = record if isinstance(record, TieRecord) else None
        return Outgoing(
            kind, key, customer.pk, "kept", values, tuple(self.marks.get(customer.pk, ())),
            was=known.state if known else "", external_id=known.external_id if known else "",
            company_key=customer.ref, person_key=customer.email.strip().lower(),
        )  # fmt: skip

    def orphans(self, found: Portion) -> None:
        """Records whose address nobody at these customers has: another customer's now, or to be taken from the list."""
        here = {one.email for one in self.holders}
        lost = {
            key: row for (kind, key), row in self.records.items()
            if kind == "person" and key not in here and self.after < row.customer_id <= self.last
        }  # fmt: skip
        elsewhere = owners(self.tie.company_id, lost) if lost else {}
        found.erased = self.erased & {row.customer_id for row in self.records.values()}
        for key, row in lost.items():
            if row.customer_id in self.erased:
                continue  # taken from the list alone, they would stay there for good
            if key in elsewhere:
                found.moved[row.pk] = elsewhere[key]
                continue
            if row.state == State.HEARD:
                found.forgotten.append(row.pk)
                continue
            found.gone.add(key)
            found.rows.append(Outgoing("person", key, row.customer_id, "out", {}, was=row.state,
                                       external_id=row.external_id))  # fmt: skip


def marks_of(tie: Tie) -> list[Segment]:
    """The segments shown at each person over there, by name."""
    ids = [Segment.public_id_of(ref) for ref in tie.marks]
    rows = Segment.objects.filter(company_id=tie.company_id, public_id__in=ids, archived_at__isnull=True)
    return list(rows.order_by("name")) if ids else []


def _digest(row: Outgoing, *, plain: bool) -> str:
    """Fingerprint of what is sent; of somebody who is to get nothing any more, values don't matter."""
    said: list[Any] = [] if plain and row.wanted in ("off", "out") else [sorted(row.values.items()), sorted(row.marks)]
    if row.shared:
        said.append(sorted(row.shared.items()))
    return hashlib.sha256(json.dumps([row.wanted, said]).encode()).hexdigest()


def _countries(customers: Mapping[int, Customer]) -> dict[int, str]:
    from customers.models import Address

    rows = Address.objects.filter(customer__in=customers, kind=Address.Kind.BILLING, replaced_at__isnull=True)
    return dict(rows.values_list("customer_id", "country"))


def owners(company_id: int, keys: Iterable[str]) -> dict[str, int]:
    """Who else of the company has these addresses."""
    people = Contact.objects.filter(company_id=company_id, archived_at__isnull=True).annotate(at=Lower("email"))
    own = Customer.objects.filter(company_id=company_id).annotate(at=Lower("email"))
    keys = list(keys)
    found = dict(people.filter(at__in=keys).values_list("at", "customer_id"))
    return found | dict(own.filter(at__in=keys).values_list("at", "pk"))


def _asked(sql: str, params: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows
