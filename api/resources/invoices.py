"""Invoices: drafts by hand, issued ones with their PDF, and the acts on them with their previews."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, ClassVar

from django.db.models import Prefetch, Q, QuerySet
from django.http import HttpResponse
from django.urls import path
from rest_framework.request import Request

from api.fields import Amount, Body, Choice, Coded, Currency, Day, Quantity, Ref, Text, Whole, minor_of
from api.problems import Fault, Problem, pointer, words
from api.query import Filter
from api.resources.credit_notes import pdf_answer
from api.resources.customers import CustomerShape, with_addresses
from api.resources.documents import TaxRowShape, explanation
from api.resources.products import ProductShape
from api.schema import PDF
from api.shapes import Computed, Id, Link, Number, Part, Shape, Sum, UnitAmount, amount_text
from api.views import ResourceView, operation
from billing.models import BillingRun, Invoice, InvoiceBalance, InvoiceLine
from billing.services import drafting, receivables
from catalog.models import Product, TaxBehavior, TaxCategory
from core.models import TermsFrom
from core.refusal import Refused
from customers.models import Customer
from subscriptions.models import Subscription

READ, ISSUE, CREDIT = "invoice.read", "invoice.issue", "invoice.credit"


#: What becomes of days that no line bills any more.
FATES = [("bill_again", "bill_again"), ("free", "free")]


class InvoiceLineShape(Shape):
    """One line, rounded once. `period_end` is the first day it doesn't cover."""

    subscription = Id("sub", via="subscription", allow_null=True)
    product = Link("prd", lambda: ProductShape, name="product", allow_null=True)
    quantity = Number("quantity", help_text="Units.")
    unit_amount = UnitAmount(currency="invoice.currency", help_text="Price of one, net or gross.")
    amount = Sum("amount_minor", currency="invoice.currency", help_text="Net or gross, as the invoice's prices.")
    discount = Sum("discount_minor", currency="invoice.currency", help_text="What discounts took; `amount` is after.")
    net = Sum("net_minor", currency="invoice.currency", help_text="Without tax.")
    credited = Computed(
        Sum.SCHEMA,
        lambda row, reading: amount_text(
            row.credit.credited_minor if hasattr(row, "credit") else 0, row.invoice.currency
        ),
        help_text="Given back so far, as `amount`.",
    )
    tax_rate = Number("tax_rate", help_text="Percent.")
    calculation = Computed({"type": "object"}, lambda row, reading: row.calculation, help_text="What explains it.")
    explanation = Computed(
        {"type": "array", "items": {"type": "string"}}, explanation, allow_null=True, help_text="Only when expanded."
    )

    class Meta:
        model = InvoiceLine
        fields = (
            "position", "description", "subscription", "product", "quantity", "unit_amount", "period_start",
            "period_end", "amount", "discount", "net", "credited", "tax_category", "tax_rate", "calculation",
            "explanation",
        )  # fmt: skip


def _stand_ins(row: Invoice) -> Iterable[Invoice]:
    return row.__dict__["stand_ins"] if "stand_ins" in row.__dict__ else row.replaced_by.all()


