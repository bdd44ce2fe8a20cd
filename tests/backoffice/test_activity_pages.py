"""Writing down calls, meetings and mails from the pages of customers and leads, and finding them again."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from tests.backoffice.conftest import Office
from tests.crm.talking import a_mail
from tests.factories import BY


def typed(office: Office, **changes: Any) -> dict[str, Any]:
    return {
        "kind": "call", "direction": "in", "subject": "Prices", "begins_at": "2026-03-14T09:30", "text": "Hello",
        **changes,
    }  # fmt: skip


def test_a_call_is_written_down_from_the_customers_page_and_stands_in_the_timeline(office: Office) -> None:
    from crm.models import Activity

    client, customer = office.client(), office.customer
    page = client.get(reverse("backoffice:customer", args=[customer.ref])).content.decode()
    address = f"{reverse('backoffice:activity-create')}?customer={customer.ref}"
    assert f"{address}&amp;kind=call" in page
    answer = client.post(address, typed(office, step_title="Send prices", step_due_on="2026-03-20"))
    assert (answer.status_code, answer["Location"]) == (
        302, reverse("backoffice:customer", args=[customer.ref]) + "?tab=timeline"
    )  # fmt: skip
    call = Activity.objects.get()
    zone = ZoneInfo(office.company.time_zone)
    assert call.begins_at == datetime(2026, 3, 14, 9, 30, tzinfo=zone)
    assert (call.customer, call.next_step.title) == (customer, "Send prices")
    shown = client.get(answer["Location"]).content.decode()
    assert "Call (from them)" in shown
    assert reverse("backoffice:activity", args=[call.ref]) in shown
    assert "#phone" in shown


def test_a_next_step_without_a_day_asks_for_it(office: Office) -> None:
    from crm.models import Activity

    address = f"{reverse('backoffice:activity-create')}?customer={office.customer.ref}"
    answer = office.client().post(address, typed(office, step_title="Send prices"))
    assert answer.status_code == 422
    assert "Say by when it is to be done." in answer.content.decode()
    assert Activity.objects.count() == 0


def test_a_leads_page_shows_what_was_said(office: Office) -> None:
    from crm.services import leads

    lead = leads.create(company=office.company, name="Ada", by=BY, at=office.at)
    client = office.client()
    answer = client.post(f"{reverse('backoffice:activity-create')}?lead={lead.ref}", typed(office))
    assert answer["Location"] == reverse("backoffice:lead", args=[lead.ref])
    assert "Call (from them)" in client.get(answer["Location"]).content.decode()


def test_a_mail_is_uploaded_or_pasted_and_kept_once(office: Office) -> None:
    from crm.models import Activity

    client = office.client()
    address = f"{reverse('backoffice:activity-mail')}?customer={office.customer.ref}"
    raw = a_mail(attached={"plan.pdf": b"%PDF-1"})
    answer = client.post(address, {"file": SimpleUploadedFile("mail.eml", raw)})
    mail = Activity.objects.get()
    assert answer["Location"] == reverse("backoffice:activity", args=[mail.ref])
    again = client.post(address, {"raw": raw.decode()})
    assert (again["Location"], Activity.objects.count()) == (answer["Location"], 1)
    assert client.post(address, {"raw": "no mail"}).status_code == 422
    assert client.post(address, {}).status_code == 422
    file = client.get(reverse("backoffice:activity-file", args=[mail.ref, 1]))
    assert (file.content, file["Content-Type"]) == (b"%PDF-1", "application/octet-stream")
    assert file["Content-Disposition"] == 'attachment; filename="plan.pdf"'
    assert client.get(reverse("backoffice:activity-file", args=[mail.ref, 2])).status_code == 404


def test_with_whom_it_was_stays_when_they_left_since(office: Office) -> None:
    from crm.models import Activity
    from crm.services import activities
    from customers.services import contacts

    common: dict[str, Any] = {"by": BY, "at": office.at}
    ada = contacts.add_contact(customer=office.customer, name="Ada", email="ada@x.example", **common)
    eve = contacts.add_contact(customer=office.customer, name="Eve", email="eve@x.example", **common)
    call = activities.log(
        company=office.company, customer=office.customer, contact=ada, kind="call", direction="in", subject="x",
        begins_at=office.at, **common,
    )  # fmt: skip
    for contact in (ada, eve):
        contacts.archive_contact(contact=contact, **common)
    client, address = office.client(), reverse("backoffice:activity-edit", args=[call.ref])
    page = client.get(address).content.decode()
    assert f'value="{ada.ref}" selected' in page
    assert eve.ref not in page
    assert client.post(address, typed(office, subject="y", contact=ada.ref)).status_code == 302
    assert Activity.objects.values_list("subject", "contact").get() == ("y", ada.pk)


def test_what_is_planned_today_stands_in_what_to_do_today(office: Office) -> None:
    from crm.services import activities

    user = office.user()
    common: dict[str, Any] = {"company": office.company, "customer": office.customer, "by": BY, "at": office.at}
    client = office.client()
    home = reverse("backoffice:home")
    assert "Meetings and calls today" not in client.get(home).content.decode()
    activities.log(kind="meeting", subject="x", begins_at=office.at - timedelta(hours=1), owner=user, **common)
    activities.log(kind="meeting", subject="x", begins_at=office.at + timedelta(days=2), owner=user, **common)
    assert "Meetings and calls today" not in client.get(home).content.decode()
    activities.log(kind="meeting", subject="x", begins_at=office.at + timedelta(hours=1), owner=user, **common)
    assert "Meetings and calls today" in client.get(home).content.decode()


def test_the_list_is_filtered_and_exported(office: Office) -> None:
    from crm.services import activities

    common: dict[str, Any] = {"company": office.company, "customer": office.customer, "by": BY, "at": office.at}
    call = activities.log(kind="call", direction="out", subject="=Prices", begins_at=office.at, **common)
    activities.log(kind="visit", subject="Plant", begins_at=office.at, **common)
    client, url = office.client(), reverse("backoffice:activities")
    assert "Plant" not in client.get(f"{url}?kind=call").content.decode()
    lines = b"".join(client.get(f"{url}?kind=call&format=csv").streaming_content).decode("utf-8-sig").splitlines()  # type: ignore[attr-defined]
    assert len(lines) == 2
    assert call.ref in lines[1]
    assert "'=Prices" in lines[1]


def test_the_link_of_a_calendar_is_shown_once(office: Office) -> None:
    client, url = office.client(), reverse("backoffice:calendar")
    made = client.post(url, {"has_terms": "on"}).content.decode()
    (token,) = set(re.findall(r"/calendar/([\w-]{43})\.ics", made))
    assert token not in client.get(url).content.decode()
    assert client.get(f"/calendar/{token}.ics").status_code == 200
    client.post(reverse("backoffice:calendar-revoke"))
    assert client.get(f"/calendar/{token}.ics").status_code == 404
