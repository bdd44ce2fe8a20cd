"""Where a customer's personal values stand outside of what is frozen, and how each place is emptied.

The rule that matters: every place is written down here once; a test searches all columns of the database for what was
known of an erased customer.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import reduce
from operator import or_
from typing import Any, Final

from allauth.account.models import EmailAddress
from allauth.mfa.models import Authenticator
from django.db import connection
from django.db.models import Q, QuerySet

from billing.models import DunningCase, Payment, PaymentMethod
from core.actors import Actor
from core.models import AuditDetail, Job, MailEvent, Membership, Outbox, User
from core.services import files
from core.texts import sort_key
from crm.models import (
    Activity,
    ActivityFile,
    BulkRow,
    Lead,
    LeadNote,
    MailingRecipient,
    Quote,
    Task,
    TaskComment,
)
from crm.services import tie_forgetting
from customers.models import Address, Contact, Customer, Message, Note, Suppression
from customers.services import suppressing
from subscriptions.models import Change, ImportLine, Subscription

#: Shorter words are no search for a person: they stand in other people's texts.
_SHORTEST: Final = 3
_NO_WORDS: Final = "—"


@dataclass(frozen=True, slots=True)
class Scope:
    """One customer, its people, its leads, and what they are called and reached by."""

    customer: Customer
    people: list[Contact]
    leads: list[int]
    emails: frozenset[str]
    names: frozenset[str]

    @classmethod
    def of(cls, customer: Customer) -> Scope:
        company_id = customer.company_id
        people = list(Contact.objects.filter(company_id=company_id, customer=customer).select_related("user"))
        written = {one.strip().lower() for one in (customer.email, *(row.email for row in people)) if one.strip()}
        leads = Lead.objects.filter(company_id=company_id)
        mine = set(leads.filter(customer=customer).values_list("pk", flat=True))
        mine |= set(leads.filter(merged_into__in=mine).values_list("pk", flat=True))
        reached = leads.filter(pk__in=mine).exclude(email="").values_list("email", flat=True)
        earlier = AuditDetail.objects.filter(entry__company_id=company_id, entry__customer_id=customer.pk)
        for before in earlier.values_list("before__email", flat=True):
            written |= {before.strip().lower()} if isinstance(before, str) and before.strip() else set()
        names = {customer.name, *(row.name for row in people)}
        return cls(
            customer, people, sorted(mine), frozenset(written | {one.lower() for one in reached}),
            frozenset(one for one in names if len(one) >= _SHORTEST),
        )  # fmt: skip

    def own(self, model: Any) -> QuerySet[Any]:
        rows: QuerySet[Any] = model._default_manager.filter(company_id=self.customer.company_id, customer=self.customer)
        return rows

    def tasks(self) -> QuerySet[Task]:
        mine = Q(customer=self.customer) | Q(lead__in=self.leads) | Q(subscription__customer=self.customer)
        return Task.objects.filter(mine, company_id=self.customer.company_id)

    def activities(self) -> QuerySet[Activity]:
        mine = Q(customer=self.customer) | Q(lead__in=self.leads)
        return Activity.objects.filter(mine, company_id=self.customer.company_id)

    def drafts(self) -> QuerySet[Quote]:
        mine = Q(customer=self.customer) | Q(lead__in=self.leads)
        return Quote.objects.filter(mine, company_id=self.customer.company_id, state=Quote.State.DRAFT)

    def sign_ins(self) -> list[User]:
        """People who sign in for this customer alone: neither staff nor at another customer."""
        users = [row.user for row in self.people if row.user is not None]
        kept = set(Membership.objects.filter(user__in=users).values_list("user_id", flat=True))
        elsewhere = Contact.objects.filter(user__in=users).exclude(
            company_id=self.customer.company_id, customer=self.customer
        )
        kept |= set(elsewhere.filter(archived_at__isnull=True).values_list("user_id", flat=True))
        return [user for user in users if user.pk not in kept and not user.is_superuser]

    def counts(self) -> dict[str, int]:
        """How many rows of each kind are blanked."""
        return {
            "customer": 1,
            "addresses": self.own(Address).count(),
            "contacts": len(self.people),
            "sign_ins": len(self.sign_ins()),
            "notes": self.own(Note).count(),
            "messages": self.own(Message).count(),
            "payment_methods": self.own(PaymentMethod).count(),
            "leads": len(self.leads),
            "tasks": self.tasks().count(),
            "activities": self.activities().count(),
            "quote_drafts": self.drafts().count(),
            "audit_details": self._details().count(),
        }

    def blank(self, *, by: Actor, at: datetime) -> None:
        """Empties every place; inside the transaction of `erasing.erase`."""
        self._block(at)
        self._mail()
        self._talk()
        tie_forgetting.forget(customer=self.customer, emails=self.emails, leads=self.leads)
        self._sales()
        self._agreements()
        self._machinery()
        self._details().update(before={}, after={})
        self._people(at)
        self._customer(at)

    def _details(self) -> QuerySet[AuditDetail]:
        company_id = self.customer.company_id
        about = Q(entry__customer_id=self.customer.pk) | Q(entry__subject_kind="lead", entry__subject_id__in=self.leads)
        about |= Q(entry__subject_kind="activity", entry__subject_id__in=self.activities().values("pk"))
        blocked = Suppression.objects.filter(company_id=company_id, address_hash__in=self._hashes()).values("pk")
        about |= Q(entry__subject_kind="suppression", entry__subject_id__in=blocked)
        return AuditDetail.objects.filter(about, entry__company_id=company_id)

    def _hashes(self) -> list[str]:
        return [suppressing.digest(address) for address in self.emails]

    def _block(self, at: datetime) -> None:
        """No advertising goes to these addresses again: of each, only the hash is left to know it by."""
        company_id = self.customer.company_id
        elsewhere = self._reached_elsewhere()
        for address in sorted(self.emails - elsewhere):
            Suppression.objects.get_or_create(
                company_id=company_id, address_hash=suppressing.digest(address), scope=Suppression.Scope.MARKETING,
                lifted_at__isnull=True, defaults={"reason": Suppression.Reason.MANUAL, "since": at},
            )  # fmt: skip
        known = Suppression.objects.filter(company_id=company_id, address_hash__in=self._hashes())
        known.filter(address__in=elsewhere).update(message=None)
        known.exclude(address__in=elsewhere).update(address="", words="", by="", lifted_by="", message=None)

    def _reached_elsewhere(self) -> set[str]:
        """Those of the addresses that other customers of the company are reached by, too."""
        found: set[str] = set()
        for address in self.emails:
            others = Customer.objects.filter(company_id=self.customer.company_id, email__iexact=address)
            people = Contact.objects.filter(company_id=self.customer.company_id, email__iexact=address)
            if others.exclude(pk=self.customer.pk).exists() or people.exclude(customer=self.customer).exists():
                found.add(address)
        return found

    def _mail(self) -> None:
        own = self.own(Message)
        told = Q(message_ref__in=[row.ref for row in own.only("public_id")]) | Q(address__in=self.emails)
        MailEvent.objects.filter(told, company_id=self.customer.company_id).update(address="", words="", body={})
        own.filter(state=Message.State.WAITING).update(state=Message.State.HELD)
        own.update(recipients=[], subject="", body="", html="", results={}, error="", provider_id="")
        staff = Message.objects.filter(company_id=self.customer.company_id, customer__isnull=True)
        for row in staff.filter(_any(("subject", "body", "html"), self._words())):
            for name in ("subject", "body", "html"):
                setattr(row, name, self._without(getattr(row, name)))
            row.save(update_fields=["subject", "body", "html"])

    def _talk(self) -> None:
        self.own(Note).update(text=_NO_WORDS)
        tasks = self.tasks()
        TaskComment.objects.filter(task__in=tasks.values("pk")).update(text=_NO_WORDS)
        tasks.update(title=self.customer.number, text="")
        self.own(MailingRecipient).update(emails=[])
        self.own(BulkRow).update(why="")
        self._activities()
        self.own(DunningCase).update(note="")

    def _activities(self) -> None:
        """What was said is blanked; what was attached to mails goes, unless something else holds the same file."""
        rows = self.activities()
        attached = ActivityFile.objects.filter(activity__in=rows.values("pk"))
        held = set(attached.values_list("file_id", flat=True))
        attached.delete()
        files.drop(held)
        rows.update(
            subject=self.customer.number, text="", place="", outcome="", mail_from="", mail_to="", message_key=""
        )

    def _sales(self) -> None:
        LeadNote.objects.filter(lead__in=self.leads).update(text=_NO_WORDS)
        Lead.objects.filter(pk__in=self.leads).update(
            name=self.customer.number, organization="", email="", phone="", message="", lost_words="",
            consent_source="", privacy_text="", external_id="", email_key="", phone_key="", domain_key="",
            organization_key="",
        )  # fmt: skip
        self.drafts().update(
            recipient=self.customer.number, person="", email="", address={}, vat_id="", intro="", closing=""
        )

    def _agreements(self) -> None:
        self.own(Subscription).update(
            description="", end_comment="", po_reference="", external_id="", metadata={}, parked_detail=""
        )
        Change.objects.filter(company_id=self.customer.company_id, subscription__customer=self.customer).update(
            reason=""
        )
        ImportLine.objects.filter(company_id=self.customer.company_id, customer=self.customer).update(problems=[])
        self.own(Payment).exclude(note="").update(note="")
        self.own(PaymentMethod).update(label=_NO_WORDS, consent="")

    def _machinery(self) -> None:
        """Answers kept for repeated calls, and what went wrong on the way, wherever they name somebody."""
        company_id, words = self.customer.company_id, self._words()
        named = _any(("last_error",), words)
        Outbox.objects.filter(named, company_id=company_id).update(last_error="")
        Job.objects.filter(_any(("log",), words), company_id=company_id).update(log="")
        needles = [self.customer.ref, *(row.ref for row in self.people), *words]
        with connection.cursor() as cursor:
            cursor.execute(
                "DELETE FROM api_idempotencyrecord WHERE company_id = %s AND EXISTS (SELECT 1 FROM unnest(%s::text[])"
                " AS needle WHERE position(convert_to(needle, 'UTF8') IN body) > 0)",
                [company_id, needles],
            )

    def _people(self, at: datetime) -> None:
        gone = self.sign_ins()
        EmailAddress.objects.filter(user__in=gone).delete()
        Authenticator.objects.filter(user__in=gone).delete()
        for user in gone:
            user.email, user.name, user.is_active = f"{user.public_id.hex}@erased.invalid", "", False
            user.set_unusable_password()
            user.save(update_fields=["email", "name", "is_active", "password"])
        Contact.objects.filter(pk__in=[row.pk for row in self.people]).update(
            user=None, name=self.customer.number, email="", phone="", gets_invoices=False, marketing_consent_at=None,
            marketing_consent_source="",
        )  # fmt: skip
        Contact.objects.filter(pk__in=[row.pk for row in self.people], archived_at__isnull=True).update(archived_at=at)

    def _customer(self, at: datetime) -> None:
        self.own(Address).update(recipient="", lines=[], postal_code="", city="")
        row = self.customer
        values: dict[str, Any] = {
            "name": row.number, "sort_key": sort_key(row.number), "email": "", "phone": "", "vat_id": "",
            "vat_state": Customer.VatState.NONE, "vat_checked_at": None, "tax_exemption": "", "po_reference": "",
            "payment_method": "", "external_id": "", "metadata": {}, "marketing_consent_at": None,
            "marketing_consent_source": "", "archived_at": row.archived_at or at,
        }  # fmt: skip
        Customer.objects.filter(pk=row.pk).update(**values)
        for name, value in values.items():
            setattr(row, name, value)

    def _words(self) -> list[str]:
        return sorted(self.names | self.emails, key=len, reverse=True)

    def _without(self, text: str) -> str:
        """The text with the customer's number in place of everybody's name and address."""
        for word in self._words():
            text = re.sub(rf"(?<!\w){re.escape(word)}(?!\w)", self.customer.number, text, flags=re.IGNORECASE)
        return text


def _any(names: Iterable[str], words: Iterable[str]) -> Q:
    """Any of the columns holds any of the words; without words: no row."""
    parts = [Q(**{f"{name}__icontains": word}) for name in names for word in words]
    return reduce(or_, parts, Q(pk__in=[]))
