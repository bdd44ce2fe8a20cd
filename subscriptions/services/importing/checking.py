"""One line of a list: read by the mapping, checked whole, turned into a customer and an agreement.

The rule that matters: a line is refused with every problem it has, each with its field, column, value and reason.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, TypeVar

from catalog.models import Plan, Product
from catalog.services.rules import FIELDS as RULES
from core.models import Company
from core.refusal import Refused
from core.texts import checked, sort_key
from customers.models import Customer
from customers.services import customers
from customers.services.customers import CustomerSpec
from pricing.errors import PricingError
from pricing.periods import add_months
from subscriptions.services import starting
from subscriptions.services.agreeing import AgreementSpec, ItemSpec, Offer
from subscriptions.services.importing import values
from subscriptions.services.importing.mapping import ImportMapping, Item, Source, named
from subscriptions.services.importing.offering import Catalog
from subscriptions.services.importing.reading import BadCell, Row

ONE_DAY = timedelta(days=1)
_NUMBERS = {"payment_terms_days"}
_RULE_COUNTS = {name for name in RULES if name.endswith("_count")} | {"anchor_day", "grace_days"}
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with one field of one line. `field` is the mapping's key, `column` the file's."""

    line: int
    field: str
    column: str
    value: str
    code: str
    message: str

    def as_json(self) -> dict[str, str]:
        names = ("field", "column", "value", "code", "message")
        return {name: getattr(self, name) for name in names}


@dataclass(slots=True)
class Line:
    """A line that can be taken over. `agreement` names a stand-in for the customer until that is written."""

    number: int
    customer_id: str
    customer: CustomerSpec
    subscription_id: str
    agreement: AgreementSpec


@dataclass(slots=True)
class Checker:
    """Checks the lines of one file in order; remembers whom it has seen, so that nobody comes in twice."""

    company: Company
    mapping: ImportMapping
    catalog: Catalog
    columns: int
    on: date
    at: datetime
    history: bool
    _customers: dict[str, tuple[int, CustomerSpec]] = field(default_factory=dict)
    _subscriptions: dict[str, int] = field(default_factory=dict)

    def check(self, row: Row) -> Line | list[Problem]:
        """The line, or what is wrong with it."""
        if row.cells is None:
            refused = Refused("import.cells", found=row.found, expected=self.columns)
            return [Problem(row.number, "", "", "", refused.code, refused.message)]
        reading = _Reading(self, row.number, row.cells)
        line = reading.line()
        if line is not None:
            reading.attempt("subscription.external_id", lambda: self._only_once(line))
            reading.attempt("customer.external_id", lambda: self._same_customer(line))
        if reading.problems or line is None:
            return reading.problems
        self._subscriptions[line.subscription_id] = line.number
        self._customers.setdefault(line.customer_id, (line.number, line.customer))
        return line

    def _only_once(self, line: Line) -> None:
        first = self._subscriptions.get(line.subscription_id)
        if first is not None:
            raise Refused("import.subscription_twice", value=values.shown(line.subscription_id), line=first)

    def _same_customer(self, line: Line) -> None:
        number, first = self._customers.get(line.customer_id, (0, line.customer))
        mine, its = _told_apart(line.customer), _told_apart(first)
        different = sorted(name for name in mine if mine[name] != its[name])
        if different:
            raise Refused(
                "import.customer_differs",
                line=number,
                value=values.shown(line.customer_id),
                fields=", ".join(different),
            )


def _told_apart(spec: CustomerSpec) -> dict[str, Any]:
    """What must agree on all lines of one customer; metadata and contacts may differ, the first line's count."""
    own = {name: value for name, value in spec.fields.items() if name != "metadata"}
    return {"name": spec.name, "kind": spec.kind, "address": spec.address, **own}


