"""Customers with their addresses, contacts and notes."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db.models import Prefetch, QuerySet
from django.http import Http404, HttpResponse
from django.urls import path
from rest_framework import serializers
from rest_framework.request import Request

from api.fields import Body, Metadata, ModelBody, Text, UsualCurrency
from api.query import Filter, Order, archived
from api.shapes import Computed, Id, Part, Shape
from api.views import ResourceView, operation
from core.models import LANGUAGE_CHOICES
from customers.models import Address, Contact, Customer, Note
from customers.services import customers, notes

READ, WRITE = "customer.read", "customer.write"


class AddressShape(Shape):
    """A postal address."""

    lines = Computed({"type": "array", "items": {"type": "string"}}, lambda row, reading: row.lines)

    class Meta:
        model = Address
        fields = ("recipient", "lines", "postal_code", "city", "region", "country")


class ContactShape(Shape):
    """A person at a customer."""

    id = Id("con")
    customer = Id("cus", via="customer")
    has_portal_access = Computed({"type": "boolean"}, lambda row, reading: row.user_id is not None)

    class Meta:
        model = Contact
        fields = (
            "id",
            "customer",
            "name",
            "email",
            "phone",
            "role",
            "gets_invoices",
            "has_portal_access",
            "marketing_consent_at",
            "marketing_consent_source",
            "archived_at",
        )


class CustomerShape(Shape):
    """A company or person that buys."""

    id = Id("cus")
    number = Computed({"type": "string", "examples": ["CUS-000123"]}, lambda row, reading: row.number)
    metadata = Computed({"type": "object"}, lambda row, reading: row.metadata)
    merged_into = Id(
        "cus", via="merged_into", allow_null=True, help_text="The customer it was a duplicate of: go on there."
    )
    billing_address = Part(AddressShape, lambda row: _current(row, "billing"), allow_null=True)
    delivery_address = Part(AddressShape, lambda row: _current(row, "delivery"), allow_null=True)
    contacts = Part(
        ContactShape,
        lambda row: row.contacts.all(),
        many=True,
        name="contacts",
        only_expanded=True,
        help_text="People there; null unless expanded.",
    )

    class Meta:
        model = Customer
        fields = (
            "id",
            "number",
            "kind",
            "name",
            "email",
            "phone",
            "language",
            "time_zone",
            "currency",
            "vat_id",
            "vat_state",
            "vat_checked_at",
            "tax_exemption",
            "payment_terms_days",
            "payment_terms_from",
            "po_reference",
            "payment_method",
            "dunning_group",
            "external_id",
            "metadata",
            "billing_address",
            "delivery_address",
            "contacts",
            "marketing_consent_at",
            "marketing_consent_source",
            "created_at",
            "archived_at",
            "merged_into",
            "merged_at",
        )


class NoteShape(Shape):
    """A remark of staff."""

    id = Id("not")
    customer = Id("cus", via="customer")
    author = Computed(
        {"type": "string"},
        lambda row, reading: str(row.by) if row.by is not None else "",
        help_text="Empty: written over the API.",
    )

    class Meta:
        model = Note
        fields = ("id", "customer", "text", "author", "created_at", "archived_at")


class AddressInput(ModelBody):
    """A postal address."""

    lines = serializers.ListField(
        child=Text(max_length=200), max_length=4, required=False, help_text="Street, up to four lines."
    )

    class Meta:
        model = Address
        fields = ("recipient", "lines", "postal_code", "city", "region", "country")


class ContactInput(ModelBody):
    """A person at a customer."""

    class Meta:
        model = Contact
        fields = ("name", "email", "phone", "role", "gets_invoices")


class CustomerChange(ModelBody):
    """What can be changed of a customer."""

    currency = UsualCurrency(required=False, help_text="Usual currency; empty: the company's.")
    language = serializers.ChoiceField(
        LANGUAGE_CHOICES,
        allow_blank=True,
        required=False,
        help_text="Language of documents and mails; empty: the company's.",
    )
    metadata = Metadata(required=False, help_text="Keys and values of your own.")

    class Meta:
        model = Customer
        fields = (
            "kind",
            "name",
            "email",
            "phone",
            "language",
            "time_zone",
            "currency",
            "vat_id",
            "vat_state",
            "tax_exemption",
            "payment_terms_days",
            "payment_terms_from",
            "po_reference",
            "payment_method",
            "dunning_group",
            "external_id",
            "metadata",
        )


class CustomerInput(CustomerChange):
    """A new customer."""

    address = AddressInput(required=False, help_text="Billing address.")
    contacts = ContactInput(many=True, required=False, help_text="People there.")

    class Meta(CustomerChange.Meta):
        fields = (*CustomerChange.Meta.fields, "address", "contacts")


class NoteInput(Body):
    """A remark."""

    text = Text(max_length=10_000, help_text="What colleagues should know.")


def _current(customer: Customer, kind: str) -> Address | None:
    return next((row for row in customer.current_addresses if row.kind == kind), None)  # type: ignore[attr-defined]


def with_addresses(prefix: str = "") -> Prefetch:
    """What a customer's shape needs: the current addresses. `prefix` leads to the customer."""
    current = Address.objects.filter(replaced_at__isnull=True)
    return Prefetch(f"{prefix}addresses", current, to_attr="current_addresses")


