"""The words templates use: parts, amounts, days, states, addresses."""

from __future__ import annotations

import datetime as dt
import re
from decimal import Decimal
from typing import Any

import pytest
from django import forms
from django.template import Context, RequestContext, Template, TemplateSyntaxError
from django.test import RequestFactory
from django.utils import timezone, translation

from core.design import formats
from core.models import Company
from core.templatetags.ui import initials
from pricing.money import Money


def drawn(text: str, **context: Any) -> str:
    return Template(text).render(Context(context))


def at(path: str, text: str) -> str:
    return Template(text).render(RequestContext(RequestFactory().get(path), {}))


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("en", "€1,234.56"),
        ("de", "1.234,56\xa0€"),
        ("fr", "1\u202f234,56\xa0€"),
        ("it", "1.234,56\xa0€"),
        ("es", "1.234,56\xa0€"),
        ("en-us", "€1,234.56"),
    ],
)
def test_an_amount_reads_as_its_language_writes_it(language: str, text: str) -> None:
    assert formats.money(123456, "EUR", language=language) == text


@pytest.mark.parametrize(
    ("minor", "currency", "text"),
    [(4500, "JPY", "JP¥4,500"), (1234, "KWD", "KWD\xa01.234"), (-1, "EUR", "-€0.01"), (0, "EUR", "€0.00")],
)
def test_an_amount_has_the_decimals_of_its_currency(minor: int, currency: str, text: str) -> None:
    assert formats.money(minor, currency, language="en") == text


def test_an_amount_of_any_size_is_exact() -> None:
    assert formats.money(10**17 + 1, "EUR", language="en") == "€1,000,000,000,000,000.01"


@pytest.mark.parametrize("sums", [{"CHF": 1, "EUR": 2, "AUD": 3}, [("CHF", 1), ("EUR", 2), ("AUD", 3)]])
def test_the_companys_own_currency_comes_first(sums: Any) -> None:
    text = "{% for code, minor in sums|own_first:company %}{{ code }} {{ minor }} {% endfor %}"
    assert drawn(text, sums=sums, company=Company(currency="EUR")) == "EUR 2 AUD 3 CHF 1 "


def test_a_signed_amount_says_plus() -> None:
    assert formats.money(500, "EUR", language="de", signed=True) == "+5,00\xa0€"
    assert formats.money(0, "EUR", language="de", signed=True) == "0,00\xa0€"


@pytest.mark.parametrize(
    ("minor", "language", "text"),
    [
        (6_000_000, "en", "€60K"),
        (125_000, "en", "€1.25K"),
        (6_000_000, "de", "60.000\xa0€"),
        (25_000, "en", "€250"),
        (50, "en", "€0.50"),
    ],
)
def test_an_axis_amount_is_short(minor: int, language: str, text: str) -> None:
    assert formats.money_short(minor, "EUR", language=language) == text


def test_an_unknown_language_falls_back_to_english() -> None:
    assert formats.day(dt.date(2026, 11, 1), language="xx") == "1 Nov 2026"


def test_money_takes_minor_units_or_a_money() -> None:
    with translation.override("en"):
        assert drawn('{% money 11900 "EUR" %}') == '<span class="money">€119.00</span>'
        assert drawn("{% money total %}", total=Money(11900, "EUR")) == '<span class="money">€119.00</span>'
        assert drawn('{% money nothing "EUR" %}', nothing=None) == '<span class="money">–</span>'


def test_a_day_carries_its_iso_form() -> None:
    with translation.override("de"):
        assert drawn("{% day on %}", on=dt.date(2026, 11, 1)) == '<time datetime="2026-11-01">01.11.2026</time>'


def test_a_moment_is_shown_in_the_active_zone() -> None:
    moment = dt.datetime(2026, 12, 31, 23, 30, tzinfo=dt.UTC)
    with translation.override("en"), timezone.override("Europe/Berlin"):
        assert drawn("{% instant at %}", at=moment) == (
            '<time datetime="2027-01-01T00:30:00+01:00">1 Jan 2027, 00:30</time>'
        )
        assert drawn("{% day at %}", at=moment) == '<time datetime="2027-01-01">1 Jan 2027</time>'


