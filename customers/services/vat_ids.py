"""VAT ids of customers: asked about at VIES by the relay, the answer kept as proof, unanswered ones asked again.

The rule that matters: only an answer changes a state. A service that is down leaves a fresh answer standing; an old
one, or none, is pending, and documents that depend on it wait.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, OuterRef, Q
from django.utils.translation import gettext_lazy as _

from core import clock
from core.actors import Actor
from core.models import Company, Outbox
from core.refusal import Refused
from core.services import outbox, ticks, trail
from customers.models import Customer, VatCheck
from customers.services import merged, vies
from customers.services.fields import is_eu_vat_id
from pricing.taxes import VAT_ANSWER_DAYS

KIND: Final = "vat_check"
#: How long after a question without an answer it is asked again.
AGAIN_AFTER: Final = timedelta(hours=1)
#: A valid answer older than this is renewed, so that documents never lean on one past its time.
RENEWED_AFTER: Final = timedelta(days=60)
#: Questions a tick asks at most; the service limits how many it takes at once.
AT_ONCE: Final = 100


def service_of(company: Company) -> str:
    """Where VAT ids of the company's customers are asked about; a test company never asks the real service."""
    return settings.VIES_URL if company.is_live else settings.TEST_VIES_URL


def check(*, customer: Customer, by: Actor, at: datetime) -> Customer:
    """Has the customer's VAT id asked about, now. Twice in a row is one question.

    Refuses `vat_check.no_id`, `vat_check.not_eu`, `vat_check.no_service`.
    """
    company = customer.company
    with transaction.atomic():
        customer = Customer.objects.select_for_update(no_key=True).select_related("company").get(pk=customer.pk)
        merged.refuse(customer)
        if not customer.vat_id:
            raise Refused("vat_check.no_id", field="vat_id")
        if not is_eu_vat_id(customer.vat_id):
            raise Refused("vat_check.not_eu", field="vat_id", value=customer.vat_id)
        if not service_of(company):
            raise Refused("vat_check.no_service")
        if ask([customer]):
            trail.audit(
                company_id=company.pk,
                at=at,
                by=by,
                verb="customer.check_vat_id",
                subject_kind="customer",
                subject_id=customer.pk,
                customer_id=customer.pk,
            )
    return customer


def ask(customers: Sequence[Customer]) -> int:
    """Puts the question about each one's VAT id for the relay; how many, those already under way left out.

    Of a crowd only the first are asked about; a tick asks about the others.
    """
    rows = [customer for customer in customers if is_eu_vat_id(customer.vat_id) and service_of(customer.company)]
    if not rows:
        return 0
    under_way = set(
        Outbox.objects.filter(
            company_id=rows[0].company_id, kind=KIND, state=Outbox.State.WAITING,
            payload__customer__in=[row.pk for row in rows],
        ).values_list("payload__customer", "payload__vat_id")
    )  # fmt: skip
    asked = [row for row in rows if (row.pk, row.vat_id) not in under_way][:AT_ONCE]
    now = clock.machine_now()  # part of the key, which never comes again
    Outbox.objects.bulk_create(
        [
            Outbox(
                company_id=row.company_id,
                kind=KIND,
                key=f"{row.pk}-{row.vat_id}-{now:%Y%m%dT%H%M%S%f}",
                payload={"customer": row.pk, "vat_id": row.vat_id},
                due_at=now,
            )
            for row in asked
        ],
        ignore_conflicts=True,
    )
    return len(asked)


@outbox.handler(KIND)
def _carry_out(row: Outbox) -> None:
    """Asks, outside any transaction, and keeps what came back."""
    customer = (
        Customer.objects.select_related("company")
        .filter(company_id=row.company_id, pk=row.payload["customer"], vat_id=row.payload["vat_id"])
        .first()
    )
    if customer is None:
        return  # the VAT id is another by now, and has a question of its own
    url = service_of(customer.company)
    answer: vies.Answer | None = None
    detail = ""
    try:
        if not url:
            raise vies.NoAnswer("no service is set")
        requester = customer.company.vat_id if is_eu_vat_id(customer.company.vat_id) else ""
        answer = vies.ask(customer.vat_id, url=url, requester=requester)
    except vies.NoAnswer as error:
        detail = str(error)[:500]
    keep(customer=customer, vat_id=row.payload["vat_id"], answer=answer, detail=detail, at=clock.now(customer.company))


def keep(*, customer: Customer, vat_id: str, answer: vies.Answer | None, detail: str = "", at: datetime) -> VatCheck:
    """Keeps an answer (None: there was none) as proof, and the state that follows from it.

    Without an answer a state younger than 90 days stays; an older one becomes pending.
    """
    by = Actor.system("VIES")
    with transaction.atomic():
        customer = Customer.objects.select_for_update(no_key=True).get(pk=customer.pk)
        check = VatCheck.objects.create(
            company_id=customer.company_id,
            customer=customer,
            vat_id=vat_id,
            answer="unavailable" if answer is None else "valid" if answer.is_valid else "invalid",
            name=answer.name[:300] if answer else "",
            address=answer.address[:1000] if answer else "",
            proof=answer.proof if answer else "",
            detail=detail,
            asked_at=at,
        )
        if customer.vat_id != vat_id:
            return check
        state = customer.vat_state
        if answer is not None:
            state = check.answer
            customer.vat_checked_at = at
        elif customer.vat_checked_at is None or at - customer.vat_checked_at >= timedelta(days=VAT_ANSWER_DAYS):
            state = Customer.VatState.PENDING
        before, customer.vat_state = customer.vat_state, state
        customer.save(update_fields=["vat_state", "vat_checked_at"])
        facts: dict[str, Any] = {"answer": check.answer, "vat_state": [before, state], "check": check.pk}
        trail.audit(
            company_id=customer.company_id,
            at=at,
            by=by,
            verb="customer.vat_checked",
            subject_kind="customer",
            subject_id=customer.pk,
            customer_id=customer.pk,
            facts=facts,
        )
        if before != state:
            trail.emit(
                company_id=customer.company_id,
                type="customer.vat_checked",
                at=at,
                subject_kind="customer",
                subject_id=customer.pk,
                customer_id=customer.pk,
                data={"id": customer.ref, "vat_state": state, "was": before, "proof": check.proof},
            )
    return check


def due(company: Company, at: datetime) -> Iterable[Customer]:
    """Customers to ask about: pending ones not asked for an hour, then valid ones whose answer is growing old."""
    lately = VatCheck.objects.filter(customer=OuterRef("pk"), vat_id=OuterRef("vat_id"), asked_at__gt=at - AGAIN_AFTER)
    is_due = Q(vat_state=Customer.VatState.PENDING) | Q(
        vat_state=Customer.VatState.VALID, vat_checked_at__lte=at - RENEWED_AFTER
    )
    rows = Customer.objects.filter(is_due, ~Exists(lately), company=company, archived_at__isnull=True)
    return rows.exclude(vat_id="").select_related("company").order_by("vat_state", "pk")[:AT_ONCE]


@ticks.tick(
    "customers.vat_ids", order=5, every=timedelta(minutes=15), title=_("VAT ids"),
    text=_("Asks the tax authorities again about VAT ids that could not be checked or were checked long ago."),
)  # fmt: skip
def ask_due(company: Company, at: datetime) -> dict[str, Any]:
    """Asks again about VAT ids that nobody could check, and anew about those whose answer is growing old."""
    if not service_of(company):
        return {}
    asked = ask(list(due(company, at)))
    return {"asked": asked} if asked else {}
