"""The ways to a run: command, ticks, Celery's tasks, the staff page's job; and a test company's clock."""

from __future__ import annotations

from datetime import date
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from billing import tasks
from billing.models import BillingChunk, BillingRun, Invoice
from billing.services import running
from core.models import Company, Job, Outbox, TickRun
from core.services import jobs, ticks
from subscriptions.models import Subscription
from tests.billing.test_run import start
from tests.factories import a_company, a_customer, a_plan, a_subscription, at_noon

pytestmark = pytest.mark.django_db
FIRST = date(2026, 1, 1)


@pytest.fixture
def company() -> Company:
    company = a_company(today=FIRST)
    plan = a_plan(company)
    for _ in range(3):
        a_subscription(company, plan=plan, on=FIRST)
    return company


def bill(company: Company, *more: str) -> str:
    said = StringIO()
    call_command("run_billing", "--company", company.slug, *more, stdout=said, stderr=StringIO())
    return said.getvalue()


def figures(said: str) -> dict[str, str]:
    return {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in said.splitlines())}


def test_the_command_bills_and_sums_up(company: Company) -> None:
    said = figures(bill(company, "--on", "2026-01-01"))
    assert (said["Invoices"], said["Lines"], said["Of them without mail"]) == ("3", "3", "0")
    assert (said["Net"], said["Tax"], said["Gross"]) == ("30.00 EUR", "5.70 EUR", "35.70 EUR")
    assert Invoice.objects.count() == 3


def test_without_a_day_it_bills_up_to_the_companys_today(company: Company) -> None:
    bill(company)
    assert BillingRun.objects.get().on == FIRST


def test_a_repeat_says_that_nothing_is_due(company: Company) -> None:
    bill(company, "--on", "2026-01-01")
    assert bill(company, "--on", "2026-01-01") == "Nothing is due by 2026-01-01.\n"


def test_a_dry_run_shows_the_same_figures_and_writes_nothing(company: Company) -> None:
    dry = figures(bill(company, "--on", "2026-01-01", "--dry-run"))
    assert (Invoice.objects.count(), BillingRun.objects.count(), Outbox.objects.count()) == (0, 0, 0)
    assert set(Subscription.objects.values_list("next_bill_on", flat=True)) == {FIRST}
    wet = figures(bill(company, "--on", "2026-01-01"))
    assert {name: dry[name] for name in ("Invoices", "Lines", "Net", "Tax", "Gross")} == {
        name: wet[name] for name in ("Invoices", "Lines", "Net", "Tax", "Gross")
    }


def test_older_charges_are_quiet_and_the_command_says_how_many(company: Company) -> None:
    said = figures(bill(company, "--on", "2026-03-01", "--notify-since", "2026-02-01"))
    assert (said["Invoices"], said["Of them without mail"]) == ("9", "3")
    assert Outbox.objects.filter(kind="document_mail").count() == 6


def test_an_unfinished_run_of_an_earlier_day_is_finished_first(company: Company) -> None:
    first = start(company, FIRST)
    assert first is not None
    bill(company, "--on", "2026-02-01")
    first.refresh_from_db()
    assert (first.state, first.invoice_count) == ("done", 3)
    assert list(BillingRun.objects.order_by("pk").values_list("invoice_count", flat=True)) == [3, 3]


def test_a_day_to_come_is_billed_when_a_person_says_so(company: Company) -> None:
    complaint = StringIO()
    call_command("run_billing", "--on", "2026-02-01", "--company", company.slug, stdout=StringIO(), stderr=complaint)
    assert "2026-02-01 is still to come" in complaint.getvalue()
    assert Invoice.objects.count() == 6


def test_a_day_that_is_none_is_refused() -> None:
    with pytest.raises(CommandError, match="invalid fromisoformat value: '2026-02-31'"):
        call_command("run_billing", "--on", "2026-02-31")


def test_an_unknown_company_is_refused() -> None:
    with pytest.raises(CommandError, match="no such company"):
        call_command("run_billing", "--company", "nobody", "--on", "2026-01-01")


def test_the_daily_tick_bills_today(company: Company) -> None:
    said = StringIO()
    call_command("tick", "billing.run", "--company", company.slug, stdout=said)
    assert '"invoices": 3' in said.getvalue()
    assert TickRun.objects.get(company=company, name="billing.run").outcome["invoices"] == 3


def test_ticks_are_walked_in_order_with_moves_before_the_run() -> None:
    names = [tick.name for tick in ticks.all_ticks()]
    assert names.index("subscriptions.moves") < names.index("billing.run") < names.index("billing.unpark")


def test_an_unknown_tick_is_refused() -> None:
    with pytest.raises(CommandError, match=r"There is no such tick. There are: .*billing\.run"):
        call_command("tick", "nothing")