class InvoiceShape(Shape):
    """An invoice. Issued, only its balance moves."""

    id = Id("inv")
    status = Computed(
        {"type": "string", "enum": list(InvoiceBalance.Status.values)}, lambda row, reading: row.balance.status
    )
    customer = Link("cus", lambda: CustomerShape, name="customer")
    net = Sum("net_minor", help_text="Sum without tax.")
    tax = Sum("tax_minor", help_text="Sum of taxes.")
    gross = Sum("gross_minor", help_text="Sum with tax.")
    tax_rows = Part(TaxRowShape, lambda row: [(entry, row.currency) for entry in row.tax_rows], many=True)
    paid = Sum("balance.paid_minor", help_text="Paid by payments.")
    credit_used = Sum("balance.credit_used_minor", help_text="Paid from account credit.")
    credited = Sum("balance.credited_minor", help_text="Given back by credit notes.")
    written_off = Sum("balance.written_off_minor", help_text="Given up.")
    open = Sum("balance.open_minor", help_text="Still due.")
    closed_on = Computed(
        {"type": "string", "format": "date"}, lambda row, reading: row.balance.closed_on, allow_null=True
    )
    sent_at = Computed(
        {"type": "string", "format": "date-time"}, lambda row, reading: row.balance.sent_at, allow_null=True
    )
    replaces = Id("inv", via="replaces", allow_null=True, help_text="The voided invoice it stands in for.")
    replaced_by = Computed(
        {"type": "array", "items": {"type": "string"}},
        lambda row, reading: [other.ref for other in _stand_ins(row)],
        help_text="Invoices that stand in for it.",
    )
    lines = Part(
        InvoiceLineShape, lambda row: row.lines.all(), many=True, name="lines", only_expanded=True,
        help_text="Null in lists unless expanded.",
    )  # fmt: skip

    class Meta:
        model = Invoice
        fields = (
            "id", "number", "status", "customer", "currency", "language", "tax_behavior", "issued_on", "charge_due_on",
            "payment_due_on", "net", "tax", "gross", "tax_rows", "paid", "credit_used", "credited", "written_off",
            "open", "closed_on", "po_reference", "notifies", "waits_for",
            "issue_after_at", "replaces", "replaced_by", "sent_at", "snapshot_hash", "lines", "created_at",
        )  # fmt: skip


class DraftLineInput(Body):
    """A line by hand. Without a product it names its tax category. `of` continues a line that the draft has.

    Of a line that billing wrote product, taxes and period stay; `amount`, or another quantity or price, sets it anew.
    """

    of = Whole(required=False, min_value=1, max_value=32767, help_text="Position of the present line it continues.")

    product = Ref(Product, required=False, help_text="What is supplied.")
    description = Text(required=False, allow_blank=True, max_length=400, help_text="Empty: the product's name.")
    quantity = Quantity(required=False, help_text="Units; 1, or as before, when left out.")
    unit_amount = Amount(required=False, help_text="Price of one, net or gross; a new line needs it.")
    amount = Amount(required=False, help_text="Amount of a line that billing wrote, whatever quantity and price.")
    reason = Text(required=False, allow_blank=True, max_length=500, help_text="Why its amount is another.")
    tax_category = Coded(TaxCategory, required=False, help_text="Code of a tax category.")
    period_start = Day(required=False, help_text="First day it covers.")
    period_end = Day(required=False, help_text="First day it no longer covers.")


class DraftChange(Body):
    """What a draft says from now on."""

    lines = DraftLineInput(many=True, help_text="All of them; they take the place of the present ones.")
    payment_terms_days = Whole(required=False, min_value=0, max_value=365, help_text="Days until due.")
    payment_terms_from = Choice(TermsFrom.choices, required=False, help_text="Day from which they are counted.")
    po_reference = Text(required=False, allow_blank=True, max_length=80, help_text="The customer's order reference.")


class DraftEdit(DraftChange):
    """What a draft says from now on, and what becomes of lines of billing that are left out."""

    removed = Choice(FATES, required=False, help_text="What they billed: bill_again (usual) or free.")


class DraftInput(DraftChange):
    """A new draft."""

    customer = Ref(Customer, help_text="Addressee.")
    currency = Currency(help_text="ISO 4217.")
    tax_behavior = Choice(TaxBehavior.choices, required=False, help_text="Net or gross prices.")


def _of_subscription(operator: str, value: Any) -> Q:
    subscriptions = value if operator == "in" else [value]
    return Q(pk__in=InvoiceLine.objects.filter(subscription__in=subscriptions).values("invoice"))


