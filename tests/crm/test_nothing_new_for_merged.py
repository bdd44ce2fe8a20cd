"""Nothing new begins with a customer that was merged: every verb that takes a customer, every table that names one.

A verb or a table that is new fails here until it refuses, or stands in a list with the reason why it does not.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from types import FunctionType
from typing import Any

import pytest
from django.apps import apps
from django.db import IntegrityError, connection, transaction

from core.refusal import Refused
from tests.factories import BY, TODAY, a_company, a_customer, a_plan, a_product, at_noon

pytestmark = pytest.mark.django_db
AT = at_noon(TODAY)
COMMON: dict[str, Any] = {"by": BY, "at": AT}
ROOMS = ("customers", "subscriptions", "billing", "crm")

#: Verbs that take a customer, or a holder of an address, and may be called with a merged one; and why.
NOT_REFUSED = {
    "billing.services.account_credit.apply_credit": "its own credit pays its own invoices",
    "billing.services.account_credit.refund_credit": "its own credit is paid out",
    "billing.services.bank_lines.choose": "money is booked for the one that stays, by payments.record",
    "billing.services.dunning_following.refresh": "of its own invoices, one of which may be open again",
    "billing.services.dunning_following.reinstate": "of its own invoices",
    "billing.services.payment_methods.keep": "kept for the one that stays: what a provider tells can't be refused",
    "billing.services.payments.allocate": "money is booked for the one that stays",
    "billing.services.payments.record": "money is booked for the one that stays",
    "crm.services.mailings.send_test": "an example of the words, sent to staff",
    "crm.services.merging_fields.take": "a part of the merge",
    "crm.services.taking_along.told": "that somebody took its data along",
    "customers.services.consents.withdraw": "advertising may always be stopped",
    "customers.services.mail_previews.send_trial": "an example of the words, sent to staff",
}
#: Tables with a column `customer_id` that no trigger guards, and why rows of a merged customer may come.
NOT_GUARDED = {
    "billing_attempt": "collects an invoice of its own",
    "billing_bankline": "what a bank said; its payment is booked for the one that stays",
    "billing_claim": "on an invoice of its own that is open again",
    "billing_credit": "what notes on its own documents give back; granting refuses",
    "billing_creditnote": "its own invoices may be credited",
    "billing_dunningcase": "an invoice of its own may be open again",
    "billing_invoicebalance": "of an invoice of its own",
    "billing_payment": "of an invoice of its own",
    "billing_posting": "the books of its own documents",
    "billing_refund": "of its own money",
    "core_auditentry": "the trail",
    "core_event": "the trail",
    "crm_alert": "alerts are raised for the one that stays",
    "crm_bulkrow": "who was meant before the merge; each row is refused by its verb",
    "crm_mailingrecipient": "who was meant before the merge",
    "crm_reminder": "of its own subscriptions, which have ended",
    "crm_tiechange": "what was heard",
    "crm_tierecord": "what another system was told",
    "customers_erasure": "it is erased with the one that stays",
    "customers_message": "mails about its own documents",
    "customers_vatcheck": "an answer that was under way",
    "reporting_revenueentry": "the books of its own documents",
    "reporting_revenuefact": "of a month in which it had revenue",
    "reporting_taxentry": "the books of its own documents",
    "subscriptions_firsttouch": "what brought it; a lead is converted to the one that stays",
    "subscriptions_importline": "a line of a file; what it starts is refused",
    "subscriptions_movement": "of its own subscriptions, which have ended",
}


@dataclass
class World:
    """`goes` was merged into `stays`; before that it had what the rows below stand for."""

    company: Any
    goes: Any
    stays: Any
    plan: Any
    contact: Any
    quote: Any
    invoice: Any
    task: Any


@pytest.fixture
def world(db: None) -> World:
    from crm.services import merging, quote_sending, quotes, tasks
    from customers.models import Contact
    from customers.services import contacts
    from tests.backoffice.test_merging_pages import end_all
    from tests.money.dunning import pay
    from tests.money.providers import billed

    company = a_company()
    goes, stays, plan = a_customer(company, vat_id="DE136695976"), a_customer(company), a_plan(company)
    for one in (stays, goes):
        contact = contacts.add_contact(customer=one, name="Ada", email="ada@example.com", **COMMON)
    quote = quotes.create(company=company, plan=plan, customer=goes, **COMMON)
    quote_sending.send(quote=quote, **COMMON)
    quote = quotes.withdraw(quote=quote, **COMMON)
    invoice = billed(company, goes)
    pay(invoice, TODAY)
    end_all(goes)
    task = tasks.create(company=company, title="Call", due_on=TODAY, invoice=invoice, **COMMON)
    merging.merge(customer=goes, into=stays, confirm=goes.number, **COMMON)
    for row in (goes, contact, quote, invoice, task):
        row.refresh_from_db()
    assert (Contact.objects.get(pk=contact.pk).customer_id, task.customer_id) == (goes.pk, stays.pk)
    return World(company, goes, stays, plan, contact, quote, invoice, task)


def _cards(company: Any) -> Any:
    from billing.models import Gateway

    return Gateway.objects.create(company=company, kind="stripe", name="Cards", created_at=AT)


def _methods(world: World) -> dict[str, dict[str, Any]]:
    from core.services import files
    from tests.money.debits import IBANS, a_creditor

    debits, cards = a_creditor(world.company), _cards(world.company)
    mandate = {"gateway": debits, "iban": IBANS[0], "holder": "Ada", "signed_by": "Ada"}
    paper = files.store(company_id=world.company.pk, name="x.pdf", media_type="application/pdf", content=b"%PDF-1.4")
    return {
        "billing.services.mandates.sign": {**mandate, "proof": {}},
        "billing.services.mandates.record_paper": {**mandate, "signed_on": TODAY, "paper": paper},
        "billing.services.payment_methods.begin_set_up": {"gateway": cards},
    }


def _given(world: World) -> dict[str, dict[str, Any]]:
    """What each verb needs beside the customer, who is filled in."""
    from billing.services.draft_lines import DraftLine
    from tests.crm.selling import a_lead
    from tests.crm.talking import a_mail

    company, money = world.company, {"amount_minor": 100, "currency": "EUR"}
    line = DraftLine(description="x", unit_amount=Decimal(1), product=a_product(company))
    return _methods(world) | {
        "billing.services.drafting.create_draft": {"company": company, "currency": "EUR", "lines": [line]},
        "billing.services.granting.grant": {**money, "reason": "x"},
        "billing.services.paying_mails.send_method_link": {},
        "billing.services.selling.sell_credit_pack": {**money, "product": a_product(company)},
        "crm.services.activities.log": {"company": company, "kind": "call", "subject": "x", "begins_at": AT},
        "crm.services.activity_mails.keep": {"company": company, "raw": a_mail()},
        "crm.services.converting.convert": {"lead": a_lead(company)},
        "crm.services.customer_duplicates.keep_apart": {"first": world.goes, "second": a_customer(company)},
        "crm.services.erasing.erase": {"confirm": world.goes.number},
        "crm.services.merging.merge": {"into": a_customer(company), "confirm": world.goes.number},
        "crm.services.quotes.create": {"company": company, "plan": world.plan},
        "crm.services.tasks.create": {"company": company, "title": "x", "due_on": TODAY},
        "customers.services.consents.allow": {"holder": world.goes, "source": "x"},
        "customers.services.contacts.add_contact": {"name": "x"},
        "customers.services.customers.archive_customer": {},
        "customers.services.customers.restore_customer": {},
        "customers.services.customers.set_address": {"address": {"country": "DE"}},
        "customers.services.customers.update_customer": {"changes": {"phone": "1"}},
        "customers.services.notes.add_note": {"text": "x"},
        "customers.services.vat_ids.check": {},
        "subscriptions.services.starting.agree": {
            "company": company, "plan": world.plan, "start_on": TODAY, "on": TODAY
        },
    }  # fmt: skip


def _verbs() -> Iterator[tuple[str, FunctionType]]:
    """Public functions of the rooms' services with a customer, or a holder of an address, and somebody who acts."""
    for room in ROOMS:
        package = importlib.import_module(f"{room}.services")
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            module = importlib.import_module(found.name)
            for name, verb in vars(module).items():
                if name.startswith("_") or not inspect.isfunction(verb) or verb.__module__ != module.__name__:
                    continue
                takes = inspect.signature(verb).parameters
                kinds = {word for one in takes.values() for word in str(one.annotation).replace("|", " ").split()}
                if "by" in takes and kinds & {"Customer", "Holder"}:
                    yield f"{module.__name__}.{name}", verb


