"""Refunds by bank transfer: those no provider can pay out, in one file for the bank.

The rule that matters: a refund stands in one file at most; paid out it is when the bank's statement says so.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, datetime
from typing import Final

from django.db import transaction
from django.db.models import QuerySet

from billing.gateways import bank_accounts, sepa_files
from billing.gateways.sepa_files import CURRENCY, Party, Transfer
from billing.models import BankLine, Gateway, Mandate, Refund
from billing.services import account_credit, gateway_accounts
from core import clock
from core.actors import Actor
from core.ids import new_id
from core.models import Company, StoredFile
from core.refusal import Refused
from core.services import files, trail
from customers.models import Customer
from pricing import banking_days

Status = Refund.Status
MEDIA_TYPE: Final = "application/xml"
#: Bank lines of a customer that are looked through for an account.
LINES: Final = 20


def payer_of(company: Company) -> Party:
    """The account that pays: that of bank transfers, else of direct debits, else the company's own.

    Refuses `gateway.account_missing`.
    """
    for kind in (Gateway.Kind.TRANSFER, Gateway.Kind.SEPA):
        gateway = gateway_accounts.of_kind(company, kind)
        if gateway is not None and gateway.iban:
            return Party(company.legal_name, gateway.iban, gateway.bic)
    account = bank_accounts.own_account(company.iban, company.bic)
    return Party(company.legal_name, account.iban, account.bic)


def account_of(refund: Refund) -> Party | None:
    """Where the customer's money goes: the account it came from, else of a mandate, else the last it paid from.

    None where no account is known that SEPA reaches.
    """
    wanted = {refund.payment_id, refund.credit.payment_id if refund.credit is not None else None} - {None}
    lines = list(
        BankLine.objects.filter(company_id=refund.company_id, customer_id=refund.customer_id, amount_minor__gt=0)
        .exclude(iban_fingerprint="")
        .order_by("-booked_on", "-pk")[:LINES]
    )
    held = Mandate.objects.filter(method__customer_id=refund.customer_id, ended_on__isnull=True).order_by("-pk")
    known = [
        *((line.name, line.iban, "") for line in lines if line.payment_id in wanted),
        *((mandate.holder, mandate.iban, mandate.bic) for mandate in held[:1]),
        *((line.name, line.iban, "") for line in lines),
    ]
    for name, iban, bic in known:
        try:
            account = bank_accounts.account_of(iban, bic)
        except Refused:
            continue
        return Party(name or refund.customer.name, account.iban, account.bic)
    return None


def waiting(company: Company) -> list[Refund]:
    """Refunds in euro that are to be paid out by hand and stand in no file, oldest first."""
    rows = Refund.objects.filter(company=company, status=Status.PENDING, gateway__isnull=True, currency=CURRENCY)
    return list(rows.select_related("customer", "credit").order_by("pk"))


def files_of(company: Company) -> QuerySet[StoredFile]:
    """The pay-out files that were made."""
    return StoredFile.objects.filter(company=company, media_type=MEDIA_TYPE, name__regex=r"^PAY[0-9A-F]{29}\.xml$")


def message_id_of(file: StoredFile) -> str:
    """What the bank knows the file by."""
    return file.name.removesuffix(".xml")


def refunds_in(file: StoredFile) -> list[Refund]:
    """The refunds a pay-out file pays, oldest first; none once it was taken apart."""
    rows = Refund.objects.filter(company_id=file.company_id, key__startswith=f"{message_id_of(file)}:")
    return list(rows.select_related("customer", "credit", "payment", "gateway").order_by("pk"))


def payout_file(*, company: Company, refunds: Iterable[Refund], on: date, by: Actor, at: datetime) -> StoredFile:
    """A file that transfers these refunds on the first banking day from `on`; from then on they are sent.

    Refuses `refund.not_payable` (not pending, not in euro, or a provider's), `refund.no_account`, `not_found` where
    none is named, and `gateway.account_missing`. Nothing is written then.
    """
    ids = sorted({refund.pk for refund in refunds})
    if not ids:
        raise Refused("not_found", field="refunds")
    payer, message_id = payer_of(company), f"PAY{new_id().hex.upper()[:29]}"
    with transaction.atomic():
        whose = Refund.objects.filter(company=company, pk__in=ids).values("customer_id")
        list(Customer.objects.select_for_update(no_key=True).filter(company=company, pk__in=whose).order_by("pk"))
        rows = list(
            Refund.objects.select_for_update(of=("self",))
            .filter(company=company, pk__in=ids)
            .select_related("customer", "credit")
            .order_by("pk")
        )
        if len(rows) != len(ids):
            raise Refused("not_found", field="refunds")
        transfers = [_transfer(refund) for refund in rows]
        content = sepa_files.transfer_file(
            message_id=message_id, made_at=at.astimezone(clock.zone(company.time_zone)), payer=payer,
            pay_on=banking_days.on_or_after(on), transfers=transfers,
        )  # fmt: skip
        file = files.store(company_id=company.pk, name=f"{message_id}.xml", media_type=MEDIA_TYPE, content=content)
        for refund in rows:
            refund.status, refund.key = Status.SENT, f"{message_id}:{refund.ref.partition('_')[2]}"
            refund.first_sent_at = clock.machine_now()
            refund.save(update_fields=["status", "key", "first_sent_at"])
            _tell(refund, "send", message_id, by=by, at=at)
            account_credit.emit_sent(refund, at=at)
    return file


def take_out(*, company: Company, message_id: str, by: Actor, at: datetime) -> int:
    """The file was not given to the bank: what of it isn't paid out waits again; how many. Repeated: none."""
    with transaction.atomic():
        found = Refund.objects.filter(company=company, key__startswith=f"{message_id}:", status=Status.SENT)
        whose = found.values("customer_id")
        list(Customer.objects.select_for_update(no_key=True).filter(company=company, pk__in=whose).order_by("pk"))
        rows = list(found.select_for_update(of=("self",)).select_related("customer").order_by("pk"))
        for refund in rows:
            refund.status, refund.key, refund.first_sent_at = Status.PENDING, "", None
            refund.save(update_fields=["status", "key", "first_sent_at"])
            _tell(refund, "take_out", message_id, by=by, at=at)
    return len(rows)


def _transfer(refund: Refund) -> Transfer:
    if refund.status != Status.PENDING or refund.gateway_id is not None or refund.currency != CURRENCY:
        raise Refused("refund.not_payable", field="refunds")
    account = account_of(refund)
    if account is None:
        raise Refused("refund.no_account", field="refunds", customer=refund.customer.name)
    return Transfer(
        end_to_end_id=refund.ref.partition("_")[2], amount_minor=refund.amount_minor, name=account.name,
        iban=account.iban, bic=account.bic, text=f"{refund.customer.number} {refund.reason}",
    )  # fmt: skip


def _tell(refund: Refund, verb: str, message_id: str, *, by: Actor, at: datetime) -> None:
    trail.audit(
        company_id=refund.company_id, at=at, by=by, verb=f"refund.{verb}", subject_kind="refund", subject_id=refund.pk,
        customer_id=refund.customer_id, facts={"amount_minor": refund.amount_minor, "file": message_id},
    )  # fmt: skip
