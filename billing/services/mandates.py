"""Mandates: what a customer signs so that direct debits may be drawn; amended, ended, dead when unused.

The rule that matters: a mandate is never rewritten. Another account is a row of its own, told to the bank with the next
debit; 36 months without a debit end it (EPC016-06, SEPA Core rulebook 4.1).
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, Final

from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext as _
from django.utils.translation import override

from billing.gateways import bank_accounts
from billing.gateways.bank_accounts import BankAccount
from billing.gateways.base import Answer, Outcome
from billing.gateways.sepa_files import NAME, OTHER_BANK, Amendment, cleaned
from billing.models import Attempt, Gateway, Mandate, PaymentMethod
from billing.services import attempts, payment_methods, receivables
from core import clock
from core.actors import Actor
from core.models import Company, StoredFile
from core.refusal import Refused
from core.sealing import fingerprint
from core.texts import checked
from customers.models import Address, Customer
from customers.services import merged
from customers.services.customers import language_of
from pricing.periods import add_months

Scheme, Status = Mandate.Scheme, PaymentMethod.Status
SYSTEM = Actor.system("Mandates")
#: A mandate without a debit for so long is dead.
UNUSED_MONTHS: Final = 36
#: A broken method is usable again once its mandate names another account.
OF_ACCOUNT: Final = frozenset({"account_wrong", "account_closed", "account_blocked", "debits_barred"})


def words_of(customer: Customer, gateway: Gateway, scheme: str = Scheme.CORE) -> str:
    """The words to be signed, in the customer's language: the text of the European Payments Council."""
    company = gateway.company
    given: dict[str, Any] = {"creditor": gateway.creditor_name or company.legal_name, "days": gateway.notice_days}
    with override(language_of(customer)):
        parts = [
            _(
                "By signing this mandate form, you authorise (A) %(creditor)s to send instructions to your bank to"
                " debit your account and (B) your bank to debit your account in accordance with the instructions from"
                " %(creditor)s."
            )
        ]
        if scheme == Scheme.B2B:
            parts.append(
                _(
                    "This mandate is only intended for business-to-business transactions. You are not entitled to a"
                    " refund from your bank after your account has been debited, but you are entitled to request your"
                    " bank not to debit your account up until the day on which the payment is due."
                )
            )
        else:
            parts.append(
                _(
                    "As part of your rights, you are entitled to a refund from your bank under the terms and"
                    " conditions of your agreement with your bank. A refund must be claimed within 8 weeks starting"
                    " from the date on which your account was debited."
                )
            )
        parts.append(_("Each debit is announced at least %(days)s days ahead; a repeated one may follow sooner."))
        words = [part % given for part in parts]
        place = " ".join((company.postal_code, company.city)).strip()
        creditor = ", ".join(
            part for part in (given["creditor"], *company.address_lines, place, company.country) if part
        )
        words.append(_("Creditor: %(creditor)s") % {"creditor": creditor})
        words.append(_("Creditor identifier: %(id)s") % {"id": gateway.creditor_id})
        return "\n\n".join(words)


def sign(
    *,
    customer: Customer,
    gateway: Gateway,
    iban: str,
    holder: str,
    bic: str = "",
    scheme: str = Scheme.CORE,
    is_one_off: bool = False,
    signed_by: str,
    text: str = "",
    proof: Mapping[str, Any],
    by: Actor,
    at: datetime,
) -> Mandate:
    """A mandate signed online, and the payment method it backs: the default unless there is a usable one.

    `text`: the words shown; empty: `words_of`. `proof`: address, browser and the like. Signed again for the same
    account and scheme: the mandate in force. Refuses `iban.*`, `bic.*`, `mandate.*`.
    """
    return _sign(
        customer, gateway, bank_accounts.account_of(iban, bic), holder=holder, scheme=scheme, is_one_off=is_one_off,
        signed_by=signed_by, signed_on=clock.day_in(at, customer.company.time_zone), text=text, proof=proof,
        paper=None, by=by, at=at,
    )  # fmt: skip


