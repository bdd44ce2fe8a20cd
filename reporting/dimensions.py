"""What recurring revenue is divided and filtered by: the columns of its facts, with the words people read.

The rule that matters: a value in an address is an outside id, a code or `none`; one that no row of the company has is
refused, never read as "everything".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from babel import Locale
from django.db.models import Model
from django.utils.translation import get_language, gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from catalog.models import Campaign, Plan, Product
from catalog.services.texts import in_language
from core.design import formats
from core.ids import BadId
from core.models import Company
from core.refusal import Refused
from reporting.shapes import Words

#: The text that stands for "none" in an address.
NONE: Final = "none"
_MONTH = re.compile(r"\d{4}-\d{2}")

#: Values of a dimension as facts hold them, told: the text of an address and the words of a page.
Told = dict[Any, tuple[str, Words]]


@dataclass(frozen=True, slots=True)
class Dimension:
    """`column` of the facts; `parse` reads a text, `tell` writes values; both see only the company's rows.

    `is_of_customer`: all facts of a customer have the same value.
    """

    name: str
    label: Words
    column: str
    parse: Callable[[Company, str], Any]
    tell: Callable[[Company, Iterable[Any]], Told]
    is_of_customer: bool = False

    def stored(self, text: str) -> Any:
        """A value of facts from how closed months keep it."""
        if self.column.endswith("_id"):
            return int(text) if text else None
        return date.fromisoformat(text) if self.column == "cohort_on" else text


def _row(model: Any, company: Company, text: str) -> int | None:
    if text == NONE:
        return None
    try:
        found: Model = model.by_ref(model.objects.filter(company=company), text)
    except (BadId, model.DoesNotExist):
        raise Refused("report.value_unknown", value=text) from None
    return int(found.pk)


def _rows(
    model: Any, name: Callable[[Company, Any], str], without: Words
) -> Callable[[Company, Iterable[Any]], Told]:  # fmt: skip
    def tell(company: Company, values: Iterable[Any]) -> Told:
        wanted = set(values)
        found: Told = {row.pk: (row.ref, name(company, row)) for row in model.objects.filter(pk__in=wanted - {None})}
        return found | ({None: (NONE, without)} if None in wanted else {})

    return tell


def _in_words(company: Company, row: Any) -> str:
    return in_language(row.name, (get_language() or company.language).split("-")[0], company.language)


def _country(company: Company, text: str) -> str:
    if text != NONE and not re.fullmatch("[A-Z]{2}", text):
        raise Refused("report.value_unknown", value=text)
    return "" if text == NONE else text


def country_words(code: str) -> str:
    """The country's name in the reader's language; the code where it has none."""
    return str(Locale.parse((get_language() or "en").split("-")[0]).territories.get(code, code))


def _countries(company: Company, values: Iterable[Any]) -> Told:
    return {code: (code or NONE, country_words(code) if code else _("No address")) for code in values}


def _sources(company: Company, values: Iterable[Any]) -> Told:
    #: What the product writes itself is told in words, what people wrote as they did.
    known = {"offer_code": _("Offer code")}
    return {text: (text or NONE, known.get(text, text) if text else _("Not known")) for text in values}


def _cohort(company: Company, text: str) -> date:
    try:
        if not _MONTH.fullmatch(text):
            raise ValueError
        return date.fromisoformat(f"{text}-01")
    except ValueError:
        raise Refused("report.value_unknown", value=text) from None


def _cohorts(company: Company, values: Iterable[Any]) -> Told:
    return {month: (f"{month:%Y-%m}", formats.month(month)) for month in values}


_ALL = (
    Dimension("plan", _("Plan"), "plan_id", lambda company, text: _row(Plan, company, text),
              _rows(Plan, _in_words, _("No plan"))),
    Dimension("product", _("Product"), "product_id", lambda company, text: _row(Product, company, text),
              _rows(Product, _in_words, "")),
    Dimension("country", _("Country"), "country", _country, _countries),
    Dimension("campaign", _("Campaign"), "campaign_id", lambda company, text: _row(Campaign, company, text),
              _rows(Campaign, lambda company, row: str(row.name), _("No campaign")), is_of_customer=True),
    Dimension("source", pgettext_lazy("where a customer came from", "Source"), "source",
              lambda company, text: "" if text == NONE else text, _sources, is_of_customer=True),
    Dimension("cohort", _("Start"), "cohort_on", _cohort, _cohorts, is_of_customer=True),
)  # fmt: skip
BY_NAME: Final[dict[str, Dimension]] = {one.name: one for one in _ALL}
#: As reports name them.
CHOICES: Final = tuple((one.name, one.label) for one in _ALL)


def columns_of(company: Company, only: Mapping[str, str]) -> dict[str, Any]:
    """Columns of the facts and the value each must have. Refuses `report.value_unknown`."""
    return {BY_NAME[name].column: BY_NAME[name].parse(company, text) for name, text in only.items() if name in BY_NAME}


def told(company: Company, by: str, values: Iterable[Any]) -> Told:
    """Values of a dimension with their texts and words; of none: the one value, without."""
    if not by:
        return {"": ("", "")}
    known = BY_NAME[by].tell(company, values)
    return {value: known.get(value, (str(value), str(value))) for value in values}


def without(words: Words) -> str:
    """Words of a value in the reader's language now."""
    return str(words) or gettext("None")
