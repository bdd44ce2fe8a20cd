"""Products, plans with their rules and prices, tax categories and rates."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any

from django import forms
from django.utils.text import format_lazy
from django.utils.translation import gettext_lazy as _

from backoffice.forms.fields import (
    AmountField,
    CountryField,
    DayField,
    NumberField,
    TextField,
    fields_of,
    language_fields,
    spread_texts,
    texts_of,
)
from backoffice.forms.pricing import PRICE_SECTIONS, price_fields, spec_of
from backoffice.forms.sections import Section, SectionedForm
from catalog.models import Meter, Plan, PlanItem, Product, TaxCategory, TaxRate
from catalog.services import texts
from catalog.services.plans import PlanItemSpec, PriceSpec
from core.models import Company

RULES = (
    "interval_count",
    "interval_unit",
    "anchor_rule",
    "anchor_day",
    "minimum_count",
    "minimum_unit",
    "notice_count",
    "notice_unit",
    "notice_to",
    "renewal_rule",
    "renewal_count",
    "renewal_unit",
    "grace_days",
    "cancel_timing",
    "cancel_unused",
)
RULE_SECTIONS = (
    Section(_("Billing cycle"), (("interval_count", "interval_unit"), ("anchor_rule", "anchor_day"), "grace_days")),
    Section(
        _("Term and notice"),
        (
            ("minimum_count", "minimum_unit"),
            ("notice_count", "notice_unit"),
            "notice_to",
            "renewal_rule",
            ("renewal_count", "renewal_unit"),
        ),
    ),
    Section(_("Cancellation"), (("cancel_timing", "cancel_unused"),)),
)
_OWN_PLAN = (
    "code", "trial_days", "trial_end", "trial_usage", "suspended_billing", "customer_may_change",
    "customer_may_pause", "customer_may_cancel", "payment_terms_days", "payment_terms_from", "external_id",
)  # fmt: skip


def text_rows(company: Company, name: str) -> tuple[tuple[str, ...], ...]:
    """The fields of a text, the company's language alone first, the others in pairs."""
    names = list(language_fields(company, name, label=""))
    return ((names[0],), tuple(names[1:3]), tuple(names[3:]))


def products_of(company: Company) -> forms.ModelChoiceField:
    field = forms.ModelChoiceField(
        label=_("Product"), queryset=Product.objects.filter(company=company, archived_at__isnull=True).order_by("code")
    )
    field.label_from_instance = (  # type: ignore[method-assign]
        lambda product: f"{texts.in_language(product.name, company.language, company.language)} ({product.code})"
    )
    return field


