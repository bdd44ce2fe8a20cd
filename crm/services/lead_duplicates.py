"""Who a lead may be already: other leads and customers with the same address, phone number or company.

The rule that matters: a likeness is shown, never acted on; only a person merges, and nothing is lost by it.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.contrib.postgres.search import TrigramSimilarity
from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Upper
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from core.actors import Actor
from core.models import Company
from core.refusal import Refused
from crm.models import Activity, Lead, LeadNote, Task
from crm.services import lead_keys, leads
from crm.services.lead_trail import tell
from customers.models import Contact, Customer

#: How alike names of companies are that may be one; with a domain in common less is enough.
ALIKE, ALIKE_IN_ONE_DOMAIN = 0.6, 0.3
SHOWN: Final = 10
REASONS: Final[dict[str, str | Promise]] = {
    "email": _("same e-mail address"),
    "phone": _("same phone number"),
    "domain": _("same domain, similar company"),
    "organization": _("similar company"),
}


@dataclass(frozen=True, slots=True)
class Likeness:
    """A lead or a customer that may be the same, and by what: keys of `REASONS`, the surest first."""

    row: Lead | Customer
    reasons: tuple[str, ...]

    @property
    def words(self) -> list[str]:
        return [str(REASONS[reason]) for reason in self.reasons]


def of_lead(lead: Lead) -> list[Likeness]:
    """What this lead may be a duplicate of, but not what it was merged with or converted to."""
    found = find(
        company=lead.company, email=lead.email, phone=lead.phone, organization=lead.organization, but=lead.pk
    )  # fmt: skip
    return [one for one in found if not (isinstance(one.row, Customer) and one.row.pk == lead.customer_id)]


def find(
    *, company: Company, email: str = "", phone: str = "", organization: str = "", but: int | None = None
) -> list[Likeness]:
    """Leads, then customers, that may be the same; at most `SHOWN` of each. Without anything to compare: none."""
    asked = {
        "email": lead_keys.email_key(email), "phone": lead_keys.phone_key(phone),
        "domain": lead_keys.domain_key(email), "organization": lead_keys.organization_key(organization),
    }  # fmt: skip
    if not any(asked.values()):
        return []
    return [*_leads(company, asked, but), *_customers(company, asked, email, phone)]


def _leads(company: Company, asked: dict[str, str], but: int | None) -> list[Likeness]:
    wanted = Q(pk__in=[])
    if asked["email"]:
        wanted |= Q(email_key=asked["email"])
    if asked["phone"]:
        wanted |= Q(phone_key=asked["phone"])
    rows = Lead.objects.filter(company=company, merged_into__isnull=True).select_related("stage")
    if but is not None:
        rows = rows.exclude(pk=but)
    if asked["organization"]:
        # The index answers the operator; how alike it has to be is decided below.
        wanted |= Q(organization_key__trigram_similar=asked["organization"])
        rows = rows.annotate(likeness=TrigramSimilarity("organization_key", asked["organization"]))
    found = [Likeness(row, _reasons(row, asked)) for row in rows.filter(wanted).order_by("-pk")[: SHOWN * 5]]
    return [one for one in found if one.reasons][:SHOWN]


def _reasons(row: Lead, asked: dict[str, str]) -> tuple[str, ...]:
    alike = getattr(row, "likeness", 0.0)
    same = {
        "email": bool(asked["email"]) and row.email_key == asked["email"],
        "phone": bool(asked["phone"]) and row.phone_key == asked["phone"],
        "domain": bool(asked["domain"]) and row.domain_key == asked["domain"] and alike >= ALIKE_IN_ONE_DOMAIN,
        "organization": alike >= ALIKE,
    }
    return tuple(reason for reason in REASONS if same[reason])


def _customers(company: Company, asked: dict[str, str], email: str, phone: str) -> list[Likeness]:
    """Customers whose own or whose people's address or number it is, or whose name is alike."""
    reasons: dict[int, set[str]] = {}
    rows = Customer.objects.filter(company=company, archived_at__isnull=True)
    people = Contact.objects.filter(company=company, archived_at__isnull=True)
    if asked["email"]:
        for held, column in ((rows, "pk"), (people, "customer_id")):
            same = held.filter(Q(email__iexact=email.strip()) | Q(email__iexact=asked["email"]))
            for pk in same.values_list(column, flat=True)[:SHOWN]:
                reasons.setdefault(pk, set()).add("email")
    if asked["phone"]:
        wanted = {"phone__in": [phone, phone.strip(), phone.replace(" ", "")]}
        for held, column in ((rows, "pk"), (people, "customer_id")):
            for pk in held.filter(**wanted).values_list(column, flat=True)[:SHOWN]:
                reasons.setdefault(pk, set()).add("phone")
    if asked["organization"]:
        alike = rows.annotate(upper=Upper("name")).filter(upper__trigram_similar=asked["organization"].upper())
        alike = alike.annotate(likeness=TrigramSimilarity("name", asked["organization"]))
        for row in alike.order_by("-likeness")[:SHOWN]:
            in_domain = bool(asked["domain"]) and lead_keys.domain_key(row.email) == asked["domain"]
            if row.likeness >= ALIKE:
                reasons.setdefault(row.pk, set()).add("organization")
            elif in_domain and row.likeness >= ALIKE_IN_ONE_DOMAIN:
                reasons.setdefault(row.pk, set()).add("domain")
    found = Customer.objects.in_bulk(sorted(reasons))
    return [
        Likeness(found[pk], tuple(reason for reason in REASONS if reason in reasons[pk]))
        for pk in sorted(found, reverse=True)[:SHOWN]
    ]


