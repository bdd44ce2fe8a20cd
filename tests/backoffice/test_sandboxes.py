"""Sandboxes in the back office: opened, listed, switched to, advanced."""

from __future__ import annotations

from datetime import date

import pytest
from django.urls import reverse

from catalog.models import Plan
from core.models import Company, Job
from tests.backoffice.conftest import TODAY, Office
from tests.backoffice.test_acts import text_of

pytestmark = pytest.mark.django_db


def opened(office: Office, **fields: str) -> Company:
    given = {"name": "Next year's prices", "clock_on": "2027-01-01", "copies_catalog": "on", **fields}
    assert office.client().post(reverse("backoffice:sandbox-create"), given).status_code == 302
    return Company.objects.get(sandbox_of=office.company)


def test_a_sandbox_is_opened_with_the_catalog_and_its_own_clock(office: Office) -> None:
    sandbox = opened(office)
    assert (sandbox.is_live, sandbox.clock_at.date(), Plan.objects.filter(company=sandbox).count()) == (
        False,
        date(2027, 1, 1),
        1,
    )


def test_without_the_catalog_it_is_empty(office: Office) -> None:
    assert not Plan.objects.filter(company=opened(office, copies_catalog="")).exists()


def test_who_opened_it_can_work_in_it(office: Office) -> None:
    sandbox = opened(office)
    client = office.client()
    assert "Work in it" in text_of(client.get(reverse("backoffice:sandboxes")))
    client.post(reverse("backoffice:switch-company"), {"company": sandbox.ref})
    assert "Next year&#x27;s prices" in client.get(reverse("backoffice:home")).content.decode()


def test_the_clock_moves_to_the_day_asked_for(office: Office) -> None:
    answer = office.client().post(reverse("backoffice:sandbox-advance"), {"to": "2026-03-20"})
    job = Job.objects.get(kind="advance_clock")
    assert answer["Location"] == reverse("backoffice:job", args=[job.ref])
    assert job.params["to"].startswith("2026-03-20T12:00")


def test_a_step_back_is_refused_in_words(office: Office) -> None:
    answer = office.client().post(reverse("backoffice:sandbox-advance"), {"to": str(TODAY.replace(day=1))}, follow=True)
    assert "The clock only moves forward" in text_of(answer)


def test_a_sandbox_without_a_name_is_not_opened(office: Office) -> None:
    answer = office.client().post(reverse("backoffice:sandbox-create"), {"name": ""})
    assert (answer.status_code, Company.objects.filter(sandbox_of=office.company).count()) == (422, 0)


def test_accounting_opens_none(office: Office) -> None:
    assert office.client("accounting").get(reverse("backoffice:sandboxes")).status_code == 403
