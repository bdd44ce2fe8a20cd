"""No account of a customer stands readable in the database, whichever way it came in: all columns are searched."""

from __future__ import annotations

import base64
from datetime import date
from typing import Any

import pytest
from django.core.cache import cache
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.urls import reverse

from core.models import StoredFile
from core.services import files
from tests.backoffice.conftest import Office
from tests.backoffice.test_runs import MAPPING
from tests.backoffice.test_runs import work as jobs_of
from tests.factories import BY, TODAY, a_plan, at_noon
from tests.money.bank import Booking, camt053, entry, read_in
from tests.money.debits import a_company, a_creditor, a_customer, a_mandate, billed, collect, make
from tests.money.test_portal_methods import sign_in
from tests.money.test_sepa_payouts import a_refund, pay

pytestmark = pytest.mark.django_db

#: One account per door.
PORTAL, AMENDED, CAMT, MT940, CSV = (
    "DE89370400440532013000", "NL91ABNA0417164300", "AT611904300234573201", "DE02500105170137075030",
    "FR1420041010050500013M02606",
)  # fmt: skip
IN_TEXT, IN_IMPORT = "ES9121000418450200051332", "BE68539007547034"
ALL = (PORTAL, AMENDED, CAMT, MT940, CSV, IN_TEXT, IN_IMPORT)
_READABLE = ("text", "character varying", "character", "json", "jsonb", "bytea", "ARRAY", "USER-DEFINED", "xml")


def places_of(iban: str) -> list[str]:
    """Columns, of all tables, in which the account stands readable, blanks and signs between its letters or not."""
    found = []
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT table_name, column_name, data_type FROM information_schema.columns JOIN information_schema.tables"
            " USING (table_schema, table_name) WHERE table_schema = 'public' AND table_type = 'BASE TABLE'"
            " AND data_type = ANY(%s) ORDER BY 1, 2",
            [list(_READABLE)],
        )
        columns = cursor.fetchall()
        assert len(columns) > 400, "the search sees the whole database"
        for table, column, kind in columns:
            text = f"encode(\"{column}\", 'escape')" if kind == "bytea" else f'"{column}"::text'
            cursor.execute(
                f"SELECT count(*) FROM \"{table}\" WHERE regexp_replace({text}, '[^A-Za-z0-9]', '', 'g') ILIKE %s",
                [f"%{iban}%"],
            )
            row = cursor.fetchone()
            found += [f"{table}.{column}"] * bool(row and row[0])
    return found


@pytest.mark.parametrize("way", ["text", "json", "bytes"])
def test_the_search_finds_what_is_not_sealed(way):
    from core.services import trail

    company = a_company()
    if way == "text":
        a_customer(company, name="Erika DE89 3704 0044 0532 0130 00")
    elif way == "json":
        trail.audit(company_id=company.pk, at=at_noon(TODAY), by=BY, verb="x.y", subject_kind="x", subject_id=1,
                    facts={"deep": [{"iban": PORTAL}]})  # fmt: skip
    else:
        files.store(company_id=company.pk, name="x", media_type="text/plain", content=PORTAL.encode(), is_public=True)
    expected = {"text": "customers_customer.name", "json": "core_auditentry.facts", "bytes": "core_storedfile.content"}
    assert expected[way] in places_of(PORTAL)