@transaction.atomic
def merge(*, lead: Lead, into: Lead, by: Actor, at: datetime) -> Lead:
    """Makes one of two: what `into` lacks it takes from `lead`, with its notes and tasks; `lead` points to it.

    Repeated: nothing happens. Refuses two of different companies, a lead and itself, and two with customers of their
    own.
    """
    first, second = sorted((lead.pk, into.pk))
    if first == second or lead.company_id != into.company_id:
        raise Refused("lead.merge_itself", field="into")
    if Lead.objects.filter(pk=lead.pk, merged_into=into).exists():
        return leads.lock(into)
    held = {pk: leads.lock(Lead(pk=pk)) for pk in (first, second)}
    gone, stays = held[lead.pk], held[into.pk]
    if gone.customer_id is not None and stays.customer_id not in (None, gone.customer_id):
        raise Refused("lead.merge_two_customers", field="into")
    taken = _take(gone, stays)
    LeadNote.objects.filter(lead=gone).update(lead=stays)
    Task.objects.filter(lead=gone).update(lead=stays)
    Activity.objects.filter(lead=gone).update(lead=stays)
    # Its address is no longer looked for: the other one has it.
    gone.merged_into, gone.external_id = stays, ""
    gone.save(update_fields=["merged_into", "external_id"])
    stays.save()
    facts: dict[str, Any] = {"merged": gone.ref, "taken": taken}
    tell(stays, "merge", by=by, at=at, facts=facts)
    return stays


def _take(gone: Lead, stays: Lead) -> list[str]:
    """Fills what the one that stays lacks; the names of what it took. The older one says who came first."""
    names = [
        "name", "organization", "email", "phone", "country", "language", "message", "owner_id", "probability",
        "value_minor", "customer_id", "converted_at", "consent_at", "consent_source", "privacy_text", "external_id",
        "email_key", "phone_key", "domain_key", "organization_key",
    ]  # fmt: skip
    taken = [name for name in names if getattr(stays, name) in (None, "") and getattr(gone, name) not in (None, "")]
    if "value_minor" in taken:
        stays.currency = gone.currency
    is_first = gone.created_at < stays.created_at or (stays.campaign_id is None and not stays.source)
    if is_first and (gone.campaign_id is not None or gone.source):
        stays.campaign_id, stays.source = gone.campaign_id, gone.source
        taken.append("campaign")
    for name in taken:
        if name != "campaign":
            setattr(stays, name, getattr(gone, name))
    return taken
