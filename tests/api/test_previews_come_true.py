"""What a preview over HTTP shows is what the act then writes, line by line, and what the next days bring.

Any agreement, any acts on any days. Nothing here knows how previews are made: it compares answers with answers.
"""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.db import transaction
from hypothesis import HealthCheck, Phase, given, note, settings
from hypothesis import strategies as st

from tests.api.caller import key_for
from tests.cases.sandbox import Undescribed
from tests.factories import a_company, a_plan, a_product

pytestmark = pytest.mark.django_db

FIRST = date(2027, 12, 17)
#: Invoices to come are waited for so long at most.
WAIT = timedelta(days=95)
#: Country, kind of customer, and VAT id: 19 %, the tax of the country, reverse charge, and none.
BUYERS = [("DE", "company", ""), ("AT", "person", ""), ("FR", "company", "FR40303265045"), ("US", "company", "")]

AGREED = st.fixed_dictionaries(
    {
        "cycle": st.sampled_from([("month", 1), ("month", 1), ("month", 3), ("week", 2), ("day", 10), ("year", 1)]),
        "billed": st.sampled_from(["advance", "advance", "arrears"]),
        "tax_behavior": st.sampled_from(["exclusive", "inclusive"]),
        "is_prorated": st.sampled_from([True, True, False]),
        "quantity": st.integers(1, 9),
        "cents": st.integers(1, 99999),
        "buyer": st.sampled_from(BUYERS),
        "granted": st.sampled_from([0, 0, 700]),
        "anchor": st.sampled_from(["anniversary", "calendar"]),
        "trial_days": st.sampled_from([0, 0, 0, 5]),
        "draft_hours": st.sampled_from([0, 0, 0, 24]),
    }
)
TIMING = st.sampled_from([None, "now", "now", "period_end", "ahead"])
ACT = st.one_of(
    st.tuples(st.just("quantity"), st.integers(1, 12), TIMING),
    st.tuples(st.just("price"), st.integers(1, 9999), TIMING),
    st.tuples(st.just("plan"), st.integers(0, 1), TIMING),
    st.tuples(st.just("add"), st.integers(1, 9999), TIMING),
    st.tuples(st.just("remove"), st.integers(0, 2), TIMING),
    st.tuples(st.just("back"), st.integers(1, 20), st.just("back")),
    st.tuples(st.just("undo"), st.just(0), st.none()),
    st.tuples(st.just("cancel"), st.sampled_from(["credit", "refund", "none"]), st.sampled_from(["now", "period_end"])),
    st.tuples(st.just("undo_cancel"), st.just(0), st.none()),
    st.tuples(st.just("pause"), st.integers(0, 12), st.sampled_from([None, 9])),
    st.tuples(st.just("resume"), st.booleans(), st.none()),
    st.tuples(st.just("suspend"), st.sampled_from(["stop", "credit", "continue"]), st.none()),
    st.tuples(st.just("reinstate"), st.just(0), st.none()),
    st.tuples(st.just("one_off"), st.integers(1, 9999), st.sampled_from([0, 5])),
    st.tuples(
        st.just("discount"), st.sampled_from(["10", "33.3", ""]), st.sampled_from(["once", "periods", "forever"])
    ),
)
STEPS = st.lists(
    st.tuples(st.sampled_from([0, 0, 1, 4, 11, 18, 30, 33]), ACT, st.booleans(), st.sampled_from(["prorate", "none"])),
    min_size=1,
    max_size=4,
)


#: What a preview says of a document.
SHOWN = ("kind", "currency", "lines", "net", "tax", "gross", "to_pay", "due_on")


