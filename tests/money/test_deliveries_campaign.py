"""Providers' messages twice, in any order, forged, too old or never: the end is that of perfect delivery.

1,500 deliveries by default; `TURNUS_DELIVERIES=20000` is the whole, `TURNUS_SEED` another order. The same story is
lived twice, each time with a stand-in of its own: once every message comes once and in order, once as they like.
"""

from __future__ import annotations

import os
import random
import sqlite3
import time
from collections import Counter

import pytest
from django.db.models import Max

from tests.factories import BY, TODAY, a_company, a_customer, a_plan, at_noon
from tests.money.crowd import a_wallet, at_provider, in_books, no_mail, rows_of
from tests.money.providers import SECRET, a_card, a_gateway, running

pytestmark = pytest.mark.django_db
SIZE, SEED = int(os.environ.get("TURNUS_DELIVERIES", "1500")), int(os.environ.get("TURNUS_SEED", "1"))
CUSTOMERS = min(160, max(16, SIZE // 100))
AT = at_noon(TODAY)
FORGERIES = ("wrong_secret", "altered", "old", "unsigned", "other_gateway")


class Shop:
    """A company, its customers, its stand-in, and what was delivered to it."""

    def __init__(self, providers, client):
        self.providers, self.client, self.heard, self.answers = providers, client, 0, Counter()
        self.company = a_company()
        self.gateways = {kind: a_gateway(self.company, providers, kind) for kind in ("stripe", "paypal")}
        for kind, named in (("stripe", {}), ("paypal", {"id": "WH-TESTS"})):
            # Nothing listens there: the test is the messenger.
            given = {"provider": kind, "url": "http://127.0.0.1:9/", "secret": SECRET, **named}
            providers.control("endpoints", given)
        self.customers = [a_customer(self.company) for _ in range(CUSTOMERS)]
        self.place = {customer.pk: place for place, customer in enumerate(self.customers)}
        self.invoices = []

    # The story

    def pay(self):
        """Everybody is billed and pays in one of four ways; of pages only messages tell."""
        from billing.models import Invoice
        from billing.services import acts, collecting
        from tests.money.test_pay_page import pay_on

        plan = a_plan(self.company)
        for place, customer in enumerate(self.customers):
            if place % 4 == 0:
                bad = place % 16 == 12
                a_card(customer, self.gateways["stripe"], "pm_card_chargeCustomerFail" if bad else "pm_card_visa")
            elif place % 4 == 1:
                a_wallet(customer, self.gateways["paypal"], self.providers)
            acts.start(company=self.company, customer=customer, plan=plan, start_on=TODAY, on=TODAY, by=BY, at=AT)
            self.invoices.append(Invoice.objects.get(customer=customer))
        # Of each tenth the answer is lost: it is unknown until a message or a look-up tells.
        self.providers.faults(
            {"kind": "reset_after", "operation": "payment_intents.create", "rate": 0.3},
            {"kind": "reset_after", "operation": "orders.create", "rate": 0.3}, seed=SEED,
        )  # fmt: skip
        collecting.collect_tick(self.company, AT)
        self.providers.faults()
        for place, invoice in enumerate(self.invoices):
            if place % 4 < 2:
                continue
            gateway = self.gateways["stripe" if place % 4 == 2 else "paypal"]
            attempt = collecting.pay_now(invoice=invoice, gateway=gateway, by=BY, at=AT)
            if place % 4 == 2:
                pay_on(attempt.action_url)
            else:
                email = self.customers[place].email
                self.providers.control(f"paypal/orders/{attempt.external_id}/approve", {"email": email})

    def take_back(self):
        """Refunds made over there, disputes opened, won and lost, reversals."""
        import stripe

        client = stripe.StripeClient("sk_test_shop", base_addresses={"api": self.providers.stripe})
        rows = {row["invoice"]: row for row in rows_of(self.providers) if row["kind"] == "charge"}
        for place, invoice in enumerate(self.invoices):
            row = rows.get(invoice.ref)
            if row is None or place % 3 == 0:
                continue
            pay, what = row["payment"], (place // 3) % 4
            if row["provider"] == "stripe":
                if what == 0:
                    client.v1.refunds.create({"charge": pay, "amount": 500})
                    client.v1.refunds.create({"charge": pay})
                else:
                    case = self.providers.control("stripe/disputes", {"charge": pay})
                    if what > 1:
                        self.providers.control("stripe/disputes/close", {"dispute": case["id"], "won": what == 2})
            elif what == 0:
                self.providers.control(f"paypal/captures/{pay}/reverse", {"amount": "5.00"})
            else:
                case = self.providers.control("paypal/disputes", {"capture": pay})
                if what > 1:
                    winner = {"winner": "seller" if what == 2 else "buyer"}
                    self.providers.control(f"paypal/disputes/{case['dispute_id']}/resolve", winner)

    def take_pages(self):
        """What customers agreed to on PayPal's page is taken before it can be taken back, heard of or not."""
        from billing.models import Attempt
        from billing.services import sending

        for attempt in Attempt.objects.filter(company=self.company, gateway__kind="paypal", method__isnull=True):
            sending.look_up(attempt_id=attempt.pk, at=AT)

    # The messenger

    def told(self):
        """What the provider has to tell since last asked: (provider, id, body) in order."""
        with sqlite3.connect(f"file:{self.providers.folder}/providers.sqlite3?mode=ro", uri=True) as store:
            rows = store.execute("SELECT provider, id, body, seq FROM events WHERE seq > ? ORDER BY seq", [self.heard])
            found = rows.fetchall()
        self.heard = max([self.heard, *(row[3] for row in found)])
        return [(provider, id_, body.encode()) for provider, id_, body, _ in found]

    def deliver(self, provider, id_, body, forgery=""):
        """Posts the raw bytes as the provider does, or somebody who isn't the provider."""
        from standins.providers.paypal_half import PayPal
        from standins.providers.stripe_half import Stripe

        half = (Stripe if provider == "stripe" else PayPal)()
        at = int(time.time()) - (3600 if forgery == "old" else 0)  # noqa: TID251  providers sign by the real clock
        endpoint = {"id": "WH-TESTS", "secret": SECRET}
        headers = half.signature(endpoint, id_, body, at, forged=forgery == "wrong_secret")
        if forgery == "unsigned":
            headers = {}
        if forgery == "altered":
            body = body.replace(b'"', b' "', 1) if provider == "stripe" else body[:-1] + b',"altered":true}'
        to = {"stripe": "paypal", "paypal": "stripe"}[provider] if forgery == "other_gateway" else provider
        where = f"/webhooks/{self.gateways[to].ref}/"
        status = self.client.post(where, body, content_type="application/json", headers=headers).status_code
        self.answers[forgery or "true", status] += 1

    def apply(self):
        from core.services import outbox

        no_mail(self.company)
        while outbox.relay(worker="messages", limit=200, company_id=self.company.pk).total:
            pass

    def fetch(self):
        """What the hourly tick does, then look-ups, until nothing is left to do."""
        from billing.services import incoming, sending

        for _again in range(2):
            assert incoming.messages_tick(self.company, AT)["failed"] == 0
            self.apply()
            sending.look_tick(self.company, AT)

    # The end

    def end(self):
        """Invoices, payments, credit, what was taken back, every entry of the books, by customer; no ids, no order."""
        from billing.models import (
            Attempt,
            CreditBalance,
            InvoiceBalance,
            Payment,
            PaymentMethod,
            Posting,
            Refund,
            Reversal,
        )

        def rows(model, whose, *fields, **wanted):
            found = model.objects.filter(**wanted).values_list(whose, *fields)
            return sorted((self.place.get(row[0], -1), *map(str, row[1:])) for row in found)

        mine = {"company": self.company}
        entries = Posting.objects.filter(**mine).values_list(
            "entry", "customer_id", "account__code", "currency", "amount_minor", "booked_on", "cause_kind"
        )
        booked: dict[int, list[str]] = {}
        for entry, customer, *rest in entries:
            booked.setdefault(entry, []).append(f"{self.place.get(customer, -1)} {rest}")
        return {
            "invoices": rows(
                InvoiceBalance, "customer_id", "status", "open_minor", "paid_minor", "credit_used_minor", "closed_on",
                company_id=self.company.pk,
            ),
            "attempts": rows(Attempt, "customer_id", "state", "amount_minor", "gateway__kind", **mine),
            "payments": rows(
                Payment, "customer_id", "status", "amount_minor", "fee_minor", "method", "received_on",
                "balance__allocated_minor", "balance__to_credit_minor", "balance__refunded_minor", **mine,
            ),
            "credit": rows(
                CreditBalance, "credit__customer_id", "amount_minor", "left_minor", credit__company=self.company
            ),
            "reversals": rows(
                Reversal, "payment__customer_id", "kind", "state", "amount_minor", "fee_minor", "closed_on", **mine
            ),
            "refunds": rows(Refund, "customer_id", "status", "amount_minor", **mine),
            "methods": rows(PaymentMethod, "customer_id", "kind", "status", **mine),
            "books": sorted("; ".join(sorted(lines)) for lines in booked.values()),
        }  # fmt: skip


def live_well(shop):
    """Every message once, in order, applied as it comes."""
    for chapter in (shop.pay, shop.take_back):
        chapter()
        while told := shop.told():
            for message in told:
                shop.deliver(*message)
                shop.apply()
    shop.fetch()
    return shop.end()


def live_badly(shop):
    """A fifth never comes, the rest comes often and in any order, beside forgeries; the last word is the fetch."""
    dice, known, late, sent, dropped = random.Random(SEED), [], [], 0, 0
    for number, chapter in enumerate((shop.pay, shop.take_back)):
        chapter()
        told, late = [*late, *shop.told()], []
        while told:
            dice.shuffle(told)
            for message in told:
                fate = dice.random()
                if fate < 0.2:
                    dropped += 1
                elif fate < 0.4 and number == 0:
                    late.append(message)  # after what happens next
                else:
                    shop.deliver(*message)
                    known.append(message)
                    sent += 1
                if dice.random() < 0.05:
                    shop.apply()
            shop.apply()
            told = shop.told()
        # Again and again, and by strangers, until it is enough.
        while sent < SIZE * (number + 1) // 2:
            shop.deliver(*dice.choice(known), dice.choice(FORGERIES) if dice.random() < 0.3 else "")
            sent += 1
            if dice.random() < 0.01:
                shop.apply()
        if number == 0:
            shop.take_pages()
    shop.apply()
    shop.fetch()
    return shop.end(), sent, dropped


def test_disturbed_delivery_ends_as_perfect_delivery_does(tmp_path, client, capsys):
    from billing.models import GatewayEvent

    ends, began = [], time.monotonic()
    for name in ("well", "badly"):
        with running(tmp_path / name) as providers:
            providers.control("deliveries", {"mode": "held"})
            shop = Shop(providers, client)
            if name == "well":
                ends.append(live_well(shop))
                continue
            end, sent, dropped = live_badly(shop)
            ends.append(end)
            books, account = in_books(shop.company), at_provider(providers)
    for what in ends[0]:
        assert (what, ends[1][what]) == (what, ends[0][what])
    assert books == account

    forged = {key: count for key, count in shop.answers.items() if key[0] != "true"}
    assert {status for _, status in forged} == {400}
    assert {forgery for forgery, _ in forged} == set(FORGERIES)
    assert {status for what, status in shop.answers if what == "true"} == {200}
    rows = GatewayEvent.objects.filter(company=shop.company)
    assert Counter(rows.values_list("state", flat=True)).keys() <= {"done", "ignored"}
    assert rows.filter(source="fetched").count() >= 1
    assert not rows.filter(body__contains=b"altered").exists()
    assert rows.aggregate(most=Max("tries"))["most"] == 0
    with capsys.disabled():
        print(
            f"\nseed {SEED}: {sent} deliveries of {rows.count()} messages to {CUSTOMERS} customers, {dropped} dropped"
            f" at first, {sum(forged.values())} forged and refused, {rows.filter(source='fetched').count()} fetched,"
            f" {time.monotonic() - began:.0f} s; {account}"
        )
