"""Reports for programs: one shape for all, strict questions, rows that add up to their number."""

from __future__ import annotations

from decimal import Decimal

import pytest

from reporting import registry

pytestmark = pytest.mark.django_db
NAMES = sorted(spec.name for spec in registry.every())


@pytest.fixture
def running(api, company):
    from tests.factories import a_customer, a_plan

    sent = {"customer": a_customer(company).ref, "plan": a_plan(company).ref, "start_on": "2026-03-10"}
    return api.post("subscriptions", sent).body


def figure_of(body, name, currency="EUR"):
    return next(one for one in body["figures"] if (one["name"], one["currency"]) == (name, currency))


def test_reports_are_listed_with_what_they_can_be_divided_by(api, running):
    found = {one["name"]: one for one in api.get("reports").body["data"]}
    assert sorted(found) == NAMES
    assert "plan" in found["mrr"]["dimensions"]


@pytest.mark.parametrize("name", NAMES)
def test_every_report_answers_in_one_shape(api, running, name):
    body = api.get(f"reports/{name}").body
    assert body["report"] == name
    for table in body["tables"]:
        columns = [column["name"] for column in table["columns"]]
        assert all(list(line["cells"]) == columns for line in table["lines"])


def test_recurring_revenue_and_its_rows(api, running):
    body = api.get("reports/mrr").body
    assert (body["on"], figure_of(body, "mrr")["value"]) == ("2026-03-10", "10.00")
    rows = api.get(figure_of(body, "mrr")["rows_url"].removeprefix("/api/v1/")).body
    assert sum(Decimal(line["cells"]["amount"]) for line in rows["lines"]) == Decimal("10.00")
    assert api.get("reports/mrr?on=2026-03-09").body["figures"] == []


@pytest.mark.parametrize(
    "query", ["on=2026-02-30", "on[gte]=2026-01-01", "span=ever", "currency=EURO", "by=moon", "days=3", "compare=x"]
)
def test_a_report_reads_its_parameters_strictly(api, query):
    assert api.get(f"reports/mrr?{query}").status_code == 422


def test_what_is_no_report_is_not_found(api, caller):
    assert api.get("reports/moon").status_code == 404
    assert api.get("reports/rows/moon").status_code == 404
    assert api.get("reports/rows/recurring?kind=new").status_code == 409
    assert caller("invoices:read").get("reports/mrr").status_code == 403


def test_a_long_report_is_written_by_a_job_and_fetched(api, running, caller):
    from core.models import Job
    from core.services import jobs

    answer = api.post("reports/coming/file?span=12_months", {})
    assert (answer.status_code, answer.json()["kind"]) == (202, "write_report")
    job = answer.json()["id"]
    assert api.get(f"jobs/{job}/file").status_code == 404
    jobs.work(Job.objects.get().pk)
    file = api.get(f"jobs/{job}/file")
    assert (file.status_code, file["Content-Type"].endswith("spreadsheetml.sheet")) == (200, True)
    assert caller("invoices:read").get(f"jobs/{job}/file").status_code == 403
