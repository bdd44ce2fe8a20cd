"""A reminder as a banner on the portal's first page, as long as its occasion is to come. Today is 10 January 2026."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from tests import factories
from tests.portal.houses import START, House


def remind(house: House, *, channel: str, days: int) -> Any:
    from crm.models import Reminder
    from crm.services import reminder_rules

    at = factories.at_noon(START)
    rule = reminder_rules.save(
        company=house.company, name="Soon", occasion="before_renewal", days=30, channel=channel, by=factories.BY, at=at
    )
    return Reminder.objects.create(
        company=house.company, rule=rule, customer=house.subscription.customer, subscription=house.subscription,
        subject_id=house.subscription.pk, occasion_on=START + timedelta(days=days), sent_at=at,
    )  # fmt: skip


def test_a_banner_leads_to_the_reminders_page(ada, house):
    remind(house, channel="portal", days=30)
    page = ada.get("/portal/")
    (banner,) = page.context["banners"]
    assert f"{house.subscription.name} renews on 31 January 2026." in page.content.decode()
    assert ada.get(banner["url"]).status_code == 200


def test_what_is_over_is_no_banner(ada, house):
    remind(house, channel="both", days=1)
    assert ada.get("/portal/").context["banners"] == []


def test_what_was_mailed_alone_is_no_banner(ada, house):
    remind(house, channel="mail", days=30)
    assert ada.get("/portal/").context["banners"] == []