def record_paper(
    *,
    customer: Customer,
    gateway: Gateway,
    iban: str,
    holder: str,
    bic: str = "",
    scheme: str = Scheme.CORE,
    is_one_off: bool = False,
    signed_by: str,
    signed_on: date,
    paper: StoredFile,
    text: str = "",
    by: Actor,
    at: datetime,
) -> Mandate:
    """A mandate signed on paper, whose scan is kept. Otherwise as `sign`."""
    if paper.company_id != customer.company_id:
        raise Refused("not_found", field="paper")
    return _sign(
        customer, gateway, bank_accounts.account_of(iban, bic), holder=holder, scheme=scheme, is_one_off=is_one_off,
        signed_by=signed_by, signed_on=signed_on, text=text, proof={"paper": paper.ref}, paper=paper, by=by, at=at,
    )  # fmt: skip


def _sign(
    customer: Customer,
    gateway: Gateway,
    account: BankAccount,
    *,
    holder: str,
    scheme: str,
    is_one_off: bool,
    signed_by: str,
    signed_on: date,
    text: str,
    proof: Mapping[str, Any],
    paper: StoredFile | None,
    by: Actor,
    at: datetime,
) -> Mandate:
    company, holder = customer.company, _checked(customer, gateway, account, holder, scheme)
    if not checked(signed_by, field="signed_by", limit=120).strip():
        raise Refused("mandate.signature", field="signed_by")
    if (
        not add_months(clock.day_in(at, company.time_zone), -UNUSED_MONTHS)
        < signed_on
        <= clock.day_in(at, company.time_zone)
    ):
        raise Refused("mandate.signed_later", field="signed_on", day=signed_on)
    words = text or words_of(customer, gateway, scheme)
    mark = fingerprint(account.iban)
    with transaction.atomic():
        merged.refuse(receivables.lock_customer(company, customer.pk))
        same = Mandate.objects.select_related("method").filter(
            company=company, method__customer=customer, method__gateway=gateway, method__status=Status.ACTIVE,
            iban_fingerprint=mark, scheme=scheme, is_one_off=is_one_off, ended_on__isnull=True,
        ).first()  # fmt: skip
        if same is not None:
            return same
        method = PaymentMethod(
            company=company, customer=customer, gateway=gateway, kind=PaymentMethod.Kind.DEBIT, status=Status.ACTIVE,
            label=_label(account), consent=words, consented_at=at, created_at=at,
        )  # fmt: skip
        payment_methods.take_default(method)
        method.save()
        mandate = Mandate.objects.create(
            company=company, method=method, reference=_reference(customer), scheme=scheme,
            creditor_id=gateway.creditor_id, holder=holder, iban=account.iban, iban_fingerprint=mark, bic=account.bic,
            signed_on=signed_on, signed_by=signed_by.strip(), text=words, proof={**proof, "at": at.isoformat()},
            paper=paper, is_one_off=is_one_off,
        )  # fmt: skip
        payment_methods.tell(method, "save", "saved", by=by, at=at)
        _tell(mandate, "sign", "signed", by=by, at=at)
    return mandate


def _checked(customer: Customer, gateway: Gateway, account: BankAccount, holder: str, scheme: str) -> str:
    """The holder's name as it is kept; refuses what a bank would."""
    if gateway.company_id != customer.company_id or not gateway.is_active:
        raise Refused("not_found", field="gateway")
    if gateway.kind != Gateway.Kind.SEPA:
        raise Refused("attempt.no_way", field="gateway", gateway=gateway.name)
    if scheme not in Scheme.values:
        raise Refused("field.choice", field="scheme", value=scheme, choices=", ".join(Scheme.values))
    if scheme == Scheme.B2B and customer.kind == Customer.Kind.PERSON:
        raise Refused("mandate.b2b_person", field="scheme")
    holder = " ".join(checked(holder, field="holder", limit=200).split())[:NAME]
    if not cleaned(holder, NAME):
        raise Refused("mandate.holder", field="holder")
    if (
        not account.is_in_eea
        and not Address.objects.filter(customer=customer, replaced_at__isnull=True, kind=Address.Kind.BILLING)
        .exclude(city="")
        .exists()
    ):
        raise Refused("mandate.address", field="iban", country=account.country)
    return holder