class CustomerView(ResourceView):
    tag = "Customers"
    places: ClassVar[dict[str, Any]] = {"customer": "cus", "kind": ("billing", "delivery")}
    model, shape, order = Customer, CustomerShape, Order("created_at")

    def rows(self) -> QuerySet[Any]:
        rows = super().rows().select_related("merged_into").prefetch_related(with_addresses())
        if "contacts" in self.asked.expand:
            people = Contact.objects.filter(archived_at__isnull=True).select_related("customer").order_by("id")
            rows = rows.prefetch_related(Prefetch("contacts", people))
        return rows


class Customers(CustomerView):
    @operation(
        "List customers",
        right=READ,
        answer=CustomerShape,
        paged=True,
        expand=("contacts",),
        filters=[
            Filter("kind", "choice", choices=tuple(Customer.Kind.values), help="Company or person."),
            Filter("email", "text", help="Exactly this address."),
            Filter("external_id", "text", help="Your own id."),
            Filter("name", "text", path="name__iexact", help="Exactly this name, without regard to case."),
            Filter("created", "instant", path="created_at", help="When it was made."),
            Filter("archived", "yes", build=archived, help="Hidden or not."),
            Filter("merged_into", "ref", model=Customer, help="Merged into this customer."),
        ],
    )
    def get(self, request: Request) -> HttpResponse:
        return self.page()

    @operation(
        "Create a customer",
        right=WRITE,
        body=CustomerInput,
        answer=CustomerShape,
        status=201,
        refusals=["customer.external_id_taken"],
    )
    def post(self, request: Request, given: dict[str, Any]) -> HttpResponse:
        made = customers.create_customer(company=self.company, by=self.by, at=self.at, **given)
        return self.fresh(made, 201)


class OneCustomer(CustomerView):
    @operation("Get a customer", right=READ, answer=CustomerShape, expand=("contacts",))
    def get(self, request: Request, customer: str) -> HttpResponse:
        return self.one(self.find(customer))

    @operation("Change a customer", right=WRITE, body=CustomerChange, answer=CustomerShape)
    def patch(self, request: Request, given: dict[str, Any], customer: str) -> HttpResponse:
        row = self.find(customer)
        return self.fresh(customers.update_customer(customer=row, changes=given, by=self.by, at=self.at))


class ArchiveCustomer(CustomerView):
    @operation(
        "Archive a customer",
        right=WRITE,
        answer=CustomerShape,
        description="Hides it from lists. What runs goes on and is billed.",
    )
    def post(self, request: Request, customer: str) -> HttpResponse:
        return self.fresh(customers.archive_customer(customer=self.find(customer), by=self.by, at=self.at))


class RestoreCustomer(CustomerView):
    @operation("Restore a customer", right=WRITE, answer=CustomerShape, refusals=["customer.merged"])
    def post(self, request: Request, customer: str) -> HttpResponse:
        return self.fresh(customers.restore_customer(customer=self.find(customer), by=self.by, at=self.at))


class CustomerAddress(CustomerView):
    @operation(
        "Set an address of a customer",
        right=WRITE,
        body=AddressInput,
        answer=CustomerShape,
        description="A newer address takes the place of the current one; issued documents keep the old words.",
    )
    def put(self, request: Request, given: dict[str, Any], customer: str, kind: str) -> HttpResponse:
        if kind not in Address.Kind.values:
            raise Http404
        row = self.find(customer)
        customers.set_address(customer=row, kind=kind, address=given, by=self.by, at=self.at)
        return self.fresh(row)