class Office:
    """One company and one subscription of its one customer, seen over HTTP alone."""

    def __init__(self, agreed: dict[str, Any]) -> None:
        self.zone = ZoneInfo("Europe/Berlin")
        self.today = FIRST
        self.company = a_company(today=FIRST, country="DE", draft_hours=agreed["draft_hours"])
        self.api = Undescribed(key_for(self.company))
        country, kind, vat_id = agreed["buyer"]
        address = {"lines": ["Weg 1"], "postal_code": "10115", "city": "Town", "country": country}
        buyer = {"name": "Ada", "kind": kind, "address": address}
        if vat_id:
            buyer |= {"vat_id": vat_id, "vat_state": "valid"}
        self.customer = self.made("customers", buyer)["id"]
        price = {name: agreed[name] for name in ("billed", "tax_behavior", "is_prorated")}
        unit, count = agreed["cycle"]
        rules = {"interval_unit": unit, "interval_count": count, "notice_to": "any_day"}
        if agreed["anchor"] == "calendar" and unit != "day" and (unit, count) != ("week", 2):
            rules["anchor_rule"] = "calendar"
        amount = str(Decimal(agreed["cents"]) / 100)
        self.plan = a_plan(self.company, amount=amount, price=price, rules=rules, trial_days=agreed["trial_days"])
        self.others = [
            a_plan(self.company, amount="22.00", price=price, rules={"notice_to": "any_day"}),
            a_plan(self.company, amount="240.00", price=price, rules={"notice_to": "any_day", "interval_unit": "year"}),
        ]
        if agreed["granted"]:
            given = {"amount": str(Decimal(agreed["granted"]) / 100), "currency": "EUR", "reason": "sorry"}
            self.made(f"customers/{self.customer}/credits", given)
        self.subscription = ""
        self.counted_discounts = 0
        self.codes = 0

    def made(self, address: str, body: dict[str, Any]) -> Any:
        answer = self.api.post(address, body)
        assert answer.status_code < 300, (address, body, answer.body)
        return answer.body

    def rows(self, address: str) -> list[Any]:
        """Every row of a list, oldest first."""
        page = self.api.get(address + ("&" if "?" in address else "?") + "limit=100").body
        assert not page["has_more"]
        rows: list[Any] = page["data"]
        return rows[::-1]

    def documents(self) -> dict[str, Any]:
        """All documents in the shape of a preview's, by id: credit notes first, then invoices, oldest first."""
        found = {row["id"]: self._note(row) for row in self.rows("credit-notes?expand=lines")}
        return found | {row["id"]: self._invoice(row) for row in self.rows("invoices?expand=lines")}

    def _invoice(self, row: Any) -> dict[str, Any]:
        seen = {name: row[name] for name in ("currency", "net", "tax", "gross")}
        names = ("description", "period_start", "period_end", "quantity", "unit_amount", "amount", "net")
        lines = [{name: line[name] for name in names} for line in row["lines"]]
        return seen | {
            "kind": "invoice", "lines": lines, "to_pay": row["open"], "due_on": row["payment_due_on"],
            "charge_due_on": row["charge_due_on"], "waits": row["status"] == "draft",
        }  # fmt: skip

    def _note(self, row: Any) -> dict[str, Any]:
        seen = {name: row[name] for name in ("currency", "net", "tax", "gross")}
        names = ("description", "period_start", "period_end", "amount", "net")
        lines = [
            {name: line[name] for name in names} | {"quantity": None, "unit_amount": None} for line in row["lines"]
        ]
        return seen | {"kind": "credit_note", "lines": lines, "to_pay": row["to_account"], "due_on": None}

    def state(self) -> Any:
        return self.api.get(f"subscriptions/{self.subscription}").body if self.subscription else None

    def advance(self, day: date) -> None:
        from core.models import Job
        from core.services import jobs

        if day <= self.today:
            return
        moment = datetime.combine(day, time(13), self.zone)
        job = self.made("clock/advance", {"to": moment.isoformat()})
        jobs.work(Job.objects.get(public_id=Job.public_id_of(job["id"])).pk)
        assert self.api.get(f"jobs/{job['id']}").body["state"] == "done"
        self.today = day

    # Acts

    def start(self, agreed: dict[str, Any]) -> Any:
        item = {"product": self.plan.items.get().product.ref, "quantity": str(agreed["quantity"])}
        body = {
            "customer": self.customer, "plan": self.plan.ref, "start_on": self.today.isoformat(), "items": [item],
        }  # fmt: skip
        return self.do("subscriptions", body, "subscriptions/preview")

    def act(self, act: tuple[Any, ...], keep: bool, proration: str) -> Any:
        """The preview of the act, which then was done; None where both were refused, or there was nothing to do."""
        what, value, timing = act
        mine = f"subscriptions/{self.subscription}"
        changes: dict[str, Any] = {"keep_anchor": keep, "proration": proration}
        if timing in ("now", "period_end"):
            changes["timing"] = timing
        elif timing == "ahead":
            changes |= {"timing": "date", "effective_on": (self.today + timedelta(days=8)).isoformat()}
        elif timing == "back":
            effective_on = (self.today - timedelta(days=value)).isoformat()
            changes |= {"effective_on": effective_on, "override": True, "override_reason": "counted late"}
            changes["items"] = [self._position(0) | {"quantity": "8"}]
        match what:
            case "quantity":
                changes["items"] = [self._position(0) | {"quantity": str(value)}]
            case "price":
                changes["items"] = [self._position(0) | {"unit_amount": str(Decimal(value) / 100)}]
            case "plan":
                changes["plan"] = self.others[value].ref
            case "add":
                product = a_product(self.company).ref
                changes["items"] = [{"product": product, "unit_amount": str(Decimal(value) / 100)}]
            case "remove":
                changes["items"] = [self._position(value) | {"remove": True}]
            case "undo":
                made = self.rows(f"{mine}/changes")
                return self.do(f"changes/{made[-1]['id']}/undo", {}) if made else None
            case "cancel":
                return self.do(f"{mine}/cancel", {"timing": timing, "unused": value})
            case "undo_cancel":
                return self.do(f"{mine}/undo-cancel", {})
            case "pause":
                from_on = self.today + timedelta(days=value)
                body = {"from_on": from_on.isoformat()}
                if timing is not None:
                    body["until"] = (from_on + timedelta(days=timing)).isoformat()
                return self.do(f"{mine}/pause", body)
            case "resume":
                return self.do(f"{mine}/resume", {"keep_anchor": value})
            case "suspend":
                return self.do(f"{mine}/suspend", {"suspended_billing": value})
            case "reinstate":
                return self.do(f"{mine}/reinstate", {})
            case "one_off":
                service_on = (self.today + timedelta(days=timing)).isoformat()
                body = {"product": a_product(self.company).ref, "unit_amount": str(Decimal(value) / 100)}
                return self.do(f"{mine}/one-offs", body | {"service_on": service_on})
            case "discount":
                return self.do(f"{mine}/discounts", {"discount": self._discount(value, timing)})
        return self.do(f"{mine}/change", changes)

    def _position(self, number: int) -> dict[str, str]:
        items = self.state()["items"]
        return {"item": items[number % len(items)]["id"]}

    def _discount(self, percent: str, duration: str) -> str:
        self.codes += 1
        worth = {"percent": percent} if percent else {"amount": "5.00", "currency": "EUR"}
        body = {"code": f"d{self.codes}", "name": {"en": "Less"}, "duration": duration, **worth}
        if duration == "periods":
            body["periods"] = 2
        if duration != "forever" or not percent:
            self.counted_discounts += 1
        return str(self.made("discounts", body)["id"])

    def do(self, address: str, body: dict[str, Any], preview: str = "") -> Any:
        before, known = self.state(), self.documents()
        seen = self.api.post(preview or f"{address}/preview", body)
        assert (self.state(), self.documents()) == (before, known), "a preview changes nothing"
        if seen.status_code != 200:
            done = self.api.post(address, body)
            assert (done.status_code, done.body["code"]) == (seen.status_code, seen.body["code"])
            return None
        shown = seen.body
        done = self.api.post(address, body | {"preview_token": shown["preview_token"]})
        assert done.status_code in (200, 201), (address, body, done.body)
        self.subscription = self.subscription or done.body["id"]
        after = self.documents()
        # Drafts that wait for approval are computed anew with every act, and keep their ids where they can.
        written = [row for id_, row in after.items() if id_ not in known or row.get("waits")]
        told = [{name: value for name, value in row.items() if name in SHOWN} for row in written]
        assert told == shown["documents"]
        sign = {"invoice": 1, "credit_note": -1}
        assert sum(sign[row["kind"]] * Decimal(row["gross"]) for row in written) == Decimal(shown["money_now"])
        now = self.state()
        assert (before["mrr"] if before else "0.00") == shown["mrr_before"]
        assert now["ends_on"] == shown["ends_on"]
        return shown

    # What comes next

    def lives_up_to(self, shown: Any) -> None:
        """The invoices to come that the last preview showed are issued on their days, with these figures."""
        last = self.today + WAIT
        for row in shown["next"]:
            day = date.fromisoformat(row["on"])
            if day > last:
                break
            self.advance(day)
            due = [one for one in self.documents().values() if one.get("charge_due_on") == row["on"]]
            told = {name: row[name] for name in ("net", "tax", "gross", "to_pay")}
            assert told in [{name: one[name] for name in told} for one in due], (row, due)

    def earns(self, shown: Any) -> None:
        """Once all that is planned has happened, its monthly revenue is what the last preview showed."""
        now = self.state()
        days = [row["effective_on"] for row in self.rows(f"subscriptions/{self.subscription}/changes")]
        days += [now[name] for name in ("ends_on", "resumes_on") if now[name]]
        settled = max([date.fromisoformat(day) for day in days], default=self.today) + timedelta(days=1)
        if settled <= self.today + WAIT and not self.counted_discounts:
            self.advance(settled)
            assert self.state()["mrr"] == shown["mrr_after"]


@settings(
    max_examples=settings.default.max_examples // 10,
    deadline=None,
    derandomize=settings.default.max_examples <= 100,
    database=None,
    # Shrinking acts on a database takes minutes; the steps are noted.
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@given(agreed=AGREED, steps=STEPS)
def test_an_act_writes_what_its_preview_showed_and_so_do_the_days_after(
    agreed: dict[str, Any], steps: list[tuple[Any, ...]]
) -> None:
    with transaction.atomic():
        try:
            live(agreed, steps)
        finally:
            transaction.set_rollback(True)


def live(agreed: dict[str, Any], steps: list[tuple[Any, ...]]) -> None:
    office = Office(agreed)
    shown = office.start(agreed)
    assert shown is not None
    for days, act, keep, proration in steps:
        office.advance(office.today + timedelta(days=days))
        note(f"{office.today} {act} keep={keep} {proration}")
        done = office.act(act, keep, proration)
        # What was shown before days passed, or a refused act, still holds for the days to come.
        shown = done if done is not None else shown
    if shown is not None:
        office.lives_up_to(shown)
        office.earns(shown)
