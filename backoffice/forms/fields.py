"""Fields the forms share: amounts and quantities as people type them, days, countries, texts by language.

An amount is read exactly or refused: a decimal comma where the language writes one, never a guess.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal
from functools import lru_cache
from typing import Any
from zoneinfo import available_timezones

from babel import Locale
from django import forms
from django.core.exceptions import ValidationError
from django.db.models import Model, URLField
from django.utils.functional import Promise, lazy
from django.utils.translation import get_language, gettext_lazy
from django.utils.translation import gettext as _

from core import countries
from core.design.formats import locale_of
from core.models import LANGUAGE_CHOICES, Company
from core.texts import checked
from pricing.errors import PricingError
from pricing.money import Currency, Money, parse_amount


def number_of(text: str) -> Decimal:
    """The number a person typed, with the decimal sign of the active language or a point.

    Raises `ValidationError` for anything that could be read in two ways.
    """
    text = text.strip()
    symbols = locale_of(get_language()).number_symbols["latn"]
    if symbols.get("decimal") == "," and "." not in text:
        text = text.replace(",", ".")
    try:
        return parse_amount(text)
    except PricingError as error:
        raise ValidationError(
            _("Write the number with digits and one decimal sign, such as 1234.50."), code=error.code
        ) from None


class NumberField(forms.CharField):
    """A number typed as text; `places` limits its decimals."""

    def __init__(self, *, places: int = 10, signed: bool = False, **kwargs: Any) -> None:
        self.places, self.signed = places, signed
        kwargs.setdefault("widget", forms.TextInput(attrs={"inputmode": "decimal", "autocomplete": "off"}))
        super().__init__(max_length=40, **kwargs)

    def prepare_value(self, value: Any) -> Any:
        if isinstance(value, Decimal):
            text = f"{value:f}"
            return text.rstrip("0").rstrip(".") if "." in text else text
        return value

    def clean(self, value: Any) -> Any:
        text = super().clean(value)
        if text in ("", None):
            return None
        number = number_of(text)
        if number < 0 and not self.signed:
            raise ValidationError(_("The number can't be below zero."), code="negative")
        if -int(number.as_tuple().exponent) > self.places:
            raise ValidationError(
                _("At most %(places)s decimal places are possible.") % {"places": self.places}, code="places"
            )
        return number


class AmountField(NumberField):
    """An amount of money in whole units; the form turns it into minor units once the currency is known."""


def minor_of(amount: Decimal, currency: str) -> int:
    """Whole minor units of an amount; `ValidationError` when it has too many places for the currency."""
    try:
        return Money.of(amount, currency).minor
    except PricingError:
        raise ValidationError(
            _("%(currency)s has fewer decimal places than this amount.") % {"currency": currency}, code="places"
        ) from None


class DayField(forms.DateField):
    """A calendar day, typed or picked; ISO inside."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("widget", forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d"))
        kwargs.setdefault("input_formats", ["%Y-%m-%d"])
        super().__init__(**kwargs)


class MomentField(forms.DateTimeField):
    """A day with its time, in the company's zone."""

    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("widget", forms.DateTimeInput(attrs={"type": "datetime-local"}, format="%Y-%m-%dT%H:%M"))
        kwargs.setdefault("input_formats", ["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M"])
        super().__init__(**kwargs)


class TextField(forms.CharField):
    """A text kept exactly as typed, over several lines."""

    def __init__(self, *, rows: int = 3, limit: int = 20_000, **kwargs: Any) -> None:
        kwargs.setdefault("widget", forms.Textarea(attrs={"rows": rows}))
        super().__init__(strip=False, max_length=limit, **kwargs)


@lru_cache(maxsize=8)
def _country_choices(language: str) -> list[tuple[str, str]]:
    names = Locale.parse(language.split("-")[0]).territories
    return sorted(((code, names.get(code, code)) for code in countries.codes()), key=lambda pair: pair[1])


def country_choices() -> list[tuple[str, str]]:
    return _country_choices(get_language() or "en")