def test_every_verb_that_takes_a_customer_is_known_here(world: World) -> None:
    assert {name for name, _verb in _verbs()} == {*_given(world), *NOT_REFUSED}


def test_every_verb_refuses_a_merged_customer_and_names_the_one_that_stays(world: World) -> None:
    verbs, said = dict(_verbs()), {}
    for name, given in _given(world).items():
        takes = inspect.signature(verbs[name]).parameters
        whose = {"customer": world.goes} if "customer" in takes else {}
        said[name] = _refused(lambda verb=verbs[name], all=whose | given: verb(**all, **COMMON))
    words = f"{world.goes.number} was merged into {world.stays.number}: go on there."
    assert said == dict.fromkeys(said, ("customer.merged", words))


def _refused(act: Callable[[], Any]) -> tuple[str, str]:
    try:
        with transaction.atomic():
            act()
    except Refused as refused:
        return refused.code, refused.message
    return "", "done"


def test_verbs_that_find_a_merged_customer_by_a_row_of_its_own_refuse_too(world: World) -> None:
    from billing.services import replacing, voiding
    from crm.services import quotes, tasks
    from customers.services import consents, contacts

    acts: list[tuple[Any, dict[str, Any]]] = [
        (contacts.update_contact, {"contact": world.contact, "changes": {"phone": "1"}}),
        (consents.allow, {"holder": world.contact, "source": "x"}),
        (quotes.revise, {"quote": world.quote}),
        (tasks.update, {"task": world.task, "customer": world.goes}),
        (replacing.replace, {"invoice": world.invoice, "how": "draft", "reason": "x"}),
        (voiding.void, {"invoice": world.invoice, "reason": "x"}),
    ]
    said = {act.__name__: _refused(lambda act=act, given=given: act(**given, **COMMON))[0] for act, given in acts}
    assert said == dict.fromkeys(said, "customer.merged")


