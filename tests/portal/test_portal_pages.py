"""What the pages say: what one has, what one pays next and why, what is open, one's own data."""

from __future__ import annotations

import io
import json
import zipfile
from datetime import date
from decimal import Decimal

import pytest
from django.urls import reverse

from tests import factories
from tests.portal.houses import START, TODAY


def test_home_says_what_is_paid_next_and_why(ada):
    coming = ada.get(reverse("portal:home")).context["next"]
    assert (coming["on"], coming["sums"]) == (date(2026, 2, 1), [(3689, "EUR")])
    [line] = coming["lines"]
    assert line["amount_minor"] == 3100
    assert any("31.00 EUR" in text for text in line["why"])


def test_several_contracts_due_together_are_one_sum(ada, house):
    from billing.services import acts

    plan = factories.a_plan(house.company, amount="10.00")
    acts.start(
        company=house.company,
        customer=house.customer,
        plan=plan,
        start_on=date(2026, 2, 1),
        on=TODAY,
        by=factories.BY,
        at=factories.at_noon(TODAY),
    )
    coming = ada.get(reverse("portal:home")).context["next"]
    # 41.00 + 19 % = 48.79
    assert (coming["on"], coming["sums"], len(coming["lines"])) == (date(2026, 2, 1), [(4879, "EUR")], 2)


def test_home_says_what_is_open(ada, house):
    page = ada.get(reverse("portal:home"))
    assert page.context["open_totals"] == [(3689, "EUR")]
    assert page.context["late_count"] == 0
    assert house.invoice.number in page.content.decode()


def test_home_says_what_is_overdue_and_where_to_pay(ada, house):
    factories.set_clock(house.company, date(2026, 1, 20))
    page = ada.get(reverse("portal:home"))
    assert page.context["late_totals"] == [(3689, "EUR")]
    text = page.content.decode()
    assert "One invoice is overdue." in text
    assert reverse("portal:invoice", args=[house.invoice.ref]) in text


def test_an_invoice_says_how_to_pay_and_why_so_much(ada, house):
    text = ada.get(reverse("portal:invoice", args=[house.invoice.ref])).content.decode()
    for words in (
        "DE02120300000000202051",
        house.invoice.number,
        "€36.89",
        "1 × 31.00 EUR per month",
        "15 January 2026",
    ):
        assert words in text


def test_the_pdf_is_the_stored_one(ada, house):
    answer = ada.get(reverse("portal:invoice-pdf", args=[house.invoice.ref]))
    house.invoice.refresh_from_db()
    assert answer["Content-Type"] == "application/pdf"
    assert answer["Content-Disposition"].startswith("inline")
    assert answer.content == bytes(house.invoice.pdf.content)
    assert ada.get(reverse("portal:invoice-pdf", args=[house.invoice.ref]) + "?download=1")[
        "Content-Disposition"
    ].startswith("attachment")


def test_a_contract_names_price_clock_and_the_next_three_invoices(ada, house):
    page = ada.get(reverse("portal:subscription", args=[house.subscription.ref]))
    assert [(one["on"], one["gross"]) for one in page.context["coming"]] == [
        (date(2026, 2, 1), 3689),
        (date(2026, 3, 1), 3689),
        (date(2026, 4, 1), 3689),
    ]
    [position] = page.context["positions"]
    assert (position.quantity, position.price) == ("1", "€31.00 per month")
    assert "31 Jan 2026" in page.context["clock"][0]["text"]


def test_looking_writes_nothing(ada, house):
    from billing.models import Invoice
    from core.models import NumberSeries

    before = list(NumberSeries.objects.values_list("series", "last_number"))
    ada.get(reverse("portal:home"))
    ada.get(reverse("portal:subscription", args=[house.subscription.ref]))
    assert Invoice.objects.count() == 1
    assert list(NumberSeries.objects.values_list("series", "last_number")) == before