class ProductForm(SectionedForm):
    """A product with its texts in every language."""

    def __init__(self, *args: Any, company: Company, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.company = company
        self.fields.update(fields_of(Product, ("code", "kind", "revenue_account", "external_id")))
        self.fields["tax_category"] = forms.ModelChoiceField(
            label=_("Tax category"),
            queryset=TaxCategory.objects.filter(company=company).order_by("name"),
            help_text=_("Decides how it is taxed."),
        )
        self.fields.update(language_fields(company, "name", label=_("Name"), required=True))
        self.fields.update(language_fields(company, "unit_name", label=_("Unit, such as seat"), limit=60))
        self.fields.update(language_fields(company, "description", label=_("Description"), rows=2))

    def layout(self) -> tuple[Section, ...]:
        return (
            Section("", (("code", "kind"), "tax_category")),
            Section(_("Name"), text_rows(self.company, "name"), _("What documents call it, by language.")),
            Section(_("Unit"), text_rows(self.company, "unit_name")),
            Section(_("Description"), text_rows(self.company, "description")),
            Section(_("Inside"), (("revenue_account", "external_id"),)),
        )

    @staticmethod
    def initial_of(product: Product) -> dict[str, Any]:
        names = ("code", "kind", "revenue_account", "external_id", "tax_category")
        initial = {name: getattr(product, name) for name in names}
        for name in ("name", "unit_name", "description"):
            initial |= spread_texts(name, getattr(product, name))
        return initial

    def values(self) -> dict[str, Any]:
        own = self.changes("code", "kind", "revenue_account", "external_id", "tax_category")
        return own | {name: texts_of(self.cleaned_data, name) for name in ("name", "unit_name", "description")}


_ITEM = ("product", "quantity", "kind", "meter", "is_optional")


def _item_fields(company: Company) -> dict[str, forms.Field]:
    return {
        "product": products_of(company),
        "quantity": NumberField(label=_("Quantity"), places=6, initial=Decimal(1)),
        **fields_of(PlanItem, ("kind", "is_optional")),
        "meter": forms.ModelChoiceField(
            label=_("Meter"),
            queryset=Meter.objects.filter(company=company, archived_at__isnull=True).order_by("code"),
            required=False,
            help_text=_("What counts usage."),
        ),
    }


class PriceForm(SectionedForm):
    """One version of a price."""

    sections = PRICE_SECTIONS

    def __init__(self, *args: Any, company: Company, on: date | None = None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields.update(price_fields(company, on))

    def spec(self) -> PriceSpec:
        return spec_of(self.cleaned_data)


class PlanItemForm(PriceForm):
    """A product in a plan with its first price."""

    sections = (Section("", (("product", "quantity"), ("kind", "meter"), "is_optional")), *PRICE_SECTIONS)

    def __init__(self, *args: Any, company: Company, on: date | None = None, **kwargs: Any) -> None:
        super().__init__(*args, company=company, on=on, **kwargs)
        self.fields.update(_item_fields(company))

    def item(self) -> PlanItemSpec:
        return PlanItemSpec(**self.changes(*_ITEM), prices=[self.spec()])


def _minimums(values: Mapping[str, Any]) -> dict[str, Any]:
    """By currency, of fields named `minimum__` and the currency."""
    start = "minimum__"
    return {name.removeprefix(start): value for name, value in values.items() if name.startswith(start)}


class PlanForm(SectionedForm):
    """A plan's own fields, texts and rules."""

    def __init__(self, *args: Any, company: Company, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.company = company
        self.fields.update(fields_of(Plan, (*_OWN_PLAN, *RULES)))
        for code in sorted({company.currency, *_minimums(self.initial)}, key=company.currency_rank):
            self.fields[f"minimum__{code}"] = AmountField(
                label=format_lazy("{} · {}", _("Minimum"), code),
                required=False,
                help_text=_("Least charge per cycle over all positions; what is missing is charged at its end."),
            )
        self.fields.update(language_fields(company, "name", label=_("Name"), required=True))
        self.fields.update(language_fields(company, "description", label=_("Description"), rows=2))
        self.fields.update(language_fields(company, "terms_text", label=_("Terms"), rows=3))

    def layout(self) -> tuple[Section, ...]:
        return (
            Section("", ("code",)),
            Section(_("Name"), text_rows(self.company, "name"), _("What customers call it, by language.")),
            *RULE_SECTIONS,
            Section(_("Trial"), (("trial_days", "trial_end"), "trial_usage")),
            Section(_("Minimum"), tuple(name for name in self.fields if name.startswith("minimum__"))),
            Section(_("Non-payment"), ("suspended_billing",)),
            Section(_("Customers themselves"), ("customer_may_change", "customer_may_pause", "customer_may_cancel")),
            Section(_("Sale"), (("payment_terms_days", "payment_terms_from"), "external_id")),
            Section(_("Description"), text_rows(self.company, "description")),
            Section(_("Contract terms"), text_rows(self.company, "terms_text")),
        )

    @staticmethod
    def initial_of(plan: Plan) -> dict[str, Any]:
        initial = {name: getattr(plan, name) for name in (*_OWN_PLAN, *RULES)}
        initial |= {f"minimum__{code}": Decimal(text) for code, text in plan.minimum_amounts.items()}
        for name in ("name", "description", "terms_text"):
            initial |= spread_texts(name, getattr(plan, name))
        return initial

    def values(self) -> dict[str, Any]:
        own = self.changes(*_OWN_PLAN)
        own["minimum_amounts"] = {code: least for code, least in _minimums(self.cleaned_data).items() if least}
        return own | {name: texts_of(self.cleaned_data, name) for name in ("name", "description", "terms_text")}

    def rules(self) -> dict[str, Any]:
        return self.changes(*RULES)


class NewPlanForm(PlanForm):
    """A plan with its first product and price."""

    def __init__(self, *args: Any, company: Company, on: date | None = None, **kwargs: Any) -> None:
        super().__init__(*args, company=company, **kwargs)
        self.fields.update(_item_fields(company))
        del self.fields["is_optional"]  # the first one is what the plan is about
        self.fields.update(price_fields(company, on))
        self.fields["on_sale"] = forms.BooleanField(
            label=_("Put on sale at once"), required=False, initial=True, help_text=_("Otherwise it stays a draft.")
        )

    def layout(self) -> tuple[Section, ...]:
        first, name, *rest = super().layout()
        rows = (("product", "quantity"), ("kind", "meter"))
        item = Section(_("What it holds"), rows, _("Further products are added on its page."))
        return (first, name, item, *PRICE_SECTIONS, *rest, Section(_("Status"), ("on_sale",)))

    def item(self) -> PlanItemSpec:
        return PlanItemSpec(**self.changes(*_ITEM), prices=[spec_of(self.cleaned_data)])


class TaxRateForm(SectionedForm):
    """A rate from a day on; an earlier one stays for earlier days."""

    sections = (Section("", (("country", "region"), "tax_category", ("level", "percent"), "valid_from", "source")),)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["country"] = CountryField()
        self.fields.update(fields_of(TaxRate, ("region", "tax_category", "level", "source")))
        self.fields["percent"] = NumberField(label=_("Percent"), places=3, help_text=_("Such as 19 or 5.5."))
        self.fields["valid_from"] = DayField(label=_("Valid from"), help_text=_("First day it holds."))


class RateCorrectionForm(SectionedForm):
    """The right figure of a row that was wrong from the start."""

    sections = (Section("", ("percent", "source", "reason")),)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["percent"] = NumberField(label=_("Percent"), places=3, help_text=_("Such as 19 or 5.5."))
        self.fields.update(fields_of(TaxRate, ("source",)))
        self.fields["reason"] = TextField(
            label=_("Reason"), rows=2, limit=500, help_text=_("Kept with the change; issued documents stay.")
        )


class ProductFilter(forms.Form):
    kind = forms.ChoiceField(label=_("Kind"), required=False, choices=[("", "–"), *Product.Kind.choices])
    archived = forms.ChoiceField(
        label=_("Archived"), required=False, choices=[("", _("hidden")), ("only", _("only archived"))]
    )


class RateFilter(forms.Form):
    country = CountryField(required=False)
    level = forms.ChoiceField(label=_("Level"), required=False, choices=[("", "–"), *TaxCategory.Level.choices])
    origin = forms.ChoiceField(label=_("Origin"), required=False, choices=[("", "–"), *TaxRate.Origin.choices])
    checked = forms.ChoiceField(
        label=_("Checked"), required=False, choices=[("", "–"), ("yes", _("yes")), ("no", _("no"))]
    )