class _Reading:
    """One line while it is read. A problem is noted and the reading goes on, so that all of them are told."""

    def __init__(self, checker: Checker, number: int, cells: Mapping[str, str]) -> None:
        self.checker = checker
        self.mapping = checker.mapping
        self.number = number
        self.cells = cells
        self.problems: list[Problem] = []

    def attempt(self, path: str, verb: Callable[[], T]) -> T | None:
        """The verb's answer; None with a problem noted when it refuses."""
        try:
            return verb()
        except Refused as refused:
            self.note(refused, path)
        except PricingError:
            self.note(Refused("import.date_range", value=""), path)
        return None

    def note(self, refused: Refused, path: str) -> None:
        column = self.mapping.columns.get(path, "")
        value = values.shown(self.cells.get(column, "")) if column else ""
        self.problems.append(Problem(self.number, path, column, value, refused.code, refused.message))

    def text(self, source: Source) -> str:
        """The text a source gives, exactly as it stands; raises `Refused`."""
        found = self.cells[source.column] if source.column else source.value
        if isinstance(found, BadCell):
            raise Refused("import.cell_error", value=str(found))
        if source.values is not None and (found or source.default is None or found in source.values):
            if found in source.values:
                found = source.values[found]
            elif source.default is None:
                choices = values.shown(", ".join(source.values))
                raise Refused("import.value_unknown", value=values.shown(found), choices=choices)
            else:
                found = source.default
        elif not found and source.default is not None:
            found = source.default
        checked(found, field=source.path, limit=len(found))
        return source.prefix + found if found else ""

    def read(self, source: Source, convert: Callable[[str], T]) -> T | None:
        return self.attempt(source.path, lambda: convert(self.text(source)))

    def line(self) -> Line | None:
        customer_id = self.read(self.mapping.customer["external_id"], _required)
        own = self.mapping.subscription.get("external_id")
        subscription_id = customer_id if own is None else self.read(own, _required)
        customer = self.customer(customer_id or "")
        agreement = self.agreement(customer, subscription_id or "")
        if self.problems or customer is None or agreement is None:
            return None
        return Line(self.number, customer_id or "", customer, subscription_id or "", agreement)

    def customer(self, external_id: str) -> CustomerSpec | None:
        mapping, before = self.mapping, len(self.problems)
        fields: dict[str, Any] = {}
        for name, source in named(mapping.customer):
            value: Any = self.read(source, _plain)
            if value in (None, ""):
                continue
            if name in _NUMBERS:
                value = self.read(source, values.count)
            fields[name] = value
        fields["external_id"] = external_id
        if mapping.customer_metadata:
            fields["metadata"] = self.texts(mapping.customer_metadata)
        name, kind = fields.pop("name", ""), fields.pop("kind", "company")
        spec = CustomerSpec(name=name, kind=kind, address=self.address(), contacts=self.contacts(), fields=fields)
        if len(self.problems) > before:
            return None
        try:
            customers.check_spec(spec)
        except Refused as refused:
            self.note(refused, self.path_of(refused.field))
            return None
        return spec

    def path_of(self, name: str) -> str:
        """The mapping's key of a customer's field: its own, its address's or its contact's."""
        for prefix, sources in (
            ("customer", self.mapping.customer),
            ("customer.address", self.mapping.address),
            ("customer.contact", self.mapping.contact),
        ):
            if name in sources:
                return f"{prefix}.{name}"
        return f"customer.{name}"

    def address(self) -> dict[str, Any] | None:
        if not self.mapping.address and not self.mapping.address_lines:
            return None
        address: dict[str, Any] = self.texts(self.mapping.address)
        lines = [self.read(source, _plain) for source in self.mapping.address_lines]
        address["lines"] = [line for line in lines if line]
        return address if any(address.values()) else None

    def contacts(self) -> list[dict[str, Any]]:
        contact = {name: value for name, value in self.texts(self.mapping.contact).items() if value}
        if not contact:
            return []
        contact.setdefault("name", contact.get("email", ""))
        return [contact]

    def texts(self, sources: Mapping[str, Source]) -> dict[str, str]:
        return {name: self.read(source, _plain) or "" for name, source in sources.items()}

    def agreement(self, customer: CustomerSpec | None, external_id: str) -> AgreementSpec | None:
        checker, mapping = self.checker, self.mapping
        before = len(self.problems)
        start = self.attempt("subscription.start", self.start)
        ends_on = self.attempt("subscription.end", self.end)
        through = self.attempt("subscription.billed_through", self.billed_through)
        plan = self.read(mapping.plan, self.plan) if mapping.plan is not None else None
        overrides = self.overrides()
        own = {
            name: self.read(source, _plain) or ""
            for name, source in mapping.subscription.items()
            if name in ("name", "currency", "po_reference")
        }
        items = self.items(plan)
        metadata = self.texts(mapping.metadata)
        if len(self.problems) > before or start is None:
            return None
        stand_in = _stand_in(checker.company, customer)
        spec = AgreementSpec(
            customer=stand_in,
            start_on=start,
            plan=plan.plan if plan is not None else None,
            items=items,
            currency=own.get("currency") or None,
            overrides=overrides,
            name=own.get("name", ""),
            external_id=external_id,
            po_reference=own.get("po_reference", ""),
            metadata=metadata,
            billed_through_on=through,
            ends_on=ends_on,
            end_reason="import" if ends_on is not None else "",
        )
        if customer is None:
            return None
        try:
            starting.check_spec(company=checker.company, spec=spec, on=checker.on, at=checker.at, offer=plan)
        except Refused as refused:
            self.note(refused, _AGREED.get(refused.field, f"subscription.{refused.field}"))
            return None
        return spec

    def start(self) -> date:
        start = self.mapping.start
        if start.months_before is not None:
            months = values.count(self.text(start.months_before))
            if months > 2400:
                raise Refused("import.date_range", value=str(months))
            return add_months(self.checker.on, -months)
        assert start.date is not None
        return values.day(self.text(start.date), form=self.mapping.dates)

    def end(self) -> date | None:
        end = self.mapping.end
        if end.when is not None:
            return self.checker.on - ONE_DAY if end.when.holds(self.cells) else None
        text = self.text(end.date) if end.date is not None else ""
        return values.day(text, form=self.mapping.dates) if text else None

    def billed_through(self) -> date | None:
        if self.checker.history:
            return None
        source = self.mapping.subscription.get("billed_through")
        text = self.text(source) if source is not None else ""
        return values.day(text, form=self.mapping.dates) if text else self.checker.on - ONE_DAY

    def plan(self, code: str) -> Offer:
        offer = self.checker.catalog.offers.get(code)
        if offer is None:
            raise Refused("import.plan_missing", value=values.shown(code))
        if offer.plan.status == Plan.Status.RETIRED:
            raise Refused("import.plan_retired", value=code)
        if offer.plan.status != Plan.Status.ON_SALE:
            raise Refused("import.plan_not_on_sale", value=code)
        return offer

    def overrides(self) -> dict[str, Any]:
        """The line's own rules. Who is taken over has no trial; a term that renews binds to its end."""
        mapping = self.mapping
        found: dict[str, Any] = {"trial_days": 0}
        if mapping.tax_behavior:
            found["tax_behavior"] = mapping.tax_behavior
        if mapping.term is not None:
            count = self.read(mapping.term.count, values.count) or 0
            found |= {"minimum_count": count, "minimum_unit": mapping.term.unit, "renewal_count": 0}
            found["renewal_rule"] = mapping.term.renewal if count else "evergreen"
            if count and mapping.term.renewal == "renew":
                found["notice_to"] = "term_end"
        for name, source in named(mapping.rules):
            convert: Callable[[str], Any] = values.count if name in _RULE_COUNTS else _plain
            value = self.read(source, convert)
            if value not in (None, ""):
                found[name] = value
        return found

    def items(self, plan: Offer | None) -> list[ItemSpec] | None:
        """The line's positions; None: those of the plan."""
        if not self.mapping.items:
            return None
        applying = [item for item in self.mapping.items if item.only_if is None or item.only_if.holds(self.cells)]
        if not applying:
            self.note(Refused("import.no_items"), "items")
        specs = [self.item(item, plan) for item in applying]
        return [spec for spec in specs if spec is not None]

    def item(self, item: Item, plan: Offer | None) -> ItemSpec | None:
        sources = item.sources
        if "product" in sources:
            product = self.read(sources["product"], self.product)
        else:
            product = self.attempt(f"{item.path}.product", lambda: _only_product(plan, self.mapping.plan))
        price: Decimal | None = None
        comma = self.mapping.decimal_comma
        if "price" in sources:
            price = self.read(sources["price"], lambda text: values.amount(text, decimal_comma=comma))
        quantity: Decimal | None = None
        if "quantity" in sources:
            quantity = self.read(sources["quantity"], lambda text: values.amount(text, decimal_comma=comma))
        if product is None:
            return None
        return ItemSpec(
            product=product,
            quantity=quantity,
            unit_amount=price,
            model=item.model or None,
            billed=item.billed or None,
            is_prorated=item.is_prorated,
        )

    def product(self, code: str) -> Product:
        product = self.checker.catalog.products.get(code)
        if product is None:
            raise Refused("import.product_missing", value=values.shown(code))
        return product


