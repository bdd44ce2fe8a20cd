"""Segments: made, changed, archived, counted, and asked for their members.

The rule that matters: who belongs is a question to the database that is asked each time, in one statement.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from django.db import IntegrityError, connection, transaction
from django.db.models import QuerySet

from core.actors import Actor
from core.models import NAME_LENGTH, Company
from core.refusal import Refused
from core.services import trail
from core.texts import checked
from crm.models import Segment
from crm.services import segment_rules, segment_sql
from crm.services.segment_rules import Rules
from customers.models import Customer
from subscriptions.models import Subscription

#: Up to so many are counted exactly.
COUNTED: Final = 10_000
NOTE_LENGTH: Final = 500
_PLACE: Final = re.compile("%[s%]")


@dataclass(frozen=True, slots=True)
class Count:
    """How many there are; `is_about`: more than are counted one by one, as the database estimates."""

    total: int
    is_about: bool


def members(*, segment: Segment, on: date) -> QuerySet[Customer]:
    """The customers of the segment as things stand, archived ones left out; days are counted from `on`."""
    return matching(company=segment.company, rules=segment_rules.read(segment.rules), on=on)


def matching(*, company: Company, rules: Rules, on: date) -> QuerySet[Customer]:
    """The same for rules that are not saved."""
    found = segment_sql.question(company, rules, on).customers
    return Customer.objects.filter(found, company=company, archived_at__isnull=True)


def subscriptions(*, segment: Segment, on: date) -> QuerySet[Subscription]:
    """The subscriptions of its members that its rules speak of; each of theirs where they speak of none."""
    asked = segment_sql.question(segment.company, segment_rules.read(segment.rules), on)
    customers = Customer.objects.filter(asked.customers, company=segment.company, archived_at__isnull=True)
    rows = Subscription.objects.filter(company=segment.company, customer__in=customers.order_by().values("pk"))
    return rows if asked.subscriptions is None else rows.filter(asked.subscriptions)


def meant_subscriptions(*, segment: Segment, on: date) -> QuerySet[Subscription] | None:
    """The subscriptions of the company that its rules speak of, whoever has them; None where they speak of none."""
    asked = segment_sql.question(segment.company, segment_rules.read(segment.rules), on)
    if asked.subscriptions is None:
        return None
    return Subscription.objects.filter(asked.subscriptions, company=segment.company)


def named_sql(segment: Segment, on: date, params: dict[str, Any]) -> str:
    """The ids of its members as SQL for a statement with named parameters; its own are added to `params`."""
    sql, values = members(segment=segment, on=on).order_by().values("pk").query.sql_with_params()
    names = iter([f"segment_{place:03d}" for place in range(len(values))])
    params |= {f"segment_{place:03d}": value for place, value in enumerate(values)}
    return _PLACE.sub(lambda found: f"%({next(names)})s" if found[0] == "%s" else found[0], sql)


def count(rows: QuerySet[Any]) -> Count:
    """How many rows: exact up to `COUNTED`, above that the planner's estimate."""
    exact = rows.order_by().values("pk")[: COUNTED + 1].count()
    if exact <= COUNTED:
        return Count(exact, is_about=False)
    sql, params = rows.order_by().values("pk").query.sql_with_params()
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN (FORMAT JSON) {sql}", params)
        (plan,) = cursor.fetchone()
    plan = json.loads(plan) if isinstance(plan, str) else plan
    estimate = max(int(plan[0]["Plan"]["Plan Rows"]), COUNTED)
    step = 10 ** (len(str(estimate)) - 2)
    return Count(estimate // step * step, is_about=True)


def save(
    *, company: Company, segment: Segment | None = None, name: str, note: str = "", rules: Mapping[str, Any],
    by: Actor, at: datetime,
) -> Segment:  # fmt: skip
    """Makes a segment, or gives `segment` these rules. Refuses `segment.name_taken`, and as `segment_rules.checked`."""
    if segment is not None and segment.company_id != company.pk:
        raise Refused("not_found", field="segment")
    values: dict[str, Any] = {
        "name": checked(name, field="name", limit=NAME_LENGTH, required=True),
        "note": checked(note, field="note", limit=NOTE_LENGTH),
        "rules": segment_rules.checked(company, rules).kept(),
    }
    try:
        with transaction.atomic():
            if segment is None:
                held = Segment.objects.create(company=company, created_at=at, changed_at=at, **values)
                _tell(held, "create", "created", by=by, at=at)
                return held
            held = Segment.objects.select_for_update().get(pk=segment.pk)
            if {field: getattr(held, field) for field in values} != values:
                for field, value in values.items():
                    setattr(held, field, value)
                held.changed_at = at
                held.save()
                _tell(held, "change", "changed", by=by, at=at)
    except IntegrityError as error:
        if "segment_name_unique" not in str(error):
            raise
        raise Refused("segment.name_taken", field="name", name=name) from error
    return held


def archive(*, segment: Segment, by: Actor, at: datetime) -> Segment:
    """Hides a segment; mailings and reminder rules that name it go on. Repeated: nothing happens."""
    with transaction.atomic():
        held = Segment.objects.select_for_update().get(pk=segment.pk)
        if held.archived_at is None:
            held.archived_at = at
            held.save(update_fields=["archived_at"])
            _tell(held, "archive", "archived", by=by, at=at)
    return held


def _tell(segment: Segment, verb: str, past: str, *, by: Actor, at: datetime) -> None:
    common: dict[str, Any] = {
        "company_id": segment.company_id, "at": at, "subject_kind": "segment", "subject_id": segment.pk,
    }  # fmt: skip
    trail.audit(by=by, verb=f"segment.{verb}", facts={"name": segment.name, "rules": segment.rules}, **common)
    trail.emit(type=f"segment.{past}", data={"id": segment.ref, "name": segment.name}, **common)
