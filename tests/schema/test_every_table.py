"""No guard is forgotten: what the models say there is, the database's own lists must guard, or a reason stands here.

A new table or reference fails these tests until it is guarded or its exception is written down with a reason.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.apps import apps
from django.db import connection, models

pytestmark = pytest.mark.django_db

ROOMS = (
    "core", "customers", "catalog", "subscriptions", "billing", "reporting", "crm", "api", "backoffice", "portal",
)  # fmt: skip

#: References of a company's rows to rows of a company that no composite key holds, with the reason.
WITHOUT_COMPANY_KEY = {
    # A second unique index on the largest tables would cost every run; the line's own key says whose it is.
    "billing_creditnoteline.invoice_line_id": "has a plain key; its note's key and the note's invoice say whose it is",
    "billing_billeddays.line_id": "has a plain key; the slot's key says whose they are",
    "billing_invoiceline.subscription_id": "copied from the slot, which has a key, by the same statement",
    "billing_invoiceline.product_id": "copied from the slot's terms, which have a key",
    "billing_invoicebalance.invoice_id": "has a plain key; one row, written with its invoice",
    "billing_invoice.chain_link_id": "held by the chain: the check of it names a document that no link has",
    "billing_creditnote.chain_link_id": "held by the chain: the check of it names a document that no link has",
    "billing_invoice.pdf_id": "filled in once by the renderer of that document",
    "billing_creditnote.pdf_id": "filled in once by the renderer of that document",
    "billing_attempt.closing_proof_id": "has a plain key; stored with it by the same verb",
    "billing_bankstatement.file_id": "has a plain key; stored with it by the same verb",
    "billing_debitbatch.file_id": "has a plain key; stored with it by the same verb",
    "billing_mandate.paper_id": "has a plain key; stored with it by the same verb",
    "crm_activityfile.file_id": "has a plain key; stored with it by the same verb",
    "crm_tiefile.file_id": "has a plain key; stored with it by the same verb",
    "crm_quote.pdf_id": "filled in once by the renderer of that document",
    "subscriptions_import.file_id": "has a plain key; a stored file may belong to no company",
    # A second unique index on the table of events would cost every run; the database writes deliveries of its own.
    "core_webhookdelivery.event_id": "has a plain key; written with the event by a trigger, from its own company",
    "subscriptions_usageday.meter_id": "summed from events, which have keys, by the same statement",
    "subscriptions_usageday.subscription_id": "summed from events, which have keys, by the same statement",
}

#: Columns that hold an id without a key, with the reason.
BARE_IDS = {
    "core_auditentry.actor_id": "of the kind that stands beside it",
    "core_auditentry.subject_id": "of the kind that stands beside it",
    "core_auditentry.customer_id": "for finding; core knows no customers",
    "core_event.subject_id": "of the kind that stands beside it",
    "core_event.customer_id": "for finding; core knows no customers",
    "customers_message.subject_id": "of the kind that stands beside it",
    "crm_reminder.subject_id": "one of the three rows named beside it, which have keys; for being reminded once",
    "billing_posting.customer_id": "for finding; its cause says whose it is",
    "billing_posting.cause_id": "of the kind that stands beside it",
    "billing_snapshot.document_id": "of the kind that stands beside it; the chain's check reads both",
    "billing_invoice.address_id": "which address was chosen; what it said is in the snapshot",
    "billing_invoice.run_id": "for the run's own figures; runs are written by tasks alone",
    "billing_invoicebalance.customer_id": "copied with its invoice, for indexes",
    "billing_credituse.line_id": "written with its line by one function, after it",
    "billing_discountuse.line_id": "written with its line by one function",
    "billing_ratedusage.line_id": "written with its line by one function",
    "billing_ratedusage.note_id": "written with its note by one function",
    "billing_dunningcase.seen_allocation_id": "how far its money was counted",
    "billing_paymentday.through_id": "how far payments were summed up with it",
    "crm_tie.done_through_id": "how far a round of it is",
    "reporting_closedmonth.touch_id": "how far words on what brought customers were known",
    "billing_billingchunk.first_customer_id": "one end of a range",
    "billing_billingchunk.last_customer_id": "one end of a range",
}

#: Tables of companies' rows that no chain of keys ties to a company, with the reason.
LOOSE_COMPANY = {
    "billing_invoicebalance": "has a plain key to its invoice; company and customer are copied with it, for indexes",
    "subscriptions_usageday": "summed from events, which have keys, by the same statement",
}

#: Tables whose rows never change and never go.
FROZEN = {
    "billing_allocation", "billing_chainlink", "billing_creditnoteline", "billing_credit", "billing_credituse",
    "billing_discountuse", "billing_dunningentry", "billing_posting", "billing_ratedusage", "billing_snapshot",
    "billing_snapshotpart",
    "catalog_price", "core_auditentry", "core_event", "crm_quoteanswer", "customers_apart", "customers_erasure",
    "customers_vatcheck",
    "subscriptions_firsttouch", "subscriptions_movement", "subscriptions_usageevent",
}  # fmt: skip
#: Tables whose rows never go and change in part: in named columns, or as long as they are drafts.
FROZEN_IN_PART = {
    "billing_attempt", "billing_bankstatement", "billing_billeddays", "billing_claim", "billing_creditbalance",
    "billing_creditnote", "billing_debitbatch", "billing_gatewayevent", "billing_invoice", "billing_invoicebalance",
    "billing_invoiceline", "billing_linecredit", "billing_mandate", "billing_payment", "billing_paymentbalance",
    "crm_quote", "crm_quotediscount", "crm_quoteline", "billing_refund", "billing_reversal",
    "crm_mailingrecipient", "crm_reminder", "subscriptions_renewalnotice",
}  # fmt: skip
#: Tables whose rows never change, and go when they are old: tests/core/test_webhook_retention.py.
DROPPED_WHEN_OLD = {"core_webhooktry"}
#: Everything else, and why it may change.
MOVES = {
    "settings that people edit; the audit tells how": {
        "core_company", "core_membership", "core_role", "core_user", "core_apikey", "billing_account",
        "catalog_campaign", "catalog_discount", "catalog_meter", "catalog_offercode", "catalog_plan",
        "catalog_planitem", "catalog_product", "catalog_taxcategory", "catalog_taxrate", "billing_dunningpolicy",
        "billing_dunningstep", "billing_gateway", "core_webhookendpoint", "customers_mailtext",
        "crm_leadform", "crm_leadstage", "crm_alertaudience", "crm_alertrule", "crm_offer", "crm_reminderrule",
        "crm_segment", "crm_tie", "crm_calendarlink",
        "reporting_annotation", "reporting_goal", "reporting_reportreader", "reporting_savedreport",
    },
    "people and what they are told; erasure blanks them": {
        "core_auditdetail", "customers_address", "customers_contact", "customers_customer", "customers_message",
        "customers_note", "customers_suppression", "crm_activity", "crm_activityperson", "crm_activityfile",
    },
    "how a customer pays, as the customer and the provider say": {
        "billing_paymentmethod", "billing_subscriptionmethod",
    },
    "what the bank said stays; what became of it is found, undone and found again": {"billing_bankline"},
    "where a customer's overdue money stands; its entries don't change": {"billing_dunningcase"},
    "what is agreed moves with every act, and each act has a row that doesn't": {
        "subscriptions_agreeddiscount", "subscriptions_change", "subscriptions_oneoff", "subscriptions_slot",
        "subscriptions_slotterms", "subscriptions_subscription", "subscriptions_usagethreshold",
    },
    "never changed, and dropped once it is old; the database refuses younger ones": DROPPED_WHEN_OLD,
    "counters, sums and lists made from rows that don't change": {
        "core_numberseries", "reporting_closedcustomers", "reporting_closedmonth", "reporting_closedrevenue",
        "subscriptions_usageday", "subscriptions_usagerefusal", "billing_chainhead", "billing_paymentday",
    },
    "work to be done, and what became of it": {
        "billing_billingchunk", "billing_billingrun", "core_job", "core_outbox", "core_ticknote", "core_tickrun",
        "crm_lead", "crm_leadnote", "crm_alert", "crm_bulkact", "crm_bulkrow", "crm_digest", "crm_mailing",
        "crm_task", "crm_taskcomment", "crm_tiechange", "crm_tiefile", "crm_tierecord", "crm_tierun",
        "reporting_reportmail",
        "core_mailevent", "core_webhookdelivery",
        "api_callcount", "api_idempotencyrecord", "subscriptions_import", "subscriptions_importline",
    },
    "files, found by the hash of their content, and rates with their source": {
        "core_storedfile", "billing_exchangerate", "billing_interestrate",
    },
}  # fmt: skip


def tables() -> Iterator[Any]:
    for model in apps.get_models():
        if model.__module__.partition(".")[0] in ROOMS and model._meta.managed and not model._meta.proxy:
            yield model


def rows(sql: str, *params: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        return cursor.fetchall()


def keys() -> dict[tuple[str, frozenset[str]], str]:
    """Every foreign key of the database by its table and columns: the table it names."""
    found = rows(
        "SELECT conrelid::regclass::text, confrelid::regclass::text, ARRAY(SELECT attname::text FROM pg_attribute "
        "WHERE attrelid = conrelid AND attnum = ANY(conkey)) FROM pg_constraint WHERE contype = 'f' AND convalidated"
    )
    return {(table, frozenset(columns)): parent for table, parent, columns in found}


def has_company(model: Any) -> bool:
    return any(field.column == "company_id" for field in model._meta.concrete_fields)


def test_every_reference_between_rows_of_companies_has_a_composite_key() -> None:
    found, without = keys(), set()
    for model in tables():
        for field in model._meta.concrete_fields:
            if not isinstance(field, models.ForeignKey) or field.column == "company_id":
                continue
            if not has_company(model) or not has_company(field.related_model):
                continue
            table, parent = model._meta.db_table, field.related_model._meta.db_table
            if found.get((table, frozenset({"company_id", field.column}))) != parent:
                without.add(f"{table}.{field.column}")
    assert without == set(WITHOUT_COMPANY_KEY)


def test_every_reference_has_a_key_of_some_kind_or_a_reason() -> None:
    found, without = keys(), set()
    for model in tables():
        for field in model._meta.concrete_fields:
            if not isinstance(field, models.ForeignKey) or field.column == "company_id":
                continue
            table = model._meta.db_table
            known = {columns for of, columns in found if of == table and field.column in columns}
            if not known:
                without.add(f"{table}.{field.column}")
    assert without <= set(WITHOUT_COMPANY_KEY)


def test_every_bare_id_has_a_key_or_a_reason() -> None:
    found, bare = keys(), set()
    for model in tables():
        for field in model._meta.concrete_fields:
            is_id = isinstance(field, models.BigIntegerField) and field.column.endswith("_id")
            is_id &= field.column != "company_id"
            if is_id and not any(field.column in columns for of, columns in found if of == model._meta.db_table):
                bare.add(f"{model._meta.db_table}.{field.column}")
    assert bare == set(BARE_IDS)


def test_every_row_of_a_company_names_one_that_exists() -> None:
    """By a key of its own, or by a composite key to a row that has one."""
    found = keys()
    tied = {table for (table, columns), parent in found.items() if columns == {"company_id"}}
    grows = True
    while grows:
        more = {
            table for (table, columns), parent in found.items() if parent in tied and {"company_id"} < columns
        } - tied
        tied, grows = tied | more, bool(more)
    loose = {model._meta.db_table for model in tables() if has_company(model)} - tied
    assert loose == set(LOOSE_COMPANY)


def test_every_table_is_known_as_frozen_or_not() -> None:
    moving = [table for named in MOVES.values() for table in named]
    assert len(moving) == len(set(moving))
    named = {*FROZEN, *FROZEN_IN_PART, *moving}
    assert len(named) == len(FROZEN) + len(FROZEN_IN_PART) + len(moving)
    there = {model._meta.db_table for model in tables()}
    assert (there - named, named - there) == (set(), set())


#: Bits of pg_trigger.tgtype.
ROW, BEFORE, DELETE, UPDATE, TRUNCATE = 1, 2, 8, 16, 32


def guards(table: str) -> dict[int, set[str]]:
    """The functions that stand before each event of the table, by event; triggers that are switched off don't count."""
    found: dict[int, set[str]] = {UPDATE: set(), DELETE: set(), TRUNCATE: set()}
    sql = (
        "SELECT tgtype, proname FROM pg_trigger JOIN pg_proc ON pg_proc.oid = tgfoid "
        "WHERE tgrelid = %s::regclass AND NOT tgisinternal AND tgenabled IN ('O', 'A')"
    )
    for kind, function in rows(sql, table):
        for event, functions in found.items():
            if kind & BEFORE and kind & event:
                functions.add(function)
    return found


