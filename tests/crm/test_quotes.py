"""Quotes: frozen when sent, versions, options, and the one act that makes subscription and invoice of an acceptance."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from django.db import DatabaseError, transaction
from pypdf import PdfReader

from billing.models import Invoice
from catalog.models import Plan
from catalog.services.discounts import create_discount
from core.models import Company, Event
from core.refusal import Refused
from crm.models import Quote, QuoteAnswer, Task
from crm.services import (
    quote_agreeing,
    quote_answering,
    quote_content,
    quote_links,
    quote_papers,
    quote_sending,
    quotes,
)
from crm.services.quote_answering import Signature
from crm.services.quotes import LineSpec
from customers.models import Customer, Message
from subscriptions.models import FirstTouch, Subscription
from tests.crm.selling import a_campaign, a_lead, a_seller
from tests.factories import BY, TODAY, a_company, a_customer, a_plan, a_product, at_noon, set_clock

pytestmark = pytest.mark.django_db

NOON = at_noon(TODAY)
DONE: dict[str, Any] = {"by": BY, "at": NOON}
#: In points.
A4_WIDTH, MARGIN = 595, 57
ADA = Signature("Ada Wind", "203.0.113.7", "Firefox")
ADDRESS = {"lines": ["Hafen 1"], "postal_code": "24103", "city": "Kiel", "country": "DE"}


def plan_with_options(company: Company, **changes: Any) -> Plan:
    """Seats at 10.00 a month, support at 5.00 as an add-on, set-up at 50.00 once."""
    from catalog.services.plans import PlanItemSpec, PriceSpec, create_plan

    def item(name: str, amount: str, **more: Any) -> PlanItemSpec:
        spec = PriceSpec(currency="EUR", unit_amount=Decimal(amount), valid_from=date(2015, 1, 1))
        return PlanItemSpec(product=a_product(company, code=name, name={"en": name, "de": name}), prices=[spec], **more)

    items = [item("seats", "10.00"), item("support", "5.00", is_optional=True), item("setup", "50.00", kind="one_off")]
    return create_plan(company=company, code="team", name={"en": "Team", "de": "Team"}, items=items,
                       status="on_sale", rules={}, **changes, by=BY, at=NOON)  # fmt: skip


def a_quote(company: Company, **values: Any) -> Quote:
    if "lead" not in values and "customer" not in values:
        values["lead"] = a_lead(company, name="Ada Wind", organization="Windkraft Nord GmbH", country="DE",
                                email="ada@windkraft.example")  # fmt: skip
    plan = values.pop("plan", None) or plan_with_options(company)
    return quotes.create(company=company, plan=plan, **({"address": ADDRESS} | values), **DONE)


def sent(company: Company, **values: Any) -> Quote:
    return quote_sending.send(quote=a_quote(company, **values), **DONE)


def support_of(quote: Quote) -> Any:
    return quote.lines.get(product__code="support")


def test_a_quote_takes_positions_and_options_from_its_plan() -> None:
    quote = a_quote(a_company())
    rows = quote.lines.values_list("product__code", "kind", "is_optional", "is_chosen", "quantity")
    assert list(rows) == [
        ("seats", "recurring", False, True, 1), ("support", "recurring", True, False, 1),
        ("setup", "one_off", False, True, 1),
    ]  # fmt: skip
    assert (quote.recipient, quote.person, quote.email) == ("Windkraft Nord GmbH", "Ada Wind", "ada@windkraft.example")
    assert (quote.number, quote.label, quote.valid_until) == ("TEST-Q-2026-0001", "TEST-Q-2026-0001", date(2026, 1, 31))


def test_what_it_costs_is_found_by_the_engine_with_and_without_options() -> None:
    quote = a_quote(a_company())
    without = quote_agreeing.cost(quote, [], at=NOON).seen
    with_support = quote_agreeing.cost(quote, [support_of(quote)], at=NOON).seen
    assert (without.money_now, without.next[0].gross) == (7140, 1190)
    assert (with_support.money_now, with_support.next[0].gross) == (7735, 1785)


def test_looking_leaves_nothing_behind() -> None:
    company = a_company()
    quote_agreeing.cost(a_quote(company), [], at=NOON)
    assert not Customer.objects.filter(company=company).exists()
    assert not Subscription.objects.filter(company=company).exists()
    assert not Invoice.objects.filter(company=company).exists()


def test_a_sent_quote_is_frozen_mailed_and_asked_after() -> None:
    company = a_company()
    seller = a_seller(company)
    quote = sent(company, owner=seller)
    assert quote.content is not None and quote.content_hash == quote_content.hash_of(quote.content)
    assert quote.content["cost"]["money_now"] == 7140
    message = Message.objects.get(company=company, template="quote_sent")
    assert message.recipients == ["ada@windkraft.example"] and quote_links.link_of(quote) in message.body
    assert message.attachments == [{"kind": "quote", "id": quote.pk}]
    task = quote.follow_up
    assert task is not None and (task.owner, task.due_on, task.lead) == (seller, date(2026, 1, 6), quote.lead)
    assert quote.lead is not None
    quote.lead.refresh_from_db()
    assert quote.lead.stage.name == "Quote sent"


@pytest.mark.parametrize("table", ["crm_quote", "crm_quoteline", "crm_quotediscount"])
def test_the_database_keeps_what_was_sent(table: str) -> None:
    company = a_company()
    discount = create_discount(company=company, code="ten", name={"en": "Ten"}, percent=Decimal(10), **DONE)
    quote = a_quote(company, discounts=[discount])
    quote_sending.send(quote=quote, **DONE)
    rows: dict[str, Any] = {
        "crm_quote": lambda: Quote.objects.filter(pk=quote.pk).update(title="x"),
        "crm_quoteline": lambda: quote.lines.update(quantity=9),
        "crm_quotediscount": lambda: quote.discounts.all().delete(),
    }
    with pytest.raises(DatabaseError, match=r"frozen|named columns"), transaction.atomic():
        rows[table]()


def test_a_draft_is_changed_and_thrown_away_but_nothing_that_was_sent() -> None:
    company = a_company()
    quote = a_quote(company)
    quotes.update(quote=quote, changes={"title": "Team for you"}, lines=[LineSpec(support_of(quote).product,
                  Decimal(3), Decimal("4.50"))], **DONE)  # fmt: skip
    assert quote_agreeing.cost(quotes.lock(quote), [], at=NOON).seen.money_now == 1607
    quotes.delete(quote=quote, **DONE)
    assert not Quote.objects.filter(company=company).exists()
    other = sent(company, plan=Plan.objects.get(company=company), lead=None, customer=a_customer(company))
    with pytest.raises(Refused, match=r"quote\.frozen"):
        quotes.update(quote=other, changes={"title": "x"}, **DONE)
    with pytest.raises(Refused, match=r"quote\.frozen"):
        quotes.delete(quote=other, **DONE)


def test_a_change_of_what_was_sent_is_a_new_version_and_the_old_one_is_no_longer_good() -> None:
    quote = sent(a_company())
    new = quotes.revise(quote=quote, **DONE)
    quote.refresh_from_db()
    assert (quote.state, new.label, new.state, new.lines.count()) == ("replaced", "TEST-Q-2026-0001-2", "draft", 3)
    with pytest.raises(Refused, match=r"quote\.state"):
        quote_answering.accept(quote=quote, signature=ADA, **DONE)
    assert quotes.revise(quote=quote, **DONE).pk == new.pk
    quote_sending.send(quote=new, **DONE)
    with pytest.raises(Refused, match=r"quote\.not_the_last"):
        quotes.revise(quote=quote, **DONE)


def test_an_accepted_quote_is_customer_subscription_and_invoice_of_the_amounts_shown() -> None:
    company = a_company()
    lead = a_lead(company, name="Ada Wind", organization="Windkraft Nord GmbH", country="DE",
                  email="ada@windkraft.example", campaign=a_campaign(company))  # fmt: skip
    quote = sent(company, lead=lead)
    chosen = [support_of(quote)]
    cost = quote_agreeing.cost(quote, chosen, at=NOON)
    done = quote_answering.accept(quote=quote, signature=ADA, chosen=chosen, preview_token=cost.token, **DONE)
    assert done.customer is not None and done.subscription is not None and done.invoice is not None
    assert (done.state, done.customer.name, done.invoice.gross_minor) == ("accepted", "Windkraft Nord GmbH", 7735)
    assert cost.seen.money_now == done.invoice.gross_minor
    codes = done.subscription.slots.order_by("position").values_list("product__code", flat=True)
    assert list(codes) == ["seats", "support"]
    assert done.subscription.one_offs.get().product.code == "setup"
    assert FirstTouch.objects.get(customer=done.customer).campaign == lead.campaign
    lead.refresh_from_db()
    assert (lead.stage.kind, lead.customer) == ("won", done.customer)
    assert done.follow_up is not None
    done.follow_up.refresh_from_db()
    assert done.follow_up.state == Task.State.DONE
    assert Message.objects.filter(company=company, template="quote_accepted").count() == 1
    types = Event.objects.filter(company=company, customer_id=done.customer.pk).values_list("type", flat=True)
    assert {"quote.accepted", "lead.converted", "lead.won", "subscription.started", "invoice.issued"} <= set(types)


def test_the_answer_keeps_name_time_place_and_the_hash_of_what_was_accepted() -> None:
    quote = quote_answering.accept(quote=sent(a_company()), signature=ADA, **DONE)
    answer = QuoteAnswer.objects.get(quote=quote)
    assert (answer.name, answer.place, answer.agent, answer.at) == ("Ada Wind", "203.0.113.7", "Firefox", NOON)
    assert answer.content["quote_hash"] == quote.content_hash
    assert answer.content["result"]["invoices"][0]["gross"] == 7140
    assert answer.content_hash == quote_content.hash_of(answer.content)
    with pytest.raises(DatabaseError, match="only ever appended"), transaction.atomic():
        QuoteAnswer.objects.filter(pk=answer.pk).update(name="Eve")


def test_accepting_twice_is_accepting_once() -> None:
    company = a_company()
    quote = sent(company)
    first = quote_answering.accept(quote=quote, signature=ADA, **DONE)
    second = quote_answering.accept(quote=quote, signature=replace(ADA, name="Eve"), **DONE)
    assert (first.subscription, first.invoice) == (second.subscription, second.invoice)
    assert Subscription.objects.filter(company=company).count() == 1
    assert Invoice.objects.filter(company=company).count() == 1
    assert QuoteAnswer.objects.get(quote=quote).name == "Ada Wind"


def test_other_amounts_than_shown_are_not_accepted() -> None:
    company = a_company()
    quote = sent(company)
    shown = quote_agreeing.cost(quote, [], at=NOON)
    with pytest.raises(Refused, match=r"preview\.differs"):
        quote_answering.accept(
            quote=quote, signature=ADA, chosen=[support_of(quote)], preview_token=shown.token, **DONE
        )
    assert not Subscription.objects.filter(company=company).exists()
    assert Quote.objects.get(pk=quote.pk).state == "sent"


def test_the_price_that_was_sent_holds_when_the_catalog_changes() -> None:
    from catalog.services.plans import PriceSpec
    from catalog.services.prices import add_price_version

    company = a_company()
    quote = sent(company)
    item = quote.plan.items.get(product__code="seats")
    add_price_version(item=item, spec=PriceSpec(currency="EUR", unit_amount=Decimal("99.00"), valid_from=TODAY), **DONE)
    assert quote_answering.accept(quote=quote, signature=ADA, **DONE).invoice.gross_minor == 7140  # type: ignore[union-attr]


def test_a_quote_for_a_customer_makes_no_second_one() -> None:
    company = a_company()
    customer = a_customer(company)
    quote = quote_answering.accept(quote=sent(company, customer=customer), signature=ADA, **DONE)
    assert (quote.customer, Customer.objects.filter(company=company).count()) == (customer, 1)


def test_a_discount_of_the_quote_is_on_the_first_invoice() -> None:
    company = a_company()
    discount = create_discount(company=company, code="ten", name={"en": "Ten"}, percent=Decimal(10), **DONE)
    quote = sent(company, discounts=[discount], plan=a_plan(company, amount="100.00"))
    assert quote.content is not None and quote.content["discounts"] == ["Ten: 10%, for good"]
    assert quote_answering.accept(quote=quote, signature=ADA, **DONE).invoice.gross_minor == 10710  # type: ignore[union-attr]


def test_a_declined_quote_keeps_the_reason_and_is_not_accepted_any_more() -> None:
    quote = quote_answering.decline(quote=sent(a_company()), reason="Too dear", signature=ADA, **DONE)
    assert (quote.state, quote.answers.get().reason) == ("declined", "Too dear")
    with pytest.raises(Refused, match=r"quote\.state"):
        quote_answering.accept(quote=quote, signature=ADA, **DONE)


@pytest.mark.parametrize(
    ("end", "state"),
    [
        (lambda quote: quote_answering.decline(quote=quote, **DONE), Task.State.DONE),
        (lambda quote: quotes.withdraw(quote=quote, **DONE), Task.State.DROPPED),
        (lambda quote: quotes.revise(quote=quote, **DONE), Task.State.DROPPED),
    ],
)
def test_nobody_has_to_ask_after_a_quote_that_is_over(end: Any, state: str) -> None:
    quote = sent(a_company())
    end(quote)
    task = Quote.objects.get(pk=quote.pk).follow_up
    assert task is not None and task.state == state


def test_a_quote_is_accepted_after_its_lead_was_merged_into_another() -> None:
    from crm.services import lead_duplicates

    company = a_company()
    quote = sent(company)
    assert quote.lead is not None
    stays = a_lead(company, name="Ada Wind", country="DE", email="ada.wind@windkraft.example")
    lead_duplicates.merge(lead=quote.lead, into=stays, **DONE)
    quote.refresh_from_db()
    done = quote_answering.accept(quote=quote, signature=ADA, **DONE)
    stays.refresh_from_db()
    assert (done.state, stays.customer_id, stays.stage.kind) == ("accepted", done.customer_id, "won")


def test_a_quote_is_good_through_its_last_day_and_the_tick_ends_it_after() -> None:
    company = a_company()
    quote = sent(company, valid_until=date(2026, 1, 10))
    last, after = set_clock(company, date(2026, 1, 10)), at_noon(date(2026, 1, 11))
    assert quote_answering.is_good(quote, last)
    assert quote_sending.quotes_tick(company, last) == {"expired": 0}
    with pytest.raises(Refused, match=r"quote\.over"):
        quote_answering.accept(quote=quote, signature=ADA, by=BY, at=after)
    assert quote_sending.quotes_tick(company, after) == {"expired": 1}
    assert Quote.objects.get(pk=quote.pk).state == "expired"


def test_a_quote_without_country_or_address_is_not_sent() -> None:
    company = a_company()
    plan = a_plan(company)
    with pytest.raises(Refused, match=r"lead\.country_needed"):
        quote_sending.send(quote=a_quote(company, lead=a_lead(company, email="a@example.com"), plan=plan, address={}),
                           **DONE)  # fmt: skip
    with pytest.raises(Refused, match=r"quote\.no_email"):
        quote_sending.send(quote=a_quote(company, lead=a_lead(company), plan=plan), **DONE)


@pytest.mark.parametrize(
    ("language", "words"),
    [("en", "Quote"), ("de", "Hafen 1"), ("fr", "Hafen 1"), ("it", "Hafen 1"), ("es", "Hafen 1")],
)
def test_the_paper_shows_positions_and_the_sums_that_were_found(language: str, words: str) -> None:
    quote = sent(a_company(), language=language, intro="Welcome aboard")
    pdf = quote_papers.pdf_of(quote)
    text = "\n".join(page.extract_text() for page in PdfReader(io.BytesIO(bytes(pdf.content))).pages)
    for wanted in (words, "TEST-Q-2026-0001", "Windkraft Nord GmbH", "seats", "support", "Welcome aboard"):
        assert wanted in text
    assert any(amount in text for amount in ("€71.40", "71,40"))
    assert quote_papers.pdf_of(quote) == pdf


def test_every_word_of_the_paper_stands_within_its_margins() -> None:
    quote = sent(a_company())
    far: list[tuple[str, float]] = []

    def seen(text: str, cm: list[float], tm: list[float], _font: Any, _size: Any) -> None:
        place = cm[0] * tm[4] + cm[2] * tm[5] + cm[4]
        if text.strip() and not MARGIN < place < A4_WIDTH - MARGIN:
            far.append((text, place))

    for page in PdfReader(io.BytesIO(bytes(quote_papers.pdf_of(quote).content))).pages:
        page.extract_text(visitor_text=seen)
    assert far == []


def test_altered_content_makes_no_paper() -> None:
    quote = sent(a_company())
    assert quote.content is not None
    quote.content["title"] = "Free"
    with pytest.raises(Refused, match=r"quote\.altered"):
        quote_papers.checked_content(quote)
