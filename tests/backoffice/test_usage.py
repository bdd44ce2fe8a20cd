"""Meters, usage from a file, and what a subscription has used, on the pages of the back office."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from catalog.models import Meter
from subscriptions.models import UsageEvent
from tests.backoffice.conftest import TODAY, Office
from tests.backoffice.test_acts import text_of
from tests.backoffice.test_settings import form_fields
from tests.subscriptions.metering import a_meter, a_usage_item, a_user, sent, take_in


@pytest.fixture
def subscription(office: Office) -> Any:
    meter = a_meter(office.company, code="calls", unit_name={office.company.language: "call"})
    return a_user(office.company, a_usage_item(meter, "0.10"), on=TODAY, customer=office.customer)


def upload(office: Office, content: str, **more: str) -> Any:
    sent_file = SimpleUploadedFile("usage.csv", content.encode(), content_type="text/csv")
    return office.client().post(reverse("backoffice:usage-upload"), {"file": sent_file, **more})


def test_a_meter_is_made_renamed_and_archived(office: Office) -> None:
    client, url = office.client(), reverse("backoffice:meter-create")
    fields = form_fields(client, url) | {"code": "gb", "aggregation": "max", "late_days": "30"}
    fields |= {"name__en": "Gigabytes"}
    answer = client.post(url, fields)
    assert answer.status_code == 302, text_of(answer)
    meter = Meter.objects.get(company=office.company, code="gb")
    assert (meter.aggregation, meter.late_days) == ("max", 30)
    edit = reverse("backoffice:meter-edit", args=[meter.ref])
    assert "aggregation" not in form_fields(client, edit)
    client.post(edit, form_fields(client, edit) | {"late_days": "10"})
    client.post(reverse("backoffice:meter-archive", args=[meter.ref]))
    meter.refresh_from_db()
    assert (meter.late_days, meter.archived_at is not None) == (10, True)
    client.post(reverse("backoffice:meter-archive", args=[meter.ref]), {"restore": "1"})
    meter.refresh_from_db()
    assert meter.archived_at is None


def test_a_taken_code_stands_beside_its_field(office: Office) -> None:
    a_meter(office.company, code="gb")
    client, url = office.client(), reverse("backoffice:meter-create")
    fields = form_fields(client, url) | {"code": "gb", "aggregation": "sum"}
    fields |= {"name__en": "Gigabytes"}
    answer = client.post(url, fields)
    assert answer.status_code == 422
    assert list(answer.context["form"].errors) == ["code"]


def test_a_file_is_checked_first_and_then_counted(office: Office, subscription: Any) -> None:
    content = (
        "meter;event_id;subscription;at;value\n"
        f"calls;a;{subscription.ref};2026-03-15T08:00:00Z;5\n"
        f"calls;b;{subscription.ref};yesterday;5\n"
    )
    page = text_of(upload(office, content, dry_run="on"))
    assert "Checked: nothing was changed" in page
    assert "at: Write instants with their offset" in page
    assert not UsageEvent.objects.exists()
    assert "The events are counted" in text_of(upload(office, content))
    assert UsageEvent.objects.get().event_id == "a"


def test_a_file_without_its_columns_is_refused_beside_the_field(office: Office) -> None:
    answer = upload(office, "meter,at\ncalls,2026-03-15T08:00:00Z\n")
    assert answer.status_code == 422
    assert "event_id, subscription" in str(answer.context["form"].errors["file"])


def test_the_page_of_a_subscription_shows_what_was_used(office: Office, subscription: Any) -> None:
    meter = Meter.objects.get(code="calls")
    take_in(
        office.company,
        sent(meter, subscription, "2026-03-15T08:00:00Z", "12.5"),
        sent(meter, subscription, "2026-03-01T08:00:00Z", "7", event_id="too-early"),
    )
    client = office.client()
    whole = client.get(reverse("backoffice:subscription", args=[subscription.ref])).content.decode()
    url = reverse("backoffice:subscription-usage", args=[subscription.ref])
    assert f'hx-get="{url}"' in whole
    page = text_of(client.get(url))
    assert "12.5 call" in page
    assert "€1.25" in page
    assert "too-early" in page
    assert "The subscription had not started then." in page


def test_a_subscription_without_usage_has_no_usage_card(office: Office) -> None:
    subscription = office.start()
    page = office.client().get(reverse("backoffice:subscription", args=[subscription.ref])).content.decode()
    assert reverse("backoffice:subscription-usage", args=[subscription.ref]) not in page
