"""Reminder rules, offers and the law's table at the office: who may, what a rule would do, what it brought.

A customer pays 120.00 a year from 15 March 2026 on; the term renews on 15 March 2027.
"""

from __future__ import annotations

from datetime import date

import pytest

from tests.crm.reminding import YEARLY, an_offer
from tests.factories import BY, a_plan, at_noon, set_clock

PATHS = ["/office/reminders/", "/office/reminders/sent/", "/office/reminders/law/", "/office/offers/"]
FIELDS = {
    "name": "Stay", "occasion": "before_renewal", "days": "30", "late_days": "7", "category": "contract",
    "channel": "mail", "text": "", "shortest_term_months": "0", "is_active": "on",
}  # fmt: skip


@pytest.fixture
def renewing(office):
    from customers.models import Customer

    Customer.objects.filter(pk=office.customer.pk).update(marketing_consent_at=office.at)
    return office.start(plan=a_plan(office.company, amount="120.00", rules=YEARLY))


def rule_of(office, **changes):
    from crm.services import reminder_rules

    given = {"name": "Stay", "occasion": "before_renewal", "days": 30}
    return reminder_rules.save(company=office.company, **(given | changes), by=BY, at=office.at)


@pytest.mark.parametrize("path", PATHS)
def test_every_page_opens(office, path):
    assert office.client().get(path).status_code == 200
    assert office.client("support").get(path).status_code == 403


def test_the_first_look_finds_the_rules_companies_begin_with(office):
    page = office.client().get("/office/reminders/").content.decode()
    assert "Yearly renewal, a month before" in page
    assert "Card expires in a week" in page


def test_a_rule_is_made_in_the_form(office):
    from crm.models import ReminderRule

    answer = office.client().post("/office/reminders/new/", FIELDS | {"countries": ["FR"], "body__en": "Hi {customer}"})
    rule = ReminderRule.objects.get(name="Stay")
    assert answer.status_code == 302
    assert (rule.text, rule.countries, rule.body) == ("remind_renewal", ["FR"], {"en": "Hi {customer}"})


def test_an_unknown_placeholder_is_refused_beside_its_field(office):
    answer = office.client().post("/office/reminders/new/", FIELDS | {"body__en": "Hi {nobody}"})
    assert answer.status_code == 422
    assert "{nobody} is no placeholder" in answer.content.decode()


def test_an_offer_needs_the_kind_advertising(office):
    offer = an_offer(office.company)
    answer = office.client().post("/office/reminders/new/", FIELDS | {"offer": offer.pk})
    assert answer.status_code == 422
    assert "An offer is advertising" in answer.content.decode()


def test_a_rule_shows_whom_it_would_remind_and_the_words(office, renewing):
    rule = rule_of(office)
    set_clock(office.company, date(2027, 2, 1))
    page = office.client().get(f"/office/reminders/rules/{rule.ref}/").content.decode()
    assert "Within 30 days, today's included: 1." in page
    assert "Ærø Windkraft" in page
    assert "renews on 15 March 2027, at €120.00 per year" in page
    assert renewing.reminders.count() == 0


def test_a_rule_is_switched_off_and_on(office):
    rule = rule_of(office)
    client = office.client()
    client.post(f"/office/reminders/rules/{rule.ref}/switch/")
    rule.refresh_from_db()
    assert not rule.is_active
    client.post(f"/office/reminders/rules/{rule.ref}/switch/")
    rule.refresh_from_db()
    assert rule.is_active


def test_what_was_sent_is_listed_and_an_offer_is_taken_back(office, renewing):
    from crm.models import Reminder
    from crm.services import offers
    from tests.crm.reminding import tick

    rule_of(office, category="marketing", offer=an_offer(office.company))
    day = date(2027, 2, 13)
    tick(office.company, day)
    reminder = Reminder.objects.get()
    offers.accept(reminder=reminder, by=BY, at=at_noon(day))
    client = office.client()
    page = client.get("/office/reminders/sent/").content.decode()
    assert "Take back" in page
    client.post(f"/office/reminders/sent/{reminder.ref}/take-back/")
    reminder.refresh_from_db()
    assert reminder.taken_back_at == at_noon(day)
    exported = b"".join(client.get("/office/reminders/sent/?format=csv").streaming_content).decode()
    assert renewing.number in exported


