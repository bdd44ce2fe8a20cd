"""A customer sees what was used so far and what it costs."""

from __future__ import annotations

from django.urls import reverse

from tests import factories
from tests.portal.houses import START, TODAY
from tests.subscriptions.metering import a_meter, a_usage_item, a_user, sent, take_in


def test_a_customer_sees_what_was_used_so_far_and_its_cost(ada, house):
    meter = a_meter(house.company, unit_name={house.company.language: "calls"})
    subscription = a_user(house.company, a_usage_item(meter, "0.10"), on=START, customer=house.customer)
    factories.set_clock(house.company, TODAY)
    take_in(house.company, sent(meter, subscription, factories.at_noon(TODAY), "1234.5"))
    answer = ada.get(reverse("portal:subscription", args=[subscription.ref]))
    [used] = answer.context["used"]
    assert (used["quantity"], used["cost_minor"], used["unit"]) == ("1,234.5", 12345, "calls")
    assert "1,234.5 calls" in " ".join(answer.content.decode().split())


def test_without_usage_nothing_is_said_of_it(ada, house):
    subscription = house.customer.subscriptions.get()
    answer = ada.get(reverse("portal:subscription", args=[subscription.ref]))
    assert answer.context["used"] == []
    assert 'id="usage"' not in answer.content.decode()