def test_a_ratio_is_written_as_per_cent() -> None:
    assert formats.percent(Decimal("0.0123"), language="de") == "1,2\xa0%"
    assert formats.percent(Decimal("0.5"), places=0, language="en") == "50%"


def test_a_state_has_word_and_icon() -> None:
    text = drawn('{% badge "overdue" %}')
    assert 'class="badge badge--bad"' in text
    assert "#circle-alert" in text
    assert text.endswith("Overdue</span>")


def test_an_unknown_state_stays_visible_and_escaped() -> None:
    text = drawn("{% badge state %}", state="<b>odd_one")
    assert "&lt;b&gt;odd one</span>" in text
    assert "badge--quiet" in text


def test_an_address_keeps_its_other_parameters() -> None:
    assert at("/?status=paid&page=2&q=a%20b", "{% url_with page=3 q=None %}") == "?status=paid&amp;page=3"


def test_hidden_fields_repeat_the_filters_but_not_the_page() -> None:
    text = at("/?status=paid&status=open&after=x&q=%22", '{% query_fields "after" %}')
    assert text == (
        '<input type="hidden" name="status" value="paid"><input type="hidden" name="status" value="open">'
        '<input type="hidden" name="q" value="&quot;">'
    )


@pytest.mark.parametrize(
    ("name", "letters"),
    [("Ada Lovelace", "AL"), ("ada@example.com", "A"), ("Nordlicht", "N"), ("", "?"), ("Σωκράτης Υιοί", "ΣΥ")],
)
def test_initials_are_at_most_two_letters(name: str, letters: str) -> None:
    assert initials(name) == letters


def test_a_part_sees_its_own_parameters_only() -> None:
    assert "Page title" not in drawn('{% part "card" %}body{% endpart %}', title="Page title")


def test_a_part_draws_body_and_fills() -> None:
    text = drawn('{% part "card" title=t %}body{% fill actions %}<a>go</a>{% endfill %}{% endpart %}', t="<T>")
    assert "<h2>&lt;T&gt;</h2>" in text
    assert '<div class="card__body">body</div>' in text
    assert '<div class="row"><a>go</a></div>' in text


def test_a_part_inside_a_part_keeps_its_own_fill() -> None:
    text = drawn(
        '{% part "card" title="outer" %}{% part "card" title="inner" %}'
        "x{% fill footer %}low{% endfill %}{% endpart %}{% endpart %}"
    )
    assert text.count("card__foot") == 1
    assert text.index("inner") < text.index("card__foot")


def test_a_part_takes_named_parameters_only() -> None:
    with pytest.raises(TemplateSyntaxError, match="key=value"):
        Template('{% part "card" loose / %}')


def tight(text: str) -> str:
    """Without the space around tags, which the reader of a block doesn't see."""
    return re.sub(r"\s*(<[^>]*>)\s*", r"\1", text)


class Sample(forms.Form):
    name = forms.CharField(label="Name", help_text="As registered.")
    note = forms.CharField(label="Note", required=False)
    send = forms.BooleanField(label="Send", required=False)
    way = forms.ChoiceField(label="Way", choices=[("a", "A")], widget=forms.RadioSelect)


def test_a_form_draws_its_fields_with_help_wired_to_the_control() -> None:
    text = tight(str(Sample()))
    assert '<label class="field__label" for="id_name">Name</label>' in text
    assert 'aria-describedby="id_name_helptext"' in text
    assert '<div class="field__help" id="id_name_helptext">As registered.</div>' in text
    assert "(optional)" in text
    assert "<legend>Way</legend>" in text


def test_a_refused_form_opens_with_links_to_its_fields() -> None:
    text = str(Sample({"name": ""}))
    assert text.index("error-summary") < text.index('id="id_name"')
    assert '<a href="#id_name">Name: This field is required.</a>' in text
    assert 'aria-describedby="id_name_helptext id_name_error"' in text
    assert 'id="id_name_error"' in text
    assert "autofocus" in text


def test_a_form_without_errors_has_no_summary() -> None:
    assert "error-summary" not in str(Sample())


def test_a_confirm_button_carries_its_sum() -> None:
    with translation.override("en"):
        text = tight(drawn('{% part "confirm" label="Charge" minor=7000 currency="EUR" / %}'))
    assert '<span>Charge</span><span class="button__sum">€70.00</span>' in text
