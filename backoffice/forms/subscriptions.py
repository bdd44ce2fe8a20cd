"""Starting and ending subscriptions."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any

from django import forms
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from backoffice.forms.catalog import RULE_SECTIONS, RULES
from backoffice.forms.fields import AmountField, DayField, NumberField, TextField, fields_of
from backoffice.forms.sections import Section, SectionedForm
from backoffice.templatetags.office import price_text
from catalog.models import CancelTiming, Plan, PlanItem, Unused
from catalog.services.plans import currencies_of, price_on
from catalog.services.texts import in_language
from customers.models import Customer
from customers.services.customers import currency_of
from subscriptions.models import Subscription
from subscriptions.services import end_reasons
from subscriptions.services.starting import ItemSpec

REASONS = [("", "–"), *end_reasons.WORDS.items()]


class StartForm(SectionedForm):
    """A subscription from a plan; what is left as it is comes from the plan."""

    def __init__(
        self, *args: Any, customer: Customer, plan: Plan, items: list[PlanItem], on: date, language: str, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.plan, self.items = plan, items
        company = customer.company
        codes = currencies_of(plan) or [currency_of(customer)]
        usual = currency_of(customer) if currency_of(customer) in codes else codes[0]
        self.fields["start_on"] = DayField(
            label=_("First day"), initial=on, help_text=_("May lie in the past or in the future.")
        )
        self.fields["currency"] = forms.ChoiceField(
            label=_("Currency"), choices=[(code, code) for code in codes], initial=usual
        )
        for item in items:
            name = in_language(item.product.name, language, company.language)
            price = price_on(item, usual, on)
            hint = ""
            if price is not None:
                hint = gettext("Empty: the plan's, %(price)s.") % {"price": price_text(price.unit_amount, usual)}
            if item.is_optional:
                self.fields[f"chosen_{item.pk}"] = forms.BooleanField(
                    label=gettext("%(product)s: add-on") % {"product": name}, required=False
                )
            if item.kind != PlanItem.Kind.USAGE:
                self.fields[f"quantity_{item.pk}"] = NumberField(
                    label=gettext("%(product)s: quantity") % {"product": name}, places=6, initial=item.quantity
                )
            self.fields[f"amount_{item.pk}"] = AmountField(
                label=gettext("%(product)s: price of one") % {"product": name}, required=False, help_text=hint
            )
        self.fields["trial_days"] = forms.IntegerField(
            label=_("Trial days"), min_value=0, max_value=3660, initial=plan.trial_days
        )
        self.fields["billed_through_on"] = DayField(
            label=_("Billed elsewhere through"),
            required=False,
            help_text=_("Days up to here were billed before and are not billed again."),
        )
        self.fields.update(
            fields_of(Subscription, ("name", "po_reference", "payment_terms_days", "payment_terms_from", "external_id"))
        )
        self.fields["name"].required = False
        self.fields["name"].help_text = _("Name on documents; empty: the plan's, in the customer's language.")
        self.fields.update(fields_of(Plan, RULES))
        for rule in RULES:
            self.fields[rule].initial = getattr(plan, rule)

    def layout(self) -> tuple[Section, ...]:
        rows = tuple((f"chosen_{item.pk}", f"quantity_{item.pk}", f"amount_{item.pk}") for item in self.items)
        return (
            Section("", (("start_on", "currency"),)),
            Section(_("What and for how much"), rows),
            Section(_("Start"), (("trial_days", "billed_through_on"),)),
            *(replace(section, folded=True) for section in RULE_SECTIONS),
            Section(
                _("On documents"),
                ("name", ("payment_terms_days", "payment_terms_from"), ("po_reference", "external_id")),
                folded=True,
            ),
        )

    def agreement(self) -> dict[str, Any]:
        """Keywords of `acts.start`, without company, customer, plan, actor and time."""
        given = self.cleaned_data
        overrides = {rule: given[rule] for rule in RULES if given[rule] != getattr(self.plan, rule)}
        if given["trial_days"] != self.plan.trial_days:
            overrides["trial_days"] = given["trial_days"]
        if given["payment_terms_days"] is not None:
            overrides["payment_terms_days"] = given["payment_terms_days"]
        if given["payment_terms_from"]:
            overrides["payment_terms_from"] = given["payment_terms_from"]
        chosen = [item for item in self.items if not item.is_optional or given[f"chosen_{item.pk}"]]
        specs = [
            ItemSpec(item.product, quantity=given.get(f"quantity_{item.pk}"), unit_amount=given[f"amount_{item.pk}"])
            for item in chosen
        ]
        plain = all(
            spec.unit_amount is None and spec.quantity in (None, item.quantity) and not item.is_optional
            for spec, item in zip(specs, chosen, strict=True)
        )
        return {
            "items": None if plain else specs,
            "overrides": overrides,
            **self.changes("start_on", "currency", "name", "po_reference", "external_id", "billed_through_on"),
        }


class CancelForm(SectionedForm):
    """When it ends and what becomes of days already paid."""

    sections = (
        Section("", ("timing", "ends_on", "unused")),
        Section(_("Why"), ("reason", "comment")),
        Section(_("Against the contract"), ("override", "override_reason")),
    )

    timing = forms.ChoiceField(
        label=_("Takes effect"),
        widget=forms.RadioSelect,
        choices=[
            (CancelTiming.NOW, _("Today is the last day")),
            (CancelTiming.PERIOD_END, _("At the end of the paid period")),
            (CancelTiming.DATE, _("On a date")),
        ],
    )
    ends_on = DayField(label=_("Last day of service"), required=False, help_text=_("Only for a date."))
    unused = forms.ChoiceField(
        label=_("Paid days after the end"),
        choices=[
            (Unused.CREDIT, _("credited to the account")),
            (Unused.REFUND, _("refunded")),
            (Unused.NONE, _("not given back")),
        ],
    )
    reason = forms.ChoiceField(label=_("Reason"), required=False, choices=REASONS)
    comment = TextField(label=_("The customer's words"), required=False, rows=2, limit=5000)
    override = forms.BooleanField(
        label=_("End before the contract allows"),
        required=False,
        help_text=_("Minimum term and notice do not bind; say why."),
    )
    override_reason = forms.CharField(label=_("Why it may"), required=False, max_length=500)

    def __init__(self, *args: Any, may_override: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not may_override:
            del self.fields["override"], self.fields["override_reason"]


class SubscriptionFilter(forms.Form):
    state = forms.ChoiceField(
        label=_("State"),
        required=False,
        choices=[("", "–"), *Subscription.State.choices, ("ending", _("canceled, still running"))],
    )
    plan = forms.CharField(label=_("Plan"), required=False, max_length=60, help_text=_("Its code."))
    parked = forms.ChoiceField(label=_("Billing"), required=False, choices=[("", "–"), ("yes", _("parked"))])
    ends_from = DayField(label=_("Ends|from"), required=False)
    ends_to = DayField(label=_("Ends|to"), required=False)
    asked_from = DayField(label=_("Cancellation came in|from"), required=False)
