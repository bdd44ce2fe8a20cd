"""Changing what runs: plan, quantity, price, positions; stopping and taking up; the ways out beside the cancellation.

The rule that matters: only what differs from what is shown is asked for, so a form left as it is changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from backoffice.forms.catalog import products_of
from backoffice.forms.fields import AmountField, DayField, NumberField, TextField
from backoffice.forms.sections import Section, SectionedForm
from backoffice.templatetags.office import price_text
from billing.documents.price_words import has_amount
from catalog.models import Plan, Price, SuspendedBilling, Unit, Unused
from core.models import Company
from core.refusal import Refused
from subscriptions.models import Change, Slot, SlotTerms
from subscriptions.services.change_specs import ItemChange


@dataclass(frozen=True, slots=True)
class Held:
    """A position as it stands: its terms of the day and its name in the reader's language."""

    slot: Slot
    terms: SlotTerms
    name: str
    versions: Sequence[Price] = ()


class OverridingForm(SectionedForm):
    """An act that staff with the right may do against the rules, with a reason."""

    OVERRIDE_LABEL = _("Date it back")
    OVERRIDE_HELP = _("For a day that is over; say why.")

    def __init__(self, *args: Any, may_override: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if may_override:
            self.fields["override"] = forms.BooleanField(
                label=self.OVERRIDE_LABEL, required=False, help_text=self.OVERRIDE_HELP
            )
            self.fields["override_reason"] = forms.CharField(label=_("Why it may"), required=False, max_length=500)

    def of_override(self) -> dict[str, Any]:
        return self.changes("override", "override_reason")


OVERRIDE = Section(_("Against the rule"), ("override", "override_reason"), folded=True)


class TimedForm(OverridingForm):
    """When a change of terms holds and how the running period counts."""

    TIMES = (
        Section(_("When"), ("timing", "effective_on", "proration")),
        Section("", ("reason",)),
        OVERRIDE,
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["timing"] = forms.ChoiceField(
            label=_("Takes effect"),
            required=False,
            choices=[
                ("", _("As usual: today if worth as much or more, else with the next period")),
                ("now", _("Today")),
                ("period_end", _("With the next period")),
                ("date", _("On a date")),
            ],
        )
        self.fields["effective_on"] = DayField(
            label=_("First day of the new terms"), required=False, help_text=_("Only for a date.")
        )
        self.fields["proration"] = forms.ChoiceField(
            label=_("The running period"),
            initial=Change.Proration.PRORATE,
            choices=[
                (Change.Proration.PRORATE, _("is settled to the day")),
                (Change.Proration.NONE, _("stays as it is")),
            ],
        )
        self.fields["reason"] = forms.CharField(label=_("Why"), required=False, max_length=500)

    def of_time(self) -> dict[str, Any]:
        """Keywords of `acts_changing.change` about time and right."""
        given = self.changes("proration", "reason") | self.of_override()
        timing = self.cleaned_data["timing"]
        if timing == "date":
            given["effective_on"] = self.cleaned_data["effective_on"]
        return given | ({"timing": timing} if timing else {})


class ChangePlanForm(TimedForm):
    """Another plan on sale in the currency of the subscription."""

    def __init__(self, *args: Any, plans: Iterable[tuple[Plan, str]], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.plans = {plan.ref: plan for plan, _name in plans}
        choices = [(plan.ref, f"{name} ({plan.code})") for plan, name in plans]
        self.fields["plan"] = forms.ChoiceField(label=_("New plan"), choices=[("", "–"), *choices])
        self.fields["keep_anchor"] = forms.BooleanField(
            label=_("Keep the billing day"),
            required=False,
            help_text=_("Otherwise another cycle is counted from the day of the change."),
        )

    def layout(self) -> tuple[Section, ...]:
        return (Section("", ("plan", "keep_anchor")), *self.TIMES)

    def values(self) -> dict[str, Any]:
        plan = self.plans[self.cleaned_data["plan"]]
        return {"plan": plan, "keep_anchor": self.cleaned_data["keep_anchor"], **self.of_time()}


class TermsForm(TimedForm):
    """Quantity, price and price version of each position."""

    def __init__(self, *args: Any, held: Sequence[Held], currency: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.held, self.currency = held, currency
        for one in held:
            key, words = one.slot.pk, {"product": one.name}
            if one.slot.kind == Slot.Kind.RECURRING:
                self.fields[f"quantity_{key}"] = NumberField(
                    label=gettext("%(product)s: quantity") % words, places=6, initial=one.terms.quantity
                )
            if has_amount(one.terms):
                self.fields[f"amount_{key}"] = AmountField(
                    label=gettext("%(product)s: price of one") % words, initial=one.terms.unit_amount
                )
            if one.versions:
                choices = [(str(row.pk), self._version(row)) for row in one.versions]
                self.fields[f"version_{key}"] = forms.ChoiceField(
                    label=gettext("%(product)s: price version") % words,
                    required=False,
                    choices=[("", _("as it is")), *choices],
                )

    def _version(self, row: Price) -> str:
        amount = price_text(row.unit_amount, self.currency) if has_amount(row) else row.get_model_display()
        return gettext("%(price)s, valid from %(day)s") % {"price": amount, "day": row.valid_from.isoformat()}

    def layout(self) -> tuple[Section, ...]:
        rows = tuple((f"quantity_{one.slot.pk}", f"amount_{one.slot.pk}") for one in self.held)
        versions = tuple(f"version_{one.slot.pk}" for one in self.held)
        return (
            Section(_("What and for how much"), rows),
            Section(_("Prices of the catalog"), versions, folded=True),
            *self.TIMES,
        )

    def clean(self) -> dict[str, Any]:
        cleaned: dict[str, Any] = super().clean() or {}
        if not self.errors and not self.items():
            raise ValidationError(Refused("change.nothing").message, code="change.nothing")
        return cleaned

    def items(self) -> list[ItemChange]:
        """The positions that shall differ."""
        given, found = self.cleaned_data, []
        for one in self.held:
            key, wanted = one.slot.pk, dict[str, Any]()
            if given.get(f"quantity_{key}") not in (None, one.terms.quantity):
                wanted["quantity"] = given[f"quantity_{key}"]
            if given.get(f"amount_{key}") not in (None, one.terms.unit_amount):
                wanted["unit_amount"] = given[f"amount_{key}"]
            if given.get(f"version_{key}"):
                wanted["price"] = next(row for row in one.versions if str(row.pk) == given[f"version_{key}"])
            if wanted:
                found.append(ItemChange(slot=one.slot, **wanted))
        return found

    def values(self) -> dict[str, Any]:
        return {"items": self.items(), **self.of_time()}


class AddPositionForm(TimedForm):
    """A further position: an add-on of the plan, or any product at a price."""

    def __init__(self, *args: Any, company: Company, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["product"] = products_of(company)
        self.fields["quantity"] = NumberField(label=_("Quantity"), places=6, initial=Decimal(1))
        self.fields["unit_amount"] = AmountField(
            label=_("Price of one"), required=False, help_text=_("Empty: the plan's price of this add-on.")
        )
        self.fields["interval_count"] = forms.IntegerField(
            label=_("Cycle: how many"), required=False, min_value=1, max_value=366
        )
        self.fields["interval_unit"] = forms.ChoiceField(
            label=_("Cycle: unit"), required=False, choices=[("", _("as the subscription")), *Unit.choices]
        )
        self.fields["billed"] = forms.ChoiceField(
            label=_("Billed"), required=False, choices=[("", _("as the price says")), *Price.Billed.choices]
        )
        self.fields["ends_on"] = DayField(
            label=_("Last day"), required=False, help_text=_("If this position ends by itself.")
        )

    def layout(self) -> tuple[Section, ...]:
        own = (("interval_count", "interval_unit"), ("billed", "ends_on"))
        return (
            Section("", ("product", ("quantity", "unit_amount"))),
            Section(_("A cycle or end of its own"), own, folded=True),
            *self.TIMES,
        )

    def values(self) -> dict[str, Any]:
        given = self.cleaned_data
        more = {name: given[name] for name in ("unit_amount", "ends_on") if given[name] is not None}
        if given["billed"]:
            more["billed"] = given["billed"]
        if given["interval_unit"]:
            more |= {"interval_unit": given["interval_unit"], "interval_count": given["interval_count"] or 1}
        return {"items": [ItemChange(product=given["product"], quantity=given["quantity"], **more)], **self.of_time()}


class RemovePositionForm(TimedForm):
    """A position that ends with the day before the change."""

    def __init__(self, *args: Any, held: Sequence[Held], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.slots = {one.slot.ref: one.slot for one in held}
        self.fields["position"] = forms.ChoiceField(
            label=_("Position"), widget=forms.RadioSelect, choices=[(one.slot.ref, one.name) for one in held]
        )

    def layout(self) -> tuple[Section, ...]:
        return (Section("", ("position",)), *self.TIMES)

    def values(self) -> dict[str, Any]:
        slot = self.slots[self.cleaned_data["position"]]
        return {"items": [ItemChange(slot=slot, remove=True)], **self.of_time()}


class PauseForm(OverridingForm):
    """When service and billing stop, and until when."""

    sections = (Section("", (("from_on", "until"), "keep_anchor", "reason")), OVERRIDE)

    def __init__(self, *args: Any, on: date, running: bool, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not running:
            self.fields["from_on"] = DayField(label=_("First day of the pause"), initial=on)
        self.fields["until"] = DayField(
            label=_("Service resumes on"), required=running, help_text=_("First day after the pause; empty: open.")
        )
        self.fields["keep_anchor"] = _keep_anchor()
        self.fields["reason"] = forms.CharField(label=_("Why"), required=False, max_length=500)

    def values(self) -> dict[str, Any]:
        return self.changes("from_on", "until", "keep_anchor", "reason") | self.of_override()


class ResumeForm(OverridingForm):
    """When service and billing go on."""

    sections = (Section("", ("from_on", "keep_anchor", "reason")), OVERRIDE)

    def __init__(self, *args: Any, on: date, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["from_on"] = DayField(label=_("First day of service"), initial=on)
        self.fields["keep_anchor"] = _keep_anchor()
        self.fields["reason"] = forms.CharField(label=_("Why"), required=False, max_length=500)

    def values(self) -> dict[str, Any]:
        return self.changes("from_on", "keep_anchor", "reason") | self.of_override()


def _keep_anchor() -> forms.BooleanField:
    return forms.BooleanField(
        label=_("Keep the billing day"),
        required=False,
        help_text=_("Otherwise periods are counted from the day it goes on."),
    )


class SuspendForm(OverridingForm):
    """Service stops because something is not paid."""

    sections = (Section("", ("from_on", "suspended_billing", "reason")), OVERRIDE)

    def __init__(self, *args: Any, on: date, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["from_on"] = DayField(label=_("First day without service"), initial=on)
        self.fields["suspended_billing"] = forms.ChoiceField(
            label=_("Billing meanwhile"), required=False, choices=[("", _("as agreed")), *SuspendedBilling.choices]
        )
        self.fields["reason"] = forms.CharField(label=_("Why"), required=False, max_length=500)

    def values(self) -> dict[str, Any]:
        billing = self.cleaned_data["suspended_billing"] or None
        return self.changes("from_on", "reason") | {"suspended_billing": billing} | self.of_override()


class ReinstateForm(OverridingForm):
    """Service goes on after a suspension."""

    sections = (Section("", ("from_on", "reason")), OVERRIDE)

    def __init__(self, *args: Any, on: date, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["from_on"] = DayField(label=_("First day of service"), initial=on)
        self.fields["reason"] = forms.CharField(label=_("Why"), required=False, max_length=500)

    def values(self) -> dict[str, Any]:
        return self.changes("from_on", "reason") | self.of_override()


class BillingDayForm(SectionedForm):
    """The day of the month on which periods begin."""

    def __init__(self, *args: Any, day: int | None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["day"] = forms.IntegerField(
            label=_("Day of the month"),
            min_value=1,
            max_value=31,
            initial=day,
            help_text=_("From the end of the paid period on; in months too short for it, their last day."),
        )
        self.fields["reason"] = forms.CharField(label=_("Why"), required=False, max_length=500)

    def values(self) -> dict[str, Any]:
        return self.changes("day", "reason")


class WithdrawForm(OverridingForm):
    """A consumer withdraws within the time the law gives."""

    OVERRIDE_LABEL = _("Accept it although there is no right")
    OVERRIDE_HELP = _("It comes late, or from a business; say why.")
    sections = (Section("", ("start_requested", "comment")), OVERRIDE)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["start_requested"] = forms.BooleanField(
            label=_("Service was asked for before the time was over"),
            required=False,
            help_text=_("What was used stays paid then; otherwise everything is given back."),
        )
        self.fields["comment"] = TextField(label=_("The customer's words"), required=False, rows=2, limit=5000)

    def values(self) -> dict[str, Any]:
        return self.changes("start_requested", "comment") | self.of_override()


class TerminateForm(SectionedForm):
    """An end for good cause, whatever the term."""

    def __init__(self, *args: Any, on: date, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["reason"] = forms.CharField(label=_("The good cause"), max_length=500)
        self.fields["ends_on"] = DayField(label=_("Last day of service"), initial=on)
        self.fields["unused"] = forms.ChoiceField(
            label=_("Paid days after the end"),
            initial=Unused.CREDIT,
            choices=[
                (Unused.CREDIT, _("credited to the account")),
                (Unused.REFUND, _("refunded")),
                (Unused.NONE, _("not given back")),
            ],
        )
        self.fields["override"] = forms.BooleanField(label=_("The last day is over already"), required=False)

    def values(self) -> dict[str, Any]:
        return self.changes("reason", "ends_on", "unused", "override")


class SwitchForm(SectionedForm):
    """The customer goes to another provider."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["ends_on"] = DayField(
            label=_("Last day of service"),
            required=False,
            help_text=_("If a later one is wanted; empty: as early as the law says."),
        )
        self.fields["comment"] = TextField(label=_("The customer's words"), required=False, rows=2, limit=5000)

    def values(self) -> dict[str, Any]:
        return self.changes("ends_on", "comment")