# Which key of the mapping a refused field of an agreement stands for.
_AGREED = {
    "start_on": "subscription.start",
    "ends_on": "subscription.end",
    "plan": "plan.code",
    "unit_amount": "items.1.price",
    "quantity": "items.1.quantity",
    "items": "items",
    "billed_through_on": "subscription.billed_through",
    **{name: f"subscription.rules.{name}" for name in RULES},
}


def _only_product(plan: Offer | None, source: Source | None) -> Product:
    if plan is None:
        # A plan that could not be read is told already; without any, the product is what is missing.
        raise Refused("import.item_without_product" if source is None else "import.plan_missing", value="")
    if len(plan.tried) != 1:
        raise Refused("import.product_unclear", value=plan.plan.code)
    return plan.tried[0].product


def _stand_in(company: Company, spec: CustomerSpec | None) -> Customer:
    if spec is None:
        return Customer(company=company)
    own = {name: spec.fields[name] for name in ("language", "time_zone", "currency") if name in spec.fields}
    return Customer(company=company, name=spec.name, sort_key=sort_key(spec.name), kind=spec.kind, **own)


def _required(text: str) -> str:
    if not text.strip():
        raise Refused("import.external_id_empty")
    return checked(text, field="", limit=120)


def _plain(text: str) -> str:
    return text