def test_the_effect_counts_cost_and_what_stayed(office, renewing):
    from billing.services import acts
    from crm.models import Reminder
    from crm.services import offers, reminder_outcomes
    from crm.services.effects import effects
    from tests.billing.test_settling import bill
    from tests.crm.reminding import tick

    rule = rule_of(office, category="marketing", offer=an_offer(office.company))
    day, renewal = date(2027, 2, 13), date(2027, 3, 15)
    tick(office.company, day)
    offers.accept(reminder=Reminder.objects.get(), by=BY, at=at_noon(day))
    set_clock(office.company, renewal)
    acts.move_due(company=office.company, at=at_noon(renewal), by=BY)
    bill(office.company, renewal)
    reminder_outcomes.follow_up(company=office.company, at=at_noon(renewal))
    effect = next(row for row in effects(office.company, "rule") if row.of.pk == rule.pk)
    # A fifth of 120.00 is given, 96.00 without tax stay.
    assert (effect.sent, effect.opened, effect.accepted, effect.renewed, effect.canceled) == (1, 1, 1, 1, 0)
    assert (effect.cost, effect.kept) == ({"EUR": 2400}, {"EUR": 9600})
    page = office.client().get("/office/offers/").content.decode()
    assert "€24.00" in page
    assert "€96.00" in page


def test_an_offer_is_made_in_the_form_and_archived(office):
    from catalog.services.discounts import create_discount
    from crm.models import Offer

    discount = create_discount(company=office.company, code="ten", name={"en": "Ten"}, percent=10, by=BY, at=office.at)
    client = office.client()
    client.post("/office/offers/new/", {
        "name": "Ten off", "discount": discount.pk, "valid_days": "14", "customer_limit": "1", "words__en": "10 % off",
    })  # fmt: skip
    offer = Offer.objects.get(company=office.company)
    assert (offer.name, offer.valid_days, offer.words) == ("Ten off", 14, {"en": "10 % off"})
    client.post(f"/office/offers/{offer.ref}/archive/")
    offer.refresh_from_db()
    assert offer.archived_at is not None


def test_the_law_is_told_with_its_source_and_age(office):
    client = office.client()
    page = client.get("/office/reminders/law/").content.decode()
    assert "Code de la consommation art. L215-1" in page
    assert "Not compared with its source" not in page
    set_clock(office.company, date(2027, 11, 23))
    assert "Not compared with its source for a year." in client.get("/office/reminders/law/").content.decode()


def test_a_subscription_tells_what_was_said_about_it(office, renewing):
    from tests.crm.reminding import tick

    rule_of(office, name="A month before")
    tick(office.company, date(2027, 2, 13))
    page = office.client().get(f"/office/subscriptions/{renewing.ref}/").content.decode()
    assert "Reminders and notices" in page
    assert "A month before" in page


def test_a_german_consumer_who_would_renew_for_a_term_is_pointed_out(office):
    from tests.factories import a_customer

    consumer = a_customer(office.company, kind="person", country="DE")
    row = office.start(customer=consumer, plan=a_plan(office.company, rules=YEARLY))
    assert "BGB § 309 Nr. 9" in office.client().get(f"/office/subscriptions/{row.ref}/").content.decode()
    business = office.start(plan=a_plan(office.company, rules=YEARLY))
    assert "BGB § 309" not in office.client().get(f"/office/subscriptions/{business.ref}/").content.decode()


@pytest.mark.parametrize("path", PATHS)
def test_a_list_asks_few_questions(office, renewing, path, django_assert_max_num_queries):
    from tests.crm.reminding import tick

    for number in range(3):
        rule_of(office, name=f"Stay {number}", days=30 + number)
    tick(office.company, date(2027, 2, 13))
    client = office.client()
    client.get(path)
    with django_assert_max_num_queries(12):
        client.get(path)
