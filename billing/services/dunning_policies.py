"""Dunning policies: which steps follow when money doesn't come, and whom they are for.

The rule that matters: a case keeps the steps it was opened with; a policy that cases follow is replaced, never edited.
The most specific policy holds: group before kind before payment method; the company's general one is always there.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Final

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop, override

from billing.models import DunningPolicy, DunningStep, PaymentMethod
from catalog.models import SuspendedBilling, Unused
from core import checks, clock
from core.actors import Actor
from core.models import NAME_LENGTH, Company
from core.refusal import Refused
from core.services import trail
from core.texts import checked
from customers.models import Customer

Action = DunningStep.Action
#: Days a step may lie after the due date, and reminder letters there are.
LAST_DAY: Final = 730
LEVELS: Final = range(4)
STEPS: Final = 40
NAME_MOST: Final = 80


@dataclass(frozen=True, slots=True)
class Step:
    """A step to be: days after the oldest due date, what is done, and what that takes (see `DunningStep`)."""

    days: int
    action: str
    level: int = 0
    fee_minor: int = 0
    has_interest: bool = False
    suspended_billing: str = ""
    end_unused: str = ""


_MAILS: Final = tuple(Step(days, Action.MAIL, level=level) for level, days in enumerate((3, 10, 20, 30)))
_RETRIES: Final = tuple(Step(days, Action.RETRY) for days in (2, 5, 9, 14))
#: Name of a policy every company begins with: its steps. The first one is general; the others hold for the customers
#: of the group of that name. The general one changes no subscription: that is for a company to decide.
DEFAULTS: Final[dict[str, tuple[Step, ...]]] = {
    gettext_noop("Standard"): (*_RETRIES, *_MAILS, Step(24, Action.ALERT)),
    gettext_noop("Gentle"): (
        Step(5, Action.RETRY), Step(10, Action.MAIL), Step(24, Action.MAIL, level=1), Step(30, Action.ALERT),
    ),
    gettext_noop("Strict"): (
        *_RETRIES, *_MAILS,
        Step(21, Action.CLAIM, has_interest=True),
        Step(24, Action.ALERT),
        Step(35, Action.SUSPEND, suspended_billing=SuspendedBilling.STOP),
        Step(60, Action.CANCEL, end_unused=Unused.NONE),
        Step(75, Action.HAND_OVER),
        Step(90, Action.WRITE_OFF),
    ),
}  # fmt: skip
GROUPS: Final = {"Gentle": "gentle", "Strict": "strict"}


def save(
    *,
    company: Company,
    policy: DunningPolicy | None = None,
    name: str,
    steps: Sequence[Step],
    method_kind: str = "",
    customer_kind: str = "",
    customer_group: str = "",
    grace_minor: int = 0,
    by: Actor,
    at: datetime,
) -> DunningPolicy:
    """Makes a policy, or gives `policy` these steps. The policy that holds from now on for new cases.

    One that cases have followed stays as it is and is switched off; a new one takes its place. Refuses a second active
    policy for the same customers (`dunning.policy_taken`), and that the general one gets a condition.
    """
    kept = _checked(steps)
    if method_kind:
        checks.choice(method_kind, PaymentMethod.Kind.values, field="method_kind")
    if customer_kind:
        checks.choice(customer_kind, Customer.Kind.values, field="customer_kind")
    values: dict[str, Any] = {
        "name": checked(name, field="name", limit=min(NAME_MOST, NAME_LENGTH), required=True),
        "method_kind": method_kind,
        "customer_kind": customer_kind,
        "customer_group": checked(customer_group, field="customer_group", limit=40),
        "grace_minor": checks.minor(grace_minor, field="grace_minor"),
    }
    if policy is not None and policy.company_id != company.pk:
        raise Refused("not_found", field="policy")
    has_condition = bool(method_kind or customer_kind or customer_group)
    if policy is not None and is_general(policy) and has_condition:
        raise Refused("dunning.general_stays", field="customer_group")
    try:
        with transaction.atomic():
            held = None if policy is None else DunningPolicy.objects.select_for_update().get(pk=policy.pk)
            if held is not None and held.is_active and not held.cases.exists():
                for field, value in values.items():
                    setattr(held, field, value)
                held.save()
                held.steps.all().delete()
            else:
                if held is not None and held.is_active:
                    held.is_active = False
                    held.save(update_fields=["is_active"])
                held = DunningPolicy.objects.create(company=company, created_at=at, **values)
            _write(held, kept)
            _tell(held, "save", {"steps": len(kept), "replaces": policy.pk if policy is not None else None},
                  by=by, at=at)  # fmt: skip
    except IntegrityError as error:
        if "dunning_policy_one_for_each" in str(error):
            raise Refused("dunning.policy_taken", field="customer_group") from error
        raise
    return held


def switch_off(*, policy: DunningPolicy, by: Actor, at: datetime) -> DunningPolicy:
    """No new case follows it; those that do go on. Refused for the general one. Repeated: nothing happens."""
    with transaction.atomic():
        held = DunningPolicy.objects.select_for_update().get(pk=policy.pk)
        if is_general(held):
            raise Refused("dunning.general_stays", field="policy")
        if held.is_active:
            held.is_active = False
            held.save(update_fields=["is_active"])
            _tell(held, "switch_off", {}, by=by, at=at)
    return held


def is_general(policy: DunningPolicy) -> bool:
    """Whether it is the active one for everybody else."""
    return policy.is_active and not (policy.method_kind or policy.customer_kind or policy.customer_group)


def ensure_defaults(*, company: Company, at: datetime | None = None) -> DunningPolicy:
    """The company's general policy; one that has none gets those every company begins with, in its language."""
    general = DunningPolicy.objects.filter(
        company=company, is_active=True, method_kind="", customer_kind="", customer_group=""
    )
    found = general.first()
    if found is not None:
        return found
    made_at = at or clock.now(company)
    with transaction.atomic(), override(company.language):
        for name, steps in DEFAULTS.items():
            values = {"customer_group": GROUPS.get(name, ""), "method_kind": "", "customer_kind": "", "is_active": True}
            row = DunningPolicy(company=company, name=_(name), created_at=made_at, **values)
            if DunningPolicy.objects.filter(company=company, **values).exists():
                continue
            # Two at once: the second finds what the first made.
            DunningPolicy.objects.bulk_create([row], ignore_conflicts=True)
            made = DunningPolicy.objects.select_for_update().get(company=company, **values)
            if not made.steps.exists():
                _write(made, steps)
    return general.get()


