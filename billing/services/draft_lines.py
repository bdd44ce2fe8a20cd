"""Lines of drafts: as a person gives them, as billing wrote them, and as they are issued.

The rule that matters: a line keeps the amount it was stored with; only its tax is decided anew. What a person changed
of a line that billing wrote stands in its calculation, with the reason.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final

from billing.models import InvoiceLine
from billing.services import books
from billing.services.grouping import Line
from billing.services.loading import CustomerRow, Facts
from billing.services.packs import Pack
from billing.services.snapshots import plain
from billing.services.taxing import LineTax, Taxing
from catalog.models import Product, TaxCategory
from core import checks
from core.models import Company
from core.refusal import Refused, words_of
from core.texts import checked
from pricing.errors import PricingError
from pricing.money import Money, to_minor

LARGEST_UNIT_AMOUNT: Final = 10**10
LARGEST_QUANTITY: Final = 10**14
LONGEST_DESCRIPTION: Final = 400
ONE_DAY: Final = timedelta(days=1)
#: What led to the price of a line that billing wrote; gone once a person has set another.
_OF_THE_PRICE: Final = ("steps", "details", "discounts", "quantity_before", "less_minor")


@dataclass(frozen=True, slots=True)
class DraftLine:
    """A line by hand. Without a product it names its tax category; the period is [start, end), if any.

    `description` may be left empty for a product: its name in the customer's language stands there. `of`: position of
    the draft's present line that it continues; of a line that billing wrote, product, taxes and period stay as they
    are, and `amount_minor` or another quantity or price sets its amount, for a `reason`. `pack`: what it sells is
    prepaid credit.
    """

    description: str = ""
    quantity: Decimal = Decimal(1)
    unit_amount: Decimal = Decimal(0)
    product: Product | None = None
    tax_category: TaxCategory | None = None
    period: tuple[date, date] | None = None
    of: int | None = None
    amount_minor: int | None = None
    reason: str = ""
    pack: Pack | None = None


def is_by_hand(row: InvoiceLine) -> bool:
    """Whether a person wrote the line, so that all of it may be changed."""
    return "tax_category_id" in row.calculation and "fixed" not in row.calculation


def check(lines: Sequence[DraftLine], company: Company, currency: str, present: dict[int, InvoiceLine]) -> None:
    """Refuses what no invoice can hold: figures, days and texts out of range, things of another company."""
    if not lines:
        raise Refused("draft.empty", field="lines")
    continued: set[int] = set()
    for position, line in enumerate(lines, 1):
        if line.of is not None:
            if line.of not in present or line.of in continued:
                raise Refused("draft.line_unknown", field="lines", position=position)
            continued.add(line.of)
        if line.of is None or is_by_hand(present[line.of]):
            _check_category(line, company, position)
        for value, largest in ((line.quantity, LARGEST_QUANTITY), (line.unit_amount, LARGEST_UNIT_AMOUNT)):
            given: object = value
            if not isinstance(given, Decimal) or not (given.is_finite() and 0 <= given < largest):
                raise Refused("draft.quantity", field="lines", position=position)
        if line.amount_minor is not None and line.amount_minor < 0:
            raise Refused("draft.quantity", field="lines", position=position)
        checks.decimal(line.quantity, field="quantity", most=LARGEST_QUANTITY, places=6)
        checks.decimal(line.unit_amount, field="unit_amount", most=LARGEST_UNIT_AMOUNT, places=10)
        checks.total(line.quantity * line.unit_amount, currency, field="unit_amount")
        if line.amount_minor is not None:
            checks.total(Money(line.amount_minor, currency).amount, currency, field="amount")
        checked(line.description, field="description", limit=LONGEST_DESCRIPTION)
        checked(line.reason, field="reason", limit=500)
        if line.period is not None:
            start, end = line.period
            checks.day(start, field="period_start")
            checks.day(end, field="period_end")
            if end <= start:
                raise Refused("draft.period", field="lines", position=position)


def _check_category(line: DraftLine, company: Company, position: int) -> None:
    category = line.product.tax_category if line.product else line.tax_category
    if category is None:
        raise Refused("draft.product", field="lines", position=position)
    if category.company_id != company.pk or (line.product and line.product.company_id != company.pk):
        raise Refused("not_found", field="lines")


@dataclass(slots=True)
class Making:
    """What lines of one document are made with."""

    company: Company
    customer: CustomerRow
    currency: str
    known: Facts
    taxing: Taxing
    today: date

    def by_hand(self, line: DraftLine, position: int) -> Line:
        """A line as a person gives it, with today's taxes; a period's last day decides its rate."""
        product, customer, company = line.product, self.customer, self.company
        category = product.tax_category if product else line.tax_category
        assert category is not None  # `check`
        name = ""
        if product is not None:
            name = product.name.get(customer.language) or product.name.get(company.language, "")
        start, end = line.period or (self.today, self.today + ONE_DAY)
        tax = self._tax(category, start, end, position, parts=True)
        calculation: dict[str, Any] = {
            "model": "per_unit",
            "quantity": plain(line.quantity),
            "unit_amount": plain(line.unit_amount),
            "tax_category_id": category.pk,
            "tax": tax.facts(),
        }
        if line.pack is not None:
            calculation["pack"] = line.pack.facts()
        return Line(
            subscription_id=None,
            slot_id=None,
            product_id=product.pk if product else None,
            description=(line.description or name)[:LONGEST_DESCRIPTION],
            detail="",
            quantity=line.quantity,
            unit=self._unit(product),
            unit_amount=line.unit_amount,
            period_start=line.period[0] if line.period else None,
            period_end=line.period[1] if line.period else None,
            amount_minor=to_minor(line.quantity * line.unit_amount, self.currency),
            tax=tax,
            account_id=self._account(product, calculation, name),
            calculation=calculation,
        )

    def stored(self, row: InvoiceLine, position: int) -> Line:
        """A line as it is stored, taxed anew."""
        product = row.product
        category = product.tax_category if product else self._category(row)
        service = row.calculation.get("service_on")
        if row.period_start is not None and row.period_end is not None:
            start, end = row.period_start, row.period_end
        else:
            start = date.fromisoformat(service) if service else self.today
            end = start + ONE_DAY
        tax = self._tax(category, start, end, position)
        calculation = row.calculation | {"tax": tax.facts()}
        subscription = row.subscription
        return Line(
            subscription_id=row.subscription_id,
            slot_id=row.slot_id,
            product_id=row.product_id,
            description=row.description,
            detail=subscription.name if subscription is not None and subscription.name != row.description else "",
            quantity=row.quantity,
            unit=self._unit(product),
            unit_amount=row.unit_amount,
            period_start=row.period_start,
            period_end=row.period_end,
            amount_minor=row.amount_minor,
            tax=tax,
            account_id=self._account(product, calculation, row.description),
            calculation=calculation,
            kind=row.kind,
            discount_minor=row.discount_minor,
            id=row.pk,
        )

    def _category(self, row: InvoiceLine) -> TaxCategory:
        return TaxCategory.objects.get(company=self.company, pk=row.calculation["tax_category_id"])

    def _tax(self, category: TaxCategory, start: date, end: date, position: int, *, parts: bool = False) -> LineTax:
        try:
            tax = self.taxing.over(self.customer, category.supply, category.level, start, end, self.today)
        except PricingError as error:
            raise Refused("draft.taxes", field="lines", position=position, detail=undecided(error)) from None
        return tax if parts or not tax.parts else tax.parts[-1][2]

    def _unit(self, product: Product | None) -> str:
        if product is None:
            return ""
        names = product.unit_name
        return str(names.get(self.customer.language) or names.get(self.company.language, ""))

    def _account(self, product: Product | None, calculation: dict[str, Any], name: str) -> int:
        if "pack" in calculation:
            return self.known.accounts["prepaid", ""]
        return books.revenue_account(self.known.accounts, product.revenue_account if product else "", name)


def undecided(error: PricingError) -> str:
    """Why taxes can't be decided, as the end of a sentence."""
    return words_of(error).rstrip(".")


def edit(row: InvoiceLine, line: DraftLine, currency: str) -> None:
    """Changes, in memory, a line that billing wrote: its words, and its amount where that is given or follows."""
    row.description = line.description or row.description
    before = row.amount_minor
    has_moved = (line.quantity, line.unit_amount) != (row.quantity, row.unit_amount)
    if line.amount_minor is not None:
        after = line.amount_minor
    elif has_moved:
        share = Fraction(str(row.calculation.get("share", "1")))
        after = to_minor(Fraction(line.quantity) * Fraction(line.unit_amount) * share, currency)
    else:
        return
    if after == before and not has_moved:
        return
    told = {name: value for name, value in row.calculation.items() if name not in _OF_THE_PRICE}
    earlier = row.calculation.get("edited", {})
    row.calculation = told | {
        "model": "per_unit",
        "quantity": plain(line.quantity),
        "unit_amount": plain(line.unit_amount),
        "edited": {
            "from_minor": earlier.get("from_minor", before),
            "amount_minor": after,
            "reason": line.reason or earlier.get("reason", ""),
        },
    }
    row.quantity, row.unit_amount, row.amount_minor, row.discount_minor = line.quantity, line.unit_amount, after, 0
