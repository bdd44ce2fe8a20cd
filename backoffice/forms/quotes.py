"""Forms of quotes: for whom, from which plan, with which positions at which prices."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django import forms
from django.utils.translation import gettext, pgettext
from django.utils.translation import gettext_lazy as _

from backoffice.forms.fields import AmountField, CountryField, DayField, NumberField, TextField, fields_of
from backoffice.forms.sections import Section, SectionedForm
from backoffice.forms.tasks import NOBODY, people_of, person
from backoffice.templatetags.office import price_text
from catalog.models import Discount, Plan, PlanItem, Product
from catalog.services.plans import currencies_of, price_on
from catalog.services.texts import in_language
from core.models import LANGUAGE_CHOICES, Company
from crm.models import Lead, Quote, QuoteLine
from crm.services.quotes import FIELDS, LineSpec
from customers.models import Customer
from customers.services.customers import currency_of

#: Positions beside the plan's that one form takes.
EXTRA = 3
KINDS = (("recurring", _("recurring")), ("one_off", _("charged once")))


class PlanForm(SectionedForm):
    """Which plan, and in which currency, if it has several."""

    sections = (Section("", ("plan", "currency")),)

    def __init__(
        self, *args: Any, company: Company, customer: Customer | None, lead: Lead | None, language: str, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        plans = Plan.objects.filter(company=company, status=Plan.Status.ON_SALE)
        self.plans = {row.ref: row for row in plans}
        self.fields["plan"] = forms.ChoiceField(
            label=_("Plan"), choices=[(row.ref, in_language(row.name, language, company.language)) for row in plans]
        )
        sold_in = {code for row in plans for code in currencies_of(row)} or {company.currency}
        codes = sorted(sold_in, key=company.currency_rank)
        usual = currency_of(customer) if customer is not None else lead.currency if lead is not None else codes[0]
        self.fields["currency"] = forms.ChoiceField(
            label=_("Currency"), choices=[(code, code) for code in codes],
            initial=usual if usual in codes else codes[0],
        )  # fmt: skip


class QuoteForm(SectionedForm):
    """A draft: recipient, positions, discounts, words, days."""

    def __init__(self, *args: Any, quote: Quote, language: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.quote, self.company = quote, quote.company
        names = ("recipient", "kind", "person", "email", "vat_id", "title", "offer_code")
        self.fields |= fields_of(Quote, names)
        for name in names:
            self.initial.setdefault(name, getattr(quote, name))
        self._address()
        self.fields["language"] = forms.ChoiceField(
            label=_("Language"), choices=LANGUAGE_CHOICES, initial=quote.language
        )
        self.fields["owner"] = forms.ChoiceField(
            label=_("Owner"), required=False, choices=[NOBODY, *people_of(self.company)],
            initial=quote.owner.ref if quote.owner is not None else "",
        )  # fmt: skip
        self.fields["start_on"] = DayField(
            label=_("First day"), required=False, initial=quote.start_on, help_text=_("Empty: the day of acceptance.")
        )
        self.fields["valid_until"] = DayField(label=_("Valid until"), initial=quote.valid_until)
        for name, label in (("intro", _("Introduction")), ("closing", pgettext("text of a quote", "Closing"))):
            self.fields[name] = TextField(
                label=label, required=False, rows=3, limit=10_000, initial=getattr(quote, name)
            )
        discounts = Discount.objects.filter(company=self.company, archived_at__isnull=True)
        self.discounts = {row.ref: row for row in discounts}
        self.fields["discounts"] = forms.MultipleChoiceField(
            label=_("Discounts"), required=False, widget=forms.CheckboxSelectMultiple,
            choices=[(ref, in_language(row.name, language, self.company.language))
                     for ref, row in self.discounts.items()],
            initial=[row.discount.ref for row in quote.discounts.select_related("discount")],
        )  # fmt: skip
        self._lines(language)

    def _address(self) -> None:
        address = self.quote.address
        self.fields["lines"] = TextField(label=_("Street"), required=False, rows=2, limit=400,
                                         initial="\n".join(address.get("lines", ())))  # fmt: skip
        self.fields["postal_code"] = forms.CharField(label=_("Postal code"), required=False, max_length=20,
                                                     initial=address.get("postal_code", ""))  # fmt: skip
        self.fields["city"] = forms.CharField(
            label=_("Town"), required=False, max_length=100, initial=address.get("city", "")
        )
        self.fields["country"] = CountryField(
            initial=address.get("country") or self.company.country, help_text=_("Taxes depend on it.")
        )

    def _lines(self, language: str) -> None:
        """A row of fields for each position there is, each of the plan's that isn't, and some of other products."""
        quote, self.rows = self.quote, []
        items = quote.plan.items.filter(archived_at__isnull=True).select_related("product").prefetch_related("prices")
        of_plan = {item.product_id: item for item in items}
        held = {line.product_id: line for line in quote.lines.select_related("product", "price")}
        products = [line.product for line in held.values()]
        products += [item.product for item in of_plan.values() if item.product_id not in held]
        for product in products:
            self._row(product, held.get(product.pk), of_plan.get(product.pk), language)
        others = Product.objects.filter(company=self.company, archived_at__isnull=True)
        others = others.exclude(pk__in=[product.pk for product in products])
        self.others = {row.ref: row for row in others}
        choices = [NOBODY, *((ref, in_language(row.name, language, self.company.language)) for ref, row in
                             self.others.items())]  # fmt: skip
        for number in range(1, EXTRA + 1) if self.others else ():
            self.fields[f"extra_{number}"] = forms.ChoiceField(
                label=gettext("Product %(number)s") % {"number": number}, required=False, choices=choices
            )
            self.fields[f"extra_kind_{number}"] = forms.ChoiceField(label=_("Kind"), required=False, choices=KINDS)
            self.fields[f"extra_quantity_{number}"] = NumberField(
                label=_("Quantity"), places=6, required=False, initial=Decimal(1)
            )
            self.fields[f"extra_amount_{number}"] = AmountField(label=_("Price of one"), required=False)
            self.fields[f"extra_optional_{number}"] = forms.BooleanField(label=_("Optional"), required=False)

    def _row(self, product: Product, line: QuoteLine | None, item: PlanItem | None, language: str) -> None:
        pk, name = product.pk, in_language(product.name, language, self.company.language)
        price = price_on(item, self.quote.currency, self.quote.valid_until) if item is not None else None
        self.rows.append((product, line, item))
        self.fields[f"on_{pk}"] = forms.BooleanField(
            label=gettext("%(product)s: on the quote") % {"product": name}, required=False, initial=line is not None
        )
        quantity = line.quantity if line is not None else item.quantity if item is not None else Decimal(1)
        self.fields[f"quantity_{pk}"] = NumberField(
            label=gettext("%(product)s: quantity") % {"product": name}, places=6, initial=quantity
        )
        hint = gettext("Empty: the plan's, %(price)s.") % {
            "price": price_text(price.unit_amount, self.quote.currency)
        } if price is not None else ""  # fmt: skip
        self.fields[f"amount_{pk}"] = AmountField(
            label=gettext("%(product)s: price of one") % {"product": name}, required=False, help_text=hint,
            initial=line.unit_amount if line is not None else None,
        )  # fmt: skip
        is_optional = line.is_optional if line is not None else item is not None and item.is_optional
        self.fields[f"optional_{pk}"] = forms.BooleanField(
            label=gettext("%(product)s: optional") % {"product": name}, required=False, initial=is_optional
        )
        self.fields[f"ticked_{pk}"] = forms.BooleanField(
            label=gettext("%(product)s: ticked to begin with") % {"product": name}, required=False,
            initial=line is not None and line.is_chosen,
        )  # fmt: skip

    def layout(self) -> tuple[Section, ...]:
        positions = tuple(
            (f"on_{product.pk}", f"quantity_{product.pk}", f"amount_{product.pk}", f"optional_{product.pk}",
             f"ticked_{product.pk}")
            for product, _line, _item in self.rows
        )  # fmt: skip
        extra = tuple(
            (f"extra_{number}", f"extra_kind_{number}", f"extra_quantity_{number}", f"extra_amount_{number}",
             f"extra_optional_{number}")
            for number in range(1, EXTRA + 1)
        )  # fmt: skip
        return (
            Section(_("Who gets it"), (("recipient", "kind"), ("person", "email"), "lines", ("postal_code", "city"),
                                       ("country", "vat_id"), ("language", "owner"))),
            Section(_("Positions"), positions),
            Section(_("Further positions"), extra, folded=True,
                    lead=_("Products beside the plan; they need a price of their own.")),
            Section(_("Discounts"), ("discounts", "offer_code"), folded=True),
            Section(_("Words and days"), ("title", "intro", "closing", ("start_on", "valid_until"))),
        )  # fmt: skip

    def values(self) -> dict[str, Any]:
        """Keywords of `quotes.update`, without quote, actor and time."""
        given = self.cleaned_data
        plain = {name: given[name] for name in FIELDS if name in given}
        plain["owner"] = person(self.company, given["owner"])
        plain["address"] = {
            **{name: value for name, value in self.quote.address.items() if name in ("recipient", "region")},
            "lines": [line.strip() for line in given["lines"].splitlines() if line.strip()],
            "postal_code": given["postal_code"], "city": given["city"], "country": given["country"],
        }  # fmt: skip
        return {
            "changes": plain,
            "lines": [*self._of_rows(), *self._of_extra()],
            "discounts": [self.discounts[ref] for ref in given["discounts"]],
        }

    def _of_rows(self) -> list[LineSpec]:
        given = self.cleaned_data
        return [
            LineSpec(
                product, quantity=given[f"quantity_{product.pk}"], unit_amount=given[f"amount_{product.pk}"],
                kind=line.kind if line is not None else "", description=line.description if line is not None else "",
                is_optional=given[f"optional_{product.pk}"],
                is_chosen=given[f"ticked_{product.pk}"] or not given[f"optional_{product.pk}"],
            )
            for product, line, _item in self.rows
            if given[f"on_{product.pk}"]
        ]  # fmt: skip

    def _of_extra(self) -> list[LineSpec]:
        given, found = self.cleaned_data, []
        for number in range(1, EXTRA + 1) if self.others else ():
            if given[f"extra_{number}"]:
                is_optional = given[f"extra_optional_{number}"]
                found.append(LineSpec(
                    self.others[given[f"extra_{number}"]], quantity=given[f"extra_quantity_{number}"] or Decimal(1),
                    unit_amount=given[f"extra_amount_{number}"], kind=given[f"extra_kind_{number}"],
                    is_optional=is_optional, is_chosen=not is_optional,
                ))  # fmt: skip
        return found


class SendForm(SectionedForm):
    """Nothing is asked: the page shows what will be sent."""


class AcceptForm(SectionedForm):
    """Staff accept for a customer who signed on paper."""

    name = forms.CharField(label=_("Signed by"), max_length=200, help_text=_("The name on the signed paper."))

    def __init__(self, *args: Any, options: list[tuple[str, str]], ticked: list[str], **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if options:
            self.fields["options"] = forms.MultipleChoiceField(
                label=_("Options"), required=False, choices=options, widget=forms.CheckboxSelectMultiple,
                initial=ticked,
            )  # fmt: skip


class QuoteFilter(forms.Form):
    state = forms.ChoiceField(label=_("Status"), required=False, choices=[NOBODY, *Quote.State.choices])
    owner = forms.ChoiceField(label=_("Owner"), required=False)

    def __init__(self, *args: Any, company: Company, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["owner"].choices = [NOBODY, *people_of(company)]  # type: ignore[attr-defined]
