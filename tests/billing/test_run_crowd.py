"""Many at once, and some killed: each day is billed once, numbers have no gap, the chain holds.

These tests have real transactions and real processes, forked from this one, each with a connection of its own.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from io import StringIO
from multiprocessing.synchronize import Barrier, Event
from typing import Any

import psycopg
import pytest
from django.core.management import call_command
from django.db import connection, connections

from billing.models import BilledDays, BillingChunk, BillingRun, CreditNote, Invoice, InvoiceLine, Payment
from billing.services import acts, books, payments, running, tiling
from billing.services.chain import verify_chain
from core import clock
from core.models import Company
from subscriptions.models import Subscription
from tests.billing.test_run import start
from tests.factories import BY, a_company, a_customer, a_plan, a_subscription, set_clock

pytestmark = pytest.mark.django_db(transaction=True)
FIRST, SECOND = date(2026, 1, 1), date(2026, 2, 1)
FORK = multiprocessing.get_context("fork")


def forked(work: Callable[..., Any], *args: Any) -> Any:
    """A started process of its own that ends without asking pytest."""

    def alone() -> None:
        connections.close_all()
        code = 1
        try:
            work(*args)
            code = 0
        finally:
            connections.close_all()
            os._exit(code)

    process = FORK.Process(target=alone)
    process.start()
    return process


def in_order(company: Company) -> None:
    """What must hold after whatever happened."""
    invoices = Invoice.objects.filter(company=company).order_by("sequence")
    assert list(invoices.values_list("sequence", flat=True)) == list(range(1, invoices.count() + 1))
    notes = CreditNote.objects.filter(company=company).order_by("sequence")
    assert list(notes.values_list("sequence", flat=True)) == list(range(1, notes.count() + 1))
    starts = InvoiceLine.objects.filter(company=company).values_list("slot_id", "period_start")
    assert len(starts) == len(set(starts))
    assert verify_chain(company) == []
    assert tiling.check(company, SECOND) == []
    by_currency: dict[str, int] = {}
    for _, _, currency, minor in books.trial_balance(company, SECOND):
        by_currency[currency] = by_currency.get(currency, 0) + minor
    assert set(by_currency.values()) <= {0}


@pytest.fixture
def company() -> Iterator[Company]:
    """Sixty customers, billed for January, due again on 1 February."""
    company = a_company(today=FIRST)
    plan = a_plan(company)
    for _ in range(60):
        a_subscription(company, a_customer(company), plan, on=FIRST)
    run = start(company, FIRST)
    assert run is not None
    running.work(run, pause=0)
    set_clock(company, SECOND)
    yield company


def run_billing(company: Company, ready: Barrier, done: Any) -> None:
    """The command, and how many chunks this process brought to an end."""
    from billing.services.running import working

    count = 0
    bill_next = working.bill_next

    def counted(run: BillingRun) -> running.Step:
        nonlocal count
        step = bill_next(run)
        count += step is running.Step.DONE
        return step

    working.bill_next = counted
    ready.wait()
    try:
        call_command(
            "run_billing", "--company", company.slug, "--on", "2026-02-01", "--chunk", "1", stdout=StringIO(),
            stderr=StringIO(),
        )  # fmt: skip
    finally:
        done.put(count)


def cancel_some(company: Company, ready: Barrier) -> None:
    """Every third one: half of them at the end of the period, half at once."""
    ready.wait()
    for number, subscription in enumerate(Subscription.objects.filter(company=company).order_by("-pk")[:60:3]):
        acts.cancel(
            subscription=subscription, timing=("period_end", "now")[number % 2], by=BY, at=clock.now(company)
        )  # fmt: skip


def pay_some(company: Company, ready: Barrier) -> None:
    """A payment for each invoice of January, from the last to the first."""
    ready.wait()
    for invoice in Invoice.objects.filter(company=company, charge_due_on=FIRST).order_by("-pk"):
        payments.record(
            company=company, customer=invoice.customer, amount_minor=invoice.gross_minor + 5, currency="EUR",
            method="transfer", received_on=SECOND, invoice=invoice, by=BY, at=clock.now(company),
        )  # fmt: skip


def test_twenty_runs_at_once_with_cancels_and_payments_between(company: Company) -> None:
    ready, done = FORK.Barrier(22), FORK.SimpleQueue()
    connections.close_all()
    crowd = [forked(run_billing, company, ready, done) for _ in range(20)]
    crowd += [forked(cancel_some, company, ready), forked(pay_some, company, ready)]
    for process in crowd:
        process.join(timeout=240)
    assert [process.exitcode for process in crowd] == [0] * 22
    counts = [done.get() for _ in range(20)]
    # The work was really shared, and one run was enough for all.
    assert sum(count > 0 for count in counts) >= 4, counts
    runs = BillingRun.objects.filter(company=company, on=SECOND)
    assert set(runs.values_list("state", flat=True)) == {"done"}
    # Each was billed for February once: by the run, or by the cancellation that came before it.
    assert Invoice.objects.filter(company=company, charge_due_on=SECOND).count() == 60
    assert BilledDays.objects.filter(company=company, days__startswith=SECOND).count() == 60
    assert Payment.objects.filter(company=company).count() == 60
    assert Subscription.objects.filter(company=company, ends_on__isnull=False).count() == 20
    in_order(company)


def bill_until_killed(run: BillingRun, begun: Event) -> None:
    """Bills, and stops for ever in the middle of its third chunk, all rows written, nothing committed."""
    from billing.services.running import chunks

    add, seen = chunks.add, []

    def add_slowly(into: Any, outcome: Any) -> None:
        add(into, outcome)
        seen.append(into)
        if len(seen) == 3:
            begun.set()
            time.sleep(600)

    chunks.add = add_slowly
    running.work(run)


def test_a_killed_run_goes_on_and_leaves_no_trace_of_the_kill(company: Company) -> None:
    run = start(company, SECOND, cut=running.Cut(subscriptions=10))
    assert run is not None
    begun = FORK.Event()
    connections.close_all()
    process = forked(bill_until_killed, run, begun)
    assert begun.wait(60)
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    assert process.exitcode == -signal.SIGKILL
    assert BillingChunk.objects.filter(run=run, state="done").count() == 2
    call_command("run_billing", "--company", company.slug, "--on", "2026-02-01", stdout=StringIO(), stderr=StringIO())
    run.refresh_from_db()
    assert (run.state, run.invoice_count) == ("done", 60)
    assert BillingRun.objects.filter(company=company, on=SECOND).count() == 1
    assert Invoice.objects.filter(company=company, charge_due_on=SECOND).count() == 60
    in_order(company)


def test_two_workers_of_the_command_share_a_run(company: Company) -> None:
    said = StringIO()
    call_command(
        "run_billing", "--company", company.slug, "--on", "2026-02-01", "--workers", "2", "--chunk", "5", stdout=said,
        stderr=StringIO(),
    )  # fmt: skip
    assert Invoice.objects.filter(company=company, charge_due_on=SECOND).count() == 60
    in_order(company)


@contextmanager
def held_by_somebody(customer_id: int) -> Iterator[None]:
    """The customer's row locked in a transaction of somebody else."""
    given = connection.settings_dict
    other = psycopg.connect(
        host=given["HOST"] or None, port=given["PORT"] or None, user=given["USER"] or None,
        password=given["PASSWORD"] or None, dbname=given["NAME"],
    )  # fmt: skip
    try:
        other.execute("SELECT 1 FROM customers_customer WHERE id = %s FOR UPDATE", [customer_id])
        yield
    finally:
        other.close()


def test_a_customer_in_use_keeps_the_chunk_open_and_holds_up_nobody_else(company: Company) -> None:
    run = start(company, SECOND)
    assert run is not None
    in_use = Subscription.objects.filter(company=company).earliest("pk").customer_id
    with held_by_somebody(in_use):
        assert running.bill_next(run) is running.Step.BUSY
        assert Invoice.objects.filter(run_id=run.pk).count() == 59
        assert not running.close_if_over(run)
    assert running.work(run, pause=0).invoice_count == 60
    in_order(company)