def test_no_account_stands_readable_whichever_door_it_came_through(client):
    from billing.models import BankLine, Mandate
    from billing.services import debit_files, mandates
    from tests.api.caller import Caller, key_for

    cache.clear()
    company = a_company(payment_terms_days=0)
    gateway, customer = a_creditor(company), a_customer(company)
    office = Office(company, a_plan(company), customer).client()

    # Signed in the portal, amended, debited, paid back, each with its file for the bank.
    sign_in(client, customer)
    given = {"scheme": "CORE", "iban": "DE89 3704 0044 0532 0130 00", "holder": "Erika Muster", "signed_by": "Erika"}
    client.post("/portal/methods/mandate/", given | {"agrees": "on"})
    mandate = Mandate.objects.get()
    mandates.amend(mandate=mandate, iban=AMENDED, by=BY, at=at_noon(TODAY))
    billed(company, customer)
    collect(company)
    (batch,) = make(company, gateway, date(2026, 1, 9))
    debit_files.mark_sent(batch=batch, by=BY, at=at_noon(date(2026, 1, 9)))
    assert AMENDED.encode() in batch.file.content
    paid_back = a_customer(company)
    a_mandate(paid_back, gateway, PORTAL)
    assert PORTAL.encode() in pay(company, a_refund(company, paid_back)).content

    # Bank files of every format, through the service, the office and the API.
    text = f"refund to ES91 2100 0418 4502 0005 1332 or {IN_TEXT.lower()}"
    read_in(company, camt053(entry(Booking("11.90", text, iban=CAMT, reference=f"X-{IN_TEXT}")), entry(
        Booking("5.00", "hello", name=f"Erika {IN_TEXT}", end_to_end=IN_TEXT))))  # fmt: skip
    mt940 = (
        ":20:STARTUMS\n:25:DE02120300000000202051\n:28C:1/1\n:60F:C260101EUR0,00\n:61:2601010101C7,00NTRFNONREF\n"
        f":86:166?00GUTSCHRIFT?20SVWZ+danke?21IBAN+{MT940}?30COBADEFF?31{MT940}?32MAX MUSTER\n:62F:C260101EUR7,00\n-\n"
    )
    office.post(reverse("backoffice:bank-read"), {"file": SimpleUploadedFile("a.sta", mt940.encode())})
    csv = f"Buchungstag;Betrag;Währung;Name;IBAN;Verwendungszweck\n02.01.2026;3,00;EUR;Ada;{CSV};x {IN_TEXT} y\n"
    bad = f"03.01.2026;{CSV};EUR;Ada;3,00;the columns are mixed up\n"
    api = Caller(key_for(company))
    sent = {"content": base64.b64encode((csv + bad).encode()).decode(), "name": "a.csv"}
    assert api.post("bank-statements", sent, **{"Idempotency-Key": "one"}).body["new"] == 1

    # A list of subscriptions that happens to have them.
    listed = f"Id;Name;Mail;Country;Plan;Start;Account\n1;Erika;e@example.com;DE;none;2026-01-01;{IN_IMPORT}\n"
    given = {"file": SimpleUploadedFile("list.csv", listed.encode()), "mapping": MAPPING, "on": TODAY.isoformat()}
    assert jobs_of(office.post(reverse("backoffice:import-create"), given)).state == "done"

    lines = BankLine.objects.filter(company=company)
    assert {line.iban for line in lines} == {CAMT, MT940, CSV, "DE89370400440532013000"}
    assert [line.text for line in lines if line.iban == CAMT] == ["refund to ES•••• or es••••"]
    assert {iban: places_of(iban) for iban in ALL} == {iban: [] for iban in ALL}


def test_a_file_is_read_as_it_was_stored_and_kept_once():
    company = a_company()
    given: dict[str, Any] = {"company_id": company.pk, "name": "a.xml", "media_type": "application/xml"}
    first, again = (files.store(**given, content=b"<a/>") for _ in range(2))
    fresh = StoredFile.objects.get()
    assert (first.pk, again.pk, fresh.content, fresh.size, fresh.is_sealed) == (fresh.pk, fresh.pk, b"<a/>", 4, True)
    assert fresh.sha256 == "29114363f749a0226b6988dda3ca2492a954117ab6b5f382706c20300dabc079"


def test_a_file_from_before_is_read_and_sealed_when_it_comes_again():
    company = a_company()
    given: dict[str, Any] = {"company_id": company.pk, "name": "a.xml", "media_type": "application/xml"}
    old = files.store(**given, content=b"<a/>", is_public=True)
    assert (bytes(old.kept), old.content) == (b"<a/>", b"<a/>")
    files.store(**given, content=b"<a/>")
    old.refresh_from_db()
    assert (old.is_sealed, b"<a/>" in bytes(old.kept), old.content) == (True, False, b"<a/>")


def test_files_from_before_are_sealed_by_the_migration_but_not_documents(settings):
    from importlib import import_module

    from django.apps import apps

    from billing.services import mailing
    from core.services import company as companies

    company = a_company()
    invoice = billed(company, a_customer(company))
    pdf = mailing.invoice_pdf(invoice.pk)
    logo = companies.set_logo(company=company, name="l", content=b"<svg></svg>", by=BY, at=at_noon(TODAY))
    statement = files.store(company_id=company.pk, name="s", media_type="text/csv", content=b"old", is_public=True)
    import_module("billing.migrations.0027_seal_files").seal(apps, None)
    rows = {row.pk: row for row in StoredFile.objects.all()}
    assert {pk: row.is_sealed for pk, row in rows.items()} == {pdf.pk: False, logo.pk: False, statement.pk: True}
    assert rows[statement.pk].content == b"old"


def test_a_key_in_front_of_the_ring_opens_what_the_old_one_sealed(settings):
    from core.sealing import CannotOpen

    settings.KEY_RING = ["old"]
    stored = files.store(company_id=a_company().pk, name="s", media_type="text/csv", content=b"secret")
    settings.KEY_RING = ["new", "old"]
    assert stored.content == b"secret"
    settings.KEY_RING = ["new"]
    with pytest.raises(CannotOpen):
        _ = stored.content


def test_a_mandate_signed_twice_is_one(client):
    """The fingerprint finds the account although each sealing of it looks different."""
    from billing.models import Mandate

    company = a_company()
    gateway, customer = a_creditor(company), a_customer(company)
    first, again = (a_mandate(customer, gateway, PORTAL) for _ in range(2))
    assert (first.pk, Mandate.objects.count()) == (again.pk, 1)
