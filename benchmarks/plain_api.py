"""The usual list of Django REST framework that says what ours says of an invoice: what W3 measures ours against.

The same answer field by field, behind the same middleware and key, by cursor; nothing in it is tuned, nothing is left
out but the limit of calls.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from django.db.models import QuerySet
from django.urls import path
from rest_framework import generics, pagination, serializers

from api.authentication import KeyAuthentication
from billing.models import Invoice


class Money(serializers.Field[int, Any, str, int]):
    def to_representation(self, value: int) -> str:
        return str(Decimal(value).scaleb(-2))


class TaxRow(serializers.Serializer[Any]):
    category = serializers.CharField()
    rate = serializers.CharField()
    base = Money(source="base_minor")
    tax = Money(source="tax_minor")
    reason = serializers.CharField()


class PlainInvoice(serializers.ModelSerializer[Invoice]):
    id = serializers.CharField(source="ref")
    status = serializers.CharField(source="balance.status")
    customer: Any = serializers.CharField(source="customer.ref")
    net = Money(source="net_minor")
    tax = Money(source="tax_minor")
    gross = Money(source="gross_minor")
    tax_rows = TaxRow(many=True)
    paid = Money(source="balance.paid_minor")
    credit_used = Money(source="balance.credit_used_minor")
    credited = Money(source="balance.credited_minor")
    written_off = Money(source="balance.written_off_minor")
    open = Money(source="balance.open_minor")
    closed_on = serializers.DateField(source="balance.closed_on")
    sent_at = serializers.DateTimeField(source="balance.sent_at")
    replaces: Any = serializers.CharField(source="replaces.ref", default=None)
    replaced_by: Any = serializers.SlugRelatedField(slug_field="ref", many=True, read_only=True)
    lines = serializers.SerializerMethodField()

    class Meta:
        model = Invoice
        fields = (
            "id", "number", "status", "customer", "currency", "language", "tax_behavior", "issued_on", "charge_due_on",
            "payment_due_on", "net", "tax", "gross", "tax_rows", "paid", "credit_used", "credited", "written_off",
            "open", "closed_on", "po_reference", "notifies", "waits_for", "issue_after_at", "replaces", "replaced_by",
            "sent_at", "snapshot_hash", "lines", "created_at",
        )  # fmt: skip

    def get_lines(self, row: Invoice) -> None:
        return None


class Pages(pagination.CursorPagination):
    page_size, ordering = 100, "-id"


class PlainInvoices(generics.ListAPIView[Invoice]):
    serializer_class, pagination_class = PlainInvoice, Pages
    authentication_classes, permission_classes = (KeyAuthentication,), ()

    def get_queryset(self) -> QuerySet[Invoice]:
        rows = Invoice.objects.filter(company=self.request.auth.company)
        return rows.select_related("customer", "balance", "replaces").prefetch_related("replaced_by")


urlpatterns = [path("api/v1/invoices", PlainInvoices.as_view())]