class ContactView(ResourceView):
    tag = "Customers"
    places: ClassVar[dict[str, Any]] = {"customer": "cus", "contact": "con"}
    model, shape = Contact, ContactShape

    def rows(self) -> QuerySet[Any]:
        return super().rows().select_related("customer")


class Contacts(ContactView):
    @operation(
        "List contacts of a customer",
        right=READ,
        answer=ContactShape,
        paged=True,
        filters=[Filter("archived", "yes", build=archived, help="No longer there.")],
    )
    def get(self, request: Request, customer: str) -> HttpResponse:
        return self.page(self.rows().filter(customer=self.of(Customer, customer)))

    @operation("Add a contact", right=WRITE, body=ContactInput, answer=ContactShape, status=201)
    def post(self, request: Request, given: dict[str, Any], customer: str) -> HttpResponse:
        parent = self.of(Customer, customer)
        return self.fresh(customers.add_contact(customer=parent, by=self.by, at=self.at, **given), 201)


class OneContact(ContactView):
    @operation("Get a contact", right=READ, answer=ContactShape)
    def get(self, request: Request, contact: str) -> HttpResponse:
        return self.one(self.find(contact))

    @operation("Change a contact", right=WRITE, body=ContactInput, answer=ContactShape)
    def patch(self, request: Request, given: dict[str, Any], contact: str) -> HttpResponse:
        row = self.find(contact)
        return self.fresh(customers.update_contact(contact=row, changes=given, by=self.by, at=self.at))


class ArchiveContact(ContactView):
    @operation("Archive a contact", right=WRITE, answer=ContactShape, description="No portal and no invoices any more.")
    def post(self, request: Request, contact: str) -> HttpResponse:
        return self.fresh(customers.archive_contact(contact=self.find(contact), by=self.by, at=self.at))


class InviteContact(ContactView):
    @operation(
        "Invite a contact to the portal",
        right=WRITE,
        answer=ContactShape,
        description="Lets the person sign in with their e-mail address and mails them where.",
        refusals=["contact.archived", "contact.user_taken"],
    )
    def post(self, request: Request, contact: str) -> HttpResponse:
        row = self.find(contact)
        customers.invite_to_portal(contact=row, by=self.by, at=self.at)
        return self.fresh(row)


class NoteView(ResourceView):
    tag = "Customers"
    places: ClassVar[dict[str, Any]] = {"customer": "cus", "note": "not"}
    model, shape = Note, NoteShape

    def rows(self) -> QuerySet[Any]:
        return super().rows().select_related("customer", "by")


class Notes(NoteView):
    @operation(
        "List notes about a customer",
        right=READ,
        answer=NoteShape,
        paged=True,
        filters=[Filter("archived", "yes", build=archived, help="Taken off the page.")],
    )
    def get(self, request: Request, customer: str) -> HttpResponse:
        return self.page(self.rows().filter(customer=self.of(Customer, customer)))

    @operation("Add a note", right=WRITE, body=NoteInput, answer=NoteShape, status=201)
    def post(self, request: Request, given: dict[str, Any], customer: str) -> HttpResponse:
        parent = self.of(Customer, customer)
        return self.fresh(notes.add_note(customer=parent, by=self.by, at=self.at, **given), 201)


class ArchiveNote(NoteView):
    @operation("Archive a note", right=WRITE, answer=NoteShape)
    def post(self, request: Request, note: str) -> HttpResponse:
        return self.fresh(notes.archive_note(note=self.find(note), by=self.by, at=self.at))


urlpatterns = [
    path("customers", Customers.as_view()),
    path("customers/<str:customer>", OneCustomer.as_view()),
    path("customers/<str:customer>/archive", ArchiveCustomer.as_view()),
    path("customers/<str:customer>/restore", RestoreCustomer.as_view()),
    path("customers/<str:customer>/addresses/<str:kind>", CustomerAddress.as_view()),
    path("customers/<str:customer>/contacts", Contacts.as_view()),
    path("customers/<str:customer>/notes", Notes.as_view()),
    path("contacts/<str:contact>", OneContact.as_view()),
    path("contacts/<str:contact>/archive", ArchiveContact.as_view()),
    path("contacts/<str:contact>/invite", InviteContact.as_view()),
    path("notes/<str:note>/archive", ArchiveNote.as_view()),
]
