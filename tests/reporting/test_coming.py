"""Invoices to come are those that billing then writes; money to come stands by the day it is due."""

from __future__ import annotations

import io
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from openpyxl import load_workbook

from tests.factories import a_customer, a_plan
from tests.reporting.opening import ask, wrong_numbers
from tests.stories.life import Life

pytestmark = pytest.mark.django_db
START = date(2026, 1, 1)


@pytest.fixture
def life():
    """A month at 31.00 and a year at 1,200.00 from 1 January, 10.00 in arrears from the 5th; no terms of payment."""
    life = Life(START, payment_terms_days=0)
    company = life.company
    life.start(a_plan(company, amount="31.00"))
    life.start(a_plan(company, amount="1200.00", rules={"interval_unit": "year"}))
    life.until(date(2026, 1, 5))
    life.start(a_plan(company, amount="10.00", price={"billed": "arrears"}))
    return life


def to_come(life: Any, last: date, **more: Any) -> Any:
    return ask(life.company, "coming", life.day, last, on=life.day, **more)


def written(company: Any, after: date) -> list[tuple[Any, ...]]:
    from billing.models import Invoice

    rows = Invoice.objects.filter(company=company, charge_due_on__gt=after).order_by("charge_due_on", "customer_id")
    return list(rows.values_list("charge_due_on", "customer__name", "net_minor", "tax_minor", "gross_minor"))


def test_what_is_told_is_what_billing_then_writes(life):
    from billing.models import Invoice

    count = Invoice.objects.count()
    last = life.day + timedelta(days=90)
    told = [tuple(line.cells[:5]) for line in to_come(life, last).table("invoices").lines]
    assert Invoice.objects.count() == count  # nothing was written
    day = life.day
    life.until(last)
    assert told == written(life.company, day)
    assert len(told) == 6  # 1 February, March, April in advance, and the 5th of each in arrears


def test_a_planned_end_brings_no_more(life):
    from billing.services import acts
    from subscriptions.models import Subscription

    monthly = Subscription.objects.filter(company=life.company).order_by("pk")[0]
    life.do(acts.cancel, subscription=monthly, timing="period_end", override=True, override_reason="asked")
    assert len(to_come(life, date(2026, 4, 5)).table("invoices").lines) == 3


def test_by_week_and_plan(life):
    report = to_come(life, date(2026, 2, 8))
    assert [line.cells for line in report.table("weeks").lines] == [
        [date(2026, 1, 26), 1, 3100, 589, 3689, 3689],
        [date(2026, 2, 2), 1, 1000, 190, 1190, 1190],
    ]
    assert [line.cells[1:] for line in report.table("plans").lines] == [[1, 3100], [1, 1000]]
    assert report.figure("coming").value == 3689 + 1190
    assert report.figure("due").value == 2
    assert wrong_numbers(life.company, report) == []


def test_too_many_to_reckon_at_once_is_said(life, monkeypatch):
    from core.refusal import Refused
    from reporting import coming

    monkeypatch.setattr(coming, "MOST", 1)
    with pytest.raises(Refused) as refused:
        to_come(life, date(2026, 4, 1))
    assert refused.value.code == "report.coming_too_many"


def test_what_takes_too_long_to_wait_for_is_written_by_a_job(life, monkeypatch):
    """The file holds every invoice, then the figures of the report."""
    from core.services import jobs
    from reporting import coming, long_reports

    company, last = life.company, date(2026, 4, 1)
    told = to_come(life, last)
    monkeypatch.setattr(coming, "MOST", 1)
    monkeypatch.setattr(coming, "LISTED", 2)
    query = {"span": "days", "last": last.isoformat()}
    job = jobs.work(long_reports.start(company=company, name="coming", query=query, language="en", user=None).pk)
    assert (job.state, job.total, job.done) == ("done", 2, 2)
    stored = long_reports.file_of(job)
    assert stored.name == "coming-2026-04-01.xlsx"
    book = load_workbook(io.BytesIO(stored.content))
    assert book.sheetnames == ["Invoices", "Figures", "By week", "By plan"]
    days = [line.cells[0] for line in told.table("invoices").lines]
    assert sorted(row[1].value.date() for row in book["Invoices"].iter_rows(min_row=2)) == days
    assert len(days) > 2
    figures = {row[0].value: row[2].value for row in book["Figures"].iter_rows(min_row=2)}
    assert Decimal(str(figures["Invoices to come"])) * 100 == told.figure("coming").value


def test_money_to_come_can_be_written_by_a_job_too(life, monkeypatch):
    from core.services import jobs
    from reporting import coming, long_reports

    monkeypatch.setattr(coming, "MOST", 1)
    job = long_reports.start(company=life.company, name="cash", query={}, language="en", user=None)
    assert jobs.work(job.pk).state == "done"


