"""Customers change plan and seats, pause and resume: what it means, the button, the receipt, and taking it back.

The subscription of `house` starts on 1 January 2026 at 31.00 net a month; today is 10 January: 22 paid days are left,
1.00 each, and 19 % tax.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from django.urls import reverse

from tests import factories
from tests.portal.houses import TODAY, House, a_house

NAMES = ("change", "seats", "pause", "resume")


@pytest.fixture
def house(company) -> House:
    return a_house(company, "ada@example.com", customer_may_change=True, customer_may_pause=True)


def url_of(name: str, house: House) -> str:
    return reverse(f"portal:{name}", args=[house.subscription.ref])


def contract(client, house: House) -> str:
    return client.get(reverse("portal:subscription", args=[house.subscription.ref])).content.decode()


def act(client, url: str) -> Any:
    """Looks at what it means, then presses the button."""
    answer = client.get(url)
    assert answer.status_code == 200, answer.context.get("refused") or answer.context["form"].errors
    return client.post(url, {"preview_token": answer.context["preview"].token})


def changes(house: House) -> list[tuple[str, str, date]]:
    return list(house.subscription.changes.order_by("pk").values_list("kind", "status", "effective_on"))


def messages_of(house: House, template: str) -> Any:
    from customers.models import Message

    return Message.objects.filter(customer=house.customer, template=template)


def to_plan(house: House, **plan: Any) -> str:
    made = factories.a_plan(house.company, **plan)
    return f"{url_of('change', house)}?plan={made.ref}"


def more_seats(house: House, count: int) -> str:
    return f"{url_of('seats', house)}?seats_{house.subscription.slots.get().ref}={count}"


# Plan -------------------------------------------------------------------------------------------------------------


def test_plans_on_sale_in_the_currency_are_offered_with_their_prices(ada, house):
    factories.a_plan(house.company, amount="62.00", name={"en": "Big"})
    factories.a_plan(house.company, currency="CHF", name={"en": "Swiss"})
    factories.a_plan(house.company, status="draft", name={"en": "Secret"})
    factories.a_plan(factories.a_company(), name={"en": "Foreign"})
    answer = ada.get(url_of("change", house))
    assert [one.name for one, _url in answer.context["plans"]] == ["Big"]
    assert "€62.00 per month" in answer.content.decode()


def test_a_dearer_plan_holds_today_and_shows_what_it_costs(ada, house):
    answer = ada.get(to_plan(house, amount="62.00", name={"en": "Big"}))
    # 22 days: 22.00 given back and 44.00 billed, net.
    assert [(one["words"], one["minor"]) for one in answer.context["documents"]] == [
        ("Credited to you now", 2618), ("Invoiced now", 5236),
    ]  # fmt: skip
    assert answer.context["preview"].money_now == 2618
    assert [(one["on"], one["gross"]) for one in answer.context["coming"]][:1] == [(date(2026, 2, 1), 7378)]
    page = answer.content.decode()
    assert "From 10 January 2026: change of plan" in page
    assert "To the plan Big" in page
    assert changes(house) == []


def test_the_button_changes_the_plan_and_a_receipt_follows(ada, house):
    answer = act(ada, to_plan(house, amount="62.00", name={"en": "Big"}))
    receipt = messages_of(house, "change_receipt").get()
    assert answer["Location"] == reverse("portal:receipt", args=[receipt.ref])
    assert changes(house) == [("plan", "done", TODAY)]
    assert receipt.recipients == ["ada@example.com", "office-ada@example.com"]
    for words in ("10 January 2026, 13:00:00 (Europe/Berlin)", "To the plan Big", "Invoiced now: €52.36"):
        assert words in receipt.body
    assert ada.get(answer["Location"]).status_code == 200


def test_a_cheaper_plan_waits_for_the_paid_period_and_is_taken_back(ada, house):
    act(ada, to_plan(house, amount="15.50"))
    assert changes(house) == [("plan", "planned", date(2026, 2, 1))]
    change = house.subscription.changes.get()
    back = reverse("portal:take-back", args=[change.ref])
    for page in (contract(ada, house), ada.get(reverse("portal:home")).content.decode()):
        assert "From 1 February 2026: change of plan" in page
        assert back in page
    ada.post(back)
    assert changes(house) == [("plan", "undone", date(2026, 2, 1))]
    assert messages_of(house, "change_undone").count() == 1
    assert back not in contract(ada, house)


def test_the_customer_did_it(ada, house):
    from core.models import AuditEntry

    act(ada, to_plan(house, amount="62.00"))
    entry = AuditEntry.objects.get(verb="subscription.change")
    assert (entry.actor_kind, entry.actor_id) == ("contact", house.owner.pk)


def test_what_was_not_shown_is_not_done(ada, house):
    url = to_plan(house, amount="62.00")
    for sent in ({}, {"preview_token": "0" * 64}):
        assert ada.post(url, sent).status_code == 422
    assert changes(house) == []
    assert messages_of(house, "change_receipt").count() == 0


def test_a_plan_that_is_not_offered_is_not_found(ada, house):
    for plan in ({"currency": "CHF"}, {"status": "draft"}):
        url = to_plan(house, **plan)
        assert (ada.get(url).status_code, ada.post(url).status_code) == (404, 404)


def test_a_plan_without_a_minimum_term_is_no_way_out_of_one(client, company):
    rules = {"minimum_count": 12, "minimum_unit": "month"}
    house = a_house(company, "bob@example.com", rules=rules, customer_may_change=True)
    client.force_login(house.owner.user)
    answer = client.get(to_plan(house, amount="62.00"))
    assert answer.status_code == 422
    assert answer.context["refused"] == (
        "Your contract runs until 31 Dec 2026 at least; this plan would end it earlier."
    )
    assert act(client, to_plan(house, amount="62.00", rules=rules)).status_code == 302
    assert changes(house) == [("plan", "done", TODAY)]


# Seats ------------------------------------------------------------------------------------------------------------


def test_more_seats_cost_the_difference(ada, house):
    answer = ada.get(more_seats(house, 3))
    # 2 more for 22 days at 1.00.
    assert answer.context["preview"].money_now == 5236
    assert "€52.36" in answer.content.decode()
    act(ada, more_seats(house, 3))
    assert house.subscription.slots.get().terms.latest("from_on").quantity == Decimal(3)


@pytest.mark.parametrize("count", ["0", "-1", "1.5", "100001", "1", "", "x"])
def test_a_number_that_is_none_is_asked_again(ada, house, count):
    url = f"{url_of('seats', house)}?seats_{house.subscription.slots.get().ref}={count}"
    assert ada.get(url).status_code == 422
    assert ada.post(url, {"preview_token": "x"}).status_code == 422
    assert changes(house) == []


def test_a_flat_price_has_no_seats(client, company):
    house = a_house(company, "bob@example.com", price={"model": "flat"}, customer_may_change=True)
    client.force_login(house.owner.user)
    assert client.get(url_of("seats", house)).status_code == 404
    assert url_of("seats", house) not in contract(client, house)


def test_a_change_that_staff_planned_stays(ada, house):
    from billing.services import acts_changing
    from subscriptions.services.change_specs import ItemChange

    dearer = ItemChange(slot=house.subscription.slots.get(), unit_amount=Decimal(40))
    acts_changing.change(
        subscription=house.subscription, items=[dearer], timing="period_end", by=factories.BY,
        at=house.company.clock_at,
    )  # fmt: skip
    answer = ada.get(more_seats(house, 3))
    assert answer.status_code == 422
    assert "Something else is planned for 1 Feb 2026" in answer.content.decode()
    [change] = house.subscription.changes.all()
    back = reverse("portal:take-back", args=[change.ref])
    assert "change of price" in contract(ada, house)
    assert back not in contract(ada, house)
    assert ada.post(back).status_code == 404
    assert changes(house) == [("price", "planned", date(2026, 2, 1))]


# Pauses -----------------------------------------------------------------------------------------------------------


def test_a_pause_of_today_credits_what_is_left(ada, house):
    url = f"{url_of('pause', house)}?from_on=2026-01-10&until=2026-03-01"
    answer = ada.get(url)
    assert [(one["words"], one["minor"]) for one in answer.context["documents"]] == [("Credited to you now", 2618)]
    assert answer.context["coming"][0]["on"] == date(2026, 3, 1)
    act(ada, url)
    house.subscription.refresh_from_db()
    assert (house.subscription.state, house.subscription.resumes_on) == ("paused", date(2026, 3, 1))
    assert "1 Mar 2026" in contract(ada, house)


def test_a_planned_pause_is_taken_back(ada, house):
    act(ada, f"{url_of('pause', house)}?from_on=2026-02-01&until=")
    assert changes(house) == [("pause", "planned", date(2026, 2, 1))]
    assert url_of("pause", house) not in contract(ada, house)
    ada.post(reverse("portal:take-back", args=[house.subscription.changes.get().ref]))
    house.subscription.refresh_from_db()
    assert house.subscription.paused_from_on is None


def test_it_is_resumed_with_a_full_period(ada, house):
    act(ada, f"{url_of('pause', house)}?from_on=2026-01-10&until=")
    factories.set_clock(house.company, date(2026, 2, 10))
    assert url_of("resume", house) in contract(ada, house)
    answer = ada.get(url_of("resume", house))
    # The credit of 26.18 stays on the account; a new period begins today: 31.00 and 19 %.
    assert answer.context["preview"].money_now == 3689
    act(ada, url_of("resume", house))
    house.subscription.refresh_from_db()
    assert house.subscription.state == "active"


@pytest.mark.parametrize(
    "query", ["from_on=", "from_on=10.01.2026", "from_on=2026-01-09", "from_on=2026-01-20&until=2026-01-20"]
)
def test_a_pause_that_is_none_is_asked_again(ada, house, query):
    assert ada.get(f"{url_of('pause', house)}?{query}").status_code == 422
    assert changes(house) == []


# Who and where ----------------------------------------------------------------------------------------------------


def test_the_contract_offers_what_is_possible(ada, house):
    page = contract(ada, house)
    assert [name for name in NAMES if url_of(name, house) in page] == ["change", "seats", "pause"]


def test_without_the_plans_leave_nothing_is_offered_and_nothing_is_found(client, company):
    house = a_house(company, "bob@example.com")
    client.force_login(house.owner.user)
    page = contract(client, house)
    for name, query in zip(
        NAMES, ("?plan=x", more_seats(house, 3).partition("?")[2], "?from_on=2026-01-10", ""), strict=True
    ):
        assert url_of(name, house) not in page
        url = f"{url_of(name, house)}?{query.lstrip('?')}"
        assert (client.get(url).status_code, client.post(url).status_code) == (404, 404)
    assert changes(house) == []


@pytest.mark.parametrize("role", ["billing", "viewer"])
def test_only_owners_change_a_contract(client, house, role):
    client.force_login(house.contact(role, "bob@example.com").user)
    page = contract(client, house)
    for name in NAMES:
        assert f'href="{url_of(name, house)}"' not in page
        assert client.post(url_of(name, house)).status_code == 403


def test_what_is_suspended_or_over_is_not_changed(ada, house):
    from billing.services import acts_pausing

    acts_pausing.suspend(subscription=house.subscription, by=factories.BY, at=house.company.clock_at)
    assert {ada.get(url_of(name, house)).status_code for name in NAMES} == {404}
