"""Who stands at this door: the signed-in person as one contact of one customer, and what that contact may do.

The rule that matters: every query of this room starts from the visitor's customer; anything else is not found.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date, datetime
from functools import cached_property, wraps
from typing import Any, TypeVar

from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.cache import add_never_cache_headers
from django.utils.http import urlencode

from billing.models import CreditNote, Invoice, Payment
from core import clock
from core.actors import Actor
from core.ids import BadId
from core.models import Company
from customers.models import Contact, Customer, Message
from customers.services import customers, merged
from subscriptions.models import Subscription

CONTACT_KEY = "portal_contact"
Row = TypeVar("Row", bound=Model)
View = Callable[..., HttpResponse]

#: What a contact's role lets them do here. Everybody sees everything; acting is for those who may.
RIGHTS: dict[str, frozenset[str]] = {
    Contact.Role.OWNER: frozenset({"see", "edit", "pay", "change", "cancel", "invite"}),
    Contact.Role.BILLING: frozenset({"see", "edit", "pay"}),
    Contact.Role.VIEWER: frozenset({"see"}),
}


@dataclass(frozen=True)
class Visitor:
    """A contact at the door; the rows they may see hang here."""

    contact: Contact
    companions: int = 1
    """How many customers this person may look at."""

    @property
    def customer(self) -> Customer:
        return self.contact.customer

    @property
    def company(self) -> Company:
        return self.contact.customer.company

    @property
    def rights(self) -> frozenset[str]:
        return RIGHTS[self.contact.role]

    @property
    def actor(self) -> Actor:
        return Actor.of_contact(self.contact.pk, self.contact.name, self.contact.user_id)

    @cached_property
    def zone(self) -> str:
        """The zone the customer's days follow."""
        return customers.zone_of(self.customer)

    @property
    def now(self) -> datetime:
        return clock.now(self.company)

    @property
    def today(self) -> date:
        return clock.today(self.company, self.zone)

    @cached_property
    def _ids(self) -> list[int]:
        return merged.ids_of(self.customer)

    def _own(self, model: type[Row]) -> QuerySet[Row]:
        rows: QuerySet[Row] = model._default_manager.filter(  # type: ignore[misc]
            company_id=self.customer.company_id, customer_id__in=self._ids
        )
        return rows

    @property
    def subscriptions(self) -> QuerySet[Subscription]:
        return self._own(Subscription)

    @property
    def invoices(self) -> QuerySet[Invoice]:
        """Issued ones: a draft is nobody's business but the seller's."""
        return self._own(Invoice).exclude(number="").select_related("balance")

    @property
    def credit_notes(self) -> QuerySet[CreditNote]:
        return self._own(CreditNote).select_related("invoice")

    @property
    def payments(self) -> QuerySet[Payment]:
        return self._own(Payment)

    @property
    def colleagues(self) -> QuerySet[Contact]:
        return self._own(Contact).filter(archived_at__isnull=True)

    @property
    def messages(self) -> QuerySet[Message]:
        return self._own(Message)


def found(rows: QuerySet[Row], ref: str) -> Row:
    """The row with this outside id, or 404."""
    try:
        return rows.model.by_ref(rows, ref)  # type: ignore[attr-defined, no-any-return]
    except (BadId, rows.model.DoesNotExist):
        raise Http404 from None


def contacts_of(request: HttpRequest) -> list[Contact]:
    """As whom this person may come in, by the customers' names."""
    rows = Contact.objects.filter(user_id=request.user.pk, archived_at__isnull=True)
    return list(rows.select_related("customer__company").order_by("customer__sort_key", "id"))


def needs(right: str) -> Callable[[View], View]:
    """Guards a page of the portal: sets `request.visitor` and `request.company`, refuses who lacks `right`.

    People of several customers choose one first; pages are never cached, days and instants are the customer's.
    """
    if not any(right in rights for rights in RIGHTS.values()):
        raise LookupError(f"unknown right {right!r}")

    def guard(view: View) -> View:
        @wraps(view)
        def guarded(request: Any, *args: Any, **kwargs: Any) -> HttpResponse:
            if not request.user.is_authenticated:
                from django.contrib.auth.views import redirect_to_login

                return redirect_to_login(request.get_full_path())
            contacts = contacts_of(request)
            if not contacts:
                return render(request, "portal/no_access.html", status=403)
            chosen = request.session.get(CONTACT_KEY)
            contact = next((one for one in contacts if one.pk == chosen), None)
            if contact is None and len(contacts) > 1:
                return redirect(_choose_url(request))
            visitor = Visitor(contact or contacts[0], len(contacts))
            request.visitor, request.company = visitor, visitor.company
            if right not in visitor.rights:
                raise PermissionDenied(right)
            with timezone.override(clock.zone(visitor.zone)):
                response = view(request, *args, **kwargs)
            add_never_cache_headers(response)
            return response

        guarded.right = right  # type: ignore[attr-defined]
        return guarded

    return guard


def _choose_url(request: HttpRequest) -> str:
    from django.urls import reverse

    return f"{reverse('portal:choose')}?{urlencode({'next': request.get_full_path()})}"
