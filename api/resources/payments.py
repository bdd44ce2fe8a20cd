"""Money in and back: payments, what they pay, account credit, refunds, balances."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db.models import QuerySet
from django.http import HttpResponse
from django.urls import path
from rest_framework.request import Request

from api.fields import Amount, Choice, Currency, Day, Ref, Text, minor_of
from api.query import Filter, Order
from api.resources.customers import CustomerShape, with_addresses
from api.resources.previews import TokenInput
from api.resources.trials import MoneyAct, Plan, act
from api.shapes import Computed, Id, Link, Part, PlainShape, Shape, Sum, amount_text
from api.views import ResourceView, operation
from billing.models import Allocation, Invoice, Payment, Refund
from billing.services import account_credit, payments, receivables, returns
from customers.models import Customer

READ, WRITE = "payment.read", "payment.write"


class AllocationShape(Shape):
    """Part of a payment that pays an invoice; below zero: taken back."""

    invoice = Id("inv", via="invoice")
    amount = Sum("amount_minor", currency="invoice.currency")

    class Meta:
        model = Allocation
        fields = ("invoice", "amount", "allocated_on")


class PaymentShape(Shape):
    """Money received."""

    settled_amount = Computed(
        {**Sum.SCHEMA, "type": ["string", "null"]},
        lambda row, reading: (
            amount_text(row.settled_minor, row.settled_currency) if row.settled_minor is not None else None
        ),
        help_text="What the provider kept in `settled_currency`; null: the same currency.",
    )

    id = Id("pay")
    gateway = Id("gwy", via="gateway", allow_null=True, help_text="Taken by it; null: recorded.")
    attempt = Id("att", via="attempt", allow_null=True, help_text="The attempt that brought it.")
    fee = Sum("fee_minor", help_text="Fee the provider kept.")
    customer = Link("cus", lambda: CustomerShape, name="customer", allow_null=True, help_text="Null: unknown.")
    amount = Sum("amount_minor", help_text="Received.")
    allocated = Sum("balance.allocated_minor", help_text="Pays invoices.")
    to_credit = Sum("balance.to_credit_minor", help_text="Became account credit.")
    refunded = Sum("balance.refunded_minor", help_text="Went back.")
    left = Sum("balance.left_minor", help_text="Not allocated.")
    allocations = Part(
        AllocationShape, lambda row: row.allocations.all(), many=True, name="allocations", only_expanded=True,
        help_text="Null in lists unless expanded.",
    )  # fmt: skip

    class Meta:
        model = Payment
        fields = (
            "id", "customer", "method", "status", "currency", "amount", "received_on", "reference", "note", "allocated",
            "to_credit", "refunded", "left", "gateway", "attempt", "fee", "settled_currency", "settled_amount",
            "allocations", "created_at",
        )  # fmt: skip


class RefundShape(Shape):
    """Money that goes back to a customer: asked for, then paid out."""

    id = Id("rfd")
    customer = Id("cus", via="customer")
    payment = Id("pay", via="payment", allow_null=True, help_text="Which payment it gives back.")
    gateway = Id("gwy", via="gateway", allow_null=True, help_text="Paid out by it; null: by hand.")
    amount = Sum("amount_minor")

    class Meta:
        model = Refund
        fields = (
            "id", "customer", "payment", "gateway", "status", "currency", "amount", "reason", "failure", "asked_on",
            "paid_on", "reference", "created_at",
        )  # fmt: skip


class BalanceShape(PlainShape):
    """What a customer owes and has in one currency."""

    currency = Computed({"type": "string"}, lambda row, reading: row[0])
    open = Computed(Sum.SCHEMA, lambda row, reading: amount_text(row[1].open_minor, row[0]), help_text="Still due.")
    overdue = Computed(
        Sum.SCHEMA, lambda row, reading: amount_text(row[1].overdue_minor, row[0]), help_text="Of that, overdue."
    )
    credit = Computed(
        Sum.SCHEMA, lambda row, reading: amount_text(row[1].credit_minor, row[0]), help_text="Account credit."
    )


class BalancesShape(PlainShape):
    """Balances by currency."""

    data = Part(BalanceShape, lambda row: row.items(), many=True)


class PaymentInput(TokenInput):
    """Money that came in. It pays the named invoice, then the oldest due; the rest becomes account credit."""

    customer = Ref(Customer, required=False, help_text="Who paid; left out: the invoice's, or unknown.")
    invoice = Ref(Invoice, required=False, help_text="Pays this first.")
    amount = Amount(help_text="Received.")
    currency = Currency(help_text="ISO 4217.")
    method = Choice(Payment.Method.choices, help_text="How it came.")
    received_on = Day(help_text="Day of the money.")
    reference = Text(required=False, allow_blank=True, max_length=140, help_text="Bank reference and the like.")
    note = Text(required=False, allow_blank=True, max_length=500, help_text="For colleagues.")


class AllocateInput(TokenInput):
    """Whose it is and what it pays."""

    customer = Ref(Customer, required=False, help_text="Who paid.")
    invoice = Ref(Invoice, required=False, help_text="Pays this first.")
    amount = Amount(required=False, help_text="Exactly so much; left out: all that is left.")


class TakeBackInput(TokenInput):
    """Why the money is gone again."""

    reason = Text(max_length=500, help_text="For the books.")
    status = Choice(
        [(status.value, status.label) for status in returns.TAKEN_BACK], required=False, help_text="What happened."
    )


class ApplyCreditInput(TokenInput):
    """What account credit pays."""

    currency = Currency(help_text="Which credit.")
    invoice = Ref(Invoice, required=False, help_text="This one; left out: the open ones, oldest due first.")


class RefundInput(TokenInput):
    """Account credit to be paid out."""

    currency = Currency(help_text="Which credit.")
    amount = Amount(help_text="How much.")
    reason = Text(max_length=500, help_text="Why.")


class SettleRefundInput(TokenInput):
    """That it was paid out."""

    paid_on = Day(help_text="Day of the money.")
    reference = Text(required=False, allow_blank=True, max_length=140, help_text="Bank reference.")


class CancelRefundInput(TokenInput):
    """Why it isn't paid out."""

    reason = Text(max_length=500, help_text="For the books.")