@pytest.mark.parametrize("table", sorted(FROZEN))
def test_a_frozen_table_refuses_every_change(table: str) -> None:
    found = guards(table)
    # Credits lose nothing of what they say but who may be forgotten: no column moves.
    assert all("turnus_frozen" in functions for functions in found.values()), found


@pytest.mark.parametrize("table", sorted(FROZEN_IN_PART))
def test_a_table_frozen_in_part_has_a_guard_before_every_change(table: str) -> None:
    found = guards(table)
    assert found[TRUNCATE] == {"turnus_frozen"}
    in_part = {
        "turnus_named_columns_move", "turnus_document_frozen", "turnus_line_frozen", "turnus_days_only_shrink",
        "turnus_quote_parts_frozen",
    }  # fmt: skip
    assert found[UPDATE] & in_part, found
    assert found[DELETE] & in_part, found


def test_every_guard_is_named_as_frozen_here() -> None:
    """No table is frozen in the database that is thought to move."""
    sql = (
        "SELECT DISTINCT tgrelid::regclass::text FROM pg_trigger JOIN pg_proc ON pg_proc.oid = tgfoid "
        "WHERE NOT tgisinternal AND proname IN ('turnus_frozen', 'turnus_named_columns_move')"
    )
    assert {table for (table,) in rows(sql)} == FROZEN | FROZEN_IN_PART | DROPPED_WHEN_OLD


def test_every_constraint_of_the_models_stands_in_the_database() -> None:
    there = {name for (name,) in rows("SELECT conname::text FROM pg_constraint WHERE convalidated")}
    there |= {name for (name,) in rows("SELECT relname::text FROM pg_class WHERE relkind IN ('i', 'I')")}
    named = {constraint.name for model in tables() for constraint in model._meta.constraints}
    assert named - there == set()