def policy_for(customer: Customer, *, at: datetime | None = None) -> DunningPolicy:
    """The policy a new case of the customer follows: group before kind before payment method, else the general one.

    Who has no payment method on file pays by transfer.
    """
    general = ensure_defaults(company=customer.company, at=at)
    methods = PaymentMethod.objects.filter(customer=customer, is_default=True)
    method_kind = methods.values_list("kind", flat=True).first() or PaymentMethod.Kind.TRANSFER
    facts = {"customer_group": customer.dunning_group, "customer_kind": customer.kind, "method_kind": method_kind}

    def rank(policy: DunningPolicy) -> tuple[bool, ...]:
        return tuple(bool(getattr(policy, name)) for name in facts)

    rows = DunningPolicy.objects.filter(company=customer.company, is_active=True)
    fitting = [
        row for row in rows if all(getattr(row, name) in ("", value) for name, value in facts.items())
    ]  # fmt: skip
    return max(fitting, key=rank, default=general)


def _checked(steps: Sequence[Step]) -> list[Step]:
    if not steps or len(steps) > STEPS:
        raise Refused("dunning.steps_count", field="steps", most=STEPS)
    for step in steps:
        checks.choice(step.action, Action.values, field="action")
        if not 0 <= step.days <= LAST_DAY:
            raise Refused("dunning.step_days", field="days", most=LAST_DAY)
        if step.level not in LEVELS:
            raise Refused("dunning.step_level", field="level")
        checks.minor(step.fee_minor, field="fee_minor")
        if step.suspended_billing:
            checks.choice(step.suspended_billing, SuspendedBilling.values, field="suspended_billing")
        if step.end_unused:
            checks.choice(step.end_unused, Unused.values, field="end_unused")
    # Those of one day in the order given.
    return sorted(steps, key=lambda step: step.days)


def _write(policy: DunningPolicy, steps: Sequence[Step]) -> None:
    rows, seen = [], dict[int, int]()
    for step in sorted(steps, key=lambda one: one.days):
        position = seen.get(step.days, 0)
        seen[step.days] = position + 1
        rows.append(DunningStep(company_id=policy.company_id, policy=policy, position=position, **asdict(step)))
    DunningStep.objects.bulk_create(rows)


def _tell(policy: DunningPolicy, verb: str, facts: dict[str, Any], *, by: Actor, at: datetime) -> None:
    trail.audit(company_id=policy.company_id, at=at, by=by, verb=f"dunning_policy.{verb}",
                subject_kind="dunning_policy", subject_id=policy.pk,
                facts={"name": policy.name, "active": policy.is_active, **facts})  # fmt: skip