class PaymentView(ResourceView):
    tag = "Payments"
    places: ClassVar[dict[str, Any]] = {"payment": "pay"}
    model, shape, order = Payment, PaymentShape, Order()
    shown_alone = frozenset({"allocations"})
    links = ("customer",)

    def rows(self) -> QuerySet[Any]:
        rows = super().rows().select_related("customer", "balance", "gateway", "attempt")
        if "customer" in self.asked.expand:
            rows = rows.prefetch_related(with_addresses("customer__"))
        wanted = "allocations" in self.asked.expand or self.request.method != "GET" or "payment" in self.kwargs
        return rows.prefetch_related("allocations__invoice") if wanted else rows


class Payments(PaymentView, MoneyAct):
    @operation(
        "List payments",
        right=READ,
        answer=PaymentShape,
        paged=True,
        expand=("customer", "allocations"),
        filters=[
            Filter("customer", "ref", model=Customer, help="Who paid."),
            Filter("invoice", "ref", model=Invoice, path="allocations__invoice", help="That pay this invoice."),
            Filter("status", "choice", choices=tuple(Payment.Status.values), help="Where it stands."),
            Filter("method", "choice", choices=tuple(Payment.Method.values), help="How it came."),
            Filter("reference", "text", help="Bank reference and the like."),
            Filter("received_on", "day", help="Day of the money."),
            Filter("created", "instant", path="created_at", help="When it was recorded."),
        ],
    )
    def get(self, request: Request) -> HttpResponse:
        return self.page()

    def plan(self, given: dict[str, Any], **ids: str) -> Plan:
        currency = given["currency"]
        values = {"customer": None, **given, "amount_minor": minor_of(given["amount"], currency)}
        del values["amount"]
        invoice = values.get("invoice")
        customer = values["customer"] or (invoice.customer if invoice is not None else None)
        return lambda: payments.record(company=self.company, by=self.by, at=self.at, **values), customer, currency

    def shown(self, result: Payment) -> HttpResponse:
        return self.fresh(result, 201)


class AllocatePayment(PaymentView, MoneyAct):
    def plan(self, given: dict[str, Any], **ids: str) -> Plan:
        row = self.find(ids["payment"])
        values = {name: value for name, value in given.items() if name != "amount"}
        if "amount" in given:
            values["amount_minor"] = minor_of(given["amount"], row.currency)
        invoice = values.get("invoice")
        customer = values.get("customer") or (invoice.customer if invoice is not None else row.customer)
        return lambda: payments.allocate(payment=row, by=self.by, at=self.at, **values), customer, row.currency


class TakeBackPayment(PaymentView, MoneyAct):
    def plan(self, given: dict[str, Any], **ids: str) -> Plan:
        row = self.find(ids["payment"])
        return lambda: returns.take_back(payment=row, by=self.by, at=self.at, **given), row.customer, row.currency


class OnePayment(PaymentView):
    @operation("Get a payment", right=READ, answer=PaymentShape, expand=("customer",))
    def get(self, request: Request, payment: str) -> HttpResponse:
        return self.one(self.find(payment))


class CustomerBalance(ResourceView):
    tag = "Payments"
    places: ClassVar[dict[str, Any]] = {"customer": "cus"}
    model, shape = Customer, CustomerShape

    @operation("Get the balance of a customer", right=READ, answer=BalancesShape)
    def get(self, request: Request, customer: str) -> HttpResponse:
        row = self.of(Customer, customer)
        return self.shaped(BalancesShape, receivables.balance_of(row, on=self.today))


