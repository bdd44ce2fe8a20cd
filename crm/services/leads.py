"""What staff do with leads: enter, change, give to somebody, move through the pipeline, win, lose, remark on.

The rule that matters: a new lead is somebody's to do at once: the verb that makes it makes a task for its owner.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, timedelta
from typing import Any, Final

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _
from django.utils.translation import override

from catalog.models import Campaign
from core import checks, clock
from core.actors import Actor
from core.models import NAME_LENGTH, Company, Membership, Role, User
from core.refusal import Refused
from core.texts import checked
from crm.models import Lead, LeadNote, LeadStage, LostReason, Task
from crm.services import lead_keys, pipeline, tasks
from crm.services.lead_trail import tell
from customers.services import fields

Kind = LeadStage.Kind
TEXT: Final = 10_000
FIELDS: Final = (
    "name", "organization", "email", "phone", "country", "language", "message", "owner", "probability", "value_minor",
    "currency", "source", "campaign", "external_id",
)  # fmt: skip
#: Columns with what identifies a person: their old and new values stand where erasure finds them.
PERSONAL: Final = ("name", "organization", "email", "phone", "message")
_TEXTS: Final = {
    "name": NAME_LENGTH, "organization": NAME_LENGTH, "phone": 40, "source": 80, "message": TEXT, "external_id": 120,
}  # fmt: skip
#: Days in which somebody answers a new lead.
ANSWER_DAYS: Final = 1
_JOINED: Final = ("company", "stage", "owner", "campaign", "customer")


@transaction.atomic
def create(
    *,
    company: Company,
    stage: LeadStage | None = None,
    team: Role | None = None,
    origin: str = Lead.Origin.STAFF,
    extra: Mapping[str, Any] | None = None,
    by: Actor,
    at: datetime,
    **values: Any,
) -> Lead:
    """A lead, and the task to answer it. `values`: any of `FIELDS`; `extra`: columns only a door of ours may set."""
    kept = _checked(company, {"currency": company.currency, **values})
    if not (kept.get("name") or kept.get("organization")):
        raise Refused("lead.nameless", field="name")
    if stage is not None and stage.company_id != company.pk:
        raise Refused("not_found", field="stage")
    lead = Lead(
        company=company, stage=stage or pipeline.first(company), origin=origin, stage_since=at, created_at=at,
        created_by=by.label[:120], **kept, **_keys(kept), **(extra or {}),
    )  # fmt: skip
    _save(lead)
    tell(lead, "create", by=by, at=at, facts={"origin": origin})
    if lead.stage.kind == Kind.OPEN:
        _ask_to_answer(lead, team, by=by, at=at)
    return lead


def _ask_to_answer(lead: Lead, team: Role | None, *, by: Actor, at: datetime) -> None:
    with override(lead.company.language):
        title = _("Answer %(lead)s") % {"lead": lead.title}
    due_on = clock.day_in(at, lead.company.time_zone) + timedelta(days=ANSWER_DAYS)
    tasks.create(
        company=lead.company, title=title[:NAME_LENGTH], text=lead.message, due_on=due_on, lead=lead,
        owner=lead.owner, team=None if lead.owner is not None else team, by=by, at=at,
    )  # fmt: skip


@transaction.atomic
def update(*, lead: Lead, changes: Mapping[str, Any], by: Actor, at: datetime) -> Lead:
    """Changes named fields; what equals the present value is no change."""
    lead = lock(lead)
    values = _checked(lead.company, changes)
    changed = sorted(name for name, value in values.items() if getattr(lead, name) != value)
    if not changed:
        return lead
    told = [name for name in changed if name in PERSONAL]
    before, after = ({name: getattr(lead, name) for name in told}, {name: values[name] for name in told})
    for name in changed:
        setattr(lead, name, values[name])
    if not (lead.name or lead.organization):
        raise Refused("lead.nameless", field="name")
    keys = _keys({name: getattr(lead, name) for name in ("email", "phone", "organization")})
    for name, value in keys.items():
        setattr(lead, name, value)
    _save(lead, [*changed, *keys])
    if changed == ["owner"]:
        tell(lead, "assign", by=by, at=at)
    else:
        tell(lead, "update", by=by, at=at, facts={"fields": changed}, before=before, after=after)
    if "owner" in changed:
        _hand_over(lead, by=by, at=at)
    return lead


def _hand_over(lead: Lead, *, by: Actor, at: datetime) -> None:
    """Open tasks that nobody has taken go to the new owner."""
    if lead.owner is None:
        return
    for task in lead.tasks.filter(state=Task.State.OPEN, owner__isnull=True).order_by("pk"):
        tasks.assign(task=task, owner=lead.owner, by=by, at=at)


@transaction.atomic
def move(*, lead: Lead, stage: LeadStage, by: Actor, at: datetime) -> Lead:
    """Puts it into another stage: one that is won wins it, an open one opens it again. Repeated: nothing happens.

    Refuses `lead.lost_needs_reason` for a stage that is lost: see `lose`.
    """
    if stage.kind == Kind.LOST and lead.stage_id != stage.pk:
        raise Refused("lead.lost_needs_reason", field="stage")
    return _move(lead, stage, by=by, at=at)


@transaction.atomic
def win(*, lead: Lead, by: Actor, at: datetime) -> Lead:
    """It has bought. One that is won already stays where it is."""
    if lead.stage.kind == Kind.WON:
        return lead
    return _move(lead, pipeline.first(lead.company, Kind.WON), by=by, at=at)


@transaction.atomic
def lose(*, lead: Lead, reason: str, words: str = "", stage: LeadStage | None = None, by: Actor, at: datetime) -> Lead:
    """It won't buy, and why; its open tasks are dropped."""
    checks.choice(reason, LostReason.values, field="reason")
    checked(words, field="words", limit=500)
    goes_to = stage or pipeline.first(lead.company, Kind.LOST)
    if goes_to.kind != Kind.LOST:
        raise Refused("not_found", field="stage")
    lead = _move(lead, goes_to, reason=reason, words=words, by=by, at=at)
    for task in lead.tasks.filter(state=Task.State.OPEN).order_by("pk"):
        tasks.drop(task=task, by=by, at=at)
    return lead


