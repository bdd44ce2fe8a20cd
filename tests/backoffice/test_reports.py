"""Reports as pages: each opens, is asked, goes into files, and every number leads to its rows."""

from __future__ import annotations

import io
import re
from datetime import timedelta
from typing import Any

import pytest
from django.urls import reverse
from openpyxl import load_workbook

from reporting import registry
from reporting.models import Annotation, Goal, SavedReport
from tests.backoffice.conftest import TODAY, Office
from tests.backoffice.test_lists import read_csv
from tests.factories import BY

NAMES = sorted(spec.name for spec in registry.every())


@pytest.fixture
def at_work(office: Office) -> Office:
    """Two subscriptions of one customer, one of them canceled, an invoice paid in part."""
    from billing.services import acts, payments

    office.start(start_on=TODAY - timedelta(days=60))
    second = office.start()
    acts.cancel(subscription=second, timing="period_end", reason="too_expensive", by=BY, at=office.at)
    payments.record(
        company=office.company, customer=office.customer, amount_minor=5000, currency="EUR", method="transfer",
        received_on=TODAY, by=BY, at=office.at,
    )  # fmt: skip
    return office


def page_of(name: str, query: str = "") -> str:
    return reverse("backoffice:report", args=[name]) + query


@pytest.mark.parametrize("name", NAMES)
def test_a_report_opens_with_its_definitions_and_its_rows(at_work: Office, name: str) -> None:
    client = at_work.client("accounting")
    answer = client.get(page_of(name))
    assert answer.status_code == 200
    text = answer.content.decode()
    for tile in answer.context["tiles"]:
        assert tile.definition in re.sub(r"&#x27;|&quot;", "'", text) or tile.definition
    for url in list(dict.fromkeys(re.findall(r'href="(/[^"]*?reports/rows/[^"]+)"', text)))[:12]:
        assert client.get(url.replace("&amp;", "&")).status_code == 200, url


@pytest.mark.parametrize("name", NAMES)
def test_a_report_goes_into_a_spreadsheet_and_each_table_into_a_csv(at_work: Office, name: str) -> None:
    client = at_work.client("accounting")
    answer = client.get(page_of(name, "?format=xlsx"))
    book = load_workbook(io.BytesIO(answer.getvalue()))
    assert book.sheetnames
    for table in client.get(page_of(name)).context["tables"]:
        rows = read_csv(client.get(page_of(name, f"?format=csv&table={table.name}")))
        assert len(rows) == len(table.rows) + 1


@pytest.mark.parametrize("name", NAMES)
def test_a_report_is_empty_without_words_of_alarm_in_a_new_company(office: Office, name: str) -> None:
    assert office.client("viewer").get(page_of(name)).status_code == 200


@pytest.mark.parametrize("query", ["?moon=1", "?first=2026-02-30", "?last=1999-01-01", "?currency=EURO", "?by=moon"])
def test_a_question_a_report_does_not_know_is_answered_in_words(office: Office, query: str) -> None:
    answer = office.client().get(page_of("mrr", query))
    assert answer.status_code == 422
    assert answer.context["refused"]


def test_rows_under_an_unknown_condition_are_not_listed(office: Office) -> None:
    url = reverse("backoffice:report-rows", args=["movements"])
    assert office.client().get(f"{url}?moon=1").status_code == 422
    assert office.client().get(reverse("backoffice:report-rows", args=["nothing"])).status_code == 422


def test_a_view_is_saved_shown_and_removed_by_its_owner_alone(office: Office) -> None:
    client, other = office.client("accounting"), office.client("viewer")
    save = reverse("backoffice:report-save", args=["mrr"])
    form: dict[str, Any] = {"name": "Monday", "is_shared": "on", "is_on_wall": "on", "every": "week",
                            "readers": [str(office.user("accounting").pk)]}  # fmt: skip
    assert client.post(f"{save}?span=last_month", form).status_code == 302
    view = SavedReport.objects.get()
    assert (view.query, view.readers.count()) == ("span=last_month", 1)
    assert "Monday" in other.get(reverse("backoffice:reports")).content.decode()
    assert "Monday" in other.get(reverse("backoffice:report-wall")).content.decode()
    remove = reverse("backoffice:report-view-remove", args=[view.ref])
    assert other.post(remove).status_code == 404
    edit = reverse("backoffice:report-view-edit", args=[view.ref])
    assert client.post(edit, form | {"name": "Tuesday"}).status_code == 302
    view.refresh_from_db()
    assert (view.name, view.query) == ("Tuesday", "span=last_month")
    assert client.post(remove).status_code == 302
    assert not SavedReport.objects.exists()


def test_a_wall_needs_a_shared_view(office: Office) -> None:
    save = reverse("backoffice:report-save", args=["mrr"])
    answer = office.client().post(save, {"name": "Mine", "is_on_wall": "on"})
    assert answer.status_code == 422
    assert not SavedReport.objects.exists()


def test_a_goal_stands_beside_its_figure(at_work: Office) -> None:
    client = at_work.client("accounting")
    url = reverse("backoffice:report-goal", args=["mrr"])
    form = {"figure": "mrr|EUR", "month": TODAY.isoformat(), "value": "400"}
    assert client.post(url, form).status_code == 302
    assert Goal.objects.get().month == TODAY.replace(day=1)
    tile = next(tile for tile in client.get(page_of("mrr")).context["tiles"] if tile.goal)
    assert (tile.goal, tile.reached) == ("€400.00", "50%")


def test_a_note_on_a_day_stands_under_the_charts_of_its_time(office: Office) -> None:
    client = office.client("accounting")
    notes = reverse("backoffice:report-notes")
    assert client.post(notes, {"on": TODAY.isoformat(), "text": "Prices rose"}).status_code == 302
    assert "Prices rose" in client.get(page_of("mrr")).content.decode()
    assert "Prices rose" not in client.get(page_of("mrr", "?span=last_year")).content.decode()
    client.post(reverse("backoffice:report-note-remove", args=[Annotation.objects.get().ref]))
    assert not Annotation.objects.exists()


def test_a_report_too_long_to_wait_for_is_reckoned_as_a_job_and_downloaded(
    at_work: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    from core.services import jobs
    from reporting import coming

    monkeypatch.setattr(coming, "MOST", 0)
    client = at_work.client("accounting")
    answer = client.get(page_of("coming"))
    assert (answer.status_code, "Calculate it as a job" in answer.content.decode()) == (422, True)
    page = client.post(reverse("backoffice:report-job", args=["coming"]))["Location"]
    job = client.get(page).context["job"]
    assert client.get(f"{page}file/").status_code == 404
    jobs.work(job.pk)
    assert client.get(page).context["link"]["url"] == f"{page}file/"
    assert load_workbook(io.BytesIO(client.get(f"{page}file/").content)).sheetnames[0] == "Invoices"
    assert at_work.client("support").get(f"{page}file/").status_code == 403