def _label(account: BankAccount) -> str:
    return f"IBAN •••• {account.ending}"


def _reference(customer: Customer) -> str:
    """The customer's number and a counter; the caller holds the customer's lock."""
    return f"{customer.number}-{Mandate.objects.filter(method__customer=customer, amends__isnull=True).count() + 1}"


def in_force(method: PaymentMethod) -> Mandate | None:
    """The mandate that backs a method now."""
    return Mandate.objects.filter(method=method, ended_on__isnull=True).first()


def amend(
    *,
    mandate: Mandate,
    iban: str = "",
    holder: str = "",
    bic: str = "",
    proof: Mapping[str, Any] | None = None,
    by: Actor,
    at: datetime,
) -> Mandate:
    """The same mandate with another account or holder: a row that amends it, told to the bank with the next debit.

    A method that was broken because of its account is usable again. Nothing changed: the mandate itself.
    """
    gateway = mandate.method.gateway
    account = bank_accounts.account_of(iban or mandate.iban, bic or ("" if iban else mandate.bic))
    holder = _checked(mandate.method.customer, gateway, account, holder or mandate.holder, mandate.scheme)
    if (account.iban, holder, account.bic) == (mandate.iban, mandate.holder, mandate.bic):
        return mandate
    return _amend(mandate, account, holder, mandate.creditor_id, proof=proof or {}, by=by, at=at)


def follow_creditor(*, mandate: Mandate, creditor_id: str, by: Actor = SYSTEM, at: datetime) -> Mandate:
    """The company collects under another creditor identifier: a row that says so. The same one: the mandate itself."""
    if mandate.creditor_id == creditor_id:
        return mandate
    account = bank_accounts.account_of(mandate.iban, mandate.bic)
    return _amend(mandate, account, mandate.holder, creditor_id, proof={}, by=by, at=at)


def _amend(
    mandate: Mandate,
    account: BankAccount,
    holder: str,
    creditor_id: str,
    *,
    proof: Mapping[str, Any],
    by: Actor,
    at: datetime,
) -> Mandate:
    with transaction.atomic():
        old = _locked(mandate)
        if old.ended_on is not None:
            raise Refused("mandate.ended", field="mandate")
        method, company = old.method, old.method.customer.company
        old.ended_on = clock.day_in(at, company.time_zone)
        old.save(update_fields=["ended_on"])
        new = Mandate.objects.create(
            company=company, method=method, reference=old.reference, scheme=old.scheme, creditor_id=creditor_id,
            holder=holder, iban=account.iban, iban_fingerprint=fingerprint(account.iban), bic=account.bic,
            signed_on=old.signed_on, signed_by=old.signed_by, text=old.text,
            proof={**proof, "at": at.isoformat(), "by": by.label}, paper=old.paper, amends=old,
            # What no bank ever heard of needs no amendment.
            is_amendment_told=old.last_used_on is None, last_used_on=old.last_used_on, is_one_off=old.is_one_off,
        )  # fmt: skip
        method.label = _label(account)
        if old.iban != account.iban and method.status == Status.BROKEN and method.reason in OF_ACCOUNT:
            method.status, method.reason = Status.ACTIVE, ""
        method.save(update_fields=["label", "status", "reason"])
        _tell(new, "amend", "amended", by=by, at=at)
    return new


def amendment_of(mandate: Mandate) -> Amendment | None:
    """What the bank has to hear of a mandate with its next debit; None: it knows all."""
    known, now = mandate, mandate
    while known.amends_id is not None and not known.is_amendment_told:
        assert known.amends is not None
        known = known.amends
    if known.pk == now.pk:
        return None
    account = ""
    if known.iban != now.iban:
        was, is_now = bank_accounts.account_of(known.iban, known.bic), bank_accounts.account_of(now.iban, now.bic)
        account = known.iban if was.bank == is_now.bank else OTHER_BANK
    creditor_id = known.creditor_id if known.creditor_id != now.creditor_id else ""
    return Amendment(account, creditor_id) if account or creditor_id else None


