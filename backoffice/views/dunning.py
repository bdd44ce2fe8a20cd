"""Dunning policies with their steps, the plan in words, and the rates of interest the law knows."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST

from backoffice.acting import actor, done, found, now, own, show_refusal, tells_refusals
from backoffice.forms.dunning import PolicyForm, StepForm, StepForms
from backoffice.pages import Crumb, crumbs, page
from billing.models import DunningPolicy, DunningStep, InterestRate
from billing.services import dunning_policies
from billing.services.dunning_policies import Step
from catalog.models import SuspendedBilling, Unused
from core.design import formats
from core.refusal import Refused
from core.rights import needs


def _above(*steps: tuple[str, str]) -> list[Crumb]:
    return crumbs((_("Settings"), reverse("backoffice:settings")), *steps)


def in_words(step: Step | DunningStep, currency: str) -> str:
    """A step as one sentence."""
    action = DunningStep.Action(step.action)
    day = ngettext("%(days)s day late", "%(days)s days late", step.days) % {"days": step.days}
    details: list[str] = []
    if action == DunningStep.Action.MAIL:
        details.append(str(dict(StepForm.base_fields["level"].choices)[step.level]))  # type: ignore[attr-defined]
    if step.fee_minor:
        details.append(_("fee %(amount)s") % {"amount": formats.money(step.fee_minor, currency)})
    if step.has_interest:
        details.append(_("interest"))
    if step.suspended_billing:
        details.append(str(SuspendedBilling(step.suspended_billing).label))
    if step.end_unused:
        details.append(str(Unused(step.end_unused).label))
    words = f"{action.label} ({', '.join(details)})" if details else str(action.label)
    return f"{day}: {words}"


@needs("settings.read")
def index(request: HttpRequest) -> HttpResponse:
    dunning_policies.ensure_defaults(company=request.company, at=now(request))
    rows = list(own(request, DunningPolicy).prefetch_related("steps").order_by("-is_active", "pk")[:200])
    for row in rows:
        row.plan = [in_words(step, request.company.currency) for step in row.steps.all()]
        row.is_general = dunning_policies.is_general(row)
    title = _("Dunning")
    return page(request, "settings/policies", {"title": title, "crumbs": _above((title, "")), "rows": rows})


@needs("settings.read")
def detail(request: HttpRequest, ref: str) -> HttpResponse:
    row = found(own(request, DunningPolicy), ref)
    context = {
        "title": row.name,
        "crumbs": _above((_("Dunning"), reverse("backoffice:dunning-policies")), (row.name, "")),
        "policy": row,
        "is_general": dunning_policies.is_general(row),
        "plan": [in_words(step, request.company.currency) for step in row.steps.all()],
    }
    return page(request, "settings/policy", context)


@needs("settings.write")
def create(request: HttpRequest) -> HttpResponse:
    return _form(request, None)


@needs("settings.write")
def edit(request: HttpRequest, ref: str) -> HttpResponse:
    return _form(request, found(own(request, DunningPolicy), ref))


def _form(request: HttpRequest, policy: DunningPolicy | None) -> HttpResponse:
    """Whom it is for, its steps, and beside them the plan in words."""
    currency = request.company.currency
    is_general = policy is not None and dunning_policies.is_general(policy)
    form = PolicyForm(request.POST or None, company=request.company, policy=policy, is_general=is_general)
    held = list(policy.steps.all()) if policy is not None else []
    steps = StepForms(
        request.POST or None, prefix="step", initial=[StepForm.initial_of(step, currency) for step in held]
    )
    plan: list[str] = [in_words(step, currency) for step in held]
    if request.method == "POST" and form.is_valid() and steps.is_valid():
        given = [step for step in (one.step(currency) for one in steps) if step is not None]
        plan = [in_words(step, currency) for step in sorted(given, key=lambda one: one.days)]
        if request.POST.get("step") == "do":
            try:
                saved = dunning_policies.save(
                    company=request.company, policy=policy, steps=given, by=actor(request), at=now(request),
                    **form.values(),
                )  # fmt: skip
            except Refused as refused:
                show_refusal(form, refused)
            else:
                return done(request, _("%(name)s is saved.") % {"name": saved.name}, "dunning-policy", saved.ref)
    title = _("Edit %(name)s") % {"name": policy.name} if policy else _("New dunning policy")
    context: dict[str, Any] = {
        "title": title,
        "crumbs": _above((_("Dunning"), reverse("backoffice:dunning-policies")), (title, "")),
        "form": form,
        "steps": steps,
        "plan": plan,
        "back": reverse("backoffice:dunning-policies"),
    }
    at_fault = request.method == "POST" and (bool(form.errors) or not steps.is_valid())
    return page(request, "settings/policy_form", context, status=422 if at_fault else 200)


@needs("settings.write")
@require_POST
@tells_refusals(lambda ref: reverse("backoffice:dunning-policy", args=[ref]))
def switch_off(request: HttpRequest, ref: str) -> HttpResponse:
    row = dunning_policies.switch_off(
        policy=found(own(request, DunningPolicy), ref), by=actor(request), at=now(request)
    )
    return done(request, _("%(name)s is switched off.") % {"name": row.name}, "dunning-policy", ref)


@needs("settings.read")
def rates(request: HttpRequest) -> HttpResponse:
    """The law's figures, newest first."""
    title = _("Rates of interest")
    context = {
        "title": title,
        "crumbs": _above((_("Dunning"), reverse("backoffice:dunning-policies")), (title, "")),
        "rows": InterestRate.objects.order_by("country", "-from_on"),
    }
    return page(request, "settings/interest_rates", context)
