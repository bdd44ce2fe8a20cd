"""Reminder rules, offers, reminders and their effect over the API; every answer is compared with the description."""

from __future__ import annotations

from datetime import date

import pytest

from tests.crm.reminding import an_offer

pytestmark = pytest.mark.django_db
RULE = {"name": "Stay", "occasion": "before_renewal", "days": 30}


def test_a_rule_is_made_replaced_and_switched(api):
    made = api.post("reminder-rules", RULE | {"countries": ["FR"], "smallest_amount": "10.00"})
    assert made.status_code == 201
    assert (made.body["text"], made.body["countries"], made.body["smallest_amount"]) == (
        "remind_renewal",
        ["FR"],
        "10.00",
    )
    again = api.post(f"reminder-rules/{made.body['id']}/replace", RULE | {"days": 14})
    assert (again.body["days"], again.body["countries"]) == (14, [])
    off = api.post(f"reminder-rules/{made.body['id']}/switch-off")
    assert off.body["is_active"] is False
    assert [row["id"] for row in api.get("reminder-rules?is_active=false").body["data"]] == [made.body["id"]]


def test_a_rule_names_its_plans(api, company):
    from tests.factories import a_plan

    plan = a_plan(company)
    made = api.post("reminder-rules", RULE | {"plans": [plan.ref]})
    assert made.body["plans"] == [plan.ref]


def test_an_offer_is_made_and_carried_by_advertising_alone(api, company):
    offer = an_offer(company)
    refused = api.post("reminder-rules", RULE | {"offer": offer.ref})
    assert (refused.status_code, refused.body["code"]) == (422, "reminder.offer_is_advertising")
    made = api.post("reminder-rules", RULE | {"offer": offer.ref, "category": "marketing"})
    assert (made.body["offer"], made.body["text"]) == (offer.ref, "remind_offer")


def test_offers_are_listed_and_archived(api, company):
    offer = an_offer(company)
    assert [row["id"] for row in api.get("offers").body["data"]] == [offer.ref]
    assert api.post(f"offers/{offer.ref}/archive").body["archived_at"] is not None
    assert api.get("offers?archived=false").body["data"] == []


def test_reminders_and_their_effect_are_read(api, company):
    from crm.models import Reminder
    from tests.crm.reminding import START, a_subscriber, tick
    from tests.factories import set_clock

    set_clock(company, START)
    subscription = a_subscriber(company)
    rule = api.post("reminder-rules", RULE).body["id"]
    tick(company, date(2027, 1, 30))
    (row,) = api.get(f"reminders?subscription={subscription.ref}").body["data"]
    assert (row["rule"], row["occasion_on"], row["renewed_at"]) == (rule, "2027-03-01", None)
    assert api.get(f"reminders/{Reminder.objects.get().ref}").body["id"] == row["id"]
    effect = next(one for one in api.get("reminder-rules/effects").body["data"] if one["id"] == rule)
    assert (effect["sent"], effect["accepted"], effect["discount_cost"]) == (1, 0, [])


def test_notices_of_renewals_are_read(api, company):
    from crm.services import renewal_law
    from tests.crm.reminding import START, YEARLY, a_subscriber
    from tests.factories import a_plan, at_noon, set_clock

    set_clock(company, START)
    subscription = a_subscriber(company, plan=a_plan(company, rules=YEARLY), kind="person", country="FR")
    set_clock(company, date(2026, 12, 1))
    renewal_law.keep_law(company=company, at=at_noon(date(2026, 12, 1)))
    (row,) = api.get("renewal-notices").body["data"]
    assert (row["subscription"], row["law"], row["effect"]) == (subscription.ref, "FR-L215-1", "leave_any_time")


def test_another_companys_rule_is_not_found(api, other_company):
    from tests.crm.reminding import a_rule

    assert api.get(f"reminder-rules/{a_rule(other_company).ref}").status_code == 404


def test_reading_is_a_right_of_its_own(caller):
    assert caller("reminders:read").get("reminder-rules").status_code == 200
    assert caller("reminders:read").post("reminder-rules", RULE).status_code == 403
    assert caller("customers:read").get("reminder-rules").status_code == 403
