"""Which tax a line bears, and what the tax of a document is.

The rule that matters: tax is rounded once per (category, rate) group of a document, never per line and never on the
total at once (EN 16931 BR-CO-14, BR-CO-17); rates come from dated rows, never from code.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Final, Literal, NamedTuple

from pricing.errors import PricingError
from pricing.money import spread

# UNTDID 5305, the part EN 16931 uses here: standard, zero rated, exempt, reverse charge, goods to another member
# state, export, outside the scope.
Category = Literal["S", "Z", "E", "AE", "K", "G", "O"]
TaxBehavior = Literal["exclusive", "inclusive"]
SupplyKind = Literal["electronic", "general", "place_bound", "goods"]
VatIdState = Literal["none", "valid", "invalid", "pending"]

CATEGORIES: Final = ("S", "Z", "E", "AE", "K", "G", "O")
SUPPLY_KINDS: Final = ("electronic", "general", "place_bound", "goods")
VAT_ID_STATES: Final = ("none", "valid", "invalid", "pending")

# Member states of the European Union by ISO 3166 code (Greece is GR, also where its VAT ids begin with EL).
_MEMBERS: Final = "AT BE BG CY CZ DE DK EE ES FI FR GR HR HU IE IT LT LU LV MT NL PL PT RO SE SI SK"
EU_MEMBERS: Final = frozenset(_MEMBERS.split())
# A check of a VAT id that can't be repeated now counts while it is younger than this.
VAT_ANSWER_DAYS: Final = 90

_ZERO: Final = Decimal(0)


class BadTax(PricingError):
    """A tax that can't be: an unknown category, a rate that doesn't fit it, or no rate at all."""


@dataclass(frozen=True, slots=True)
class TaxGroup:
    """One (category, rate) of a document. Only S has a rate above zero, and S has no rate of zero: that is Z.

    >>> TaxGroup("S", Decimal("19.00")) == TaxGroup("S", Decimal(19))
    True
    """

    category: Category
    rate: Decimal

    def __post_init__(self) -> None:
        if self.category not in CATEGORIES:
            raise BadTax("tax_category_unknown", category=self.category)
        rate: object = self.rate
        if not (isinstance(rate, Decimal) and rate.is_finite()):
            raise BadTax("tax_rate_not_a_number")
        if not 0 <= self.rate <= 100:
            raise BadTax("tax_rate_outside_range", rate=self.rate)
        if (self.category == "S") != (self.rate > 0):
            raise BadTax("tax_rate_does_not_fit_category", category=self.category, rate=self.rate)


class TaxLine(NamedTuple):
    """What a line brings to the tax: its rounded amount (net or gross, as the document) and its group."""

    amount_minor: int
    group: TaxGroup


@dataclass(frozen=True, slots=True)
class TaxRow:
    """One row of the breakdown, in minor units: `base + tax = gross`."""

    group: TaxGroup
    base_minor: int
    tax_minor: int

    @property
    def category(self) -> Category:
        return self.group.category

    @property
    def rate(self) -> Decimal:
        return self.group.rate

    @property
    def gross_minor(self) -> int:
        return self.base_minor + self.tax_minor


def _part(amount: int, numerator: int, denominator: int) -> int:
    """amount x numerator / denominator, rounded half away from zero."""
    product = 2 * amount * numerator
    if product >= 0:
        return (product + denominator) // (2 * denominator)
    return -((-product + denominator) // (2 * denominator))


def tax_on_net(base_minor: int, rate: Decimal) -> int:
    """The tax on a net base: base x rate / 100, rounded half up.

    >>> tax_on_net(11445, Decimal(10)), tax_on_net(2833, Decimal(20))
    (1145, 567)
    """
    numerator, denominator = rate.as_integer_ratio()
    return _part(base_minor, numerator, 100 * denominator)


def tax_in_gross(gross_minor: int, rate: Decimal) -> int:
    """The tax inside a gross sum: gross x rate / (100 + rate), rounded half up.

    >>> tax_in_gross(11900, Decimal(19))
    1900
    """
    numerator, denominator = rate.as_integer_ratio()
    return _part(gross_minor, numerator, 100 * denominator + numerator)


def taxed(lines: Sequence[TaxLine], tax_behavior: TaxBehavior) -> tuple[list[TaxRow], list[int]]:
    """The breakdown, in the order the groups first appear, and the net of each line in minor units.

    Exclusive: the lines are net. Inclusive: each group's tax is taken out once from its gross sum, and the group's
    net is spread over its lines by largest remainder. Raises `BadTax` when category O has company (BR-O-11).
    """
    if tax_behavior not in ("exclusive", "inclusive"):
        raise BadTax("tax_behavior_unknown", tax_behavior=tax_behavior)
    groups: dict[TaxGroup, list[int]] = {}
    for index, line in enumerate(lines):
        groups.setdefault(line.group, []).append(index)
    if len(groups) > 1 and any(group.category == "O" for group in groups):
        raise BadTax("tax_outside_scope_not_alone")
    rows: list[TaxRow] = []
    nets = [line.amount_minor for line in lines]
    for group, indexes in groups.items():
        total = sum(nets[index] for index in indexes)
        if tax_behavior == "exclusive":
            rows.append(TaxRow(group, total, tax_on_net(total, group.rate)))
            continue
        tax = tax_in_gross(total, group.rate)
        rows.append(TaxRow(group, total - tax, tax))
        if tax:
            for index, net in zip(indexes, spread(total - tax, [nets[index] for index in indexes]), strict=True):
                nets[index] = net
    return rows, nets


def breakdown(lines: Sequence[TaxLine], tax_behavior: TaxBehavior) -> list[TaxRow]:
    """The tax of a document per (category, rate); its tax total is the sum of these rows.

    >>> vat = TaxGroup("S", Decimal(19))
    >>> [row] = breakdown([TaxLine(1000, vat), TaxLine(999, vat)], "inclusive")
    >>> row.base_minor, row.tax_minor, row.gross_minor
    (1680, 319, 1999)
    """
    return taxed(lines, tax_behavior)[0]


class RateRow(NamedTuple):
    """One dated rate: valid in the country (and region, empty for the whole country) from that day on.

    `category` is the product's tax category in the company's words (`standard`, `reduced`); `tax_category` is the
    document's, and may be left empty: S for a rate above zero, else Z. For a region it also says which kind of place
    it is: O lies outside the VAT area, S inside it (VAT ids count there as everywhere); empty, its rate is its own,
    whoever buys.
    """

    country: str
    region: str
    category: str
    valid_from: date
    rate: Decimal
    tax_category: Category | None = None

    @property
    def group(self) -> TaxGroup:
        category = self.tax_category
        if category is None or category == "S":
            category = "S" if self.rate > 0 else "Z"
        return TaxGroup(category, self.rate)


@dataclass(frozen=True, slots=True)
class TaxTreatment:
    """The decision for one line: its group, where it is taxed, and why.

    `waits` says that the decision depends on a VAT id nobody could check yet: the document waits, and is issued with
    this very treatment (as for a consumer) when waiting is over.
    """

    group: TaxGroup
    reason: str
    country: str
    region: str = ""
    waits: bool = False

    @property
    def category(self) -> Category:
        return self.group.category

    @property
    def rate(self) -> Decimal:
        return self.group.rate


def rate_on(rates: Iterable[RateRow], country: str, region: str, category: str, on: date) -> RateRow | None:
    """The row in force that day for exactly this place and category, or None."""
    found: RateRow | None = None
    for row in rates:
        fits = row.country == country and row.region == region and row.category == category and row.valid_from <= on
        if fits and (found is None or row.valid_from > found.valid_from):
            found = row
    return found


def _zero(category: Category, reason: str, country: str, region: str = "") -> TaxTreatment:
    return TaxTreatment(TaxGroup(category, _ZERO), reason, country, region)


def tax_treatment(
    *,
    on: date,
    seller_country: str,
    customer_country: str,
    is_business: bool,
    supply_kind: SupplyKind,
    rates: Sequence[RateRow],
    product_category: str = "standard",
    customer_region: str = "",
    vat_id_state: VatIdState = "none",
    vat_answer: VatIdState | None = None,
    vat_answered_on: date | None = None,
    exemption: Category | None = None,
    small_business: bool = False,
    taxed_at_origin: bool = False,
    place_country: str = "",
    place_region: str = "",
    default: TaxGroup | None = None,
    eu: Collection[str] = EU_MEMBERS,
) -> TaxTreatment:
    """Which category and rate a line bears on that day, and the reason code. Countries are ISO 3166.

    Decided in this order: the customer's exemption (`exempt`), a special territory of the table
    (`special_territory`), reverse charge (`reverse_charge`, `intra_community`), then the rule of the supply kind
    (`export`, `outside_scope`, `small_business`, `domestic`, `destination`, `origin`, `seller_country`,
    `place_of_supply`, `unknown_country`), then the company's default (`company_default`).

    `vat_answer` and `vat_answered_on` are the last certain answer about a VAT id whose state is `pending`; it counts
    while it is under 90 days old, after that the treatment is a consumer's and `waits`. `taxed_at_origin` is the
    setting of a seller below the threshold for distance sales. `place_country` is where a place-bound supply happens.
    Raises `BadTax("tax_rate_missing")` when neither the table nor a default knows a rate.

    >>> table = [
    ...     RateRow("DE", "", "standard", date(2021, 1, 1), Decimal(19)),
    ...     RateRow("FR", "", "standard", date(2014, 1, 1), Decimal(20)),
    ... ]
    >>> sale = dict(
    ...     on=date(2026, 5, 1), seller_country="DE", customer_country="FR", supply_kind="electronic", rates=table
    ... )
    >>> tax_treatment(**sale, is_business=False).rate
    Decimal('20')
    >>> tax_treatment(**sale, is_business=True, vat_id_state="valid").reason
    'reverse_charge'
    """
    if supply_kind not in SUPPLY_KINDS:
        raise BadTax("supply_kind_unknown", supply_kind=supply_kind)
    if vat_id_state not in VAT_ID_STATES:
        raise BadTax("vat_id_state_unknown", vat_id_state=vat_id_state)
    if exemption is not None:
        return _zero(exemption, "exempt", customer_country or seller_country, customer_region)

    waits = False
    abroad = bool(customer_country) and customer_country != seller_country
    if customer_region and supply_kind != "place_bound":
        row = rate_on(rates, customer_country, customer_region, product_category, on)
        if row is not None and row.group.category == "O":
            # Outside the VAT area: as in any third country, whatever the VAT id says (Directive 2006/112/EC, Art. 6).
            if supply_kind == "goods":
                return _zero("G", "special_territory", customer_country, customer_region)
            if is_business or supply_kind == "electronic":
                return _zero("O", "special_territory", customer_country, customer_region)
            abroad, eu = True, ()
        elif row is not None and row.tax_category != "S":
            return TaxTreatment(row.group, "special_territory", customer_country, customer_region)

    within_eu = abroad and customer_country in eu and seller_country in eu
    if within_eu and is_business and supply_kind != "place_bound":
        state = vat_id_state
        if state == "pending":
            state, waits = _pending_vat_id(vat_answer, vat_answered_on, on)
        if state == "valid":
            if supply_kind == "goods":
                return _zero("K", "intra_community", customer_country, customer_region)
            return _zero("AE", "reverse_charge", customer_country, customer_region)
    if abroad and not within_eu:
        if supply_kind == "goods":
            return _zero("G", "export", customer_country, customer_region)
        if is_business and supply_kind != "place_bound":
            return _zero("O", "outside_scope", customer_country, customer_region)

    country, region, reason = seller_country, customer_region, "domestic"
    if abroad or not customer_country:
        region = ""
    if not customer_country:
        reason = "unknown_country"
    elif supply_kind == "place_bound":
        country, region, reason = place_country or seller_country, place_region, "place_of_supply"
    elif abroad and supply_kind == "general":
        reason = "seller_country"
    elif within_eu and taxed_at_origin:
        reason = "origin"
    elif abroad:
        country, region, reason = customer_country, customer_region, "destination"

    if small_business and country == seller_country:
        return TaxTreatment(TaxGroup("E", _ZERO), "small_business", country, region, waits)
    # A country nobody knows is taxed at the seller's standard rate, whatever the product.
    category = "standard" if reason == "unknown_country" else product_category
    row = rate_on(rates, country, region, category, on)
    if row is None and region:
        row = rate_on(rates, country, "", category, on)
    if row is not None:
        return TaxTreatment(row.group, reason, country, row.region, waits)
    if reason == "destination" and not within_eu:
        return TaxTreatment(TaxGroup("O", _ZERO), "outside_scope", country, region)
    if default is None:
        raise BadTax("tax_rate_missing", country=country, category=category, on=on)
    return TaxTreatment(default, "company_default", country, region, waits)


def _pending_vat_id(answer: VatIdState | None, answered_on: date | None, on: date) -> tuple[VatIdState, bool]:
    """The state to go by while a check is pending, and whether the document should wait for the answer."""
    if answer in ("valid", "invalid") and answered_on is not None and (on - answered_on).days < VAT_ANSWER_DAYS:
        return answer, False
    return "pending", True