class InvoiceView(ResourceView):
    tag = "Invoices"
    places: ClassVar[dict[str, Any]] = {"invoice": "inv"}
    model, shape = Invoice, InvoiceShape
    shown_alone = frozenset({"lines"})
    links = ("customer", "replaces")

    def rows(self) -> QuerySet[Any]:
        rows = super().rows().select_related("customer", "balance", "replaces")
        rows = rows.prefetch_related(Prefetch("replaced_by", to_attr="stand_ins"))
        if "customer" in self.asked.expand:
            rows = rows.prefetch_related(with_addresses("customer__"))
        lines = InvoiceLine.objects.order_by("position").select_related(
            "subscription", "product__tax_category", "credit"
        )
        return rows.prefetch_related(Prefetch("lines", lines)) if self.needs_lines else rows

    def lock(self, row: Invoice) -> None:
        receivables.lock_customer(self.company, row.customer_id)
        super().lock(row)

    @property
    def needs_lines(self) -> bool:
        return "lines" in self.asked.expand or "invoice" in self.kwargs or self.request.method != "GET"

    def lines_of(
        self, given: list[dict[str, Any]], currency: str, present: Mapping[int, InvoiceLine] = MappingProxyType({})
    ) -> list[drafting.DraftLine]:
        found = []
        for number, line in enumerate(given):
            held = present.get(line.get("of", 0))
            if held is not None:
                line = {"quantity": held.quantity, "unit_amount": held.unit_amount, **line}
            if "unit_amount" not in line:
                raise Refused("draft.quantity", field=f"lines.{number}.unit_amount", position=number + 1)
            if "amount" in line:
                line["amount_minor"] = minor_of(line.pop("amount"), currency, field=f"lines.{number}.amount")
            start, end = line.pop("period_start", None), line.pop("period_end", None)
            if (start is None) != (end is None) or (start is not None and end <= start):
                where = pointer("lines", number, "period_end")
                raise Problem(422, "invalid_input", faults=[Fault(where, "period_form", words("period_form"))])
            found.append(drafting.DraftLine(**line, period=(start, end) if start is not None else None))
        return found


class Invoices(InvoiceView):
    @operation(
        "List invoices",
        right=READ,
        answer=InvoiceShape,
        paged=True,
        expand=("customer", "lines", "product", "explanation"),
        filters=[
            Filter(
                "status", "choice", path="balance__status", choices=tuple(InvoiceBalance.Status.values), help="Status."
            ),
            Filter("customer", "ref", model=Customer, help="Addressee."),
            Filter("subscription", "ref", model=Subscription, build=_of_subscription, help="With a line for it."),
            Filter("run", "ref", model=BillingRun, path="run_id", help="Written by this run."),
            Filter("number", "text", help="Printed number."),
            Filter("currency", "text", help="ISO 4217."),
            Filter("issued_on", "day", help="Document date."),
            Filter("payment_due_on", "day", help="Day payment is due."),
            Filter("created", "instant", path="created_at", help="When it was made."),
        ],
    )
    def get(self, request: Request) -> HttpResponse:
        return self.page()

    @operation("Create a draft invoice", right=ISSUE, body=DraftInput, answer=InvoiceShape, status=201)
    def post(self, request: Request, given: dict[str, Any]) -> HttpResponse:
        lines = self.lines_of(given.pop("lines"), given["currency"])
        made = drafting.create_draft(company=self.company, lines=lines, by=self.by, at=self.at, **given)
        return self.fresh(made, 201)


class OneInvoice(InvoiceView):
    @operation("Get an invoice", right=READ, answer=InvoiceShape, expand=("customer", "product", "explanation"))
    def get(self, request: Request, invoice: str) -> HttpResponse:
        return self.one(self.find(invoice))

    @operation("Replace the lines of a draft", right=ISSUE, body=DraftEdit, answer=InvoiceShape)
    def put(self, request: Request, given: dict[str, Any], invoice: str) -> HttpResponse:
        row = self.find(invoice)
        lines = self.lines_of(given.pop("lines"), row.currency, {line.position: line for line in row.lines.all()})
        return self.fresh(drafting.update_draft(invoice=row, lines=lines, by=self.by, at=self.at, **given))

    @operation("Delete a draft", right=ISSUE, answer=None, status=204, description="The only document that can be.")
    def delete(self, request: Request, invoice: str) -> HttpResponse:
        drafting.delete_draft(invoice=self.find(invoice), by=self.by, at=self.at)
        return HttpResponse(status=204)


class InvoicePdf(InvoiceView):
    @operation("Get the PDF of an invoice", right=READ, answer=PDF, refusals=["document.not_issued"])
    def get(self, request: Request, invoice: str) -> HttpResponse:
        return pdf_answer(self.find(invoice))


urlpatterns = [
    path("invoices", Invoices.as_view()),
    path("invoices/<str:invoice>", OneInvoice.as_view()),
    path("invoices/<str:invoice>/pdf", InvoicePdf.as_view()),
]
