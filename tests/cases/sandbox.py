"""A sandbox driven over the HTTP API: acts and checks of the worked cases in the API's words.

One company that serves as the source, one sandbox opened from it with the key that came with it, one customer. A stored
method that settles on issue is told by recording the payment of each invoice on the day it was issued.
"""

from __future__ import annotations

import itertools
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from tests.api.caller import Caller, key_for

#: A country whose standard rate is the case's one rate on all days of the cases.
COUNTRY_OF = {"0": "DE", "20": "FR"}
#: Acts whose steps need a gateway's answer, not only a payment.
GATEWAY_ACTS = frozenset({"return", "return_won", "pending", "settle", "pay", "method"})


class Undescribed(Caller):
    """A caller that looks at figures only; answers are compared with the description elsewhere."""

    def _compare(self, response: Any, path: str, method: str) -> None:
        pass


def needs_gateway(part: dict[str, Any]) -> bool:
    """Whether a run can't be told by payments recorded by hand."""
    setup = part.get("setup", {})
    return (
        "dunning" in setup
        or "settled_currency" in setup
        or setup.get("payment", "auto") not in ("auto", "none")
        or any(step["act"] in GATEWAY_ACTS or step["args"].get("refund") for step in part.get("steps", ()))
    )


class Sandbox:
    """The company of one run, its customer, and what has been started in it."""

    def __init__(self, setup: dict[str, Any]) -> None:
        from core.models import Company
        from tests.factories import a_company

        self.setup = setup
        #: Of the documents; another one where a case's money is kept in the company's.
        self.currency = setup.get("currency", "EUR")
        self.hours = 12
        self.rate = str(setup.get("tax_rate", "0"))
        self.zone = ZoneInfo(setup.get("time_zone", "UTC"))
        begins = setup.get("clock_instant")
        clock_at = datetime.fromisoformat(begins) if begins else self.noon(date.fromisoformat(setup["clock"]))
        source = a_company(
            today=date(2010, 1, 1), country=COUNTRY_OF[self.rate], time_zone=str(self.zone), currency="EUR",
            books_start_on=date(2009, 1, 1), payment_terms_days=0, draft_hours=24 * setup.get("draft_days", 0),
        )  # fmt: skip
        opened = Undescribed(key_for(source)).post("sandboxes", {"name": "Worked", "clock_at": clock_at.isoformat()})
        assert opened.status_code == 201, opened.body
        self.api = Undescribed(opened.body["key"])
        self.company = Company.objects.get(sandbox_of=source)
        self.today = clock_at.astimezone(self.zone).date()
        self.pays = setup.get("payment", "auto") == "auto"
        country = COUNTRY_OF[self.rate]
        self.customer = self.made(
            "customers",
            {
                "name": "Ada Beck", "kind": "person", "currency": self.currency, "time_zone": str(self.zone),
                "address": {"lines": ["Weg 1"], "postal_code": "10115", "city": "Town", "country": country},
            },
        )["id"]  # fmt: skip
        self.products: dict[str, str] = {}
        self.meters: dict[str, str] = {}
        self.subscriptions: dict[str, str] = {}
        self.drafts: list[str] = []
        self.count = itertools.count(1)

    def noon(self, day: date) -> datetime:
        return datetime.combine(day, time(self.hours), self.zone)

    def made(self, address: str, body: dict[str, Any] | None = None) -> Any:
        answer = self.api.post(address, body)
        assert answer.status_code < 300, (address, body, answer.body)
        return answer.body

    def rows(self, address: str) -> list[Any]:
        """Every row of a list, oldest first."""
        found: list[Any] = []
        more = ""
        while True:
            page = self.api.get(f"{address}{'&' if '?' in address else '?'}limit=100{more}").body
            found += page["data"]
            if not page["has_more"]:
                return found[::-1]
            more = f"&after={page['next']}"

    # Time -----------------------------------------------------------------------------------------------------------

    def until(self, day: date, stops: set[date]) -> None:
        """Advances the clock, stopping where a document is expected, so that it is paid on its day."""
        for stop in sorted({one for one in stops if self.today < one < day} | {day}):
            if stop > self.today:
                self.advance(stop)
                self.settle_open()

    def advance(self, day: date) -> None:
        from core.models import Job
        from core.services import jobs

        job = self.made("clock/advance", {"to": self.noon(day).isoformat()})
        jobs.work(Job.objects.get(public_id=Job.public_id_of(job["id"])).pk)
        assert self.api.get(f"jobs/{job['id']}").body["state"] == "done"
        self.today, self.hours = day, 12 if day > self.today else self.hours

    def settle_open(self) -> None:
        if self.pays:
            for invoice in self.rows("invoices?status=open"):
                self.pay(invoice, invoice["open"])

    def pay(self, invoice: dict[str, Any], amount: str) -> None:
        self.made(
            "payments",
            {
                "invoice": invoice["id"], "amount": amount, "currency": invoice["currency"], "method": "card",
                "received_on": str(self.today),
            },
        )  # fmt: skip

    # Acts -----------------------------------------------------------------------------------------------------------

    def do(self, act: str, args: dict[str, Any]) -> Any:
        answer = getattr(self, f"act_{act}")(dict(args))
        self.settle_open()
        return answer

    def product(self, key: str) -> str:
        if key not in self.products:
            category = "exempt" if self.rate == "0" else "standard-electronic"
            body = {"code": f"p-{next(self.count)}", "name": {"en": key}, "tax_category": category}
            self.products[key] = self.made("products", body)["id"]
        return self.products[key]

    def meter(self, code: str) -> str:
        if code not in self.meters:
            body = {"code": code, "name": {"en": code}, "aggregation": "sum"}
            self.meters[code] = self.made("meters", body)["id"]
        return self.meters[code]

    def item(self, item: dict[str, Any], product: str) -> dict[str, Any]:
        given: dict[str, Any] = {"product": product, "unit_amount": item["unit_price"]}
        given["quantity"] = str(item.get("quantity", 1))
        given["is_prorated"] = not item.get("unprorated", False)
        if "meter" in item:
            given |= {"kind": "usage", "meter": self.meter(item["meter"])}
            if item.get("thresholds"):
                given["interim_amount"] = item["thresholds"][0]
        else:
            given["billed"] = item.get("timing", "advance")
            given["interval_unit"] = item.get("interval", "month")
            given["interval_count"] = item.get("count", 1)
        return given

    def act_start(self, args: dict[str, Any]) -> None:
        shared = f"-{args['product']}" if "product" in args else ""
        items = [self.item(item, self.product(item["key"] + shared)) for item in args["items"]]
        base = args["items"][0]
        anchor = args.get("anchor", "anniversary")
        rules = {
            "interval_unit": base.get("interval", "month"), "interval_count": base.get("count", 1),
            "anchor_rule": anchor if isinstance(anchor, str) else "day", "notice_to": "any_day",
        }  # fmt: skip
        if not isinstance(anchor, str):
            rules["anchor_day"] = anchor
        plan = self.made(
            "plans",
            {
                "code": f"plan-{next(self.count)}", "name": {"en": "Worked"}, **rules,
                "trial_days": args.get("trial_days", 0),
                "items": [
                    {
                        "product": item["product"],
                        "prices": [
                            {
                                "currency": self.currency, "unit_amount": item["unit_amount"],
                                "valid_from": "2000-01-01",
                            }
                        ],
                    }
                    for item in items if "meter" not in item
                ],
            },
        )  # fmt: skip
        self.made(f"plans/{plan['id']}/publish")
        body: dict[str, Any] = {
            "customer": self.customer, "plan": plan["id"], "items": items, "currency": self.currency,
            "start_on": args.get("start", str(self.today)),
        }  # fmt: skip
        if "minimum" in args:
            body["overrides"] = {"minimum_amount": args["minimum"]}
        started = self.made("subscriptions", body)
        self.subscriptions[args.get("sub", "")] = started["id"]
        if "ends_on" in args:
            self.made(f"subscriptions/{started['id']}/cancel", {"timing": "date", "ends_on": args["ends_on"]})

    def subscription(self, args: dict[str, Any]) -> str:
        return self.subscriptions[args.get("sub", "")]

    def act_change(self, args: dict[str, Any]) -> None:
        address = f"subscriptions/{self.subscription(args)}"
        if args.get("back"):
            last = self.api.get(f"{address}/changes").body["data"][0]
            self.made(f"changes/{last['id']}/undo")
            return
        present = {item["product"]: item for item in self.api.get(address).body["items"]}
        if "items" in args:
            items = [self.changed(item, present) for item in args["items"]]
            kept = {self.product(item["key"]) for item in args["items"]}
            items += [{"item": item["id"], "remove": True} for product, item in present.items() if product not in kept]
        else:
            [base] = [item for product, item in present.items() if product == self.products["base"]]
            items = [{"item": base["id"]}]
            if "price" in args:
                items[0]["unit_amount"] = args["price"]
            if "quantity" in args:
                items[0]["quantity"] = str(args["quantity"])
        body: dict[str, Any] = {"items": items, "timing": args["timing"]}
        if "effective" in args:
            body["effective_on"] = args["effective"]
        if args.get("keep_anchor"):
            body["keep_anchor"] = True
        self.made(f"{address}/change", body)

    def changed(self, item: dict[str, Any], present: dict[str, Any]) -> dict[str, Any]:
        product = self.product(item["key"])
        given = self.item(item, product)
        if product in present:
            del given["product"]
            given["item"] = present[product]["id"]
            for name in ("kind", "meter", "interim_amount"):
                given.pop(name, None)
        return given

    def act_cancel(self, args: dict[str, Any]) -> None:
        body = {name: args[name] for name in ("timing", "ends_on", "unused") if name in args}
        self.made(f"subscriptions/{self.subscription(args)}/cancel", body)

    def act_move_day(self, args: dict[str, Any]) -> None:
        self.made(f"subscriptions/{self.subscription(args)}/move-day", {"day": args["day"]})

    def act_usage(self, args: dict[str, Any]) -> None:
        event = {
            "meter": args["meter"], "event_id": str(next(self.count)), "subscription": self.subscription(args),
            "at": args.get("at") or self.noon(self.today).isoformat(), "value": str(args["units"]),
        }  # fmt: skip
        assert [row["status"] for row in self.made("usage-events", {"events": [event]})["results"]] == ["accepted"]

    def act_charge(self, args: dict[str, Any]) -> None:
        lines = args.get("lines") or [{"item": "one-off", "amount": args["amount"]}]
        body = {
            "customer": self.customer, "currency": "EUR",
            "lines": [{"product": self.product(line["item"]), "unit_amount": line["amount"]} for line in lines],
        }  # fmt: skip
        draft = self.made("invoices", body)["id"]
        if args.get("draft"):
            self.drafts.append(draft)
        else:
            self.made(f"invoices/{draft}/issue")

    def act_issue_draft(self, args: dict[str, Any]) -> None:
        self.made(f"invoices/{self.drafts.pop(0)}/issue")

    def act_credit(self, args: dict[str, Any]) -> None:
        body = {"customer": self.customer, "amount": args["amount"], "currency": "EUR", "method": "transfer"}
        self.made("payments", body | {"received_on": str(self.today)})

    def act_advance(self, args: dict[str, Any]) -> None:
        """The clock stands there already."""

    def credit_note(self, args: dict[str, Any]) -> Any:
        invoice = self.invoices()[args["invoice"] - 1]
        body: dict[str, Any] = {"reason": "worked"}
        if "lines" in args:
            body["lines"] = [{"position": int(index) + 1, "amount": amount} for index, amount in args["lines"].items()]
        return self.api.post(f"invoices/{invoice['id']}/credit", body)

    def act_credit_note(self, args: dict[str, Any]) -> None:
        answer = self.credit_note(args)
        assert answer.status_code < 300, answer.body
        if args.get("refund"):
            note = self.rows("credit-notes?expand=lines")[-1]
            self.made(f"customers/{self.customer}/refunds", {
                "currency": "EUR", "amount": note["to_account"], "reason": "worked"})  # fmt: skip

    def refuses(self, step: dict[str, Any]) -> bool:
        """Whether the step is refused; any other act than a credit note has no way to ask for too much."""
        if step["act"] != "credit_note":
            return True
        return 400 <= self.credit_note(step["args"]).status_code < 500

    # What came of it ------------------------------------------------------------------------------------------------

    def invoices(self) -> list[Any]:
        found = [row for row in self.rows("invoices?expand=lines") if row["status"] != "draft"]
        return sorted(found, key=lambda row: (row["number"].rsplit("-", 2)[-2:], row["number"]))

    def key_of(self, product: str) -> str:
        return next(key.partition("-P")[0] for key, known in self.products.items() if known == product)

    def seen_invoice(self, number: int) -> dict[str, Any]:
        invoice = self.invoices()[number - 1]
        gross, used = Decimal(invoice["gross"]), Decimal(invoice["credit_used"])
        return {
            "date": invoice["issued_on"],
            "lines": [
                {"item": self.key_of(line["product"]), "period": [line["period_start"], line["period_end"]],
                 "amount": line["amount"]}
                for line in invoice["lines"]
            ],
            "net": invoice["net"], "tax": invoice["tax"], "gross": invoice["gross"], "due": f"{gross - used:.2f}",
            "number": invoice["number"].removeprefix("TEST-"),
        }  # fmt: skip

    def seen_notes(self) -> list[dict[str, Any]]:
        invoices = {invoice["id"]: (place, invoice) for place, invoice in enumerate(self.invoices(), 1)}
        found = []
        for note in self.rows("credit-notes?expand=lines"):
            place, invoice = invoices[note["invoice"]]
            by_position = {line["position"]: self.key_of(line["product"]) for line in invoice["lines"]}
            found.append(
                {
                    "invoice": place, "date": note["issued_on"],
                    "lines": [
                        {"item": by_position[line["invoice_line"]], "amount": line["amount"]} for line in note["lines"]
                    ],
                    "net": note["net"], "tax": note["tax"], "gross": note["gross"], "settles": note["settled"],
                    "to_account": note["to_account"],
                }
            )  # fmt: skip
        return found

    def balance(self) -> dict[str, str]:
        found = self.api.get(f"customers/{self.customer}/balance").body["data"]
        if not found:
            return {"open": "0.00", "credit": "0.00"}
        return {"open": found[0]["open"], "credit": found[0]["credit"]}