def test_a_month_ahead_bills_each_due_day_on_its_day(company: Company) -> None:
    late = a_subscription(company, a_customer(company), a_plan(company), on=date(2026, 1, 15))
    call_command("advance", "--company", company.slug, "--months", "1", stdout=StringIO(), stderr=StringIO())
    company.refresh_from_db()
    assert company.clock_at == at_noon(date(2026, 2, 1))
    mine = Invoice.objects.filter(customer=late.customer).values_list("issued_on", "charge_due_on")
    assert list(mine) == [(date(2026, 1, 15), date(2026, 1, 15))]
    # The three of 1 January were due before the first step, so they are issued on the 2nd.
    others = Invoice.objects.exclude(customer=late.customer).order_by("sequence")
    assert [str(day) for day in others.values_list("issued_on", flat=True)] == ["2026-01-02"] * 3 + ["2026-02-01"] * 3


def test_the_clock_of_a_live_company_is_refused() -> None:
    live = a_company(is_live=False)
    Company.objects.filter(pk=live.pk).update(clock_at=None, is_live=True)
    with pytest.raises(CommandError, match="live company"):
        call_command("advance", "--company", live.slug, "--months", "1")


def test_a_task_bills_its_chunk_and_the_last_one_ends_the_run(company: Company) -> None:
    run = start(company, FIRST, cut=running.Cut(subscriptions=2))
    assert run is not None
    first, second = BillingChunk.objects.filter(run=run).order_by("pk").values_list("pk", flat=True)
    tasks.bill_chunk(first)
    tasks.bill_chunk(first)
    run.refresh_from_db()
    assert (run.state, Invoice.objects.count()) == ("running", 1)
    tasks.bill_chunk(second)
    run.refresh_from_db()
    assert (run.state, run.invoice_count) == ("done", 3)


def test_a_task_for_a_chunk_that_is_gone_does_nothing() -> None:
    tasks.bill_chunk(0)


def test_lost_messages_are_sent_again_and_others_are_left_under_way(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[int] = []
    monkeypatch.setattr(tasks.bill_chunk, "delay", sent.append)
    run = start(company, FIRST, cut=running.Cut(subscriptions=1))
    assert run is not None
    chunks = list(BillingChunk.objects.filter(run=run).order_by("pk").values_list("pk", flat=True))
    assert (tasks.wake([run]), sent) == (3, chunks)
    assert tasks.wake([run]) == 0
    BillingChunk.objects.filter(pk=chunks[1]).update(queued_at=at_noon(date(2020, 1, 1)))
    assert (tasks.wake([run]), sent[3:]) == (1, [chunks[1]])


def test_without_a_broker_chunks_wait_for_the_next_tick(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(chunk_id: int) -> None:
        raise ConnectionError

    monkeypatch.setattr(tasks.bill_chunk, "delay", fail)
    run = start(company, FIRST)
    assert run is not None
    assert tasks.wake([run]) == 0
    assert BillingChunk.objects.get(run=run).queued_at is None


def test_the_tick_ends_a_run_whose_last_worker_died(company: Company) -> None:
    run = start(company, FIRST)
    assert run is not None
    assert running.bill_next(run) is running.Step.DONE
    ticks.run_tick(name="billing.wake", company=company, at=at_noon(FIRST))
    run.refresh_from_db()
    assert (run.state, run.invoice_count) == ("done", 3)


def test_a_job_bills_and_shows_how_far_it_is(company: Company) -> None:
    job = tasks.ask_for_run(company=company, on=FIRST, user=None)
    jobs.work(job.pk)
    job.refresh_from_db()
    assert (job.state, job.total, job.done, job.failed) == (Job.State.DONE, 3, 3, 0)
    assert (job.result["state"], job.result["invoices"]) == ("done", 3)
    assert job.result["totals"] == {"EUR": {"net": 3000, "tax": 570, "gross": 3570}}


def test_a_dry_job_writes_nothing(company: Company) -> None:
    job = tasks.ask_for_run(company=company, on=FIRST, dry_run=True, user=None)
    jobs.work(job.pk)
    job.refresh_from_db()
    assert (job.result["dry_run"], job.result["invoices"], Invoice.objects.count()) == (True, 3, 0)


def test_within_a_worker_a_live_companys_chunks_go_to_all_workers_and_a_test_companys_are_done_at_once(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[int] = []
    monkeypatch.setattr(tasks.bill_chunk, "delay", sent.append)

    class InAWorker:
        class request:
            called_directly = False

    monkeypatch.setattr(tasks, "current_task", InAWorker)
    ticks.run_tick(name="billing.run", company=company, at=at_noon(FIRST))
    assert (sent, Invoice.objects.count()) == ([], 3)
    company.is_live, company.clock_at = True, None
    plan = a_plan(company)
    a_subscription(company, plan=plan, on=FIRST)
    Company.objects.filter(pk=company.pk).update(is_live=True, clock_at=None)
    outcome = ticks.run_tick(name="billing.run", company=company, at=at_noon(FIRST))
    assert (outcome["queued"], sent, Invoice.objects.count()) == (1, [BillingChunk.objects.latest("pk").pk], 3)
