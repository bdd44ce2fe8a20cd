"""The stages of the pipeline: those a company starts with, and how it names, orders and weighs its own.

The rule that matters: there is always a stage to begin in, one that is won and one that is lost; a stage with leads
is put away, never deleted.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from django.db import IntegrityError, transaction
from django.utils.translation import override, pgettext_lazy

from core import checks
from core.actors import Actor
from core.models import Company
from core.refusal import Refused
from core.services import trail
from core.texts import checked
from crm.models import Lead, LeadStage

Kind = LeadStage.Kind
NAME: Final = 80
#: What a company starts with: name, kind, percent that are won in the end.
USUAL: Final = (
    (pgettext_lazy("stage of a lead", "New"), Kind.OPEN, 10),
    (pgettext_lazy("stage of a lead", "Qualified"), Kind.OPEN, 30),
    (pgettext_lazy("stage of a lead", "Quote sent"), Kind.OPEN, 60),
    (pgettext_lazy("stage of a lead", "Won"), Kind.WON, 100),
    (pgettext_lazy("stage of a lead", "Lost"), Kind.LOST, 0),
)
FIELDS: Final = ("name", "kind", "probability")


def of_company(company: Company) -> list[LeadStage]:
    """The stages that can be chosen, from left to right; a company without any gets the usual ones."""
    rows = LeadStage.objects.filter(company=company)
    found = list(rows.filter(archived_at__isnull=True))
    if not found and not rows.exists():
        with override(company.language):
            usual = [
                LeadStage(company=company, name=str(name), kind=kind, probability=percent, position=position)
                for position, (name, kind, percent) in enumerate(USUAL, start=1)
            ]
        # Somebody else may be making them at the same time: the first wins.
        LeadStage.objects.bulk_create(usual, ignore_conflicts=True)
        found = list(rows.filter(archived_at__isnull=True))
    return found


def first(company: Company, kind: str = Kind.OPEN) -> LeadStage:
    """The stage of that kind farthest left: where a lead begins, is won or lost."""
    return next(stage for stage in of_company(company) if stage.kind == kind)


@transaction.atomic
def create(
    *, company: Company, name: str, kind: str = Kind.OPEN, probability: int = 0, by: Actor, at: datetime
) -> LeadStage:
    """A stage more, behind those of its kind. Refuses a name that is taken."""
    stages = of_company(company)
    values = _checked({"name": name, "kind": kind, "probability": probability})
    before = [one.position for one in stages if one.kind == kind]
    stage = LeadStage(company=company, position=max(before, default=len(stages)) + 1, **values)
    for one in stages:
        if one.position >= stage.position:
            one.position += 1
    LeadStage.objects.bulk_update(stages, ["position"])
    _save(stage)
    _tell(stage, "create", by=by, at=at)
    return stage


@transaction.atomic
def update(*, stage: LeadStage, changes: Mapping[str, Any], by: Actor, at: datetime) -> LeadStage:
    """Changes name, kind or probability. Refuses to leave the pipeline without a stage of each kind."""
    stage = LeadStage.objects.select_for_update().select_related("company").get(pk=stage.pk)
    values = _checked(changes)
    changed = sorted(name for name, value in values.items() if getattr(stage, name) != value)
    if "kind" in changed:
        _keep_one_of(stage)
    for name in changed:
        setattr(stage, name, values[name])
    if changed:
        _save(stage)
        _tell(stage, "update", by=by, at=at, facts={"fields": changed})
    return stage


@transaction.atomic
def shift(*, stage: LeadStage, steps: int, by: Actor, at: datetime) -> None:
    """Moves it so many places to the right; to the left where negative. At an end nothing happens."""
    stages = list(LeadStage.objects.select_for_update().filter(company_id=stage.company_id, archived_at__isnull=True))
    place = next(index for index, one in enumerate(stages) if one.pk == stage.pk)
    goes_to = min(max(place + steps, 0), len(stages) - 1)
    if goes_to == place:
        return
    stages.insert(goes_to, stages.pop(place))
    for position, one in enumerate(stages, start=1):
        one.position = position
    LeadStage.objects.bulk_update(stages, ["position"])
    _tell(stage, "shift", by=by, at=at, facts={"steps": steps})


@transaction.atomic
def archive(*, stage: LeadStage, by: Actor, at: datetime) -> LeadStage:
    """Puts it away. Refuses one in which leads stand, and the last of its kind. Repeated: nothing happens."""
    stage = LeadStage.objects.select_for_update().select_related("company").get(pk=stage.pk)
    if stage.archived_at is not None:
        return stage
    _keep_one_of(stage)
    if Lead.objects.filter(stage=stage, merged_into__isnull=True).exists():
        raise Refused("lead_stage.in_use", stage=stage.name)
    stage.archived_at = at
    stage.save(update_fields=["archived_at"])
    _tell(stage, "archive", by=by, at=at)
    return stage


def _keep_one_of(stage: LeadStage) -> None:
    others = LeadStage.objects.filter(company_id=stage.company_id, kind=stage.kind, archived_at__isnull=True)
    if not others.exclude(pk=stage.pk).exists():
        raise Refused("lead_stage.last_of_kind", kind=stage.get_kind_display())


def _checked(values: Mapping[str, Any]) -> dict[str, Any]:
    checks.known(values, FIELDS)
    kept = dict(values)
    if "name" in kept:
        kept["name"] = checked(kept["name"], field="name", limit=NAME, required=True).strip()
    if "kind" in kept:
        checks.choice(kept["kind"], Kind.values, field="kind")
    if "probability" in kept:
        checks.whole(kept["probability"], field="probability", most=100)
    return kept


def _save(stage: LeadStage) -> None:
    try:
        with transaction.atomic():
            stage.save()
    except IntegrityError as error:
        if "lead_stage_name_unique" in str(error):
            raise Refused("lead_stage.name_taken", field="name", name=stage.name) from error
        raise


def _tell(stage: LeadStage, verb: str, *, by: Actor, at: datetime, facts: Mapping[str, Any] | None = None) -> None:
    trail.audit(
        company_id=stage.company_id, at=at, by=by, verb=f"lead_stage.{verb}", subject_kind="lead_stage",
        subject_id=stage.pk, facts={"name": stage.name, **(facts or {})},
    )  # fmt: skip
