"""What somebody sees who may become a customer: the public form and the page of a quote."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from django.core.cache import cache
from django.test import Client
from django.urls import reverse

from core.models import Company
from crm.models import Lead, Quote, QuoteAnswer
from crm.services import lead_capture, quote_links, quotes
from subscriptions.models import Subscription
from tests.crm.selling import a_campaign
from tests.crm.test_quotes import DONE, sent, support_of
from tests.factories import a_company, set_clock

pytestmark = pytest.mark.django_db

SAID = {"name": "Ada Wind", "organization": "Windpark", "email": "ada@windpark.example", "country": "DE"}


@pytest.fixture(autouse=True)
def _nobody_called_before() -> Any:
    cache.clear()
    yield
    cache.clear()


def a_form(company: Company, **values: Any) -> str:
    lead_capture.save(company=company, is_active=True, **values, **DONE)
    return reverse("portal:public-lead", args=[company.slug])


def key_of(client: Client, address: str) -> str:
    return str(client.get(address).context["key"])


def test_a_form_that_is_not_open_is_not_there(client: Client) -> None:
    company = a_company()
    assert client.get(reverse("portal:public-lead", args=[company.slug])).status_code == 404


def test_a_message_of_the_form_is_a_lead_with_its_campaign_language_and_privacy_notice(client: Client) -> None:
    company = a_company()
    address = a_form(company, privacy={"en": "We answer you.", "de": "Wir antworten."}) + "?campaign=spring&source=fair"
    campaign = a_campaign(company)
    client.cookies["django_language"] = "de"
    answer = client.post(address, SAID | {"key": key_of(client, address), "consent": "on", "message": "Bitte rufen"})
    assert answer.url == reverse("portal:public-lead-thanks", args=[company.slug])
    lead = Lead.objects.get(company=company)
    assert (lead.organization, lead.origin, lead.language, lead.campaign) == ("Windpark", "form", "de", campaign)
    assert (lead.source, lead.privacy_text, lead.message) == ("fair", "Wir antworten.", "Bitte rufen")
    assert lead.consent_at is not None and lead.consent_source.startswith("web form: ")
    assert lead.tasks.get().title == "Answer Windpark"


def test_without_the_box_ticked_there_is_no_consent(client: Client) -> None:
    company = a_company()
    address = a_form(company)
    client.post(address, SAID | {"key": key_of(client, address)})
    assert Lead.objects.get(company=company).consent_at is None


def test_one_sending_makes_one_lead_however_often_it_is_sent(client: Client) -> None:
    company = a_company()
    address = a_form(company)
    sent_twice = SAID | {"key": key_of(client, address)}
    assert [client.post(address, sent_twice).status_code for _ in range(2)] == [302, 302]
    assert Lead.objects.filter(company=company).count() == 1


def test_a_machine_that_fills_in_what_people_do_not_see_makes_no_lead(client: Client) -> None:
    company = a_company()
    address = a_form(company)
    answer = client.post(address, SAID | {"key": key_of(client, address), "website": "https://spam.example"})
    assert answer.status_code == 302
    assert not Lead.objects.filter(company=company).exists()


def test_a_made_up_key_is_no_sending(client: Client) -> None:
    company = a_company()
    address = a_form(company)
    assert client.post(address, SAID | {"key": "made-up"}).status_code == 422
    assert not Lead.objects.filter(company=company).exists()


def test_ten_messages_an_hour_come_from_one_place(client: Client) -> None:
    address = a_form(a_company())
    statuses = [client.post(address, SAID | {"key": key_of(client, address)}).status_code for _ in range(11)]
    assert statuses == [302] * 10 + [429]


def page_of(quote: Quote) -> str:
    return reverse("quote", args=[quote_links.token_of(quote)])


def test_the_page_of_a_quote_shows_what_it_costs_with_the_options_that_are_ticked(client: Client) -> None:
    quote = sent(a_company())
    page = client.get(page_of(quote))
    assert page.context["money_now"] == 7140 and "71.40" in page.content.decode()
    with_support = client.post(page_of(quote), {"option": [support_of(quote).ref], "act": "look"})
    assert with_support.context["money_now"] == 7735
    quote.refresh_from_db()
    assert quote.opened_at is not None and quote.state == "sent"


def test_a_quote_is_accepted_by_name_with_exactly_what_was_shown(client: Client) -> None:
    company = a_company()
    quote = sent(company)
    option = support_of(quote).ref
    shown = client.post(page_of(quote), {"option": [option], "act": "look"})
    signed = {"act": "accept", "option": [option], "name": "Ada Wind", "agreed": "on",
              "preview_token": shown.context["preview_token"]}  # fmt: skip
    for _ in range(2):
        answer = client.post(page_of(quote), signed, headers={"User-Agent": "Firefox"})
        assert answer.status_code == 302
    quote.refresh_from_db()
    assert quote.invoice is not None and quote.invoice.gross_minor == shown.context["money_now"] == 7735
    kept = QuoteAnswer.objects.get(quote=quote)
    assert (kept.name, kept.place, kept.agent) == ("Ada Wind", "127.0.0.1", "Firefox")
    assert Subscription.objects.filter(company=company).count() == 1
    after = client.get(page_of(quote))
    assert after.context["pay_url"].startswith("/pay/") and after.context["picked"] == {option}


def test_without_name_box_or_token_nothing_is_accepted(client: Client) -> None:
    quote = sent(a_company())
    token = client.get(page_of(quote)).context["preview_token"]
    full = {"act": "accept", "name": "Ada", "agreed": "on", "preview_token": token}
    for lacking in ({"name": ""}, {"agreed": ""}, {"preview_token": ""}, {"option": [support_of(quote).ref]}):
        assert client.post(page_of(quote), full | lacking).status_code == 422, lacking
    quote.refresh_from_db()
    assert quote.state == "sent"


def test_a_quote_is_declined_with_a_reason(client: Client) -> None:
    quote = sent(a_company())
    assert client.post(page_of(quote), {"act": "decline", "reason": "Too dear"}).status_code == 302
    assert quote.answers.get().reason == "Too dear"
    assert "This quote is declined." in client.get(page_of(quote)).content.decode()


def test_a_replaced_or_late_quote_can_be_read_but_not_accepted(client: Client) -> None:
    company = a_company()
    quote = sent(company, valid_until=date(2026, 1, 10))
    set_clock(company, date(2026, 1, 11))
    late = client.get(page_of(quote))
    assert "This quote has run out." in late.content.decode() and not late.context["is_good"]
    other = sent(company, plan=quote.plan, valid_until=date(2026, 3, 1))
    quotes.revise(quote=other, **DONE)
    assert "There is a newer version" in client.get(page_of(other)).content.decode()
    accept = {"act": "accept", "name": "Ada", "agreed": "on", "preview_token": "x"}
    assert client.post(page_of(other), accept).status_code == 422


def test_a_link_that_was_changed_opens_nothing(client: Client) -> None:
    quote = sent(a_company())
    token = quote_links.token_of(quote)
    assert client.get(reverse("quote", args=[f"{token[:-2]}xx"])).status_code == 404
    draft = quotes.revise(quote=quote, **DONE)
    assert client.get(page_of(draft)).status_code == 404
    paper = client.get(reverse("quote-pdf", args=[token]))
    assert paper.content[:4] == b"%PDF"