def country_name(code: str) -> str:
    """The country's name in the language of the page; the code itself where it has none."""
    return dict(country_choices()).get(code, code)


USUAL_CURRENCIES = ("EUR", "CHF", "GBP", "USD", "DKK", "NOK", "PLN", "SEK", "CZK", "HUF", "JPY")


def currency_choices() -> list[tuple[str, str]]:
    rest = [code for code in Currency.codes if code not in USUAL_CURRENCIES]
    return [(code, code) for code in (*USUAL_CURRENCIES, *rest)]


def zone_choices() -> list[tuple[str, str]]:
    return [(name, name) for name in sorted(available_timezones()) if "/" in name or name == "UTC"]


class CountryField(forms.ChoiceField):
    def __init__(self, **kwargs: Any) -> None:
        kwargs.setdefault("label", gettext_lazy("Country"))
        super().__init__(choices=lambda: [("", ""), *country_choices()], **kwargs)


class CurrencyField(forms.ChoiceField):
    def __init__(self, *, empty: str | Promise = "", **kwargs: Any) -> None:
        kwargs.setdefault("label", gettext_lazy("Currency"))
        first = [] if kwargs.get("required", True) else [("", empty)]
        super().__init__(choices=lambda: [*first, *currency_choices()], **kwargs)


class ZoneField(forms.ChoiceField):
    def __init__(self, *, empty: str | Promise = "", **kwargs: Any) -> None:
        kwargs.setdefault("label", gettext_lazy("Time zone"))
        first = [] if kwargs.get("required", True) else [("", empty)]
        super().__init__(choices=lambda: [*first, *zone_choices()], **kwargs)


def fields_of(model: type[Model], names: Iterable[str]) -> dict[str, forms.Field]:
    """Form fields of columns, with their labels and hints; limits are the model's."""
    built: dict[str, forms.Field] = {}
    for name in names:
        column = model._meta.get_field(name)
        more = {"assume_scheme": "https"} if isinstance(column, URLField) else {}
        formed = column.formfield(**more)  # type: ignore[union-attr]
        assert formed is not None, name
        if isinstance(formed, forms.CharField) and not isinstance(formed, forms.SlugField):
            formed.empty_value = ""
        built[name] = formed
    return built


_capital = lazy(lambda text: str(text)[:1].upper() + str(text)[1:], str)


def language_fields(
    company: Company,
    name: str,
    *,
    label: str | Promise,
    required: bool = False,
    rows: int = 0,
    limit: int = 200,
) -> dict[str, forms.Field]:
    """One field for each language, the company's first and, if `required`, needed: `name__de`, `name__en`…"""
    order = sorted(LANGUAGE_CHOICES, key=lambda pair: pair[0] != company.language)
    built: dict[str, forms.Field] = {}
    for code, language in order:
        own = code == company.language
        words = _labelled(label, language)
        if rows:
            built[f"{name}__{code}"] = TextField(label=words, required=required and own, rows=rows, limit=limit)
        else:
            built[f"{name}__{code}"] = forms.CharField(
                label=words, required=required and own, max_length=limit, strip=False
            )
    return built


_labelled = lazy(lambda label, language: f"{label} · {language}", str)


def texts_of(cleaned: Mapping[str, Any], name: str) -> dict[str, str]:
    """The texts by language typed into the fields of `language_fields`; empty ones left out."""
    start = f"{name}__"
    return {
        key.removeprefix(start): value
        for key, value in cleaned.items()
        if key.startswith(start) and value and value.strip()
    }


def spread_texts(name: str, texts: Mapping[str, str] | None) -> dict[str, str]:
    """The initial values of `language_fields`."""
    return {f"{name}__{code}": text for code, text in (texts or {}).items()}


def address_lines(text: str) -> list[str]:
    """The lines of an address typed into one box, without empty ones."""
    checked(text, field="lines", limit=2000)
    return [line.strip() for line in text.replace("\r\n", "\n").split("\n") if line.strip()]
