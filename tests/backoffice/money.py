"""Rows of money in as the pages show them: gateways, methods, tries, messages, cases, claims."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any

from tests.factories import BY, at_noon

if TYPE_CHECKING:
    from tests.backoffice.conftest import Office


def url(name: str, *args: Any, query: str = "") -> str:
    """An address of the office by its name."""
    from django.urls import reverse

    return reverse(f"backoffice:{name}", args=args) + query


def late(office: Office, days: int = 5) -> None:
    """So many days go by."""
    from tests.backoffice.conftest import TODAY

    office.company.clock_at = at_noon(TODAY + timedelta(days=days))
    office.company.save(update_fields=["clock_at"])


def an_account(office: Office, kind: str = "stripe", **fields: Any) -> Any:
    from billing.services import gateway_accounts

    usual = {"stripe": {"secret": "sk_test_1"}, "sepa": {"creditor_id": "DE98ZZZ09999999999"}}
    values = usual.get(kind, {}) | fields
    return gateway_accounts.save(company=office.company, kind=kind, by=BY, at=office.at, **values)


def a_method(office: Office, gateway: Any, number: str = "4242", **changes: Any) -> Any:
    from billing.gateways.base import SavedMethod
    from billing.services import payment_methods

    found = SavedMethod(f"pm_{number}", "cus_1", "card", f"Visa •••• {number}")
    customer = changes.get("customer", office.customer)
    return payment_methods.keep(gateway=gateway, customer=customer, found=found, by=BY, at=office.at)


def a_try(office: Office, invoice: Any, method: Any, state: str = "unknown", **changes: Any) -> Any:
    """One that was sent and stands there."""
    from billing.models import Attempt
    from billing.services import attempts

    closed = {"closed_at": office.at} if state in ("settled", "failed", "canceled") else {}
    values: dict[str, Any] = {
        "company": office.company, "invoice": invoice, "customer": invoice.customer, "gateway": method.gateway,
        "method": method, "state": state, "origin": "due", "currency": invoice.currency,
        "amount_minor": max(invoice.balance.open_minor, 100), "key": attempts.new_key(), "created_at": office.at,
    }  # fmt: skip
    return Attempt.objects.create(**(values | closed | changes))


def a_message(gateway: Any, **changes: Any) -> Any:
    from billing.models import GatewayEvent
    from core import clock

    body = b'{"id": "evt_1", "type": "charge.succeeded", "billing_details": {"name": "Ada Lovelace"}, "amount": 5}'
    values = {
        "company_id": gateway.company_id, "gateway": gateway, "external_id": "evt_1", "type": "charge.succeeded",
        "body": body, "source": "webhook", "received_at": clock.machine_now(),
    }  # fmt: skip
    return GatewayEvent.objects.create(**(values | changes))


def a_case(office: Office, minor: int = 11900, **changes: Any) -> Any:
    """An open case, as the tick would have made it."""
    from billing.models import DunningCase
    from billing.services import dunning_policies
    from tests.backoffice.conftest import TODAY

    policy = dunning_policies.policy_for(office.customer, at=office.at)
    values = {
        "company": office.company, "customer": office.customer, "policy": policy, "currency": "EUR",
        "counts_from_on": TODAY - timedelta(days=3), "overdue_minor": minor, "opened_minor": minor,
        "opened_at": office.at, "next_step_on": TODAY + timedelta(days=1),
    }  # fmt: skip
    return DunningCase.objects.create(**(values | changes))


def a_claim(case: Any, invoice: Any, minor: int = 4000) -> Any:
    from billing.models import Claim

    return Claim.objects.create(
        company=case.company, case=case, customer=case.customer, invoice=invoice, kind="fee", currency=case.currency,
        amount_minor=minor, claimed_on=case.counts_from_on,
    )  # fmt: skip


def a_statement(office: Office) -> Any:
    """A statement read in, with a line of money in."""
    from billing.models import BankStatement
    from billing.services import statements

    csv = "Buchungstag;Betrag;Währung;Name;Verwendungszweck\n15.03.2026;119,00;EUR;Ada Lovelace;Vielen Dank\n"
    statements.import_statement(
        company=office.company, data=csv.encode(), name="konto.csv", account="DE89370400440532013000", currency="EUR",
        by=BY, at=office.at,
    )  # fmt: skip
    return BankStatement.objects.get(company=office.company)


def a_batch(office: Office, gateway: Any) -> Any:
    """A file of no debits, as it stands in the list."""
    from billing.models import DebitBatch
    from core.services import files
    from tests.backoffice.conftest import TODAY

    stored = files.store(
        company_id=office.company.pk, name="dd.xml", media_type="application/xml", content=b"<Document/>"
    )
    return DebitBatch.objects.create(
        company=office.company, gateway=gateway, message_id="DD1", collection_on=TODAY, scheme="CORE", sequence="RCUR",
        count=0, total_minor=0, file=stored, created_at=office.at,
    )  # fmt: skip


def a_payout_file(office: Office) -> Any:
    """A file of no transfers, as it stands in the list."""
    from core.services import files

    name = f"PAY{office.company.pk:029X}.xml"
    return files.store(company_id=office.company.pk, name=name, media_type="application/xml", content=b"<Document/>")
