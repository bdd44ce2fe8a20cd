"""The chain names each edited, missing or swapped document, also when the database's guards were switched off."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from billing.models import Invoice
from billing.services import books
from billing.services.chain import link_hash, verify_chain
from core.models import Company
from tests.billing.test_settling import bill
from tests.factories import a_company, a_subscription

pytestmark = pytest.mark.django_db


@contextmanager
def without_guards() -> Iterator[None]:
    """As a superuser with bad intentions."""
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        yield
        cursor.execute("SET session_replication_role = DEFAULT")


def run(sql: str, *params: object) -> None:
    with without_guards(), connection.cursor() as cursor:
        cursor.execute(sql, params)


@pytest.fixture
def company() -> Company:
    """Three monthly invoices of one customer, in two links."""
    company = a_company()
    a_subscription(company)
    bill(company, date(2026, 2, 1))
    bill(company, date(2026, 3, 1))
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    return company


def codes(company: Company) -> set[tuple[str, str]]:
    return {(problem.code, problem.subject) for problem in verify_chain(company)}


def number(sequence: int) -> str:
    return f"TEST-INV-2026-{sequence:06d}"


def test_what_was_issued_is_in_order(company: Company) -> None:
    assert verify_chain(company) == []


def test_a_link_covers_the_link_before_its_height_and_its_documents() -> None:
    import hashlib

    assert link_hash("aa", 2, ["bb", "cc"]) == hashlib.sha256(b"aa\n2\nbb\ncc").hexdigest()


def test_an_edited_total_is_named(company: Company) -> None:
    run("UPDATE billing_invoice SET net_minor = 1, gross_minor = 191 WHERE sequence = 2")
    assert codes(company) == {("document_edited", number(2))}


def test_an_edited_line_is_named(company: Company) -> None:
    run("UPDATE billing_invoiceline SET amount_minor = 1 WHERE invoice_id = (SELECT id FROM billing_invoice "
        "WHERE sequence = 3)")  # fmt: skip
    assert codes(company) == {("lines_edited", number(3))}


def test_an_edited_content_is_named(company: Company) -> None:
    run("UPDATE billing_snapshot SET body = replace(body, '\"gross\":1190', '\"gross\":1191') WHERE document_id = "
        "(SELECT id FROM billing_invoice WHERE sequence = 1)")  # fmt: skip
    assert codes(company) == {("snapshot_edited", number(1))}


def test_an_edited_content_with_its_hashes_is_named(company: Company) -> None:
    import hashlib

    invoice = Invoice.objects.get(sequence=1)
    with connection.cursor() as cursor:
        cursor.execute("SELECT body FROM billing_snapshot WHERE document_id = %s", [invoice.pk])
        body = cursor.fetchone()[0].replace('"gross":1190', '"gross":1191')
    digest = hashlib.sha256(body.encode()).hexdigest()
    run("UPDATE billing_snapshot SET body = %s, sha256 = %s WHERE document_id = %s", body, digest, invoice.pk)
    run("UPDATE billing_invoice SET snapshot_hash = %s, gross_minor = 1191, tax_minor = 191 WHERE id = %s", digest,
        invoice.pk)  # fmt: skip
    assert {code for code, _ in codes(company)} >= {"document_missing", "document_unlinked", "document_edited"}


def test_a_missing_document_is_named(company: Company) -> None:
    for table, column in (("billing_billeddays", "line_id"), ("billing_invoiceline", "invoice_id")):
        run(f"DELETE FROM {table} WHERE {column} IS NOT NULL")
    run("DELETE FROM billing_invoice WHERE sequence = 2")
    found = codes(company)
    assert ("number_missing", "invoice 2026/2") in found
    assert ("document_missing", "link 1") in found


def test_swapped_documents_are_named(company: Company) -> None:
    run("UPDATE billing_invoice SET sequence = 100, number = %s WHERE sequence = 1", number(2))
    run("UPDATE billing_invoice SET sequence = 1, number = %s WHERE sequence = 2", number(1))
    run("UPDATE billing_invoice SET sequence = 2 WHERE sequence = 100")
    found = codes(company)
    assert ("document_swapped", "link 1") in found
    assert ("document_edited", number(1)) in found


def test_a_cut_chain_is_named(company: Company) -> None:
    run("DELETE FROM billing_chainlink WHERE height = 2")
    assert {code for code, _ in codes(company)} == {"head_edited", "document_unlinked"}


def test_a_rewritten_link_is_named(company: Company) -> None:
    run("UPDATE billing_chainlink SET sha256 = repeat('0', 64) WHERE height = 1")
    assert ("link_edited", "link 1") in codes(company)


def test_the_command_fails_loudly(company: Company, capsys: pytest.CaptureFixture[str]) -> None:
    call_command("verify_chain", company=company.slug)
    assert "in order" in capsys.readouterr().out
    run("UPDATE billing_invoice SET net_minor = 1, gross_minor = 191 WHERE sequence = 2")
    with pytest.raises(CommandError):
        call_command("verify_chain", company=company.slug)
    assert f"document_edited: {number(2)}" in capsys.readouterr().out


def test_the_trial_balance_adds_up_to_zero(company: Company) -> None:
    rows = books.trial_balance(company, date(2026, 12, 31))
    # Three invoices of 10.00 + 1.90.
    assert {row[0]: row[3] for row in rows} == {"1400": 3570, "8400": -3000, "1776": -570}
