"""Forms of dunning: promises, pauses, reasons, policies and their steps."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from backoffice.forms.fields import AmountField, CurrencyField, DayField, fields_of, minor_of
from backoffice.forms.sections import Section, SectionedForm
from billing.models import DunningCase, DunningPolicy, DunningStep
from billing.services import dunning_board
from billing.services.dunning_policies import Step
from catalog.models import SuspendedBilling, Unused
from core.models import Company
from pricing.money import Money


class CaseFilter(forms.Form):
    lane = forms.ChoiceField(
        label=pgettext_lazy("recovery", "Stage"), required=False, choices=[("", "–"), *dunning_board.LANES.items()]
    )
    state = forms.ChoiceField(label=_("State"), required=False, choices=[("", "–"), *DunningCase.State.choices])
    currency = CurrencyField(required=False)


class PromiseForm(SectionedForm):
    sections = (Section("", ("until", "reason")),)

    until = DayField(label=_("Will be paid by"), help_text=_("Until this day is over nothing goes out."))
    reason = forms.CharField(label=_("Note"), max_length=500, required=False)


class PauseForm(SectionedForm):
    sections = (Section("", ("until", "reason")),)

    until = DayField(label=_("Until"), required=False, help_text=_("Empty: until somebody ends the pause."))
    reason = forms.CharField(label=_("Reason"), max_length=500)


class WhyForm(SectionedForm):
    sections = (Section("", ("reason",)),)

    reason = forms.CharField(label=_("Reason"), max_length=500)


class PolicyForm(SectionedForm):
    """Whom a policy is for."""

    def __init__(self, *args: Any, company: Company, policy: DunningPolicy | None = None, is_general: bool = False,
                 **kwargs: Any) -> None:  # fmt: skip
        super().__init__(*args, **kwargs)
        self.company = company
        names = ("name",) if is_general else ("name", "method_kind", "customer_kind", "customer_group")
        self.fields.update(fields_of(DunningPolicy, names))
        self.fields["grace"] = AmountField(
            label=_("Smallest amount"), places=4, required=False, help_text=_("Less than this is not dunned.")
        )
        if policy is not None:
            for name in names:
                self.initial[name] = getattr(policy, name)
            self.initial["grace"] = Money(policy.grace_minor, company.currency).amount

    def layout(self) -> tuple[Section, ...]:
        whom = tuple(name for name in ("method_kind", "customer_kind", "customer_group") if name in self.fields)
        return (Section("", ("name", "grace")), Section(_("For whom"), whom))

    def values(self) -> dict[str, Any]:
        given = {name: value for name, value in self.cleaned_data.items() if name != "grace"}
        grace = self.cleaned_data.get("grace")
        return {**given, "grace_minor": minor_of(grace, self.company.currency) if grace else 0}


class StepForm(forms.Form):
    """One step; an emptied day takes it away."""

    days = forms.IntegerField(label=_("Days late"), min_value=0, max_value=730, required=False)
    action = forms.ChoiceField(label=_("What is done"), choices=DunningStep.Action.choices, required=False)
    level = forms.TypedChoiceField(
        label=_("Reminder"), coerce=int, required=False, empty_value=0,
        choices=[(0, _("friendly")), (1, _("first")), (2, _("second")), (3, _("last"))],
    )  # fmt: skip
    fee = AmountField(label=_("Fee"), places=4, required=False)
    has_interest = forms.BooleanField(label=_("Interest"), required=False)
    suspended_billing = forms.ChoiceField(
        label=_("Billing while suspended"), required=False, choices=[("", "–"), *SuspendedBilling.choices]
    )
    end_unused = forms.ChoiceField(label=_("Unused days"), required=False, choices=[("", "–"), *Unused.choices])

    def step(self, currency: str) -> Step | None:
        """The step, without what its action doesn't take; None for an emptied one."""
        given = self.cleaned_data
        if given.get("days") is None or not given.get("action"):
            return None
        Action = DunningStep.Action
        action = given["action"]
        fee = given.get("fee")
        return Step(
            days=given["days"],
            action=action,
            level=given.get("level") or 0 if action == Action.MAIL else 0,
            fee_minor=minor_of(fee, currency) if fee and action == Action.CLAIM else 0,
            has_interest=bool(given.get("has_interest")) and action == Action.CLAIM,
            suspended_billing=given.get("suspended_billing") or "" if action == Action.SUSPEND else "",
            end_unused=given.get("end_unused") or "" if action == Action.CANCEL else "",
        )

    @staticmethod
    def initial_of(step: DunningStep, currency: str) -> dict[str, Any]:
        return {
            "days": step.days, "action": step.action, "level": step.level, "has_interest": step.has_interest,
            "fee": Money(step.fee_minor, currency).amount if step.fee_minor else None,
            "suspended_billing": step.suspended_billing, "end_unused": step.end_unused,
        }  # fmt: skip


StepForms = forms.formset_factory(StepForm, extra=3, max_num=40, absolute_max=40)