class ApplyCredit(MoneyAct):
    tag = "Payments"
    places: ClassVar[dict[str, Any]] = {"customer": "cus"}
    model, shape = Customer, CustomerShape

    def plan(self, given: dict[str, Any], **ids: str) -> Plan:
        row = self.of(Customer, ids["customer"])

        def apply() -> Customer:
            account_credit.apply_credit(customer=row, by=self.by, at=self.at, **given)
            return row

        return apply, row, given["currency"]

    def shown(self, result: Customer) -> HttpResponse:
        return self.shaped(BalancesShape, receivables.balance_of(result, on=self.today))


class RefundView(ResourceView):
    tag = "Payments"
    places: ClassVar[dict[str, Any]] = {"customer": "cus", "refund": "rfd"}
    model, shape = Refund, RefundShape

    def rows(self) -> QuerySet[Any]:
        return super().rows().select_related("customer", "payment", "gateway")


class RefundCredit(RefundView, MoneyAct):
    def plan(self, given: dict[str, Any], **ids: str) -> Plan:
        row = self.of(Customer, ids["customer"])
        currency, minor = given["currency"], minor_of(given["amount"], given["currency"])

        def refund() -> Refund:
            values = {"currency": currency, "amount_minor": minor, "reason": given["reason"]}
            return account_credit.refund_credit(customer=row, by=self.by, at=self.at, **values)

        return refund, row, currency

    def shown(self, result: Refund) -> HttpResponse:
        response = self.fresh(result, 201)
        response["Location"] = f"/api/v1/refunds/{result.ref}"
        return response


class SettleRefund(RefundView, MoneyAct):
    def plan(self, given: dict[str, Any], **ids: str) -> Plan:
        row = self.find(ids["refund"])
        return (
            lambda: account_credit.settle_refund(refund=row, by=self.by, at=self.at, **given),
            row.customer,
            row.currency,
        )


class CancelRefund(RefundView, MoneyAct):
    def plan(self, given: dict[str, Any], **ids: str) -> Plan:
        row = self.find(ids["refund"])
        return (
            lambda: account_credit.cancel_refund(refund=row, by=self.by, at=self.at, **given),
            row.customer,
            row.currency,
        )


class Refunds(RefundView):
    @operation(
        "List refunds",
        right=READ,
        answer=RefundShape,
        paged=True,
        filters=[
            Filter("customer", "ref", model=Customer, help="Who gets it."),
            Filter("status", "choice", choices=tuple(Refund.Status.values), help="Where it stands."),
        ],
    )
    def get(self, request: Request) -> HttpResponse:
        return self.page()


class OneRefund(RefundView):
    @operation("Get a refund", right=READ, answer=RefundShape)
    def get(self, request: Request, refund: str) -> HttpResponse:
        return self.one(self.find(refund))


urlpatterns = [
    *act(
        "payments",
        Payments,
        "Record a payment",
        right=WRITE,
        body=PaymentInput,
        answer=PaymentShape,
        status=201,
        description="It pays the named invoice, then the oldest due; the rest becomes account credit.",
    ),
    path("payments/<str:payment>", OnePayment.as_view()),
    path("customers/<str:customer>/balance", CustomerBalance.as_view()),
    path("refunds", Refunds.as_view()),
    path("refunds/<str:refund>", OneRefund.as_view()),
    *act(
        "payments/<str:payment>/allocate",
        AllocatePayment,
        "Allocate a payment",
        right=WRITE,
        body=AllocateInput,
        answer=PaymentShape,
        description="Uses what is left of it, now that its payer is known.",
        refusals=["payment.not_settled"],
    ),
    *act(
        "payments/<str:payment>/take-back",
        TakeBackPayment,
        "Take a payment back",
        right=WRITE,
        body=TakeBackInput,
        answer=PaymentShape,
        description="The money is gone again; what it paid opens again.",
    ),
    *act(
        "customers/<str:customer>/apply-credit",
        ApplyCredit,
        "Pay with account credit",
        right=WRITE,
        body=ApplyCreditInput,
        answer=BalancesShape,
        description="Pays the named invoice, else the open ones, oldest due first.",
    ),
    *act(
        "customers/<str:customer>/refunds",
        RefundCredit,
        "Refund account credit",
        right=WRITE,
        body=RefundInput,
        answer=RefundShape,
        status=201,
        description="Sets credit aside to be paid out; `settle` says that it was.",
        refusals=["credit.too_little"],
    ),
    *act(
        "refunds/<str:refund>/settle",
        SettleRefund,
        "Settle a refund",
        right=WRITE,
        body=SettleRefundInput,
        answer=RefundShape,
        description="Says that it was paid out; the books follow.",
    ),
    *act(
        "refunds/<str:refund>/cancel",
        CancelRefund,
        "Cancel a refund",
        right=WRITE,
        body=CancelRefundInput,
        answer=RefundShape,
        description="It is not paid out; its credit is at hand again.",
    ),
]
