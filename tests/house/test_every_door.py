"""Nobody sees another company's things, and nobody does what they have no right to: every address, every method.

`one` is a row of every kind in one company; `other` is a second company. See `doors.py` for how a door is added.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pytest

from tests.house.doors import Visit, Way, entitled, nobody, strangers, unentitled

pytestmark = pytest.mark.django_db


@dataclass
class House:
    """Two companies; the first holds a row of every kind an address can name."""

    one: Any
    other: Any
    ids: dict[str, str]


@pytest.fixture
def house(db: None) -> House:
    return build_house()


def build_house() -> House:
    from core.models import Event
    from core.services import jobs
    from reporting import long_reports
    from tests.factories import a_company, a_customer, a_plan
    from tests.subscriptions.metering import a_meter

    company, other = a_company(), a_company()
    plan = a_plan(company)
    customer = a_customer(company, contacts=[{"name": "Ada", "email": "ada@example.com"}])
    refs = _business(company, customer, plan)
    event = Event.objects.filter(company=company).first()
    job = jobs.work(long_reports.start(company=company, name="mrr", query={}, language="en", user=None).pk)
    assert event is not None and job is not None
    ids = {
        "customer": customer.ref,
        "kind": "billing",
        "report": "mrr",
        "rows": "movements",
        "meter": a_meter(company).ref,
        "contact": customer.contacts.get().ref,
        "product": plan.items.get().product.ref,
        "plan": plan.ref,
        "item": plan.items.get().ref,
        "price": plan.items.get().prices.get().ref,
        "event": event.ref,
        "job": job.ref,
        **refs,
    }
    return House(company, other, ids)


def _business(company: Any, customer: Any, plan: Any) -> dict[str, str]:
    """One row of each kind that business leaves behind, made by the verbs."""
    from billing.models import CreditNote, Invoice
    from billing.services import account_credit, acts, crediting, granting, payments, running
    from billing.tasks import ask_for_run
    from core import clock
    from customers.services import messages, notes, suppressing
    from subscriptions.models import Import
    from tests.factories import BY, TODAY, a_subscription

    at = clock.now(company)
    common: dict[str, Any] = {"by": BY, "at": at}
    started = acts.start(company=company, customer=customer, plan=plan, start_on=TODAY, on=TODAY, **common)
    invoice = Invoice.objects.get(pk=started.settlement.invoice_ids[0])
    note: CreditNote = crediting.credit_invoice(invoice=invoice, gross_minor=100, reason="x", **common)
    payment = payments.record(
        company=company, customer=customer, amount_minor=5000, currency="EUR", method="transfer", received_on=TODAY,
        **common,
    )  # fmt: skip
    refund = account_credit.refund_credit(
        customer=customer, currency="EUR", amount_minor=100, reason="x", **common
    )  # fmt: skip
    message = messages.write(
        company=company, customer=customer, template="x", language="en", subject="x", body="x",
        recipients=["a@example.com"], at=at,
    )  # fmt: skip
    change = _planned_change(started.subscription, **common)
    a_subscription(company, customer, plan)
    refs = _discounts(company, started.subscription, **common) | _money(company, customer, invoice, payment)
    refs["tax_rate"] = _late_rate(company, **common)
    refs |= _webhooks(company, **common)
    refs["change"] = change
    refs["credit"] = granting.grant(customer=customer, currency="EUR", amount_minor=500, reason="x", **common).ref
    refs["one_off"] = _single_charge(started.subscription, plan, **common)
    run = running.start(company=company, on=TODAY, **common)
    assert run is not None
    ask_for_run(company=company, on=TODAY, user=None)
    source = Import.objects.create(
        company=company, file_name="x.csv", file_sha256="0" * 64, mapping={}, on=TODAY, state=Import.State.DONE
    )
    refs |= _to_do(company, customer, **common)
    refs |= _reminded(company, started.subscription, **common)
    refs |= _sold(company, plan, **common)
    blocked = suppressing.suppress(company=company, address="gone@example.com", reason="manual", **common)
    refs |= {"suppression": blocked.ref, "name": "signature", "language": "en"}
    return refs | {
        "subscription": started.subscription.ref,
        "invoice": invoice.ref,
        "credit_note": note.ref,
        "payment": payment.ref,
        "refund": refund.ref,
        "message": message.ref,
        "note": notes.add_note(customer=customer, text="x", **common).ref,
        "run": run.ref,
        "source": source.ref,
    }


def _sold(company: Any, plan: Any, **common: Any) -> dict[str, str]:
    """A lead at its stage, and a quote to it that was sent."""
    from crm.services import leads, quote_sending, quotes

    lead = leads.create(company=company, name="Ada", email="ada@windkraft.example", country="DE", **common)
    quote = quotes.create(company=company, plan=plan, lead=lead, **common)
    quote_sending.send(quote=quote, **common)
    return {"lead": lead.ref, "quote": quote.ref}


def _reminded(company: Any, subscription: Any, **common: Any) -> dict[str, str]:
    """A rule with its offer, and the reminder that made it."""
    from catalog.models import Discount
    from crm.models import Reminder
    from crm.services import offers, reminder_rules
    from tests.factories import TODAY

    discount = Discount.objects.filter(company=company).latest("pk")
    offer = offers.save(company=company, name="Stay", discount=discount, **common)
    rule = reminder_rules.save(
        company=company, name="Stay", occasion="before_renewal", days=30, category="marketing", offer=offer, **common
    )
    reminder = Reminder.objects.create(
        company=company, rule=rule, customer=subscription.customer, subscription=subscription,
        subject_id=subscription.pk, occasion_on=TODAY, offer=offer, offer_until_on=TODAY, sent_at=common["at"],
    )  # fmt: skip
    return {"rule": rule.ref, "offer": offer.ref, "reminder": reminder.ref} | _mailed(company, subscription, **common)


def _mailed(company: Any, subscription: Any, **common: Any) -> dict[str, str]:
    """A mailing to a segment, and somebody who is to get it."""
    from catalog.models import Campaign
    from crm.models import MailingRecipient
    from crm.services import bulk_acts, mailings, segments
    from tests.factories import TODAY

    rules = {"match": "all", "conditions": [], "groups": []}
    segment = segments.save(company=company, name="All", rules=rules, **common)
    act = bulk_acts.prepare(
        segment=segment, kind="note", params={"text": "x"}, language="en", user=None, on=TODAY, **common
    )
    mailing = mailings.save(
        company=company, name="Stay", segment=segment, campaign=Campaign.objects.filter(company=company).latest("pk"),
        subject={"en": "x"}, body={"en": "{link}"}, **common,
    )  # fmt: skip
    MailingRecipient.objects.create(
        company=company, mailing=mailing, customer=subscription.customer, subscription=subscription
    )
    return {"segment": segment.ref, "mailing": mailing.ref, "bulk_act": act.ref} | _tied(company, **common)


def _tied(company: Any, **common: Any) -> dict[str, str]:
    """A tie by files that was given one."""
    from crm.services import tie_accounts, tie_files

    tie = tie_accounts.save(company=company, kind="csv", name="Files", **common)
    file = tie_files.give_in(tie=tie, name="x.csv", content=b"email\na@b.example\n", **common)
    return {"tie": tie.ref, "tie_file": file.ref, "table": "contacts"}


def _to_do(company: Any, customer: Any, **common: Any) -> dict[str, str]:
    """A task with a remark, and an alert by its rule."""
    from crm.models import Alert
    from crm.services import activities, alert_rules, tasks
    from tests.factories import TODAY

    rule = alert_rules.of_company(company)["parked"]
    task = tasks.create(company=company, title="Call", due_on=TODAY, customer=customer, **common)
    tasks.comment(task=task, text="x", **common)
    alert = Alert.objects.create(
        company=company, rule=rule, kind="parked", key="1", customer=customer, raised_at=common["at"]
    )
    talked = activities.log(
        company=company, customer=customer, kind="call", subject="x", begins_at=common["at"], **common
    )
    return {"activity": talked.ref, "task": task.ref, "alert": alert.ref, "alert_rule": rule.ref}


def _money(company: Any, customer: Any, invoice: Any, payment: Any) -> dict[str, str]:
    """A gateway with a message, a method, a try, money taken back, a dunning case."""
    from types import SimpleNamespace

    from billing.models import BankLine, Reversal
    from core import clock
    from tests.backoffice import money
    from tests.factories import TODAY

    office: Any = SimpleNamespace(company=company, customer=customer, at=clock.now(company))
    gateway = money.an_account(office)
    method, case = money.a_method(office, gateway), money.a_case(office)
    taken = Reversal.objects.create(
        company=company, payment=payment, gateway=gateway, kind="dispute", external_id="dp_1", currency="EUR",
        amount_minor=100, taken_on=TODAY, created_at=office.at,
    )  # fmt: skip
    return {
        "gateway": gateway.ref, "provider_event": money.a_message(gateway).external_id, "payment_method": method.ref,
        "attempt": money.a_try(office, invoice, method).ref, "dispute": taken.ref, "case": case.ref,
        "policy": case.policy.ref, "statement": money.a_statement(office).ref,
        "line": BankLine.objects.get(company=company).ref, "batch": money.a_batch(office, gateway).ref,
        "file": money.a_payout_file(office).ref,
    }  # fmt: skip


def _webhooks(company: Any, **common: Any) -> dict[str, str]:
    """An endpoint and what it was sent."""
    from core.models import WebhookTry
    from core.services import webhook_endpoints

    endpoint, _secret = webhook_endpoints.create(
        company=company, url="https://erp.example.com/in", types=["*"], resolve=lambda host, port: ["93.184.215.14"],
        **common,
    )  # fmt: skip
    delivery = webhook_endpoints.test(endpoint=endpoint, **common)
    WebhookTry.objects.create(
        company=company, delivery=delivery, at=common["at"], url=endpoint.url, status=200, milliseconds=5
    )
    return {"endpoint": endpoint.ref, "delivery": delivery.ref}


def _late_rate(company: Any, **common: Any) -> str:
    """A rate that no other company has: what it is for names it."""
    from datetime import date
    from decimal import Decimal

    from catalog.services import taxes

    day = date(2090, 1, 1)
    values = {"country": "DE", "level": "standard", "percent": Decimal(20), "valid_from": day, "source": "walk"}
    return str(taxes.set_rate(company=company, **values, **common).ref)


def _planned_change(subscription: Any, **common: Any) -> str:
    from decimal import Decimal

    from billing.services import acts_changing
    from subscriptions.models import Change
    from subscriptions.services.change_specs import ItemChange

    more = ItemChange(slot=subscription.slots.get(), quantity=Decimal(2))
    acts_changing.change(subscription=subscription, items=[more], timing="period_end", **common)
    return str(Change.objects.get(subscription=subscription).ref)


def _single_charge(subscription: Any, plan: Any, **common: Any) -> str:
    from datetime import timedelta
    from decimal import Decimal

    from subscriptions.services import one_offs
    from tests.factories import TODAY

    product = plan.items.get().product
    later = TODAY + timedelta(days=20)
    return one_offs.add(
        subscription=subscription, product=product, unit_amount=Decimal(5), service_on=later, on=TODAY, **common
    ).ref


def _discounts(company: Any, subscription: Any, **common: Any) -> dict[str, str]:
    """A campaign, its discount with a code, and the discount as it is given to the subscription."""
    from decimal import Decimal

    from catalog.services import discounts
    from subscriptions.services import discounting
    from tests.factories import TODAY

    campaign = discounts.create_campaign(company=company, code="walk", name="Walk", **common)
    discount = discounts.create_discount(
        company=company, code="walk", name={company.language: "Walk"}, percent=Decimal(10), campaign=campaign, **common
    )
    given = discounting.give(subscription=subscription, discount=discount, on=TODAY, **common)
    return {
        "campaign": campaign.ref,
        "discount": discount.ref,
        "offer_code": discounts.create_code(discount=discount, code="WALK", **common).ref,
        "agreed_discount": given.ref,
    }


# The API ----------------------------------------------------------------------------------------------------------


def api_ways() -> list[Way]:
    """Every operation of the API with the example of its body."""
    from django.urls import URLPattern

    from api.schema import example_of
    from api.urls import urlpatterns

    found = []
    for pattern in urlpatterns:
        view = getattr(getattr(pattern, "callback", None), "cls", None)
        if not isinstance(pattern, URLPattern) or view is None:
            continue
        address = "/api/v1/" + str(pattern.pattern).replace("<str:", "{").replace(">", "}")
        for method in view.http_method_names:
            operation = getattr(getattr(view, method, None), "operation", None)
            if operation is not None:
                places = tuple(pattern.pattern.converters)
                body = example_of(operation.body) if operation.body is not None else None
                found.append(Way(method, address, places, operation.rights, body))
    return found


def api_visit(key: str | None) -> Visit:
    """Calls the API with a key, or without one."""
    from django.test import Client

    client = Client()
    headers = {"Authorization": f"Bearer {key}"} if key else {}

    def visit(way: Way, address: str) -> int:
        more = {} if way.method == "get" else {"data": way.body or {}, "content_type": "application/json"}
        return int(getattr(client, way.method)(address, headers=headers, **more).status_code)

    return visit


def api_key(company: Any, *scopes: str) -> str:
    from core.services import keys
    from tests.factories import BY, TODAY, at_noon

    return keys.issue_key(company=company, name="walk", scopes=scopes, by=BY, at=at_noon(TODAY))[1]


def test_the_walk_meets_every_operation_of_the_api(house):
    from api import schema

    described = sum(len(methods) for methods in schema.document()["paths"].values())
    ways = api_ways()
    assert len(ways) == described > 90
    assert {place for way in ways for place in way.places} <= house.ids.keys()


def test_a_key_of_another_company_finds_nothing(house):
    visit = api_visit(api_key(house.other, "*"))
    # A mail's name and language name no row: every company words its own; and every company has every report.
    ways = [way for way in api_ways() if set(way.places) - {"name", "language", "report", "rows"}]
    walk = strangers(ways, visit, house.ids, who="a key of another company", says={404})
    assert walk.faults == []
    assert walk.passed > 60


def test_ids_of_another_company_fit_no_body_and_no_filter(house):
    from django.test import Client

    from core.models import Company
    from customers.models import Customer

    assert Company.objects.count() == 2
    client, headers = Client(), {"Authorization": f"Bearer {api_key(house.other, '*')}"}
    sent = {"customer": house.ids["customer"], "plan": house.ids["plan"], "start_on": "2026-01-01"}
    answer = client.post("/api/v1/subscriptions", sent, content_type="application/json", headers=headers)
    assert {fault["code"] for fault in answer.json()["errors"]} == {"invalid_ref"}
    queries = (
        "subscriptions?customer={customer}", "invoices?subscription={subscription}", "events?customer={customer}",
        "payments?invoice={invoice}", "plans?product={product}", "customers?after={customer}",
    )  # fmt: skip
    for query in queries:
        assert client.get("/api/v1/" + query.format(**house.ids), headers=headers).status_code == 422, query
    assert not Customer.objects.filter(company=house.other).exists()


def test_lists_of_another_company_are_empty(house):
    from django.test import Client

    client, headers = Client(), {"Authorization": f"Bearer {api_key(house.other, '*')}"}
    seeded = {"/api/v1/tax-categories", "/api/v1/tax-rates", "/api/v1/events", "/api/v1/dunning-policies"}
    seeded |= {"/api/v1/alert-rules", "/api/v1/mail-texts", "/api/v1/event-types"}
    seeded |= {"/api/v1/reports", "/api/v1/lead-stages", "/api/v1/segments/fields"}
    own = {ref for ref in house.ids.values() if "_" in ref}
    for way in api_ways():
        if way.method == "get" and not way.places:
            answer = client.get(way.address, headers=headers)
            assert not any(ref in answer.content.decode() for ref in own), way
            if "data" in answer.json() and way.address not in seeded:
                assert answer.json()["data"] == [], way


def test_a_key_without_the_scope_is_refused(house):
    """The key has every scope but those that give a right of the operation."""
    from core.services.keys import SCOPES

    def without(way: Way) -> Visit:
        left = [scope for scope, rights in SCOPES.items() if rights.isdisjoint(way.rights)]
        return api_visit(keys_by_scopes.setdefault(tuple(left), api_key(house.one, *left) if left else None))

    keys_by_scopes: dict[tuple[str, ...], str | None] = {}
    # Events and jobs open to any key that may read something: a key that may not has no scope left.
    ways = [way for way in api_ways() if not _any_key(way)]
    walk = unentitled(ways, without, house.ids, says={403})
    assert walk.faults == []
    assert walk.passed > 90


def _any_key(way: Way) -> bool:
    from core.services.keys import SCOPES

    return all(not rights.isdisjoint(way.rights) for rights in SCOPES.values())


def test_without_a_key_nothing_opens(house):
    walk = nobody(api_ways(), api_visit(None), house.ids, says={401})
    assert walk.faults == []
    assert walk.passed == len(api_ways())


def test_a_key_that_may_do_everything_is_never_turned_away(house):
    """The examples' ids belong to nobody, so bodies may be refused; keys, rows and our own faults may not be."""
    walk = entitled(api_ways(), api_visit(api_key(house.one, "*")), house.ids, never={401, 403, 404, 405, 500})
    assert walk.faults == []
