"""Quotes from several sides at once: real threads, real transactions."""

from __future__ import annotations

import pytest

from tests.crm.test_reminders_race import at_once
from tests.factories import a_company

pytestmark = pytest.mark.django_db(transaction=True)


def test_several_clicks_on_accept_make_one_customer_one_subscription_and_one_invoice() -> None:
    from billing.models import Invoice
    from crm.models import QuoteAnswer
    from crm.services import quote_answering
    from customers.models import Customer
    from subscriptions.models import Subscription
    from tests.crm.test_quotes import ADA, DONE, sent

    company = a_company()
    quote = sent(company)
    found = at_once(*[lambda: quote_answering.accept(quote=quote, signature=ADA, **DONE).invoice.pk] * 4)
    assert len(set(found)) == 1
    for model in (Customer, Subscription, Invoice, QuoteAnswer):
        assert model.objects.filter(company=company).count() == 1, model


def test_a_lead_converted_from_several_sides_is_one_customer() -> None:
    from crm.services import converting
    from customers.models import Customer
    from tests.crm.selling import a_lead
    from tests.crm.test_quotes import DONE

    company = a_company()
    lead = a_lead(company, country="DE")
    assert len(set(at_once(*[lambda: converting.convert(lead=lead, **DONE).pk] * 4))) == 1
    assert Customer.objects.filter(company=company).count() == 1


def test_accepting_and_declining_at_once_is_one_answer() -> None:
    from core.refusal import Refused
    from crm.models import QuoteAnswer
    from crm.services import quote_answering
    from subscriptions.models import Subscription
    from tests.crm.test_quotes import ADA, DONE, sent

    company = a_company()
    quote = sent(company)

    def decline() -> str:
        try:
            return quote_answering.decline(quote=quote, **DONE).state
        except Refused as refused:
            return refused.code

    def accept() -> str:
        try:
            return quote_answering.accept(quote=quote, signature=ADA, **DONE).state
        except Refused as refused:
            return refused.code

    assert sorted(at_once(accept, decline)) in (["accepted", "quote.state"], ["declined", "quote.state"])
    answer = QuoteAnswer.objects.get(quote=quote)
    assert Subscription.objects.filter(company=company).count() == (answer.kind == "accepted")


def test_one_sending_of_the_form_from_several_sides_is_one_lead() -> None:
    from crm.models import Lead
    from crm.services import lead_capture
    from tests.crm.test_quotes import DONE, NOON

    company = a_company()
    form = lead_capture.save(company=company, is_active=True, **DONE)
    sent = lambda: lead_capture.submit(form=form, key="one", given={"name": "Ada"}, language="en", at=NOON).pk  # noqa: E731
    assert len(set(at_once(*[sent] * 4))) == 1
    assert Lead.objects.filter(company=company).count() == 1