def test_invoices_are_paged_newest_first(ada, house):
    from billing.services.settling import settle

    for month in range(26):
        day = date(2026 + (1 + month) // 12, (1 + month) % 12 + 1, 1)
        settle(
            company=house.company, customer_ids=[house.customer.pk], on=day, at=factories.at_noon(day), by=factories.BY
        )
    first = ada.get(reverse("portal:invoices"))
    assert len(first.context["rows"]) == 25
    rest = ada.get(reverse("portal:invoices") + first.context["next_url"])
    assert [row.number for row, _state in rest.context["rows"]] == ["TEST-INV-2026-000002", "TEST-INV-2026-000001"]
    assert rest.context["next_url"] == ""


DATA = {
    "name": "Ada Lovelace & Söhne",
    "email": "office@ada.example",
    "phone": "",
    "language": "de",
    "vat_id": "DE136695976",
    "po_reference": "PO 7",
    "recipient": "",
    "lines": "Neue Straße 2\r\nHinterhaus",
    "postal_code": "20095",
    "city": "Hamburg",
    "country": "DE",
}


def test_data_are_changed_through_the_verbs(ada, house):
    from core.models import AuditEntry
    from customers.models import Address

    answer = ada.post(reverse("portal:data-edit"), DATA)
    assert answer["Location"] == reverse("portal:data")
    house.customer.refresh_from_db()
    customer = house.customer
    assert (customer.name, customer.vat_id, customer.vat_state) == ("Ada Lovelace & Söhne", "DE136695976", "pending")
    assert (customer.po_reference, customer.language) == ("PO 7", "de")
    address = Address.objects.get(customer=customer, replaced_at__isnull=True)
    assert (address.lines, address.city) == (["Neue Straße 2", "Hinterhaus"], "Hamburg")
    assert Address.objects.filter(customer=customer).count() == 2
    verbs = AuditEntry.objects.filter(actor_kind="contact").values_list("verb", flat=True)
    assert sorted(verbs) == ["customer.set_address", "customer.update"]


@pytest.mark.parametrize(
    ("field", "value"), [("vat_id", "DE123"), ("country", "XX"), ("email", "nobody"), ("name", ""), ("name", "a\0b")]
)
def test_bad_data_are_refused_whole(ada, house, field, value):
    before = house.customer.name
    answer = ada.post(reverse("portal:data-edit"), DATA | {field: value})
    assert answer.status_code == 422
    assert answer.context["form"].errors[field]
    house.customer.refresh_from_db()
    assert (house.customer.name, house.customer.po_reference) == (before, "")


def test_a_colleague_is_invited_by_mail_and_comes_in(ada, client, house):
    from customers.models import Contact, Message

    ada.post(reverse("portal:colleague-add"), {"name": "Bob", "email": "bob@example.com", "role": "billing"})
    bob = Contact.objects.get(name="Bob")
    assert Message.objects.get(template="portal_invitation", recipients=["bob@example.com"]).customer == house.customer
    client.force_login(bob.user)
    assert client.get(reverse("portal:home")).status_code == 200


def test_nobody_takes_their_own_rights_away(ada, house):
    own = reverse("portal:colleague", args=[house.owner.ref])
    ada.post(own, {"name": "Ada", "role": "viewer"})
    ada.post(reverse("portal:colleague-remove", args=[house.owner.ref]))
    house.owner.refresh_from_db()
    assert (house.owner.role, house.owner.archived_at) == ("owner", None)


def test_an_access_is_taken_away(ada, client, house):
    bob = house.contact("viewer", "bob@example.com")
    ada.post(reverse("portal:colleague-remove", args=[bob.ref]))
    client.force_login(bob.user)
    assert client.get(reverse("portal:home")).status_code == 403


def test_data_can_be_taken_along(ada, house):
    answer = ada.get(reverse("portal:export"))
    archive = zipfile.ZipFile(io.BytesIO(b"".join(answer.streaming_content)))
    assert archive.namelist() == [
        *(f"{name}.json" for name in (
            "customer", "addresses", "contacts", "consents", "vat_checks", "payment_methods", "subscriptions", "usage",
            "invoices", "credit_notes", "payments", "refunds", "messages", "quotes",
        )),
        f"documents/{house.invoice.number}.pdf",
    ]  # fmt: skip
    assert archive.read(f"documents/{house.invoice.number}.pdf").startswith(b"%PDF")
    told = {name: json.loads(archive.read(f"{name}.json")) for name in ("customer", "invoices", "subscriptions")}
    assert told["customer"][0]["number"] == house.customer.number
    assert told["invoices"][0]["gross"] == "36.89"
    assert told["subscriptions"][0]["items"][0]["unit_amount"] == "31"


def test_pages_speak_the_readers_language(ada):
    answer = ada.get(reverse("portal:home"), headers={"accept-language": "de"})
    assert answer["Content-Language"] == "de"
    assert "1. Februar 2026" in answer.content.decode()


def test_home_asks_little_of_the_database(ada, house, django_assert_max_num_queries):
    for _ in range(8):
        factories.a_subscription(house.company, house.customer, on=TODAY)
    with django_assert_max_num_queries(60):
        ada.get(reverse("portal:home"))


def test_a_tiered_price_is_said_tier_by_tier(ada, house):
    price = {"model": "graduated", "details": {"tiers": [{"up_to": "10", "unit_price": "2"}, {"unit_price": "1.50"}]}}
    tiered = factories.a_subscription(
        house.company, house.customer, factories.a_plan(house.company, amount="0", price=price), on=TODAY
    )
    answer = ada.get(reverse("portal:subscription", args=[tiered.ref]))
    [shown] = answer.context["positions"]
    assert (shown.price, shown.rows) == ("per month", ["above 0 up to 10: €2.00", "above 10: €1.50"])
    assert "above 10: €1.50" in answer.content.decode()


def test_usage_is_priced_by_what_is_counted_not_by_the_month(ada, house):
    from tests.subscriptions.metering import a_meter, a_usage_item, a_user

    meter = a_meter(house.company, unit_name={house.company.language: "call"})
    packs = {"model": "package", "details": {"package_size": "100", "free_units": "1"}}
    metered = a_user(
        house.company, a_usage_item(meter, "0.005"), a_usage_item(meter, "5", **packs), on=START,
        customer=house.customer,
    )  # fmt: skip
    shown = ada.get(reverse("portal:subscription", args=[metered.ref])).context["positions"]
    assert [(one.price, one.rows) for one in shown] == [
        ("0.005\xa0EUR / call", []), ("€5.00", ["for each 100 units started", "1 unit is free"]),
    ]  # fmt: skip


def test_a_removed_position_is_no_longer_shown(ada, house):
    from billing.services import acts_changing
    from subscriptions.services.change_specs import ItemChange

    row, at = house.subscription, factories.at_noon(TODAY)
    more = factories.a_product(house.company)
    added = ItemChange(product=more, unit_amount=Decimal(5))
    acts_changing.change(subscription=row, items=[added], timing="now", by=factories.BY, at=at)
    url = reverse("portal:subscription", args=[row.ref])
    assert len(ada.get(url).context["positions"]) == 2
    gone = ItemChange(slot=row.slots.get(product=more), remove=True)
    acts_changing.change(subscription=row, items=[gone], timing="now", by=factories.BY, at=at)
    [left] = ada.get(url).context["positions"]
    assert left.price == "€31.00 per month"


def test_planned_changes_of_many_contracts_are_read_together(ada, house):
    """Each contract has a planned change of its own; for eight the page asks the database no more than for two."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    def planned(row):
        from billing.services import acts_changing
        from subscriptions.services.change_specs import ItemChange

        fewer = ItemChange(slot=row.slots.get(), quantity=Decimal(2))
        acts_changing.change(
            subscription=row, items=[fewer], timing="period_end", by=factories.BY, at=factories.at_noon(TODAY)
        )

    def asked() -> int:
        with CaptureQueriesContext(connection) as seen:
            assert "Planned" in ada.get(reverse("portal:subscriptions")).content.decode()
        return len(seen)

    plan = factories.a_plan(house.company, customer_may_change=True, customer_may_pause=True)
    for _ in range(2):
        planned(factories.a_subscription(house.company, house.customer, plan, on=TODAY))
    few = asked()
    for _ in range(6):
        planned(factories.a_subscription(house.company, house.customer, plan, on=TODAY))
    assert asked() == few


def test_an_invoice_to_come_names_the_other_contracts_on_it(ada, house):
    """Both fall due on 1 February and come on one invoice of 62.00 net."""
    other = factories.a_subscription(
        house.company, house.customer, factories.a_plan(house.company, amount="31.00"), on=date(2026, 2, 1),
        name="Cloud storage",
    )  # fmt: skip
    assert other.next_bill_on == date(2026, 2, 1)
    page = ada.get(reverse("portal:subscription", args=[house.subscription.ref]))
    first = page.context["coming"][0]
    assert (first["gross"], first["beside"]) == (7378, [f"Cloud storage ({other.number})"])
    assert "Together with: Cloud storage" in page.content.decode()
