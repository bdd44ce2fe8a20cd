"""Pages of selling: the board moves without a script, a lead is converted, a quote is written, sent and accepted."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.urls import reverse

from crm.models import Lead, Quote
from crm.services import lead_duplicates, leads, pipeline, quote_sending, quotes
from tests.backoffice.conftest import Office
from tests.factories import BY

pytestmark = pytest.mark.django_db


def a_lead(office: Office, **values: Any) -> Lead:
    given = {"name": "Ada", "organization": "Windpark", "email": "ada@windpark.example", "country": "DE", **values}
    return leads.create(company=office.company, **given, by=BY, at=office.at)


def a_quote(office: Office) -> Quote:
    return quotes.create(company=office.company, plan=office.plan, lead=a_lead(office), by=BY, at=office.at)


def form_of(page: Any) -> dict[str, Any]:
    """What a browser would send of the page's form, untouched."""
    sent: dict[str, Any] = {}
    for field in page.context["form"]:
        value = field.value()
        if value is True:
            sent[field.html_name] = "on"
        elif value not in (None, False, ""):
            sent[field.html_name] = value
    return sent


def test_the_board_shows_every_stage_and_what_it_may_bring(office: Office) -> None:
    a_lead(office, value_minor=14900)
    page = office.client().get(reverse("backoffice:leads"))
    assert [lane.stage.name for lane in page.context["lanes"]] == ["New", "Qualified", "Quote sent", "Won", "Lost"]
    assert page.context["lanes"][0].values == {"EUR": 14900}
    assert "Windpark" in page.content.decode()


def test_a_lead_is_moved_by_a_plain_form_and_a_lost_one_asks_why(office: Office) -> None:
    lead = a_lead(office)
    stages = {stage.kind: stage for stage in pipeline.of_company(office.company)}
    address = reverse("backoffice:lead-move", args=[lead.ref])
    assert office.client().post(address, {"stage": stages["won"].ref, "board": "1"}).url == reverse("backoffice:leads")
    asked = office.client().post(address, {"stage": stages["lost"].ref})
    assert asked.url.startswith(reverse("backoffice:lead-lose", args=[lead.ref]))
    office.client().post(asked.url, {"reason": "price", "words": ""})
    lead.refresh_from_db()
    assert (lead.stage.kind, lead.lost_reason) == ("lost", "price")


def test_a_likely_duplicate_is_shown_before_a_lead_is_saved(office: Office) -> None:
    known = a_lead(office)
    sent = {"name": "Ada W.", "email": "ADA@windpark.example", "currency": "EUR"}
    page = office.client().post(reverse("backoffice:lead-create"), sent)
    assert page.status_code == 200
    assert known.ref in page.content.decode()
    assert Lead.objects.count() == 1
    office.client().post(reverse("backoffice:lead-create"), sent | {"anyway": "1"})
    assert Lead.objects.count() == 2


def test_a_lead_is_converted_by_one_form(office: Office) -> None:
    lead = a_lead(office)
    address = reverse("backoffice:lead-convert", args=[lead.ref])
    sent = form_of(office.client().get(address))
    assert office.client().post(address, sent | {"city": "Kiel"}).status_code == 302
    lead.refresh_from_db()
    assert lead.customer is not None
    assert (lead.customer.name, lead.customer.addresses.get().city) == ("Windpark", "Kiel")


def test_a_quote_is_written_changed_and_sent(office: Office) -> None:
    lead = a_lead(office)
    start = f"{reverse('backoffice:quote-create')}?lead={lead.ref}"
    made = office.client().post(start, {"plan": office.plan.ref, "currency": "EUR"})
    quote = Quote.objects.get(company=office.company)
    assert made.url == reverse("backoffice:quote-edit", args=[quote.ref])
    sent = form_of(office.client().get(made.url))
    product = quote.lines.get().product
    answer = office.client().post(made.url, sent | {f"quantity_{product.pk}": "3", f"amount_{product.pk}": "7.50"})
    assert answer.status_code == 302, answer.context["form"].errors
    line = quote.lines.get()
    assert (str(line.quantity.normalize()), str(line.unit_amount.normalize())) == ("3", "7.5")
    address = reverse("backoffice:quote-send", args=[quote.ref])
    page = office.client().get(address)
    assert page.context["shown"].now_minor == 2678
    assert (
        office.client().post(address, {"step": "do", "preview_token": page.context["shown"].token}).status_code == 302
    )
    quote.refresh_from_db()
    assert quote.state == "sent"
    assert "26.78" in office.client().get(reverse("backoffice:quote", args=[quote.ref])).content.decode()
    paper = office.client().get(reverse("backoffice:quote-pdf", args=[quote.ref]))
    assert (paper["Content-Type"], paper.content[:4]) == ("application/pdf", b"%PDF")


