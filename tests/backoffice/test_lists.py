"""Lists: pages by key, filters, counts, exports, and how few queries they take."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest
from django.http import QueryDict
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from openpyxl import load_workbook

from backoffice import lists
from core import spreadsheets
from tests.backoffice.conftest import TODAY, Office
from tests.factories import a_company, a_customer, a_plan

MOST_QUERIES = 12


def read_csv(answer: Any) -> list[list[str]]:
    text = b"".join(answer.streaming_content).decode("utf-8-sig")
    return list(csv.reader(io.StringIO(text)))


def filled(office: Office, count: int = 55) -> None:
    from billing.services.settling import settle
    from subscriptions.services.starting import AgreementSpec, agree_many
    from tests.factories import BY

    customers = [a_customer(office.company, name=f"Kunde {number:03}") for number in range(count)]
    specs = [AgreementSpec(customer=customer, start_on=TODAY, plan=office.plan) for customer in customers]
    agree_many(company=office.company, specs=specs, on=TODAY, by=BY, at=office.at)
    ids = [customer.pk for customer in customers]
    settle(company=office.company, customer_ids=ids, on=TODAY, at=office.at, by=BY)


@pytest.mark.parametrize(
    "page", ["customers", "subscriptions", "invoices", "payments", "plans", "products", "audit", "jobs", "runs", "home"]
)
def test_a_list_of_fifty_rows_takes_few_queries(office: Office, page: str, django_assert_max_num_queries: Any) -> None:
    filled(office)
    client = office.client()
    client.get(reverse("backoffice:home"))
    with django_assert_max_num_queries(MOST_QUERIES if page != "home" else 16):
        assert client.get(reverse(f"backoffice:{page}")).status_code == 200


def test_a_customer_page_takes_as_many_queries_with_many_rows_as_with_few(office: Office) -> None:
    from django.db import connection

    client = office.client()
    url = reverse("backoffice:customer", args=[office.customer.ref])
    counts = []
    for more in (8, 6):
        for _ in range(more):
            office.start()
        client.get(url)
        with CaptureQueriesContext(connection) as seen:
            client.get(url)
        counts.append(len(seen))
    assert counts[0] == counts[1]


def names_on(client: Any, url: str) -> list[str]:
    return [row.name for row in client.get(url).context["list"].rows]


def test_pages_follow_each_other_without_gap_and_lead_back(office: Office) -> None:
    filled(office)
    client, url = office.client(), reverse("backoffice:customers")
    first = client.get(url).context["list"]
    second = client.get(url + first.next_url).context["list"]
    assert [len(first.rows), len(second.rows)] == [50, 6]
    assert first.previous_url == ""
    assert second.next_url == ""
    ids = [row.pk for row in first.rows] + [row.pk for row in second.rows]
    assert len(set(ids)) == 56
    assert first.total == 56
    assert not first.about
    back = client.get(url + second.previous_url).context["list"]
    assert [row.pk for row in back.rows] == [row.pk for row in first.rows]


@pytest.mark.parametrize("sort", ["name", "-name", "created", "-created", "number", "-number"])
def test_every_sorting_pages_through_all_rows(office: Office, sort: str) -> None:
    filled(office, 53)
    client, url = office.client(), reverse("backoffice:customers")
    first = client.get(f"{url}?sort={sort}").context["list"]
    second = client.get(url + first.next_url).context["list"]
    assert len({row.pk for row in [*first.rows, *second.rows]}) == 54


def test_a_filter_is_a_chip_that_can_be_taken_away(office: Office) -> None:
    a_customer(office.company, name="Paula", kind="person")
    client, url = office.client(), reverse("backoffice:customers")
    answer = client.get(f"{url}?kind=person&q=pau&after=x")
    listed = answer.context["list"]
    assert [row.name for row in listed.rows] == ["Paula"]
    assert [(chip["label"], str(chip["value"]), chip["remove_url"]) for chip in listed.chips] == [
        ("Kind", "person", "?q=pau")
    ]


@pytest.mark.parametrize("q", ["ærø", "ÆRØ", "wind", "CUS-{pk:06d}", "{pk}", "{ref}", "EXT-7"])
def test_a_customer_is_found_by_any_of_its_names(office: Office, q: str) -> None:
    from customers.services.customers import update_customer
    from tests.factories import BY

    update_customer(customer=office.customer, changes={"external_id": "EXT-7"}, by=BY, at=office.at)
    a_customer(office.company, name="Somebody else")
    text = q.format(pk=office.customer.pk, ref=office.customer.ref)
    assert names_on(office.client(), f"{reverse('backoffice:customers')}?q={text}") == ["Ærø Windkraft"]


def test_an_exact_number_leads_straight_to_its_page(office: Office) -> None:
    subscription = office.start()
    client = office.client()
    for q, goal in {
        subscription.number: ("subscription", subscription.ref),
        subscription.number.lower(): ("subscription", subscription.ref),
        "TEST-INV-2026-000001": ("invoice", subscription.invoice_lines.get().invoice.ref),
        office.customer.ref: ("customer", office.customer.ref),
    }.items():
        answer = client.get(reverse("backoffice:search"), {"q": q})
        assert answer["Location"] == reverse(f"backoffice:{goal[0]}", args=[goal[1]]), q


def test_search_finds_nothing_of_another_company(office: Office) -> None:
    subscription = office.start()
    other = a_company(today=TODAY)
    stranger = Office(other, a_plan(other), a_customer(other)).client()
    for q in (subscription.number, "TEST-INV-2026-000001", "Windkraft", office.customer.ref, subscription.ref):
        assert stranger.get(reverse("backoffice:search"), {"q": q}).context["nothing"], q


def test_overdue_means_open_and_past_its_due_day(office: Office) -> None:
    from datetime import timedelta

    from tests.factories import set_clock

    invoice = office.invoice()
    client, url = office.client(), reverse("backoffice:invoices") + "?state=overdue"
    due = invoice.balance.payment_due_on
    set_clock(office.company, due)
    assert client.get(url).context["list"].rows == []
    set_clock(office.company, due + timedelta(days=1))
    assert [row.state for row in client.get(url).context["list"].rows] == ["overdue"]


def test_an_export_holds_all_rows_and_no_formula(office: Office) -> None:
    a_customer(office.company, name="=1+1 Werbeagentur")
    a_customer(office.company, name="@SUM(A1)", external_id="-7")
    rows = read_csv(office.client().get(reverse("backoffice:customers") + "?format=csv"))
    assert rows[0][:4] == ["id", "number", "kind", "name"]
    assert sorted(row[3] for row in rows[1:]) == ["'=1+1 Werbeagentur", "'@SUM(A1)", "Ærø Windkraft"]
    assert "'-7" in {row[9] for row in rows[1:]}


def test_amounts_in_an_export_are_exact_numbers(office: Office) -> None:
    office.invoice()
    head, row = read_csv(office.client().get(reverse("backoffice:invoices") + "?format=csv"))
    cells = dict(zip(head, row, strict=True))
    assert (cells["net"], cells["tax"], cells["gross"], cells["open"]) == ("100.00", "19.00", "119.00", "119.00")


EXPORTED = ("customers", "products", "subscriptions", "invoices", "credit-notes", "payments", "taxes", "audit",
            "journal", "leads", "quotes", "activities", "reminders", "reminders-sent",
            "customers-at-risk", "offers")  # fmt: skip


@pytest.mark.parametrize("name", EXPORTED)
def test_a_list_that_goes_into_a_csv_goes_into_a_spreadsheet_with_words_on_top(office: Office, name: str) -> None:
    office.invoice()
    client, url = office.client(), reverse(f"backoffice:{name}")
    head = read_csv(client.get(f"{url}?view=list&format=csv"))[0]
    book = load_workbook(io.BytesIO(client.get(f"{url}?view=list&format=xlsx").getvalue()))
    titles = [cell.value for cell in next(book.worksheets[0].rows)]
    assert len(titles) == len(head)
    assert [title for title in titles if "_" in title or title[0].islower()] == []


def test_a_spreadsheet_of_invoices_holds_numbers_and_days(office: Office) -> None:
    invoice = office.invoice()
    answer = office.client().get(reverse("backoffice:invoices") + "?format=xlsx")
    rows = load_workbook(io.BytesIO(answer.getvalue())).worksheets[0].rows
    head, row = ([cell.value for cell in line] for line in rows)
    cells = dict(zip(head, row, strict=True))
    assert (cells["Issued on"].date(), cells["Net"], cells["Total"]) == (invoice.issued_on, 100, 119)


def test_revenue_is_exported_month_by_month(office: Office) -> None:
    office.start()
    head, *rows = read_csv(office.client().get(reverse("backoffice:revenue") + "?format=csv", follow=True))
    cells = dict(zip(head, rows[-1], strict=True))
    assert (cells["month"], cells["opening"], cells["new"], cells["closing"], cells["customers"]) == (
        "2026-03", "0.00", "100.00", "100.00", "1",
    )  # fmt: skip


@pytest.mark.parametrize("text", ["=1", "+1", "-1", "@a", "\t=1", "\r=1", "\n=1"])
def test_a_text_that_begins_like_a_formula_is_escaped(text: str) -> None:
    assert spreadsheets.safe(text) == "'" + text


def test_a_place_in_a_list_survives_the_address() -> None:
    from datetime import UTC, datetime

    for value in (TODAY, "Ærø", 12, datetime(2026, 3, 15, 12, 30, 1, 5, tzinfo=UTC)):
        assert lists.place_of(lists.token_of(value, 7)) == (value, 7)
    for rubbish in ("", "x", "W10", "e30", "WzFd", "bnVsbA"):
        assert lists.place_of(rubbish) is None


def test_a_large_list_is_counted_about(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    from customers.models import Customer

    monkeypatch.setattr(lists, "COUNTED", 0)
    total, about = lists.counted(Customer.objects.filter(company=office.company))
    assert about
    assert total >= 0


def test_an_address_without_a_filter_keeps_the_others() -> None:
    assert lists.without(QueryDict("a=1&b=2&after=x"), "a") == "?b=2"


@pytest.mark.parametrize("q", ["TEST-INV-2026-000002", "test-inv-2026-000002", "0002", "000002"])
def test_an_invoice_is_found_by_its_number(office: Office, q: str) -> None:
    office.invoice()
    office.invoice(customer=a_customer(office.company))
    rows = office.client().get(reverse("backoffice:invoices"), {"q": q}).context["list"].rows
    assert [row.number for row in rows] == ["TEST-INV-2026-000002"]


@pytest.mark.parametrize("q", ["TEST-INV-2026-00000", "INV-2026-000002", "9" * 30, "2026-2026-1-2-3-4", "inv_x", "²"])
def test_what_is_no_number_finds_no_invoice(office: Office, q: str) -> None:
    office.invoice()
    office.invoice()
    assert office.client().get(reverse("backoffice:invoices"), {"q": q}).context["list"].rows == []
