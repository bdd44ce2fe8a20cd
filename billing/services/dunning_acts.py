"""What colleagues do with dunning cases by button, one or many: next step, reminder, collecting, pausing, giving up.

The rule that matters: each act reads the case anew under its customer's lock; one that can't be done stops no other.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

from django.db import transaction
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from billing.models import DunningCase, DunningEntry
from billing.services import (
    claims,
    collecting_many,
    dunning,
    dunning_following,
    dunning_letters,
    dunning_words,
    lateness,
    receivables,
)
from billing.services.lateness import Late
from core import clock
from core.actors import Actor
from core.models import Company
from core.refusal import Refused

State, Result = DunningCase.State, DunningEntry.Result
LIVE: Final = (State.OPEN, State.PROMISED, State.PAUSED)
ACTS: Final[dict[str, str | Promise]] = {
    "step": gettext_lazy("Do the next step"),
    "retry": gettext_lazy("Collect again"),
    "mail": gettext_lazy("Send a reminder"),
    "pause": gettext_lazy("Pause"),
    "resume": gettext_lazy("Go on"),
    "hand_over": gettext_lazy("Hand over to collection"),
    "write_off": gettext_lazy("Write off"),
    "give_up": gettext_lazy("Give up"),
}
#: Acts that ask for a reason.
REASONED: Final = frozenset({"pause", "write_off", "give_up"})
#: Cases in one go.
MOST: Final = 200


@dataclass(slots=True)
class Planned:
    """A case to be: what is overdue in it, minor units; `skipped` says why nothing will be done."""

    case: DunningCase
    minor: int
    skipped: str = ""


def plan(*, company: Company, act: str, cases: Sequence[DunningCase]) -> list[Planned]:
    """What `act` would do with these cases, by what stands now. Refuses an unknown act (`field.choice`)."""
    if act not in ACTS:
        raise Refused("field.choice", field="act", value=act, choices=", ".join(ACTS))
    return [Planned(case, case.overdue_minor, _skipped(case, act)) for case in cases[:MOST]]


def _skipped(case: DunningCase, act: str) -> str:
    if case.state not in LIVE:
        return _("this case is %(state)s") % {"state": case.get_state_display()}
    if act == "resume" and case.state == State.OPEN:
        return _("dunning is neither paused nor is payment promised")
    if act == "pause" and case.state == State.PAUSED and case.paused_until_on is None:
        return dunning_words.reason_words("paused")
    if act in ("step", "mail") and case.state != State.OPEN:
        return dunning_words.reason_words(case.state)
    return ""


def carry_out(
    *, company: Company, act: str, cases: Sequence[DunningCase], reason: str = "", by: Actor, at: datetime
) -> list[Planned]:
    """Does it, case by case; what couldn't be done says why in `skipped`. Never inside a transaction."""
    rows = plan(company=company, act=act, cases=cases)
    for row in rows:
        if row.skipped:
            continue
        try:
            row.skipped = do(case=row.case, act=act, reason=reason, by=by, at=at)
        except Refused as refused:
            row.skipped = refused.message
    return rows


def do(*, case: DunningCase, act: str, reason: str = "", by: Actor, at: datetime) -> str:
    """One act on one case; why nothing was done, else empty. Refuses as the verbs of `dunning` do."""
    match act:
        case "step":
            entry = dunning.step_now(case=case, by=by, at=at)
            return dunning_words.reason_words(entry.reason) if entry.result != Result.DONE and entry.reason else ""
        case "retry":
            return _retry(case, by=by, at=at)
        case "mail":
            return _mail(case, by=by, at=at)
        case "pause":
            dunning.pause(case=case, reason=reason, by=by, at=at)
        case "resume":
            dunning.resume_case(case=case, reason=reason, by=by, at=at)
        case "hand_over":
            _hand_over(case, by=by, at=at)
        case "write_off":
            _write_off(case, reason, by=by, at=at)
        case "give_up":
            dunning.give_up(case=case, reason=reason, by=by, at=at)
        case _:
            raise Refused("field.choice", field="act", value=act, choices=", ".join(ACTS))
    return ""


