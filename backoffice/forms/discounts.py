"""Discounts, their codes and campaigns, and giving them to subscriptions."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from backoffice.forms.catalog import text_rows
from backoffice.forms.fields import (
    AmountField,
    CurrencyField,
    DayField,
    NumberField,
    fields_of,
    language_fields,
    minor_of,
    spread_texts,
    texts_of,
)
from backoffice.forms.sections import Section, SectionedForm
from billing.documents.price_words import amount_of, rows_of
from catalog.models import Campaign, Discount, OfferCode, PlanItem, Price, Product
from catalog.services.texts import in_language
from core.models import Company
from subscriptions.models import Subscription


class CampaignForm(SectionedForm):
    sections = (Section("", ("code", "name")),)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields.update(fields_of(Campaign, ("code", "name")))


class DiscountNameForm(SectionedForm):
    """The name of a discount in every language."""

    def __init__(self, *args: Any, company: Company, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.company = company
        self.fields.update(language_fields(company, "name", label=_("Name"), required=True))

    def layout(self) -> tuple[Section, ...]:
        return (Section(_("Name"), text_rows(self.company, "name"), _("What documents call it, by language.")),)

    @staticmethod
    def initial_of(discount: Discount) -> dict[str, Any]:
        return spread_texts("name", discount.name)

    def name(self) -> dict[str, str]:
        return texts_of(self.cleaned_data, "name")


class DiscountForm(DiscountNameForm):
    """A discount: what it takes off, for how long, off what."""

    def __init__(self, *args: Any, company: Company, **kwargs: Any) -> None:
        super().__init__(*args, company=company, **kwargs)
        self.fields.update(fields_of(Discount, ("code", "duration", "periods", "scope")))
        self.fields["percent"] = NumberField(
            label=_("Percent"), places=3, required=False, help_text=_("Off every line it covers; or an amount.")
        )
        self.fields["amount"] = AmountField(label=_("Amount"), required=False, help_text=_("Off a period."))
        self.fields["currency"] = CurrencyField(required=False, empty="–", initial=company.currency)
        self.fields["product"] = forms.ModelChoiceField(
            label=_("Product"),
            required=False,
            queryset=Product.objects.filter(company=company, archived_at__isnull=True).order_by("code"),
        )
        self.fields["price"] = forms.ModelChoiceField(
            label=_("Price"),
            required=False,
            queryset=Price.objects.filter(company=company)
            .select_related("item__plan", "item__product")
            .order_by("item__plan__code", "item_id", "currency", "-version"),
        )
        self.fields["price"].label_from_instance = _price_words  # type: ignore[attr-defined]
        self.fields["campaign"] = forms.ModelChoiceField(
            label=_("Campaign"),
            required=False,
            queryset=Campaign.objects.filter(company=company, archived_at__isnull=True).order_by("code"),
        )

    def layout(self) -> tuple[Section, ...]:
        return (
            Section("", (("code", "campaign"),)),
            *super().layout(),
            Section(_("What it takes off"), ("percent", ("amount", "currency"))),
            Section(_("For how long"), (("duration", "periods"),)),
            Section(_("Off what"), ("scope", ("product", "price"))),
        )

    def clean(self) -> dict[str, Any]:
        given = super().clean() or {}
        given["amount_minor"] = None
        if given.get("amount") is not None and given.get("currency"):
            try:
                given["amount_minor"] = minor_of(given["amount"], given["currency"])
            except forms.ValidationError as error:
                self.add_error("amount", error)
        return given

    def values(self) -> dict[str, Any]:
        given = self.changes(
            "code", "percent", "amount_minor", "duration", "periods", "scope", "product", "price", "campaign"
        )
        given["currency"] = self.cleaned_data["currency"] if given["amount_minor"] is not None else ""
        return given | {"name": self.name()}


def _price_words(price: Price) -> str:
    """Which price of which plan it is: "team / seats: €12.50 per month · EUR 2"."""
    return f"{price.item.plan.code} / {price.item.product.code}: {words_of(price)}"


def words_of(price: Price) -> str:
    """A price version in a few words, its number behind."""
    plan = price.item.plan
    interval = "" if price.item.kind == PlanItem.Kind.ONE_OFF else f"{plan.interval_count} {plan.interval_unit}"
    told = [amount_of(price, price.currency, interval=interval), *rows_of(price, price.currency)]
    return f"{', '.join(filter(None, told))} · {price.currency} {price.version}"


class OfferCodeForm(SectionedForm):
    sections = (
        Section("", ("code", ("valid_from", "valid_until"))),
        Section(_("Limits"), (("total_limit", "customer_limit"), "first_time_only")),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields.update(fields_of(OfferCode, ("code", "total_limit", "customer_limit", "first_time_only")))
        self.fields["valid_from"] = DayField(
            label=_("Valid from"), required=False, help_text=_("First day; empty: at once.")
        )
        self.fields["valid_until"] = DayField(
            label=_("Valid until"), required=False, help_text=_("Last day; empty: for good.")
        )


class GiveForm(SectionedForm):
    """Which discount a subscription gets."""

    sections = (Section("", ("discount", "from_on")),)

    from_on = DayField(label=_("From"), required=False, help_text=_("Periods from this day on take it; empty: today."))

    def __init__(self, *args: Any, subscription: Subscription, language: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        company = subscription.company
        rows = Discount.objects.filter(company=company, archived_at__isnull=True).order_by("code")
        field = forms.ModelChoiceField(label=_("Discount"), queryset=rows)
        field.label_from_instance = (  # type: ignore[method-assign]
            lambda discount: f"{in_language(discount.name, language, company.language)} ({discount.code})"
        )
        self.fields["discount"] = field


class RedeemForm(SectionedForm):
    """The code a customer was given."""

    code = forms.CharField(label=_("Offer code"), max_length=40)


class DiscountFilter(forms.Form):
    campaign = forms.CharField(label=_("Campaign"), required=False, max_length=60, help_text=_("Its code."))
    archived = forms.ChoiceField(
        label=_("Archived"), required=False, choices=[("", _("hidden")), ("only", _("only archived"))]
    )
