"""A seeded campaign of everything providers and relays can do wrong while a crowd is collected.

40 faults by default; `TURNUS_FAULTS=500` is the whole, `TURNUS_SEED` another one. Each kind has a quota, and the test
checks that it was spent. Counted is the stand-in's money, by customer and invoice; then the books must say the same.
"""

from __future__ import annotations

import os
import random
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import suppress
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection

from tests.factories import BY, TODAY, a_company, a_customer, a_plan, at_noon
from tests.money.crowd import a_wallet, at_provider, in_books, no_mail, rows_of
from tests.money.providers import ROOT, a_card, a_gateway, running

pytestmark = pytest.mark.django_db(transaction=True)
SIZE, SEED = int(os.environ.get("TURNUS_FAULTS", "38")), int(os.environ.get("TURNUS_SEED", "1"))
AT = at_noon(TODAY)
#: What the stand-in does to a request; a decline has a reason of each kind.
DECLINES = {
    "stripe": ("insufficient_funds", "do_not_honor", "processing_error"),
    "paypal": ("INSTRUMENT_DECLINED", "TRANSACTION_REFUSED"),
}
IN_REQUESTS = (
    "decline", "authentication_required", "hang_after", "hang_before", "reset_after", "reset_before", "rate_limited",
    "error_500_after", "error_500_before", "unavailable", "slow", "malformed", "empty",
)  # fmt: skip
#: What happens beside: to messages, to the provider's process, to relays.
BESIDE = ("message_dropped", "message_twice", "message_forged", "provider_killed", "crash_before", "crash_after")
QUOTA = max(2, -(-SIZE // (len(IN_REQUESTS) + len(BESIDE))))
SETTLING = (2, 10, 90, 480, *[1500] * 9)


class Crash(BaseException):
    """As if the process were gone: nothing catches it, nothing is tidied up."""


class Campaign:
    """One company, its crowd and its providers, and the time they share."""

    def __init__(self, providers, address, monkeypatch):
        self.providers, self.monkeypatch, self.dice = providers, monkeypatch, random.Random(SEED)
        self.spent, self.minutes, self.rounds = Counter(), 0, 0
        self.company = a_company()
        self.gateways = {kind: a_gateway(self.company, providers, kind) for kind in ("stripe", "paypal")}
        self.address = address
        self.refunded: set[int] = set()
        self._listen()
        self._crowd()
        self._crashes()

    # The crowd

    def _crowd(self):
        from billing.models import ExchangeRate, Invoice
        from billing.services import acts

        ExchangeRate.objects.create(day=TODAY, currency="USD", rate=Decimal("1.1"), source="test")
        plans = {currency: a_plan(self.company, currency=currency, amount="10.00") for currency in ("EUR", "USD")}
        for number in range(min(80, max(16, SIZE // 2))):
            customer = a_customer(self.company)
            if number % 2:
                a_wallet(customer, self.gateways["paypal"], self.providers)
            else:
                a_card(customer, self.gateways["stripe"])
            for currency in ("EUR", "USD") if number % 3 == 0 else ("EUR",):
                acts.start(company=self.company, customer=customer, plan=plans[currency], currency=currency,
                           start_on=TODAY, on=TODAY, by=BY, at=AT)  # fmt: skip
        self.invoices = {invoice.pk: invoice for invoice in Invoice.objects.filter(company=self.company)}

    def _listen(self):
        from billing.models import Gateway
        from tests.money.providers import SECRET

        for kind, gateway in self.gateways.items():
            given = {"provider": kind, "url": f"{self.address}/webhooks/{gateway.ref}/"}
            given |= {"secret": SECRET} if kind == "stripe" else {"id": "WH-TESTS"}
            self.providers.control("endpoints", given)
        Gateway.objects.filter(company=self.company).update(synced_at=None)

    def _crashes(self):
        from billing.services import sending

        asked = sending._asked

        def perhaps(attempt, verb, **more):
            when = self.dice.random()
            if self.crashing and verb == "charge" and when < 0.5:
                kind = min(("crash_before", "crash_after"), key=lambda one: self.spent[one])
                if self.spent[kind] < QUOTA:
                    self.spent[kind] += 1
                    if kind == "crash_after":
                        asked(attempt, verb, **more)
                    raise Crash
            return asked(attempt, verb, **more)

        self.crashing = False
        self.monkeypatch.setattr(sending, "_asked", perhaps)

    # Faults

    def trouble(self):
        """The plan of the stand-in: every kind with its quota, on whatever is asked of it."""
        rules = []
        for kind in IN_REQUESTS:
            # Only charges can be declined or ask for the customer; the others may meet any request.
            often = 0.3 if kind in IN_REQUESTS[:2] else 0.08
            rule = {"kind": kind, "rate": often, "seconds": 1.2, "quota": QUOTA}
            if kind != "decline":
                rules.append(rule)
                continue
            ways = [(provider, reason) for provider, reasons in DECLINES.items() for reason in reasons]
            rules += [
                rule | {"provider": provider, "reason": reason, "quota": -(-QUOTA // len(ways))}
                for provider, reason in ways
            ]
        self.providers.faults(*rules, seed=SEED)
        plan = {"mode": "held", "seed": SEED, "drop": 0.2, "duplicate": 0.2, "forge": 0.1, "shuffle": True}
        self.providers.control("deliveries", plan)
        self.patience(0.8)

    def patience(self, seconds):
        """How long we wait for an answer."""
        from billing.gateways import paypal, stripe

        stripe._wire.cache_clear()  # open connections keep the patience they began with
        self.monkeypatch.setattr(stripe, "TIMEOUT", (5.0, seconds))
        self.monkeypatch.setattr(paypal, "TIMEOUT", (5.0, seconds))

    def calm(self):
        self.patience(25.0)
        self.spent.update(dict.fromkeys(BESIDE, QUOTA))  # no crash any more
        self.providers.faults()
        self.providers.control("deliveries", {"mode": "held", "seed": SEED})

    def count(self):
        """What was really done, by kind."""
        found = Counter({kind: self.spent[kind] for kind in BESIDE})
        found.update({kind: self.asked.get(kind, 0) for kind in IN_REQUESTS})
        with sqlite3.connect(f"file:{self.providers.folder}/providers.sqlite3?mode=ro", uri=True) as store:
            one = "SELECT count(*) FROM deliveries WHERE "
            found["message_dropped"] = store.execute(one + "state = 'dropped'").fetchone()[0]
            found["message_twice"] = store.execute(one + "twin = 1 AND forged = ''").fetchone()[0]
            found["message_forged"] = store.execute(one + "forged <> ''").fetchone()[0]
        return found

    def missing(self):
        self.asked = self.providers.control("faults")["spent"]
        found = self.count()
        return {kind: QUOTA - found[kind] for kind in (*IN_REQUESTS, *BESIDE) if found[kind] < QUOTA}

    # Time

    def later(self, minutes):
        """Time goes on for the company, its machine and the provider."""
        self.minutes += minutes
        self.monkeypatch.setenv("TURNUS_CLOCK_OFFSET", str(self.minutes * 60))
        self.company.clock_at = AT + timedelta(minutes=self.minutes)
        self.company.save(update_fields=["clock_at"])
        self.providers.control("clock", {"advance": minutes * 60})

    @property
    def now(self):
        return self.company.clock_at

    def hear(self):
        """Messages go out; they are signed at the machine's real instant."""
        self.monkeypatch.setenv("TURNUS_CLOCK_OFFSET", "0")
        found = self.providers.control("deliveries/flush", {})
        self.monkeypatch.setenv("TURNUS_CLOCK_OFFSET", str(self.minutes * 60))
        assert found["forged_taken"] == 0
        return found

    def tick(self):
        from billing.services import incoming, refunding, sending

        incoming.messages_tick(self.company, self.now)
        self.crashing = True
        with suppress(Crash):
            sending.look_tick(self.company, self.now)
        self.crashing = False
        refunding.refunds_tick(self.company, self.now)

    def relay(self, limit=15):
        """One relay does a batch; a crash ends it, and the next one goes on when its lease is over."""
        from core.services import outbox

        no_mail(self.company)
        self.crashing = True
        try:
            return outbox.relay(worker=f"relay-{self.rounds}", limit=limit).total
        except Crash:
            return -1
        finally:
            self.crashing = False

    # People

    def again(self, most=6 + QUOTA):
        """A colleague collects again what failed, and cancels something."""
        from billing.models import Attempt, InvoiceBalance
        from billing.services import collecting_many, sending

        tried = Attempt.objects.filter(invoice__company=self.company).values("invoice_id")
        free = InvoiceBalance.objects.filter(company_id=self.company.pk, status="open", invoice_id__in=tried).exclude(
            invoice_id__in=Attempt.objects.filter(state__in=Attempt.LIVE).values("invoice_id")
        )
        ids = sorted(free.values_list("invoice_id", flat=True))
        refs = [self.invoices[pk].ref for pk in self.dice.sample(ids, min(most, len(ids)))]
        collecting_many.carry_out(company=self.company, act="retry", refs=refs, by=BY, at=self.now)
        live = list(Attempt.objects.filter(company=self.company, state__in=Attempt.LIVE).order_by("pk"))
        for attempt in self.dice.sample(live, min(1, len(live))):
            sending.cancel(attempt_id=attempt.pk, at=self.now)

    def impatient(self):
        """A customer pays on a provider's page what is not paid yet, whatever else goes on."""
        from billing.models import Attempt, InvoiceBalance
        from billing.services import sending
        from portal import paying

        rows = InvoiceBalance.objects.filter(company_id=self.company.pk, status="open").order_by("invoice_id")
        for balance in self.dice.sample(list(rows), min(3, len(rows))):
            gateway = self.gateways[self.dice.choice(["stripe", "paypal"])]
            attempt = paying.begin(self.invoices[balance.invoice_id], gateway, None, by=BY, at=self.now)
            if attempt.state != Attempt.State.REQUIRES_ACTION or attempt.method_id or not attempt.action_url:
                continue
            if attempt.gateway.kind == "paypal":
                email = attempt.customer.email
                self.providers.control(f"paypal/orders/{attempt.external_id}/approve", {"email": email})
            elif attempt.action_url:
                from tests.money.test_pay_page import pay_on

                pay_on(attempt.action_url)
            if self.dice.random() < 0.5:  # else the browser was closed: the message or the fetch tells
                sending.look_up(attempt_id=attempt.pk, at=self.now)

    def give_back(self):
        """Something paid is credited and goes back by the way it came."""
        from billing.models import InvoiceBalance, Payment
        from billing.services import crediting, refunding

        rows = Payment.objects.filter(company=self.company, status="settled", attempt__isnull=False)
        # Credit of somebody who owes something pays that.
        owing = InvoiceBalance.objects.filter(company_id=self.company.pk, status="open").values("customer_id")
        rows = rows.exclude(attempt__invoice_id__in=self.refunded).exclude(customer_id__in=owing)
        rows = rows.select_related("attempt").order_by("pk")
        for payment in self.dice.sample(list(rows), min(1, len(rows))):
            self.refunded.add(payment.attempt.invoice_id)
            crediting.credit_invoice(
                invoice=self.invoices[payment.attempt.invoice_id], gross_minor=1190, reason="Goodwill", by=BY,
                at=self.now,
            )  # fmt: skip
            refunding.give_back(payment=payment, amount_minor=1190, reason="Goodwill", by=BY, at=self.now)

    def killed_provider(self):
        """The provider's process is killed while a relay talks to it, and comes back with its disk."""
        timer = threading.Timer(self.dice.random() * 0.15, self.providers.kill)
        timer.start()
        self.relay(6)
        self.tick()
        timer.join()
        self.providers.start()
        self.spent["provider_killed"] += 1

    def killed_relay(self):
        """A relay's process is killed, really, between the provider's deed and its answer."""
        no_mail(self.company)
        rule = {"kind": "hang_after", "quota": 1, "seconds": 20, "operation": "*.create"}
        self.providers.faults(rule, seed=SEED)
        url = os.environ["DATABASE_URL"].rpartition("/")[0] + f"/{connection.settings_dict['NAME']}"
        command = [sys.executable, "manage.py", "relay", "--pause", "0.1", "--limit", "3"]
        process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, "DATABASE_URL": url})
        until = time.monotonic() + 60
        while time.monotonic() < until and not self.providers.control("faults")["spent"]["hang_after"]:
            time.sleep(0.1)
        spent = self.providers.control("faults")["spent"]["hang_after"]
        process.send_signal(signal.SIGKILL)
        process.wait()
        self.spent["relay_killed"] += spent

    def open_invoices(self):
        from billing.models import InvoiceBalance

        return InvoiceBalance.objects.filter(company_id=self.company.pk, status="open").count()

    def grow(self):
        """Everything is paid and not all has gone wrong yet: more is billed."""
        from billing.models import Invoice
        from billing.services import acts, collecting
        from customers.models import Customer

        plan = a_plan(self.company, amount="10.00")
        for customer in Customer.objects.filter(company=self.company).order_by("pk")[: max(10, SIZE // 10)]:
            acts.start(company=self.company, customer=customer, plan=plan, start_on=TODAY, on=TODAY, by=BY,
                       at=self.now)  # fmt: skip
        self.invoices = {invoice.pk: invoice for invoice in Invoice.objects.filter(company=self.company)}
        collecting.collect_due(company=self.company, at=self.now)

    def round(self):
        self.rounds += 1
        if os.environ.get("TURNUS_FAULTS_TRACE"):
            seen = (self.rounds, self.minutes, self.open_invoices(), self.missing())
            os.write(2, f"{seen}\n".encode())
        slow = self.providers.control("faults")["spent"]["slow"]
        for _batch in range(2 + QUOTA // 8):
            if self.spent["provider_killed"] < QUOTA and self.dice.random() < 0.5:
                self.killed_provider()
            self.relay()
        self.impatient()
        self.give_back()
        if self.dice.random() < 0.7:
            self.hear()
        if self.providers.control("faults")["spent"]["slow"] > slow:
            time.sleep(1.2)  # what is slow is not that slow
        self.later(self.dice.choice([2, 2, 10, 90, 500, 1500]))
        self.tick()
        self.again()


def started(campaign):
    from billing.services import collecting

    assert len(collecting.collect_due(company=campaign.company, at=AT)) == len(campaign.invoices)


@pytest.fixture
def campaign(tmp_path, live_server, monkeypatch):
    with running(tmp_path) as providers:
        providers.control("deliveries", {"mode": "held"})
        yield Campaign(providers, live_server.url, monkeypatch)


def test_whatever_goes_wrong_nothing_is_taken_twice_or_lost(campaign, capsys):
    started(campaign)
    began = time.monotonic()
    for _kill in range(max(1, SIZE // 200)):
        campaign.killed_relay()
        campaign.later(3)  # its lease is over, and somebody looks after what it left behind
    killed = campaign.spent["relay_killed"]
    campaign.trouble()
    while (missing := campaign.missing()) and campaign.rounds < 40 + SIZE:
        campaign.round()
        if not campaign.open_invoices():
            campaign.grow()
    found = campaign.count()
    assert (missing, killed >= 1) == ({}, True)

    # The trouble is over; time goes on until nothing is to be looked up any more.
    campaign.calm()
    for minutes in SETTLING:
        campaign.later(minutes)
        campaign.tick()
        while campaign.relay(50):
            pass
    figures = check(campaign)
    with capsys.disabled():
        print(
            f"\nseed {SEED}: {sum(found.values()) + killed} faults in {campaign.rounds} rounds,"
            f" {time.monotonic() - began:.0f} s, relays killed {killed}: {dict(found)}\n  {figures}"
        )


def check(campaign):
    from billing.models import Attempt, GatewayEvent, InvoiceBalance, Payment, Refund
    from core.models import Outbox

    company, rows = campaign.company, rows_of(campaign.providers)
    # Nothing twice: counted by customer and invoice at the provider.
    whose = {invoice.ref: invoice for invoice in campaign.invoices.values()}
    taken = Counter((whose[row["invoice"]].customer_id, row["invoice"]) for row in rows if row["kind"] == "charge")
    assert {key: count for key, count in taken.items() if count > 1} == {}
    back = Counter(row["invoice"] for row in rows if row["kind"] == "refund")
    assert set(back.values()) <= {1}

    # Nothing lost: what was taken is booked, once, for the invoice it was taken for; and nothing else.
    payments = Payment.objects.filter(company=company).select_related("attempt__invoice")
    assert Counter(payment.attempt.invoice.ref for payment in payments) == Counter({ref: 1 for _, ref in taken})
    by_invoice = {row["invoice"]: row["amount"] for row in rows if row["kind"] == "charge"}
    assert {payment.attempt.invoice.ref: payment.amount_minor for payment in payments} == by_invoice
    status = {whose_ref(campaign, row): row.status for row in InvoiceBalance.objects.filter(company_id=company.pk)}
    assert {ref for ref, state in status.items() if state == "paid"} == {ref for _, ref in taken}
    assert set(status.values()) <= {"paid", "open"}

    # Each attempt has an end, and each refund.
    live = Attempt.objects.filter(company=company, state__in=Attempt.LIVE)
    assert list(live.values_list("state", "looks", "detail")) == []
    settled = Counter(Attempt.objects.filter(company=company, state="settled").values_list("invoice_id", flat=True))
    assert set(settled.values()) == {1}
    refunds = Refund.objects.filter(company=company)
    assert set(refunds.values_list("status", flat=True)) <= {"settled", "failed"}
    gone = Counter(refund.payment.attempt.invoice.ref for refund in refunds.filter(status="settled"))
    assert gone == back
    assert not Outbox.objects.filter(company_id=company.pk, kind="attempt", state="dead").exists()
    assert not GatewayEvent.objects.filter(company=company, state="dead").exists()

    # The two sides of the account are one, by currency.
    books, account = in_books(company), at_provider(campaign.providers)
    assert books == account
    assert set(books) == {"EUR", "USD"}
    return {
        "invoices": len(status), "charges": len(taken), "refunds": sum(back.values()),
        "attempts": Attempt.objects.filter(company=company).count(), "double": 0, "lost": 0, "sums": account,
    }  # fmt: skip


def whose_ref(campaign, balance):
    return campaign.invoices[balance.invoice_id].ref
