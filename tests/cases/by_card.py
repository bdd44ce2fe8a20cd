"""A sandbox whose customer pays by card: the worked cases that need a provider's answers.

The stand-in of the provider is a process of its own. The card is saved on the provider's page behind the mailed link,
what becomes of its money comes as the provider's signed messages, and everything else is done over the HTTP API.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any

from django.test import Client

from tests.cases.sandbox import Sandbox
from tests.money.providers import SECRET, Providers, a_gateway
from tests.money.test_pay_page import pay_on

#: A card that pays, and one that can be saved and is refused each time without a lasting reason.
CARDS = {"auto": "4242424242424242", "decline": "4000000000000341"}
#: What a customer's life in dunning shows beside the steps.
NOT_STEPS = frozenset({"paid", "returned", "promise", "broken"})


class PaidByCard(Sandbox):
    """The company has a gateway; a case's `payment` is the card on file, its `dunning` the company's policy."""

    def __init__(self, setup: dict[str, Any], providers: Providers) -> None:
        self.providers = providers
        super().__init__(setup)
        self.pays = False
        self.visitor = Client()
        self.gateway = a_gateway(self.company, providers)
        if "dunning" in setup:
            self.dun([{"days": days, "action": act} | dict(*more) for days, act, *more in setup["dunning"]])
        if "settled_currency" in setup:
            [(taken, kept)] = [(self.currency, setup["settled_currency"])]
            rate = float(setup["settled_amount"]) / float(setup["amount"])
            told = {"from": taken.lower(), "currency": kept.lower(), "rate": f"{rate:.12f}"}
            providers.control("stripe/exchange", told)
        if setup.get("payment", "auto") in CARDS:
            self.save_card(setup.get("payment", "auto"))

    def dun(self, steps: list[dict[str, Any]]) -> None:
        """The company's general policy has these steps."""
        [general] = [
            policy for policy in self.rows("dunning-policies?is_active=true")
            if not (policy["method_kind"] or policy["customer_kind"] or policy["customer_group"])
        ]  # fmt: skip
        self.made(f"dunning-policies/{general['id']}/replace", {"name": "Worked", "steps": steps})

    def save_card(self, kind: str) -> None:
        """The customer follows the mailed link to the provider's page and back."""
        link = self.made(f"customers/{self.customer}/set-up-link")["url"]
        where = "/" + link.partition("://")[2].partition("/")[2]
        on = self.visitor.post(where, {"gateway": self.gateway.ref})
        assert on.status_code == 302, on.content
        page = self.visitor.get(on["Location"]).content.decode()
        begin = page.index(f"{self.providers.stripe}/c/pay/")
        back = pay_on(page[begin : page.index('"', begin)], number=CARDS[kind])
        assert self.visitor.get("/" + back.partition("://")[2].partition("/")[2], follow=True).status_code == 200
        methods = self.rows(f"payment-methods?customer={self.customer}&status=active")
        self.made(f"payment-methods/{methods[-1]['id']}/make-default")

    def later_today(self) -> None:
        """An hour passes, and with it what the day's ticks find to do."""
        self.hours += 1
        self.advance(self.today)

    # Acts -----------------------------------------------------------------------------------------------------------

    def act_method(self, args: dict[str, Any]) -> None:
        self.save_card(args["result"])

    def act_pay(self, args: dict[str, Any]) -> None:
        """Every open invoice is collected; with `answer` lost the provider's word about it doesn't arrive."""
        if args.get("answer") == "lost":
            self.providers.faults({"kind": "reset_after", "operation": "payment_intents.create", "quota": 1})
        for invoice in self.rows("invoices?status=open"):
            self.last_attempt = self.made(f"invoices/{invoice['id']}/pay", {})
        if args.get("answer") == "lost":
            self.providers.faults()
            assert self.last_attempt["state"] == "unknown"
        else:
            self.later_today()

    def act_credit_note(self, args: dict[str, Any]) -> None:
        super().act_credit_note(args)
        if args.get("refund"):
            self.later_today()

    def act_look_up(self, args: dict[str, Any]) -> None:
        self.made(f"attempts/{self.last_attempt['id']}/look-up")

    def act_write_off(self, args: dict[str, Any]) -> None:
        self.made(f"invoices/{self.invoices()[args['invoice'] - 1]['id']}/write-off", {"reason": "worked"})

    def act_promise(self, args: dict[str, Any]) -> None:
        [case] = self.rows(f"dunning-cases?customer={self.customer}&state=open")
        self.made(f"dunning-cases/{case['id']}/promise", {"until": args["until"]})

    def act_return(self, args: dict[str, Any]) -> None:
        invoice = self.invoices()[args["invoice"] - 1]["id"]
        [charge] = [
            row["payment"] for row in self.providers.control("ledger?limit=10000")["rows"]
            if (row["kind"], row["invoice"]) == ("charge", invoice)
        ]  # fmt: skip
        self.dispute = self.providers.control("stripe/disputes", {"charge": charge})["id"]
        self.hear()

    def act_return_won(self, args: dict[str, Any]) -> None:
        self.providers.control("stripe/disputes/close", {"dispute": self.dispute, "won": True})
        self.hear()

    def hear(self) -> None:
        """The provider's messages about the dispute arrive at the company's door, signed, and are applied."""
        from core import clock
        from core.services import outbox

        for event in self.providers.events(self.dispute):
            body = json.dumps(event).encode()
            at = int(clock.machine_now().timestamp())
            mark = hmac.new(SECRET.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()
            answer = self.visitor.post(
                f"/webhooks/{self.gateway.ref}/", body, content_type="application/json",
                headers={"stripe-signature": f"t={at},v1={mark}"},
            )  # fmt: skip
            assert answer.status_code == 200
        while outbox.relay(worker="tests", company_id=self.company.pk).done:
            pass

    # What came of it ------------------------------------------------------------------------------------------------

    def seen_dunning(self) -> list[list[str]]:
        """(day, step) of what was done, in order; money and promises aside."""
        cases = self.rows(f"dunning-cases?customer={self.customer}&expand=entries")
        entries = [entry for case in cases for entry in case["entries"]]
        return [
            [entry["on"], entry["action"]] for entry in entries
            if entry["result"] == "done" and entry["action"] not in NOT_STEPS
        ]  # fmt: skip

    def seen_attempts(self) -> list[list[str]]:
        """(day, state) of the attempts, in order; a case names those of one day and one end once."""
        found = [[row["created_at"][:10], row["state"]] for row in self.rows(f"attempts?customer={self.customer}")]
        return [row for number, row in enumerate(found) if row not in found[:number]]

    def seen_refunds(self) -> list[list[str]]:
        """(amount, status) of what went back; the provider gave back as much."""
        found = [[row["amount"], row["status"]] for row in self.rows(f"refunds?customer={self.customer}")]
        given = [amount for kind, amount in self.providers.moved() if kind == "refund"]
        assert sum(given) == -sum(round(float(amount) * 100) for amount, status in found if status == "settled")
        return found

    def seen_settled(self) -> list[list[Any]]:
        """What the provider kept of each payment, where in another currency."""
        return [
            [row["settled_currency"], row["settled_amount"]]
            for row in self.rows(f"payments?customer={self.customer}")
            if row["settled_currency"]
        ]