def test_staff_accept_a_quote_that_was_signed_on_paper(office: Office) -> None:
    quote = quote_sending.send(quote=a_quote(office), by=BY, at=office.at)
    address = reverse("backoffice:quote-accept", args=[quote.ref])
    page = office.client().post(address, {"name": "Ada Wind"})
    done = office.client().post(
        address, {"name": "Ada Wind", "step": "do", "preview_token": page.context["shown"].token}
    )  # fmt: skip
    assert done.status_code == 302
    quote.refresh_from_db()
    assert (quote.state, quote.answers.get().name) == ("accepted", "Ada Wind")
    assert quote.answers.get().by == str(office.user())


def test_a_list_of_leads_and_of_quotes_takes_few_queries(office: Office, django_assert_max_num_queries: Any) -> None:
    for number in range(6):
        a_lead(office, name=f"Lead {number}", organization="", email=f"{number}@example.com")
    a_quote(office)
    pipeline.of_company(office.company)
    client = office.client()
    addresses = ("backoffice:leads", "backoffice:quotes")
    for address in (f"{reverse('backoffice:leads')}?view=list", *(reverse(name) for name in addresses)):
        with django_assert_max_num_queries(12):
            client.get(address)


def test_a_leads_page_has_one_timeline_of_all_that_happened(office: Office) -> None:
    lead = a_lead(office)
    stages = {stage.kind: stage for stage in pipeline.of_company(office.company)}
    quote = quotes.create(company=office.company, plan=office.plan, lead=lead, by=BY, at=office.at)
    quote_sending.send(quote=quote, by=BY, at=office.at)
    leads.comment(lead=lead, text="Wants it in March", by=BY, at=office.at)
    leads.lose(lead=lead, reason="price", stage=stages["lost"], by=BY, at=office.at)
    page = office.client().get(reverse("backoffice:lead", args=[lead.ref]))
    told = [(item["title"], item["body"]) for item in page.context["timeline"]]
    for entry in (
        ("Note", "Wants it in March"), ("Lead lost", "Quote sent → Lost · too expensive"), ("Quote sent", quote.number),
        ("Lead entered", ""),
    ):  # fmt: skip
        assert entry in told, told
    assert [title for title, _body in told].count("Note") == 1
    assert any(item["quote"] and "accept it here" in item["body"] for item in page.context["timeline"])


def test_a_leads_timeline_goes_on_with_older_entries(office: Office) -> None:
    lead = a_lead(office)
    for number in range(30):
        leads.comment(lead=lead, text=f"Note {number}", by=BY, at=office.at + timedelta(minutes=number + 1))
    address = reverse("backoffice:lead", args=[lead.ref])
    page = office.client().get(address)
    assert page.context["timeline"][0]["body"] == "Note 29"
    older = office.client().get(address + page.context["older_url"])
    assert [item["body"] for item in page.context["timeline"]][-1] == "Note 0"
    assert "Lead entered" in [item["title"] for item in older.context["timeline"]]


def test_what_was_merged_into_a_lead_tells_its_story_there(office: Office) -> None:
    lead, other = a_lead(office), a_lead(office, name="Grace", organization="", email="grace@windpark.example")
    leads.lose(lead=other, reason="later", by=BY, at=office.at)
    lead_duplicates.merge(lead=other, into=lead, by=BY, at=office.at)
    page = office.client().get(reverse("backoffice:lead", args=[lead.ref]))
    assert "Lead lost" in [item["title"] for item in page.context["timeline"]]
