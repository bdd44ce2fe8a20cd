"""Settings, people, keys, the outbox, the clock: what only administrators change."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from tests.backoffice.conftest import TODAY, Office
from tests.backoffice.test_acts import fields_of, text_of
from tests.factories import a_company

PNG = b"\x89PNG\r\n\x1a\n" + b"0" * 20


def form_fields(client: Any, url: str) -> dict[str, Any]:
    return {name: value for name, value in fields_of(client.get(url)).items() if value != ""}


def test_the_company_is_changed_with_an_audit_row(office: Office) -> None:
    from core.models import AuditEntry

    client, url = office.client(), reverse("backoffice:company-edit")
    fields = form_fields(client, url) | {"legal_name": "Nordlicht AG", "lines": "Deichstraße 10\r\nHof", "iban": "DE1"}
    assert client.post(url, fields)["Location"] == reverse("backoffice:settings")
    office.company.refresh_from_db()
    assert (office.company.legal_name, office.company.address_lines) == ("Nordlicht AG", ["Deichstraße 10", "Hof"])
    entry = AuditEntry.objects.get(verb="company.update")
    assert entry.facts["legal_name"] == ["Nordlicht GmbH", "Nordlicht AG"]
    assert entry.actor_label == "admin"


@pytest.mark.parametrize(
    "pattern", ["INV-{year}", "{number}", "{year}-{number}-{x}", "{year", "A" * 30 + "{year}{number:09}"]
)
def test_a_pattern_whose_numbers_would_repeat_is_refused(office: Office, pattern: str) -> None:
    client = office.client()
    answer = client.post(
        reverse("backoffice:numbering"), {"invoice_pattern": pattern, "credit_note_pattern": "CN-{year}-{number}"}
    )
    assert answer.status_code == 422
    assert list(answer.context["form"].errors) == ["invoice_pattern"]


def test_closed_books_stay_closed(office: Office) -> None:
    client, url = office.client(), reverse("backoffice:company-edit")
    fields = form_fields(client, url)
    assert client.post(url, fields | {"books_closed_on": "2026-02-28"}).status_code == 302
    answer = client.post(url, fields | {"books_closed_on": "2026-01-31"})
    assert list(answer.context["form"].errors) == ["books_closed_on"]


def test_a_logo_is_a_picture(office: Office) -> None:
    client, url = office.client(), reverse("backoffice:logo-set")
    assert client.post(url, {"logo": SimpleUploadedFile("a.png", b"<html>")}).status_code == 422
    assert client.post(url, {"logo": SimpleUploadedFile("a.png", PNG)}).status_code == 302
    shown = client.get(reverse("backoffice:logo"))
    assert (shown.content, shown["Content-Type"]) == (PNG, "image/png")
    assert "sandbox" in shown["Content-Security-Policy"]


def test_a_key_is_shown_once(office: Office) -> None:
    from core.models import ApiKey
    from core.services.keys import find_key

    client = office.client()
    answer = client.post(reverse("backoffice:key-create"), {"name": "Shop", "scopes": ["invoices:read"]})
    text = answer.context["fresh"]
    assert text in answer.content.decode()
    assert answer["Cache-Control"] == "no-store"
    assert find_key(text) == ApiKey.objects.get()
    again = client.get(reverse("backoffice:keys"))
    assert text not in again.content.decode()
    client.post(reverse("backoffice:key-revoke", args=[ApiKey.objects.get().ref]))
    assert find_key(text) is None


def test_a_person_works_here_in_a_role_until_removed(office: Office) -> None:
    from core.models import Membership, Role

    client = office.client()
    roles = {role.name: role for role in Role.objects.filter(company=office.company)}
    client.post(
        reverse("backoffice:member-add"), {"email": "Ada@Nordlicht.Example", "name": "Ada", "role": roles["Sales"].pk}
    )
    member = Membership.objects.get(user__email="ada@nordlicht.example")
    client.post(reverse("backoffice:member-role", args=[member.pk]), {"role": roles["Support"].pk})
    member.refresh_from_db()
    assert member.role.name == "Support"
    client.post(reverse("backoffice:member-remove", args=[member.pk]))
    assert not Membership.objects.filter(pk=member.pk).exists()


def test_the_last_administrator_stays(office: Office) -> None:
    from core.models import Membership, Role

    client = office.client()
    member = Membership.objects.get(user=office.user())
    answer = client.post(reverse("backoffice:member-remove", args=[member.pk]), follow=True)
    assert "Somebody who may change settings and people has to stay." in text_of(answer)
    support = Role.objects.get(company=office.company, name="Support")
    answer = client.post(reverse("backoffice:member-role", args=[member.pk]), {"role": support.pk})
    assert answer.status_code == 422
    role = member.role
    answer = client.post(
        reverse("backoffice:role-edit", args=[role.pk]), {"name": role.name, "rights": ["customer.read"]}
    )
    assert answer.status_code == 422
    assert Membership.objects.get(user=office.user()).role.rights == role.rights


def test_a_role_of_another_company_can_not_be_given(office: Office) -> None:
    from core.models import Role

    other = a_company(today=TODAY)
    foreign = Role.objects.filter(company=other).first()
    assert foreign is not None
    answer = office.client().post(reverse("backoffice:member-add"), {"email": "a@b.example", "role": foreign.pk})
    assert answer.status_code == 422


def test_dead_effects_are_tried_again(office: Office) -> None:
    from core.models import Outbox
    from core.services import outbox

    outbox.put(company_id=office.company.pk, kind="mail", key="k", payload={"message": 1})
    row = Outbox.objects.get(key="k")
    Outbox.objects.filter(pk=row.pk).update(state="dead", attempts=9, last_error="refused")
    client = office.client()
    assert "refused" in text_of(client.get(reverse("backoffice:outbox")))
    client.post(reverse("backoffice:outbox-replay"), {"row": [row.pk, "x", "²"]})
    row.refresh_from_db()
    assert (row.state, row.attempts) == ("waiting", 0)


def test_a_company_is_chosen_among_ones_own(office: Office) -> None:
    from core.models import Membership, Role

    second, third = a_company(today=TODAY, name="Südlicht"), a_company(today=TODAY)
    role = Role.objects.get(company=second, name="Viewer")
    Membership.objects.create(company=second, user=office.user(), role=role)
    client = office.client()
    assert client.post(reverse("backoffice:switch-company"), {"company": second.pk}).status_code == 302
    assert client.get(reverse("backoffice:home")).context["company"] == second
    assert client.post(reverse("backoffice:switch-company"), {"company": third.pk}).status_code == 404


def test_one_month_ahead_bills_what_falls_due(office: Office) -> None:
    from billing.models import Invoice
    from core.models import Job
    from core.services import jobs

    office.start()
    answer = office.client().post(reverse("backoffice:clock-advance"))
    job = Job.objects.get(kind="advance_clock")
    assert answer["Location"] == reverse("backoffice:job", args=[job.ref])
    again = office.client().post(reverse("backoffice:clock-advance"))
    assert again["Location"] == answer["Location"]
    jobs.work(job.pk)
    job.refresh_from_db()
    office.company.refresh_from_db()
    assert (job.state, job.done, job.total) == ("done", 31, 31)
    assert office.company.clock_at.date().isoformat() == "2026-04-15"
    assert Invoice.objects.filter(company=office.company).count() == 2


def test_a_live_company_follows_the_real_clock(office: Office) -> None:
    live = a_company(is_live=True, clock_at=None)
    from core.models import Job

    stranger = Office(live, None, None)
    answer = stranger.client().post(reverse("backoffice:clock-advance"), follow=True)
    assert "A live company follows the real clock" in text_of(answer)
    assert not Job.objects.exists()