def _held(case: DunningCase, at: datetime, *, by: Actor) -> tuple[DunningCase, list[Late], date]:
    """The case as it is now, under its customer's lock, what is late, and today.

    Refuses `dunning.not_open`, also where nothing is open any more.
    """
    customer = dunning_following.locked_customer(case.customer_id)
    held = dunning_following.held_case(customer, case.currency)
    today = clock.day_in(at, customer.company.time_zone)
    late = lateness.read(customer.company, customer.pk, case.currency, today)
    if held is not None and held.pk == case.pk and late:
        held = dunning_following.refresh(customer, case.currency, held, at, by=by)
    if held is None or held.pk != case.pk or not late:
        known = DunningCase.objects.get(pk=case.pk).state
        raise Refused("dunning.not_open", state=State.PAID.label if known in LIVE else State(known).label)
    return held, late, today


def _retry(case: DunningCase, *, by: Actor, at: datetime) -> str:
    company = Company.objects.get(pk=case.company_id)
    today = clock.day_in(at, company.time_zone)
    refs = [one.invoice.ref for one in lateness.read(company, case.customer_id, case.currency, today)]
    rows = collecting_many.carry_out(company=company, act="retry", refs=refs, by=by, at=at)
    if any(not row.skipped for row in rows):
        return ""
    return rows[0].skipped if rows else dunning_words.reason_words("paid")


def _mail(case: DunningCase, *, by: Actor, at: datetime) -> str:
    """The reminder of the last level that was sent, once more; the first one where none was."""
    with transaction.atomic():
        held, late, today = _held(case, at, by=by)
        if held.state != State.OPEN:
            return dunning_words.reason_words(held.state)
        asked = [one for one in late if not one.stop]
        if not asked:
            return dunning_words.reason_words(late[0].stop)
        sent: Any = (
            held.entries.filter(action="mail", result=Result.DONE).order_by("-pk").values_list("facts", flat=True)
        )
        level = int((sent.first() or {}).get("level", 0))
        message = dunning_letters.remind(
            case=held, level=level, late=asked, claims=claims.open_of(held.customer_id, held.currency), on=today, at=at
        )
        if message is None:
            return dunning_words.reason_words("no_recipient")
        facts = {"message": message.pk, "level": level, "by": by.label}
        _keep(held, "mail", "reminded", asked, facts, today, by=by, at=at)
    return ""


def _hand_over(case: DunningCase, *, by: Actor, at: datetime) -> None:
    with transaction.atomic():
        held, late, today = _held(case, at, by=by)
        message = dunning_letters.tell_colleagues(
            case=held, late=late, claims=claims.open_of(held.customer_id, held.currency), is_handed_over=True, on=today,
            at=at,
        )  # fmt: skip
        facts = {"message": message.pk if message else None, "by": by.label}
        _keep(held, "hand_over", "handed_over", late, facts, today, by=by, at=at)


def _write_off(case: DunningCase, reason: str, *, by: Actor, at: datetime) -> None:
    receivables.reasoned(reason)
    with transaction.atomic():
        held, late, today = _held(case, at, by=by)
        for one in late:
            receivables.write_off(invoice=one.invoice, reason=reason, by=by, at=at)
        facts = {"invoices": [one.invoice.pk for one in late][:50], "why": reason[:500], "by": by.label}
        _keep(held, "write_off", "written_off", late, facts, today, by=by, at=at)
    dunning.follow(case.customer_id, case.currency, at)


def _keep(
    case: DunningCase, action: str, past: str, late: Sequence[Late], facts: dict[str, Any], today: date, *, by: Actor,
    at: datetime,
) -> None:  # fmt: skip
    total = sum(one.open_minor for one in late)
    dunning_following.write_entry(case, action, Result.DONE, today, at, amount_minor=total, facts=facts)
    dunning_following.tell(case, action, past, {"amount_minor": total}, by=by, at=at)
