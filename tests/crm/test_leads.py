"""Leads: entered with a task, moved through the stages, lost with a reason, converted with all that is known."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from core.models import AuditDetail, Company, Event
from core.refusal import Refused
from crm.models import Lead, LeadStage, Task
from crm.services import converting, lead_duplicates, leads, pipeline
from customers.models import Customer
from subscriptions.models import FirstTouch
from tests.crm.selling import a_campaign, a_lead, a_seller
from tests.factories import BY, TODAY, a_company, a_customer, at_noon

pytestmark = pytest.mark.django_db

NOON, LATER = at_noon(TODAY), at_noon(date(2026, 2, 1))
DONE: dict[str, Any] = {"by": BY, "at": LATER}


def events(company: Company) -> list[str]:
    return list(
        Event.objects.filter(company=company, type__startswith="lead.").order_by("pk").values_list("type", flat=True)
    )


def stage(company: Company, name: str) -> LeadStage:
    return next(one for one in pipeline.of_company(company) if one.name == name)


def test_a_company_starts_with_stages_in_its_language() -> None:
    found = [(one.kind, one.probability) for one in pipeline.of_company(a_company())]
    assert found == [("open", 10), ("open", 30), ("open", 60), ("won", 100), ("lost", 0)]


def test_a_new_lead_is_a_task_of_its_owner_for_the_next_day() -> None:
    company = a_company()
    seller = a_seller(company)
    lead = a_lead(company, name="Ada", owner=seller, message="Please call")
    task = lead.tasks.get()
    assert (task.owner, task.title, task.text, task.due_on) == (seller, "Answer Ada", "Please call", date(2026, 1, 2))
    assert (lead.stage.name, lead.chance, events(company)) == ("New", 10, ["lead.created"])


def test_a_lead_needs_a_name_or_a_company() -> None:
    with pytest.raises(Refused, match=r"lead\.nameless"):
        a_lead(a_company(), name="", email="ada@example.com")


def test_events_of_a_lead_name_nobody() -> None:
    company = a_company()
    a_lead(company, name="Ada Wind", email="ada@windkraft.example", phone="030 123456")
    said = str(Event.objects.get(company=company, type="lead.created").data)
    assert not any(word in said for word in ("Ada", "windkraft", "123456"))


def test_a_lead_moves_is_won_and_taken_up_again() -> None:
    company = a_company()
    lead = a_lead(company)
    leads.move(lead=lead, stage=stage(company, "Qualified"), **DONE)
    leads.move(lead=lead, stage=stage(company, "Qualified"), **DONE)
    lead = leads.win(lead=Lead.objects.get(pk=lead.pk), **DONE)
    assert (lead.stage.kind, lead.chance, lead.stage_since) == ("won", 100, LATER)
    leads.move(lead=lead, stage=stage(company, "New"), **DONE)
    assert events(company) == ["lead.created", "lead.moved", "lead.won", "lead.reopened"]


def test_a_lead_is_lost_with_a_reason_and_its_tasks_are_dropped() -> None:
    company = a_company()
    lead = a_lead(company)
    with pytest.raises(Refused, match=r"lead\.lost_needs_reason"):
        leads.move(lead=lead, stage=stage(company, "Lost"), **DONE)
    leads.lose(lead=lead, reason="price", words="Half would do", **DONE)
    lead.refresh_from_db()
    assert (lead.stage.kind, lead.lost_reason, lead.lost_words) == ("lost", "price", "Half would do")
    assert lead.tasks.get().state == Task.State.DROPPED
    lost = Event.objects.get(company=company, type="lead.lost")
    assert (lost.data["lost_reason"], lost.data["from"]) == ("price", "New")


def test_a_lead_taken_up_again_forgets_why_it_was_lost() -> None:
    company = a_company()
    lead = leads.lose(lead=a_lead(company), reason="later", **DONE)
    assert leads.move(lead=lead, stage=stage(company, "New"), **DONE).lost_reason == ""


def test_who_takes_a_lead_over_gets_the_task_nobody_had() -> None:
    company = a_company()
    seller, lead = a_seller(company), a_lead(company)
    leads.update(lead=lead, changes={"owner": seller}, **DONE)
    assert lead.tasks.get().owner == seller
    assert events(company) == ["lead.created", "lead.assigned"]


def test_what_was_changed_of_a_person_stands_where_erasure_finds_it() -> None:
    lead = a_lead(a_company(), name="Ada", email="ada@example.com")
    leads.update(lead=lead, changes={"phone": "030 1234567", "name": "Ada"}, **DONE)
    detail = AuditDetail.objects.get(entry__verb="lead.update", entry__subject_id=lead.pk)
    assert (detail.before, detail.after) == ({"phone": ""}, {"phone": "030 1234567"})
    assert detail.entry.facts == {"fields": ["phone"]}


def test_a_stage_with_leads_is_not_put_away_and_the_last_of_its_kind_stays() -> None:
    company = a_company()
    lead = a_lead(company)
    with pytest.raises(Refused, match=r"lead_stage\.in_use"):
        pipeline.archive(stage=lead.stage, **DONE)
    with pytest.raises(Refused, match=r"lead_stage\.last_of_kind"):
        pipeline.update(stage=stage(company, "Won"), changes={"kind": "open"}, **DONE)
    pipeline.archive(stage=stage(company, "Qualified"), **DONE)
    assert [one.name for one in pipeline.of_company(company)] == ["New", "Quote sent", "Won", "Lost"]


def test_stages_are_named_weighed_and_ordered_by_the_company() -> None:
    company = a_company()
    pipeline.of_company(company)
    made = pipeline.create(company=company, name="Meeting", probability=45, **DONE)
    assert [one.name for one in pipeline.of_company(company)] == [
        "New", "Qualified", "Quote sent", "Meeting", "Won", "Lost",
    ]  # fmt: skip
    pipeline.shift(stage=made, steps=-1, **DONE)
    pipeline.update(stage=made, changes={"name": "Visit"}, **DONE)
    assert [one.name for one in pipeline.of_company(company)][2] == "Visit"
    with pytest.raises(Refused, match=r"lead_stage\.name_taken"):
        pipeline.create(company=company, name="Visit", **DONE)


@pytest.mark.parametrize(
    ("values", "reasons"),
    [
        ({"name": "X", "email": "ADA+fair@windkraft.example"}, ("email",)),
        ({"name": "X", "phone": "+49 30 123 45 67"}, ("phone",)),
        ({"organization": "WINDKRAFT-NORD"}, ("organization",)),
        ({"organization": "Windkraft Sued Service", "email": "bob@windkraft.example"}, ("domain",)),
        ({"organization": "Windkraft Sued Service"}, ()),
        ({"name": "Ada Wind", "email": "ada@gmail.com"}, ()),
    ],
)
def test_a_duplicate_is_known_by_address_phone_or_company(values: dict[str, Any], reasons: tuple[str, ...]) -> None:
    company = a_company()
    known = a_lead(company, organization="Windkraft Nord GmbH", email="ada@windkraft.example", phone="030 1234567")
    found = lead_duplicates.of_lead(a_lead(company, **values))
    assert [(one.row, one.reasons) for one in found] == ([(known, reasons)] if reasons else [])


def test_customers_and_their_people_are_found_as_duplicates_but_not_those_of_others() -> None:
    company = a_company()
    customer = a_customer(company, name="Solar AG", email="office@solar.example",
                          contacts=[{"name": "Eve", "email": "eve@solar.example"}])  # fmt: skip
    a_customer(a_company(), name="Solar AG", email="eve@solar.example")
    lead = a_lead(company, name="Eve", organization="Solar", email="Eve@Solar.example")
    found = [(one.row, one.reasons) for one in lead_duplicates.of_lead(lead)]
    assert found == [(customer, ("email", "organization"))] or found == [(customer, ("email", "domain"))]


def test_merging_keeps_all_that_was_known() -> None:
    company = a_company()
    first = a_lead(company, name="Ada", email="ada@windkraft.example", campaign=a_campaign(company))
    second = a_lead(company, on=date(2026, 1, 5), organization="Windkraft", phone="030 1234567", source="call")
    leads.comment(lead=first, text="Likes blue", **DONE)
    stays = lead_duplicates.merge(lead=first, into=second, **DONE)
    assert (stays.name, stays.organization, stays.email, stays.phone) == (
        "Ada", "Windkraft", "ada@windkraft.example", "030 1234567",
    )  # fmt: skip
    assert (stays.campaign.code if stays.campaign else None, stays.source) == ("spring", "")
    assert [note.text for note in stays.notes.all()] == ["Likes blue"]
    assert stays.tasks.count() == 2
    with pytest.raises(Refused, match=r"lead\.merged_away"):
        leads.comment(lead=first, text="x", **DONE)
    assert lead_duplicates.merge(lead=first, into=second, **DONE).pk == second.pk
    assert events(company).count("lead.merged") == 1


def test_a_converted_lead_is_a_customer_with_its_people_consent_and_first_touch() -> None:
    company = a_company()
    lead = a_lead(
        company, name="Ada", organization="Windkraft Nord GmbH", email="ada@windkraft.example", country="DE",
        campaign=a_campaign(company), source="fair", extra={"consent_at": NOON, "consent_source": "web form: yes"},
    )  # fmt: skip
    customer = converting.convert(lead=lead, address={"city": "Kiel", "lines": ["Hafen 1"]}, **DONE)
    assert (customer.name, customer.kind, customer.email) == ("Windkraft Nord GmbH", "company", "ada@windkraft.example")
    assert customer.contacts.get().name == "Ada"
    assert (customer.addresses.get().city, customer.addresses.get().country) == ("Kiel", "DE")
    customer.refresh_from_db()
    assert (customer.marketing_consent_at, customer.marketing_consent_source) == (NOON, "web form: yes")
    touch = FirstTouch.objects.get(customer=customer)
    assert (touch.campaign_id, touch.source, touch.touched_at) == (lead.campaign_id, "fair", NOON)
    assert lead.tasks.get().customer == customer
    assert Event.objects.get(company=company, type="lead.converted").customer_id == customer.pk


def test_converting_twice_makes_one_customer() -> None:
    company = a_company()
    lead = a_lead(company, country="DE", name="Ada")
    one = converting.convert(lead=lead, **DONE)
    assert converting.convert(lead=lead, **DONE) == one
    assert (Customer.objects.filter(company=company).count(), one.kind) == (1, "person")
    with pytest.raises(Refused, match=r"lead\.converted_to_other"):
        converting.convert(lead=lead, customer=a_customer(company), **DONE)


def test_converting_to_a_customer_that_is_there_adds_the_person_and_keeps_its_first_touch() -> None:
    company = a_company()
    customer = a_customer(company)
    first = a_lead(company, name="Ada", email="ada@example.com", source="fair",
                   extra={"consent_at": NOON, "consent_source": "web form"})  # fmt: skip
    converting.convert(lead=first, customer=customer, **DONE)
    converting.convert(lead=a_lead(company, name="Bob", source="call"), customer=customer, **DONE)
    contact = customer.contacts.get()
    assert (contact.name, contact.marketing_consent_at) == ("Ada", NOON)
    assert FirstTouch.objects.get(customer=customer).source == "fair"


def test_who_unsubscribed_after_allowing_it_is_not_signed_up_again() -> None:
    from customers.services import suppressing

    company = a_company()
    lead = a_lead(company, name="Ada", email="ada@example.com", country="DE",
                  extra={"consent_at": NOON, "consent_source": "web form"})  # fmt: skip
    suppressing.suppress(company=company, address="ada@example.com", reason="unsubscribed", **DONE)
    customer = converting.convert(lead=lead, **DONE)
    customer.refresh_from_db()
    assert customer.marketing_consent_at is None


def test_without_a_country_there_is_no_customer() -> None:
    company = a_company()
    with pytest.raises(Refused, match=r"lead\.country_needed"):
        converting.convert(lead=a_lead(company), **DONE)
    assert not Customer.objects.filter(company=company).exists()