def end(*, mandate: Mandate, reason: str = "no_mandate", by: Actor, at: datetime) -> Mandate:
    """Revoked, or known to be none: never used again, its method neither. Repeated: nothing happens.

    Debits that stand in no file yet are canceled; what the bank has takes its course.
    """
    with transaction.atomic():
        mandate = _locked(mandate)
        if mandate.ended_on is None:
            _close(mandate, Status.BROKEN, reason, "end", "ended", by=by, at=at)
    return mandate


def end_unused(*, company: Company, at: datetime) -> list[Mandate]:
    """Mandates without a debit for 36 months end; their methods are expired."""
    dead_on = add_months(clock.day_in(at, company.time_zone), -UNUSED_MONTHS)
    rows = Mandate.objects.filter(company=company, ended_on__isnull=True).filter(
        Q(last_used_on__lte=dead_on) | Q(last_used_on__isnull=True, signed_on__lte=dead_on)
    )
    ended = []
    for found in rows.select_related("method__customer__company").order_by("pk"):
        with transaction.atomic():
            mandate = _locked(found)
            if mandate.ended_on is None and (mandate.last_used_on or mandate.signed_on) <= dead_on:
                _close(mandate, Status.EXPIRED, "no_mandate", "expire", "expired", by=SYSTEM, at=at)
                ended.append(mandate)
    return ended


def use_up(*, mandate: Mandate, collect_on: date, by: Actor, at: datetime) -> None:
    """A debit with it was given to the bank. The caller holds the customer's lock."""
    mandate.last_used_on = max(mandate.last_used_on or collect_on, collect_on)
    mandate.is_amendment_told = mandate.amends_id is not None
    mandate.save(update_fields=["last_used_on", "is_amendment_told"])
    if mandate.is_one_off and mandate.ended_on is None:
        _close(mandate, Status.EXPIRED, "no_mandate", "expire", "expired", by=by, at=at)


def _close(
    mandate: Mandate, status: PaymentMethod.Status, reason: str, verb: str, past: str, *, by: Actor, at: datetime
) -> None:
    method = mandate.method
    mandate.ended_on = clock.day_in(at, method.customer.company.time_zone)
    mandate.save(update_fields=["ended_on"])
    if method.status == Status.ACTIVE or (method.status == Status.BROKEN and status == Status.EXPIRED):
        method.status, method.reason = status, reason
        method.save(update_fields=["status", "reason"])
        payment_methods.tell(method, verb, past, by=by, at=at)
    for attempt in Attempt.objects.filter(method=method, state=Attempt.State.CREATED, batch__isnull=True):
        attempts.apply_unsent(attempt_id=attempt.pk, answer=Answer(Outcome.CANCELED, reason=reason), at=at)
    _tell(mandate, verb, past, by=by, at=at)


def _locked(mandate: Mandate) -> Mandate:
    customer = mandate.method.customer
    receivables.lock_customer(customer.company, customer.pk)
    rows = Mandate.objects.select_for_update(of=("self", "method"))
    return rows.select_related("method__customer__company", "method__gateway").get(pk=mandate.pk)


def _tell(mandate: Mandate, verb: str, past: str, *, by: Actor, at: datetime) -> None:
    method = mandate.method
    facts: dict[str, Any] = {
        "reference": mandate.reference, "scheme": mandate.scheme, "creditor_id": mandate.creditor_id,
        "signed_on": mandate.signed_on.isoformat(), "method": method.pk,
    }  # fmt: skip
    data = {
        "method": method.ref, "customer": method.customer.ref, "reference": mandate.reference,
        "scheme": mandate.scheme, "label": method.label,
    }  # fmt: skip
    receivables.tell(method.customer.company, f"mandate.{verb}", f"mandate.{past}", "mandate", mandate.pk,
                     method.customer_id, data, facts, by=by, at=at)  # fmt: skip
