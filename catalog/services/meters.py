"""Meters: create, rename, archive. How a meter counts never changes: what was counted would become something else."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from django.db import IntegrityError, transaction

from catalog.models import Meter, Plan
from catalog.services.products import checked_code
from catalog.services.texts import checked_texts
from core import checks
from core.actors import Actor
from core.models import NAME_LENGTH, Company
from core.refusal import Refused
from core.services import trail

LATE_DAYS: Final = 90
MOST_LATE_DAYS: Final = 3660
#: What may change once events can have come in.
CHANGEABLE: Final = ("name", "unit_name", "late_days")


def create_meter(
    *,
    company: Company,
    code: str,
    name: Mapping[str, str],
    aggregation: str,
    unit_name: Mapping[str, str] | None = None,
    late_days: int = LATE_DAYS,
    by: Actor,
    at: datetime,
) -> Meter:
    """A meter that takes events; texts by language. Refuses a taken code."""
    checked_code(code)
    checks.choice(aggregation, Meter.Aggregation.values, field="aggregation")
    values = _checked(company, {"name": name, "unit_name": unit_name or {}, "late_days": late_days})
    meter = Meter(company=company, code=code, aggregation=aggregation, **values)
    with transaction.atomic():
        if Meter.objects.filter(company=company, code=code).exists():
            raise Refused("catalog.code_taken", field="code", value=code)
        try:
            with transaction.atomic():
                meter.save(force_insert=True)
        except IntegrityError as error:
            if "meter_code_unique" in str(error):
                raise Refused("catalog.code_taken", field="code", value=code) from None
            raise
        _tell(meter, "created", by=by, at=at, facts={"code": code, "aggregation": aggregation})
    return meter


def update_meter(*, meter: Meter, changes: Mapping[str, Any], by: Actor, at: datetime) -> Meter:
    """Changes name, unit or the days for late events; what equals the present value is no change."""
    checks.known(changes, CHANGEABLE)
    with transaction.atomic():
        meter = Meter.objects.select_for_update().select_related("company").get(pk=meter.pk)
        values = _checked(meter.company, changes)
        changed = sorted(name for name, value in values.items() if getattr(meter, name) != value)
        if not changed:
            return meter
        for name in changed:
            setattr(meter, name, values[name])
        meter.save(update_fields=changed)
        _tell(meter, "updated", by=by, at=at, facts={"fields": changed})
    return meter


def archive_meter(*, meter: Meter, by: Actor, at: datetime) -> Meter:
    """Takes no new events from now on; what came in is billed. Refuses while a plan on sale counts with it."""
    with transaction.atomic():
        meter = Meter.objects.select_for_update().get(pk=meter.pk)
        if meter.archived_at is not None:
            return meter
        plans = (
            Plan.objects.filter(status=Plan.Status.ON_SALE, items__meter=meter, items__archived_at__isnull=True)
            .order_by("code")
            .values_list("code", flat=True)
        )
        if codes := list(plans.distinct()[:5]):
            raise Refused("meter.on_sale", code=meter.code, plans=", ".join(codes))
        meter.archived_at = at
        meter.save(update_fields=["archived_at"])
        _tell(meter, "archived", by=by, at=at, facts={})
    return meter


def restore_meter(*, meter: Meter, by: Actor, at: datetime) -> Meter:
    """Takes events again."""
    with transaction.atomic():
        meter = Meter.objects.select_for_update().get(pk=meter.pk)
        if meter.archived_at is None:
            return meter
        meter.archived_at = None
        meter.save(update_fields=["archived_at"])
        _tell(meter, "restored", by=by, at=at, facts={})
    return meter


def _checked(company: Company, values: Mapping[str, Any]) -> dict[str, Any]:
    kept = dict(values)
    if "name" in kept:
        kept["name"] = checked_texts(kept["name"], company=company, field="name", limit=NAME_LENGTH, required=True)
    if "unit_name" in kept:
        kept["unit_name"] = checked_texts(kept["unit_name"], company=company, field="unit_name", limit=60)
    if "late_days" in kept:
        checks.whole(kept["late_days"], field="late_days", most=MOST_LATE_DAYS)
    return kept


def _tell(meter: Meter, what: str, *, by: Actor, at: datetime, facts: Mapping[str, Any]) -> None:
    common: dict[str, Any] = {
        "company_id": meter.company_id,
        "at": at,
        "subject_kind": "meter",
        "subject_id": meter.pk,
    }
    trail.audit(by=by, verb=f"meter.{what}", facts=facts, **common)
    trail.emit(type=f"meter.{what}", data={"id": meter.ref, "code": meter.code, **facts}, **common)
