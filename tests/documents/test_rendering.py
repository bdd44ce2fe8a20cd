"""The PDF of an issued document: from its frozen content alone, once."""

from __future__ import annotations

import re
from datetime import date

import pytest
from django.core.management import call_command
from django.db import connection

from billing.documents import content, explaining, rendering
from billing.models import Invoice
from core.models import StoredFile
from core.refusal import Refused
from tests.factories import a_company, a_customer

from .papers import pages_of
from .test_mailing import an_invoice

pytestmark = pytest.mark.django_db


def test_the_totals_in_the_pdf_are_the_documents() -> None:
    invoice = an_invoice(a_company())
    text = " ".join("".join(pages_of(bytes(rendering.pdf_of(invoice).content))).split())
    assert (invoice.net_minor, invoice.tax_minor, invoice.gross_minor) == (1000, 190, 1190)
    assert "Total without tax €10.00" in text
    assert "VAT 19% on €10.00 €1.90" in text
    assert "Total €11.90" in text


def test_a_pdf_is_rendered_once_and_kept() -> None:
    invoice = an_invoice(a_company())
    stored = rendering.pdf_of(invoice)
    again = rendering.pdf_of(Invoice.objects.get(pk=invoice.pk))
    assert again.pk == stored.pk
    assert StoredFile.objects.count() == 1
    assert (stored.name, stored.media_type) == (f"{invoice.number}.pdf", "application/pdf")


def test_two_who_render_at_once_keep_one_file() -> None:
    invoice = an_invoice(a_company())
    other = Invoice.objects.get(pk=invoice.pk)
    first = rendering.pdf_of(invoice)
    assert other.pdf_id is None
    assert rendering.pdf_of(other).pk == first.pk
    assert StoredFile.objects.count() == 1


def test_what_changed_since_stays_off_the_paper() -> None:
    company = a_company()
    customer = a_customer(company, name="Old name")
    invoice = an_invoice(company, customer)
    customer.name, company.legal_name = "New name", "New GmbH"
    customer.save()
    company.save()
    text = " ".join("".join(pages_of(bytes(rendering.pdf_of(invoice).content))).split())
    assert "Old name" in text
    assert "Nordlicht GmbH" in text
    assert "New" not in text


def test_altered_content_is_not_printed() -> None:
    invoice = an_invoice(a_company())
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE billing_snapshot DISABLE TRIGGER billing_snapshot_frozen")
        cursor.execute(
            "UPDATE billing_snapshot SET body = replace(body, '1190', '9990') WHERE document_id = %s", [invoice.pk]
        )
        cursor.execute("ALTER TABLE billing_snapshot ENABLE TRIGGER billing_snapshot_frozen")
    with pytest.raises(Refused, match=r"document\.altered"):
        rendering.pdf_of(invoice)


def test_a_draft_has_no_pdf() -> None:
    with pytest.raises(Refused, match=r"document\.not_issued"):
        content.read(Invoice(snapshot_hash=""))


def test_a_layout_nobody_knows_is_refused() -> None:
    invoice = an_invoice(a_company())
    read = content.read(invoice)
    read.body["template"] = "1999-1"
    with pytest.raises(Refused, match=r"document\.layout_unknown"):
        rendering.render(read)


def test_rows_and_frozen_lines_explain_themselves_alike() -> None:
    invoice = an_invoice(a_company())
    row = invoice.lines.get()
    [line] = content.read(invoice).body["lines"]
    said = explaining.explain(row, "en")
    assert said == explaining.explain(line, "en", currency="EUR")
    assert said[0] == "The price is 1 × 10.00 EUR per month."
    assert said[-1] == "Tax: 19%, the rate of the seller's country."


def test_the_command_writes_the_pdf_to_a_file(tmp_path) -> None:
    company = a_company()
    invoice = an_invoice(company)
    out = tmp_path / "invoice.pdf"
    call_command("render_document", invoice.number, company=company.slug, out=str(out))
    assert invoice.number in "".join(pages_of(out.read_bytes()))
    invoice.refresh_from_db()
    assert out.read_bytes() == bytes(invoice.pdf.content)


def test_a_test_companys_number_says_test() -> None:
    invoice = an_invoice(a_company())
    assert re.match(r"TEST-", invoice.number)
    assert invoice.issued_on == date(2026, 1, 1)
