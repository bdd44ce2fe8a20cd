"""What selling and erasing write, for the attacks on a company's keys: every reference of every row filled."""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

from tests.factories import BY, a_customer, a_plan, at_noon, set_clock

FEBRUARY = date(2026, 2, 1)


def sell(company: Any) -> None:
    """A row of everything that selling writes, every reference filled."""
    from catalog.models import Campaign, Discount
    from core.models import Role
    from crm.models import LeadForm
    from crm.services import (
        customer_duplicates,
        erasing,
        lead_duplicates,
        leads,
        merging,
        quote_answering,
        quote_sending,
        quotes,
    )

    set_clock(company, FEBRUARY)
    done: dict[str, Any] = {"by": BY, "at": at_noon(FEBRUARY)}
    campaign = Campaign.objects.filter(company=company).order_by("pk")[0]
    role = Role.objects.filter(company=company).order_by("pk")[0]
    LeadForm.objects.create(company=company, campaign=campaign, team=role)
    first, second = (
        leads.create(
            company=company, name="Ada", email="ada@windkraft.example", country="DE", campaign=campaign, **done
        )
        for _ in range(2)
    )  # fmt: skip
    leads.comment(lead=second, text="x", **done)
    lead_duplicates.merge(lead=first, into=second, **done)
    discount = Discount.objects.create(company=company, code="quoted", name={"en": "x"}, percent=Decimal(10))
    quote = quotes.create(company=company, plan=a_plan(company), lead=second, discounts=[discount], **done)
    quote_sending.send(quote=quote, **done)
    quote_answering.accept(quote=quote, signature=quote_answering.Signature("Ada"), **done)
    _talk(company, second, **done)
    merging.merge(
        customer=(double := a_customer(company)), into=(one := a_customer(company)), confirm=double.number, **done
    )
    customer_duplicates.keep_apart(first=one, second=a_customer(company), **done)
    erasing.erase(customer=(gone := a_customer(company)), confirm=gone.number, **done)


def _talk(company: Any, lead: Any, **done: Any) -> None:
    """A mail with its file, of a contact, with a colleague and a next step."""
    from core.models import Membership, Role, User
    from core.services import files
    from crm.models import ActivityFile
    from crm.services import activities, calendars
    from customers.services import contacts

    user = User.objects.create_user(f"talk{company.pk}@example.com")
    role = Role.objects.filter(company=company).order_by("pk")[0]
    Membership.objects.create(company=company, user=user, role=role)
    lead.refresh_from_db()
    customer = lead.customer
    contact = contacts.add_contact(customer=customer, name="Ada", email=f"ada{company.pk}@example.com", **done)
    activity = activities.log(
        company=company, customer=customer, lead=lead, contact=contact, kind="call", subject="x",
        begins_at=done["at"], people=[user], step=activities.Step("x", FEBRUARY), **done,
    )  # fmt: skip
    stored = files.store(company_id=company.pk, name="x.txt", media_type="text/plain", content=b"x")
    ActivityFile.objects.create(company=company, activity=activity, file=stored, position=1)
    calendars.create(company=company, user=user, has_terms=True, **done)
