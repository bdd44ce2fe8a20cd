"""Debits that came back: refused, returned early and late, told twice; and what follows for the method."""

from __future__ import annotations

from datetime import date

import pytest

from core.refusal import Refused
from tests.factories import BY, at_noon
from tests.money.debits import a_company, a_creditor, a_debit, make

pytestmark = pytest.mark.django_db
DAY = date(2026, 1, 6)


@pytest.fixture
def company():
    return a_company(payment_terms_days=0)


@pytest.fixture
def debit(company):
    """A debit of 11.90 that the bank has."""
    from billing.services import debit_files

    attempt = a_debit(company, a_creditor(company))
    (batch,) = make(company, attempt.gateway, date(2026, 1, 5))
    debit_files.mark_sent(batch=batch, by=BY, at=at_noon(date(2026, 1, 5)))
    attempt.refresh_from_db()
    return attempt


def credited(debit):
    from billing.services import debit_files

    return debit_files.settle(attempt=debit, on=DAY, by=BY, at=at_noon(DAY))


def returned(company, debit, code="AM04", on=DAY, **more):
    from billing.services import debit_returns

    given = {"end_to_end_id": debit.ref[4:], "by": BY, "at": at_noon(on)}
    return debit_returns.take_return(company=company, code=code, on=on, **(given | more))


def state(debit):
    from billing.models import InvoiceBalance

    debit.refresh_from_db()
    debit.method.refresh_from_db()
    open_minor = InvoiceBalance.objects.get(invoice=debit.invoice_id).open_minor
    return debit.state, debit.reason, open_minor, debit.method.status


def test_refused_before_it_was_credited_the_attempt_fails(company, debit):
    from billing.models import Payment

    returned(company, debit, "AM04")
    assert state(debit) == ("failed", "insufficient_funds", 1190, "active")
    assert not Payment.objects.exists()


def test_a_refusals_fee_is_booked_once(company, debit):
    from billing.services import books

    for _ in range(2):
        returned(company, debit, "AM04", fee_minor=300)
    found = {code: amount for _, code, amount in books.entries_of("attempt", debit.pk)}
    assert found == {"4970": 300, "1200": -300}


def test_returned_after_it_was_credited_the_invoice_opens_again(company, debit):
    from billing.models import Payment, Reversal
    from billing.services import books

    credited(debit)
    row = returned(company, debit, "AM04", date(2026, 1, 8), fee_minor=300, external_id="RTN-1")
    assert isinstance(row, Reversal)
    assert state(debit) == ("settled", "", 1190, "active")
    assert Payment.objects.get(attempt=debit).status == "returned"
    found = {code: amount for _, code, amount in books.entries_of("reversal", row.pk)}
    assert found == {"1400": 1190, "4970": 300, "1200": -1490}


def test_told_twice_a_return_is_taken_once(company, debit):
    from billing.models import Reversal

    credited(debit)
    for external_id in ("RTN-1", "RTN-1", "ANOTHER", ""):
        returned(company, debit, "AM04", date(2026, 1, 8), external_id=external_id)
    assert Reversal.objects.count() == 1


@pytest.mark.parametrize("on", [date(2026, 3, 3), date(2026, 3, 4), date(2027, 2, 6), date(2027, 6, 1)])
def test_a_return_after_8_weeks_or_13_months_is_taken(company, debit, on):
    credited(debit)
    returned(company, debit, "MD06", on)
    assert state(debit) == ("settled", "", 1190, "broken")


def test_a_return_of_money_nobody_told_us_of_is_credited_first(company, debit):
    from billing.models import Payment

    returned(company, debit, "AM04", date(2026, 1, 9), was_credited=True)
    payment = Payment.objects.get(attempt=debit)
    assert (payment.received_on, payment.status) == (DAY, "returned")
    assert state(debit)[:3] == ("settled", "", 1190)


def test_after_a_refusal_the_files_credit_leaves_it_alone(company, debit):
    from billing.services import debit_files

    returned(company, debit, "AM04")
    assert debit_files.settle_batch(batch=debit.batch, on=DAY, by=BY, at=at_noon(DAY)) == 0
    assert state(debit)[0] == "failed"


def test_without_its_id_a_return_is_found_by_mandate_and_amount(company, debit):
    credited(debit)
    reference = debit.method.mandates.get().reference
    with pytest.raises(Refused) as refused:
        returned(company, debit, end_to_end_id="", mandate_reference=reference, amount_minor=1)
    assert refused.value.code == "debit.unknown"
    returned(company, debit, end_to_end_id="NOTPROVIDED", mandate_reference=reference, amount_minor=1190)
    assert state(debit)[2] == 1190


def test_another_companys_debit_is_not_found(debit):
    with pytest.raises(Refused):
        returned(a_company(), debit)


@pytest.mark.parametrize(
    ("code", "method", "mandate_ended"),
    [
        ("AM04", "active", False),
        ("MS03", "active", False),
        ("AC01", "broken", False),
        ("AC04", "broken", False),
        ("AC06", "broken", False),
        ("MS02", "broken", False),
        ("MD06", "broken", False),
        ("MD01", "broken", True),
        ("MD07", "broken", True),
    ],
)
def test_what_the_code_means_for_method_and_mandate(company, debit, code, method, mandate_ended):
    credited(debit)
    returned(company, debit, code, date(2026, 1, 8))
    assert state(debit)[3] == method
    assert (debit.method.mandates.get().ended_on is not None) == mandate_ended


def test_a_refused_amendment_is_told_again(company, debit):
    from billing.services import debit_files, mandates
    from tests.money.debits import IBANS, billed, collect

    credited(debit)
    new = mandates.amend(mandate=debit.method.mandates.get(), iban=IBANS[1], by=BY, at=at_noon(date(2026, 1, 7)))
    billed(company, debit.customer, on=date(2026, 1, 8))
    (second,) = collect(company, date(2026, 1, 8))
    (batch,) = make(company, debit.gateway, date(2026, 1, 12))
    debit_files.mark_sent(batch=batch, by=BY, at=at_noon(date(2026, 1, 12)))
    new.refresh_from_db()
    assert new.is_amendment_told
    returned(company, second, "AM04", date(2026, 1, 13))
    new.refresh_from_db()
    assert not new.is_amendment_told


def test_the_banks_word_counts_although_nobody_marked_the_file_as_sent(company):
    from billing.services import debit_files

    one, two = (a_debit(company, gateway) for gateway in [a_creditor(company)] * 2)
    (batch,) = make(company, one.gateway, date(2026, 1, 5))
    returned(company, one, "AC04")
    assert state(one)[:2] == ("failed", "account_closed")
    batch.refresh_from_db()
    assert batch.state == "sent"
    assert debit_files.settle_batch(batch=batch, on=DAY, by=BY, at=at_noon(DAY)) == 1
    assert state(two)[0] == "settled"