def test_a_job_that_stopped_writes_the_same_file_once(life):
    from core.models import Job, StoredFile
    from core.services import jobs
    from reporting import long_reports

    job = long_reports.start(company=life.company, name="coming", query={}, language="en", user=None)
    jobs.work(job.pk)
    Job.objects.filter(pk=job.pk).update(state="waiting")
    jobs.work(job.pk)
    assert StoredFile.objects.filter(company=life.company, name__startswith="coming-").count() == 1


def test_the_same_statements_for_each_chunk(life):
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    from billing.services import coming as engine

    def counted() -> int:
        with CaptureQueriesContext(connection) as seen:
            list(engine.coming(life.company, date(2026, 4, 1), at=life.at))
        return len(seen)

    few = counted()
    for _number in range(8):
        life.start(a_plan(life.company, amount="5.00"))
    assert counted() == few <= 12


def test_money_to_come_stands_apart_by_what_is_known(life):
    """36.89 and 1,428.00 were due on 1 January; nothing else is open. The 11.90 and 36.89 of February are to come."""
    report = ask(life.company, "cash", life.day, date(2026, 2, 8), on=life.day)
    found = {figure.name: figure.value for figure in report.figures}
    late = 3689 + 142800
    assert found == {
        "open": 0, "on_the_way": 0, "late": late, "coming": 3689 + 1190, "late_share": None, "late_expected": None,
    }  # fmt: skip
    assert wrong_numbers(life.company, report) == []


def test_what_late_invoices_brought_in_the_past_is_the_one_assumption(life):
    """A year on: of 119.00 late, 59.50 were paid after all; of what is late now half is expected."""
    from billing.models import Invoice
    from billing.services import payments
    from tests.billing.test_payments import an_invoice

    company = life.company
    for invoice in Invoice.objects.filter(company=company):
        life.do(payments.record, company=company, customer=None, invoice=invoice, amount_minor=invoice.gross_minor,
                currency="EUR", method="transfer", received_on=START)  # fmt: skip
    from subscriptions.models import Subscription

    Subscription.objects.filter(company=company).update(next_bill_on=None)
    old = an_invoice(company, a_customer(company), on=date(2026, 1, 10))
    Subscription.objects.filter(company=company).update(next_bill_on=None)
    life._set(date(2026, 3, 1))
    life.do(payments.record, company=company, customer=None, invoice=old, amount_minor=5950, currency="EUR",
            method="transfer", received_on=date(2026, 3, 1))  # fmt: skip
    life._set(date(2026, 6, 1))
    report = ask(company, "cash", life.day, date(2026, 8, 30), on=life.day)
    assert (report.figure("late").value, report.figure("late_share").value) == (5950, Decimal("50.0"))
    assert report.figure("late_expected").value == 2975


def test_a_report_goes_with_its_job_when_it_is_old_unless_a_later_job_wrote_the_same(life, settings):
    from datetime import timedelta

    from core import clock
    from core.models import Job, StoredFile
    from core.services import jobs
    from core.services.sweeping import sweep
    from reporting import long_reports

    settings.WORK_LOG_DAYS = 90

    def written(last, *, ago):
        query = {"span": "days", "last": last.isoformat()}
        job = jobs.work(
            long_reports.start(company=life.company, name="coming", query=query, language="en", user=None).pk
        )
        Job.objects.filter(pk=job.pk).update(ended_at=clock.machine_now() - timedelta(days=ago))
        return job

    april, may = date(2026, 4, 1), date(2026, 5, 1)
    old, same, again = written(april, ago=91), written(may, ago=91), written(may, ago=89)
    # As if the same bytes had come out.
    Job.objects.filter(pk=same.pk).update(result=again.result)
    StoredFile.objects.filter(pk=same.result["file"]).exclude(pk=again.result["file"]).delete()
    now = clock.machine_now()
    assert sweep(life.company, now, ["jobs", "reports"]) == {"reports": 2}
    assert list(Job.objects.filter(kind="write_report")) == [again]
    assert not StoredFile.objects.filter(pk=old.result["file"]).exists()
    assert long_reports.file_of(again) is not None


def test_a_report_that_somebody_attached_stays_with_them(life, settings):
    from datetime import timedelta

    from core import clock
    from core.models import Job
    from core.services import jobs
    from core.services.sweeping import sweep
    from reporting import long_reports

    settings.WORK_LOG_DAYS = 90
    job = jobs.work(long_reports.start(company=life.company, name="cash", query={}, language="en", user=None).pk)
    stored = long_reports.file_of(job)
    life.company.logo = stored
    life.company.save(update_fields=["logo"])
    Job.objects.update(ended_at=clock.machine_now() - timedelta(days=91))
    assert sweep(life.company, clock.machine_now(), ["reports"]) == {"reports": 1}
    stored.refresh_from_db()
    assert not Job.objects.exists()