def test_an_invoice_of_a_merged_customer_is_voided_when_its_days_stay_unbilled(world: World) -> None:
    from billing.services import voiding

    note = voiding.void(invoice=world.invoice, days="free", reason="x", **COMMON)
    assert note.customer_id == world.goes.pk


def test_a_task_about_a_document_of_a_merged_customer_is_the_other_ones(world: World) -> None:
    from crm.services import tasks

    named = {"company": world.company, "title": "x", "due_on": TODAY, "invoice": world.invoice}
    assert tasks.create(**named, **COMMON).customer_id == world.stays.pk
    assert tasks.create(**named, customer=world.stays, **COMMON).customer_id == world.stays.pk


def test_a_task_that_came_along_with_its_document_can_still_be_changed(world: World) -> None:
    from crm.services import tasks

    changed = tasks.update(task=world.task, title="Call back", due_on=TODAY + timedelta(days=1), **COMMON)
    assert (changed.title, changed.customer_id, changed.invoice_id) == ("Call back", world.stays.pk, world.invoice.pk)


def test_a_card_that_an_invoice_of_a_merged_customer_was_paid_with_is_the_other_ones(world: World) -> None:
    from billing.gateways.base import SavedMethod
    from billing.services import payment_methods

    found = SavedMethod("pm_1", "", "card", "Visa")
    kept = payment_methods.keep(gateway=_cards(world.company), customer=world.goes, found=found, at=AT)
    assert (kept.customer_id, kept.status) == (world.stays.pk, "active")


def test_a_link_to_add_a_way_to_pay_leads_to_the_one_that_stays(world: World) -> None:
    from billing.services import pay_links

    assert pay_links.read_method(pay_links.method_token(world.goes, on=TODAY), on=TODAY) == world.stays


def test_what_is_seen_of_a_merged_customer_is_raised_for_the_one_that_stays(world: World) -> None:
    from subscriptions.models import Subscription
    from tests.crm.causes import alerts, look

    Subscription.objects.filter(customer=world.goes).update(parked_at=AT, parked_code="x", parked_detail="x")
    look(world.company, AT)
    [alert] = alerts(world.company)
    assert (alert.customer_id, alert.tasks.get().customer_id) == (world.stays.pk, world.stays.pk)


def test_a_started_subscription_waits_for_no_row_that_is_older_than_the_merge(world: World) -> None:
    from customers.models import Customer
    from subscriptions.services import starting

    older = Customer.objects.get(pk=world.goes.pk)
    older.merged_into, older.merged_at, older.archived_at = None, None, None
    given = {"company": world.company, "customer": older, "plan": world.plan, "start_on": TODAY, "on": TODAY}
    assert _refused(lambda: starting.agree(**given, **COMMON))[0] == "customer.merged"


# The database --------------------------------------------------------------------------------------------------------

_GUARDS = """
SELECT DISTINCT tgrelid::regclass::text FROM pg_trigger WHERE tgname LIKE %s AND tgfoid = %s::regproc
"""


def _guarded(ending: str) -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute(_GUARDS, [f"%{ending}", "turnus_customer_not_merged"])
        return {name for (name,) in cursor.fetchall()}


def test_every_table_that_names_a_customer_is_guarded_or_says_why_not() -> None:
    named = {
        model._meta.db_table
        for model in apps.get_models()
        if any(field.column == "customer_id" for field in model._meta.concrete_fields)
    }
    assert named - _guarded("_customer_not_merged") == set(NOT_GUARDED)


def test_no_row_is_given_to_a_merged_customer_past_the_verbs(world: World) -> None:
    from crm.services import activities, converting, quotes
    from customers.models import Address
    from customers.services import notes
    from tests.crm.selling import a_lead
    from tests.crm.test_merging import a_method
    from tests.factories import a_subscription

    stays, about = world.stays, {"company": world.company, "customer": world.stays}
    notes.add_note(customer=stays, text="x", **COMMON)
    activities.log(**about, kind="call", subject="x", begins_at=AT, **COMMON)
    converting.convert(lead=a_lead(world.company), customer=stays, **COMMON)
    quotes.create(**about, plan=world.plan, **COMMON)
    a_method(stays)
    a_subscription(world.company, stays, world.plan)
    Address.objects.filter(customer=stays).update(replaced_at=AT)  # each customer has one that isn't
    said = {}
    tables = _guarded("_moved_customer_not_merged")
    for table in tables:
        with pytest.raises(IntegrityError) as caught, transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"UPDATE {table} SET customer_id = %s WHERE customer_id = %s", [world.goes.pk, stays.pk])
        said[table] = caught.value.__cause__.diag.constraint_name  # type: ignore[union-attr]
    assert said == {table: f"{table}_customer_not_merged" for table in tables}
    assert tables == _guarded("_customer_not_merged") - {"billing_invoice"}
