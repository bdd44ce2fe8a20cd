"""Refunds by bank transfer: each in one file, to an account the customer is known by."""

from __future__ import annotations

from datetime import date

import pytest

from core.refusal import Refused
from tests.factories import BY, TODAY, at_noon
from tests.money.debits import IBANS, OWN_IBAN, a_company, a_creditor, a_customer, a_mandate

pytestmark = pytest.mark.django_db


@pytest.fixture
def company():
    return a_company(payment_terms_days=0)


@pytest.fixture
def gateway(company):
    return a_creditor(company)


def a_refund(company, customer, amount=500):
    from billing.services import account_credit, payments

    payments.record(company=company, customer=customer, amount_minor=amount, currency="EUR", method="transfer",
                    received_on=TODAY, by=BY, at=at_noon(TODAY))  # fmt: skip
    return account_credit.refund_credit(customer=customer, currency="EUR", amount_minor=amount, reason="overpaid",
                                        by=BY, at=at_noon(TODAY))  # fmt: skip


def pay(company, *refunds, on=TODAY):
    from billing.services import payouts

    return payouts.payout_file(company=company, refunds=refunds, on=on, by=BY, at=at_noon(on))


def test_the_file_pays_the_account_of_the_mandate_on_the_next_banking_day(company, gateway):
    customer = a_customer(company)
    a_mandate(customer, gateway, holder="Erika Muster")
    refund = a_refund(company, customer)
    text = bytes(pay(company, refund).content).decode()
    for part in (
        "urn:iso:std:iso:20022:tech:xsd:pain.001.001.09",
        "<Dt>2026-01-02</Dt>",
        '<InstdAmt Ccy="EUR">5.00</InstdAmt>',
        f"<IBAN>{IBANS[0]}</IBAN>",
        f"<IBAN>{OWN_IBAN}</IBAN>",
        "<Nm>Erika Muster</Nm>",
        f"<EndToEndId>{refund.ref[4:]}</EndToEndId>",
        "<CtrlSum>5.00</CtrlSum>",
    ):
        assert part in text, part
    refund.refresh_from_db()
    assert (refund.status, refund.gateway_id) == ("sent", None)


def test_a_refund_stands_in_one_file(company, gateway):
    customer = a_customer(company)
    a_mandate(customer, gateway)
    refund = a_refund(company, customer)
    pay(company, refund)
    with pytest.raises(Refused) as refused:
        pay(company, refund)
    assert refused.value.code == "refund.not_payable"


def test_a_file_that_was_not_given_to_the_bank_gives_its_refunds_back(company, gateway):
    from billing.services import payouts

    customer = a_customer(company)
    a_mandate(customer, gateway)
    refund = a_refund(company, customer)
    message_id = pay(company, refund).name.removesuffix(".xml")
    assert payouts.take_out(company=company, message_id=message_id, by=BY, at=at_noon(TODAY)) == 1
    assert payouts.take_out(company=company, message_id=message_id, by=BY, at=at_noon(TODAY)) == 0
    assert [row.pk for row in payouts.waiting(company)] == [refund.pk]
    pay(company, refund)


def test_paid_out_it_is_booked_from_the_bank(company, gateway):
    from billing.services import account_credit, books

    customer = a_customer(company)
    a_mandate(customer, gateway)
    refund = a_refund(company, customer)
    pay(company, refund)
    account_credit.settle_refund(refund=refund, paid_on=date(2026, 1, 2), by=BY, at=at_noon(date(2026, 1, 2)))
    found = {code: amount for _, code, amount in books.entries_of("refund", refund.pk)}
    assert found["1200"] == -500
    refund.refresh_from_db()
    assert refund.status == "settled"


def test_without_a_known_account_nothing_is_written(company, gateway):
    from core.models import StoredFile

    known, unknown = a_customer(company), a_customer(company)
    a_mandate(known, gateway)
    refunds = [a_refund(company, known), a_refund(company, unknown)]
    with pytest.raises(Refused) as refused:
        pay(company, *refunds)
    assert refused.value.code == "refund.no_account"
    refunds[0].refresh_from_db()
    assert refunds[0].status == "pending"
    assert not StoredFile.objects.filter(company=company, media_type="application/xml").exists()


def test_the_account_the_money_came_from_goes_before_the_mandates(company, gateway):
    from billing.models import BankLine, BankStatement, Payment
    from billing.services import payouts
    from core.sealing import fingerprint
    from core.services import files

    customer = a_customer(company)
    a_mandate(customer, gateway)
    refund = a_refund(company, customer)
    file = files.store(company_id=company.pk, name="s.xml", media_type="text/xml", content=b"s")
    statement = BankStatement.objects.create(
        company=company, file=file, format="camt.053", imported_by="test", imported_at=at_noon(TODAY)
    )
    BankLine.objects.create(
        company=company, statement=statement, fingerprint="f", booked_on=TODAY, currency="EUR", amount_minor=500,
        name="Otto", iban=IBANS[3], iban_fingerprint=fingerprint(IBANS[3]), customer=customer,
        payment=Payment.objects.get(customer=customer),
    )  # fmt: skip
    refund = type(refund).objects.select_related("credit", "customer").get(pk=refund.pk)
    found = payouts.account_of(refund)
    assert found is not None
    assert found.iban in (IBANS[3], IBANS[0])
    assert (found.name, found.iban) == (("Otto", IBANS[3]) if refund.credit_id else (customer.name, IBANS[0]))


def test_the_office_fetches_a_file_again_and_takes_it_apart(company, gateway, client):
    from django.urls import reverse

    from billing.services import payouts
    from core.models import User

    customer = a_customer(company)
    a_mandate(customer, gateway)
    refund = a_refund(company, customer)
    file = pay(company, refund)
    staff = User.objects.create_user("ada@x.example", name="Ada")
    _member(company, staff)
    client.force_login(staff, backend="allauth.account.auth_backends.AuthenticationBackend")
    (row,) = client.get(reverse("backoffice:debits")).context["payouts"]
    assert (row.pk, row.count, row.total_minor, row.is_under_way) == (file.pk, 1, 500, True)
    assert client.get(reverse("backoffice:payout-file", args=[file.ref])).content == bytes(file.content)
    client.post(reverse("backoffice:payout-take-out", args=[file.ref]))
    assert [one.pk for one in payouts.waiting(company)] == [refund.pk]
    (row,) = client.get(reverse("backoffice:debits")).context["payouts"]
    assert (row.count, row.is_under_way) == (0, False)


def _member(company, user):
    from core.models import Membership, Role
    from core.rights import ROLES

    role = Role.objects.get(company=company, rights=sorted(ROLES["admin"][1]))
    Membership.objects.create(company=company, user=user, role=role)