def _move(lead: Lead, stage: LeadStage, *, reason: str = "", words: str = "", by: Actor, at: datetime) -> Lead:
    lead = lock(lead)
    if stage.company_id != lead.company_id or stage.archived_at is not None:
        raise Refused("not_found", field="stage")
    if lead.stage_id == stage.pk and (lead.lost_reason, lead.lost_words) == (reason, words):
        return lead
    before = lead.stage
    lead.stage, lead.stage_since = stage, at
    lead.lost_reason, lead.lost_words = reason, words
    lead.save(update_fields=["stage", "stage_since", "lost_reason", "lost_words"])
    verbs = {Kind.WON: "win", Kind.LOST: "lose", Kind.OPEN: "move" if before.kind == Kind.OPEN else "reopen"}
    tell(lead, verbs[Kind(stage.kind)], by=by, at=at, facts={"from": before.name})
    return lead


@transaction.atomic
def comment(*, lead: Lead, text: str, by: Actor, at: datetime) -> LeadNote:
    """Keeps a remark, word for word."""
    checked(text, field="text", limit=TEXT, required=True)
    lead = lock(lead)
    note = LeadNote.objects.create(company_id=lead.company_id, lead=lead, text=text, by=by.label[:120], at=at)
    tell(lead, "comment", by=by, at=at)
    return note


def plan_step(*, lead: Lead, title: str, due_on: date, owner: User | None = None, by: Actor, at: datetime) -> Task:
    """The next step: a task of the lead, for its owner unless somebody is named."""
    _not_merged(lead)
    return tasks.create(
        company=lead.company, title=title, due_on=due_on, lead=lead, customer=lead.customer,
        owner=owner or lead.owner, by=by, at=at,
    )  # fmt: skip


def lock(lead: Lead) -> Lead:
    """The lead as it stands now, held until the transaction ends. Refuses one that was merged into another."""
    Lead.objects.select_for_update().values_list("pk").get(pk=lead.pk)
    # Read after the lock: who waited for it would else see joined rows as they were before.
    held = Lead.objects.select_related(*_JOINED).get(pk=lead.pk)
    _not_merged(held)
    return held


def standing(lead: Lead) -> Lead:
    """The lead itself, or the one that it was merged into at last."""
    while lead.merged_into_id is not None:
        lead = Lead.objects.select_related(*_JOINED).get(pk=lead.merged_into_id)
    return lead


def _not_merged(lead: Lead) -> None:
    if lead.merged_into_id is not None:
        raise Refused("lead.merged_away")


def _checked(company: Company, values: Mapping[str, Any]) -> dict[str, Any]:
    checks.known(values, FIELDS)
    kept = dict(values)
    for name, limit in _TEXTS.items():
        if name in kept:
            kept[name] = checked(kept[name], field=name, limit=limit)
            if name in ("name", "organization", "source"):
                kept[name] = " ".join(kept[name].split())
    if "email" in kept:
        kept["email"] = fields.email(kept["email"])
    if kept.get("country"):
        checks.country(kept["country"])
    if kept.get("language"):
        checks.language(kept["language"], field="language")
    if "currency" in kept:
        checks.currency(kept["currency"])
    if kept.get("probability") is not None:
        checks.whole(kept["probability"], field="probability", most=100)
    if kept.get("value_minor") is not None:
        checks.minor(kept["value_minor"], field="value_minor")
    _check_rows(company, kept.get("owner"), kept.get("campaign"))
    return kept


def _check_rows(company: Company, owner: User | None, campaign: Campaign | None) -> None:
    if owner is not None and not Membership.objects.filter(company=company, user=owner, user__is_active=True).exists():
        raise Refused("task.owner_works_elsewhere", field="owner")
    if campaign is not None and campaign.company_id != company.pk:
        raise Refused("not_found", field="campaign")


def _keys(values: Mapping[str, Any]) -> dict[str, str]:
    email = values.get("email", "")
    return {
        "email_key": lead_keys.email_key(email),
        "domain_key": lead_keys.domain_key(email),
        "phone_key": lead_keys.phone_key(values.get("phone", "")),
        "organization_key": lead_keys.organization_key(values.get("organization", "")),
    }


def _save(lead: Lead, columns: list[str] | None = None) -> None:
    try:
        with transaction.atomic():
            lead.save(update_fields=columns)
    except IntegrityError as error:
        if "lead_external_id_unique" in str(error):
            raise Refused("lead.external_id_taken", field="external_id", value=lead.external_id) from error
        raise
