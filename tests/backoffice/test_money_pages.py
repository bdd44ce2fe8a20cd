"""Money in at the office: gateways, one payments page, closing by two people, methods, bank, journal."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.utils import translation

from tests.backoffice.conftest import TODAY, Office
from tests.backoffice.money import a_message, a_method, a_statement, a_try, an_account, late, url
from tests.backoffice.test_acts import text_of
from tests.factories import BY, a_customer

PROOF = ("proof.txt", b"not charged", "text/plain")


@pytest.fixture
def gateway(office: Office) -> Any:
    return an_account(office)


# Gateways ---------------------------------------------------------------------------------------------------------


def test_a_secret_is_kept_and_never_sent_back(office: Office) -> None:
    from billing.models import Gateway

    client = office.client()
    sent = {"name": "Cards", "secret": "sk_test_hush", "webhook_secret": "whsec_hush"}
    client.post(url("gateway-create", query="?kind=stripe"), sent)
    made = Gateway.objects.get(company=office.company)
    assert (made.name, made.secret, made.webhook_secret) == ("Cards", "sk_test_hush", "whsec_hush")
    for name in ("gateway", "gateway-edit"):
        assert "hush" not in client.get(url(name, made.ref)).content.decode()
    client.post(url("gateway-edit", made.ref), {"name": "Visa & co", "secret": "", "webhook_secret": ""})
    made.refresh_from_db()
    assert (made.name, made.secret) == ("Visa & co", "sk_test_hush")


def test_a_gateway_is_switched_off_and_on(office: Office, gateway: Any) -> None:
    client = office.client()
    for expected in (False, True):
        client.post(url("gateway-switch", gateway.ref))
        gateway.refresh_from_db()
        assert gateway.is_active is expected


def test_a_test_company_without_a_stand_in_is_told_so(office: Office, gateway: Any) -> None:
    answer = office.client().post(url("gateway-test", gateway.ref), follow=True)
    assert "A test company never talks to a real provider." in text_of(answer)


def test_a_message_shows_nothing_about_people(office: Office, gateway: Any) -> None:
    page = text_of(office.client().get(url("gateway-event", a_message(gateway).pk)))
    assert "charge.succeeded" in page
    assert "Lovelace" not in page


# The payments page ------------------------------------------------------------------------------------------------


def rows_of_all_states(office: Office, gateway: Any) -> dict[str, Any]:
    """An invoice with a failed try, one under way, a payment received, one taken back, a refund."""
    from billing.models import Invoice
    from billing.services import payments

    method = a_method(office, gateway)
    failed = office.invoice()
    office.start()
    waiting = Invoice.objects.filter(company=office.company).latest("pk")
    payer = a_customer(office.company, name="Payer")
    common: dict[str, Any] = {"company": office.company, "customer": payer, "currency": "EUR", "by": BY,
                              "at": office.at, "method": "transfer", "received_on": TODAY}  # fmt: skip
    back = payments.record(amount_minor=1000, **common)
    payments.take_back(payment=back, reason="R-1", status="returned", by=BY, at=office.at)
    a_try(office, failed, method, "failed", reason="insufficient_funds")
    a_try(office, waiting, method, "pending")
    credit = payments.record(amount_minor=50000, **common)
    payments.refund_credit(customer=payer, currency="EUR", amount_minor=100, reason="Asked", by=BY, at=office.at)
    return {"failed": failed, "waiting": waiting, "back": back, "credit": credit}


def test_all_money_stands_in_one_list_with_sums_of_the_whole_filter(office: Office, gateway: Any) -> None:
    rows_of_all_states(office, gateway)
    answer = office.client().get(url("payments"))
    sums = {(total["word"], total["currency"]): (total["count"], total["minor"]) for total in answer.context["totals"]}
    assert sums == {
        ("received", "EUR"): (1, 50000), ("pending", "EUR"): (1, 11900), ("failed", "EUR"): (1, 11900),
        ("returned", "EUR"): (1, 1000), ("to be refunded", "EUR"): (1, -100),
    }  # fmt: skip
    assert "not enough money on the account" in text_of(answer)


@pytest.mark.parametrize(
    ("query", "states"),
    [
        ("?state=failed", {"failed"}), ("?way=card", {"failed", "pending"}), ("?currency=USD", set()),
        ("?on_from=2027-01-01", set()), ("?way=transfer&state=returned", {"returned"}), ("?q=Nobody", set()),
    ],
)  # fmt: skip
def test_the_list_is_filtered(office: Office, gateway: Any, query: str, states: set[str]) -> None:
    rows_of_all_states(office, gateway)
    answer = office.client().get(url("payments", query=query))
    assert {row.state for row in answer.context["list"].rows} == states


def test_what_is_overdue_stands_there_as_late(office: Office) -> None:
    invoice = office.invoice()
    late(office, 40)
    (row,) = office.client().get(url("payments", query="?state=late")).context["list"].rows
    assert (row.kind, row.number, row.minor) == ("invoice", invoice.number, 11900)


def test_every_page_of_the_list_shows_other_rows(office: Office, gateway: Any, monkeypatch: Any) -> None:
    from backoffice.views import payments_board

    monkeypatch.setattr(payments_board, "PAGE", 2)
    rows_of_all_states(office, gateway)
    client, seen, address = office.client(), [], url("payments")
    while address:
        listed = client.get(address).context["list"]
        seen.append([row.ref for row in listed.rows])
        address = url("payments") + listed.next_url if listed.next_url else ""
    assert [len(rows) for rows in seen] == [2, 2, 1]
    assert len({ref for rows in seen for ref in rows}) == 5
    back = client.get(url("payments") + listed.previous_url).context["list"]
    assert [row.ref for row in back.rows] == seen[1]


def test_more_rows_take_no_more_queries(office: Office, gateway: Any, django_assert_max_num_queries: Any) -> None:
    rows_of_all_states(office, gateway)
    client = office.client()
    client.get(url("payments"))
    with django_assert_max_num_queries(12):
        client.get(url("payments"))


def test_the_list_is_exported_whole(office: Office, gateway: Any) -> None:
    rows_of_all_states(office, gateway)
    answer = office.client().get(url("payments", query="?format=csv"))
    lines = b"".join(answer.streaming_content).decode("utf-8-sig").splitlines()  # type: ignore[attr-defined]
    assert len(lines) == 1 + 5
    assert any("insufficient_funds" in line and "119.00" in line for line in lines)


def test_many_are_collected_after_a_preview_that_says_what_is_passed_over(office: Office, gateway: Any) -> None:
    from billing.models import Attempt

    rows = rows_of_all_states(office, gateway)
    client, refs = office.client(), [rows["failed"].ref, rows["waiting"].ref]
    seen = client.post(url("payments-bulk"), {"act": "retry", "row": refs})
    assert [row.ref for row in seen.context["doing"]] == [rows["failed"].ref]
    assert [row.skipped for row in seen.context["skipped"]] == ["a payment is under way"]
    assert Attempt.objects.filter(origin="staff").count() == 0
    client.post(url("payments-bulk"), {"act": "retry", "row": refs, "step": "do"})
    made = Attempt.objects.get(origin="staff")
    assert (made.invoice_id, made.amount_minor, made.state) == (rows["failed"].pk, 11900, "created")
    client.post(url("payments-bulk"), {"act": "retry", "row": refs, "step": "do"})
    assert Attempt.objects.filter(origin="staff").count() == 1


def test_many_are_recorded_as_paid(office: Office) -> None:
    invoice = office.invoice()
    client = office.client()
    for _again in range(2):
        client.post(url("payments-bulk"), {"act": "record", "row": [invoice.ref], "step": "do"})
    invoice.balance.refresh_from_db()
    assert (invoice.balance.status, invoice.balance.paid_minor) == ("paid", 11900)


def test_a_pay_link_goes_to_who_gets_the_documents(office: Office) -> None:
    from customers.models import Message
    from customers.services import contacts

    invoice = office.invoice()
    contacts.add_contact(customer=office.customer, name="Ada", email="ada@x.example", by=BY, at=office.at)
    office.client().post(url("invoice-send-link", invoice.ref))
    message = Message.objects.get(template="pay_link")
    assert "/pay/" in message.body
    assert invoice.number in message.subject


# A try ------------------------------------------------------------------------------------------------------------


def proposed(office: Office, gateway: Any, state: str = "settled") -> Any:
    invoice = office.invoice()
    row = a_try(office, invoice, a_method(office, gateway))
    sent = {"state": state, "proof": SimpleUploadedFile(*PROOF)}
    assert office.client("accounting").post(url("attempt-close", row.ref), sent).status_code == 302
    row.refresh_from_db()
    return row


def test_nobody_closes_a_try_alone(office: Office, gateway: Any) -> None:
    row = proposed(office, gateway)
    assert (row.state, row.proposed_state) == ("unknown", "settled")
    client = office.client("accounting")
    answer = client.post(url("attempt-confirm", row.ref), {"state": "settled"}, follow=True)
    assert "A second person has to agree." in text_of(answer)
    row.refresh_from_db()
    assert row.state == "unknown"


def test_a_second_person_closes_it_and_the_money_is_booked_once(office: Office, gateway: Any) -> None:
    from billing.models import Payment

    row = proposed(office, gateway)
    for _again in range(2):
        office.client().post(url("attempt-confirm", row.ref), {"state": "settled"})
    row.refresh_from_db()
    assert (row.state, row.closing_proof.name) == ("settled", "proof.txt")
    payment = Payment.objects.get(attempt=row)
    assert payment.amount_minor == 11900
    row.invoice.balance.refresh_from_db()
    assert row.invoice.balance.status == "paid"


def test_what_was_seen_is_what_is_agreed_to(office: Office, gateway: Any) -> None:
    row = proposed(office, gateway, "failed")
    answer = office.client().post(url("attempt-confirm", row.ref), {"state": "settled"}, follow=True)
    assert "somebody proposed another one meanwhile" in text_of(answer)
    office.client().post(url("attempt-confirm", row.ref), {"state": "failed"})
    row.refresh_from_db()
    assert row.state == "failed"


def test_a_proof_is_downloaded_never_shown(office: Office, gateway: Any) -> None:
    row = proposed(office, gateway)
    answer = office.client().get(url("attempt-proof", row.ref))
    assert answer.content == PROOF[1]
    assert answer["Content-Disposition"].startswith("attachment")


def test_an_invoice_without_a_method_offers_links(office: Office) -> None:
    invoice = office.invoice()
    assert "No payment method on file" in text_of(office.client().get(url("invoice-collect", invoice.ref)))


# Methods ----------------------------------------------------------------------------------------------------------


def test_methods_are_shown_chosen_and_removed(office: Office, gateway: Any) -> None:
    first, second = a_method(office, gateway), a_method(office, gateway, "1111")
    client = office.client()
    page = text_of(client.get(url("customer", office.customer.ref, query="?tab=payments")))
    assert "Visa •••• 4242" in page
    client.post(url("method-default", second.ref))
    second.refresh_from_db()
    assert second.is_default
    client.post(url("method-remove", second.ref))
    second.refresh_from_db()
    first.refresh_from_db()
    assert (second.status, first.is_default) == ("removed", True)


def test_a_subscription_is_paid_by_one_of_the_customers_methods(office: Office, gateway: Any) -> None:
    from billing.models import SubscriptionMethod

    method, subscription = a_method(office, gateway), office.start()
    other = a_method(office, gateway, "9999", customer=a_customer(office.company))
    client, address = office.client(), url("subscription-method", subscription.ref)
    assert client.post(address, {"method": str(other.public_id)}).status_code == 422
    client.post(address, {"method": str(method.public_id)})
    assert SubscriptionMethod.objects.get().method == method
    client.post(address, {"method": ""})
    assert not SubscriptionMethod.objects.exists()


def test_a_payment_is_given_back_by_hand(office: Office) -> None:
    from billing.models import Refund
    from billing.services import payments, refunding

    payment = payments.record(
        company=office.company, customer=office.customer, amount_minor=5000, currency="EUR", method="transfer",
        received_on=TODAY, by=BY, at=office.at,
    )  # fmt: skip
    client, address = office.client(), url("payment-refund", payment.ref)
    sent = {"amount": "20.00", "reason": "Paid twice"}
    seen = client.post(address, sent)
    sent |= {"step": "do", "preview_token": seen.context["shown"].token}
    assert client.post(address, sent).status_code == 302
    refund = Refund.objects.get()
    assert (refund.amount_minor, refund.status, refund.payment) == (2000, "pending", payment)
    refunding.refunds_tick(office.company, office.at)
    refund.refresh_from_db()
    assert (refund.gateway_id, refund.status) == (None, "pending")
    assert client.post(address, {"amount": "31.00", "reason": "More"}).status_code == 422


# The bank and the books -------------------------------------------------------------------------------------------


def test_a_statement_is_read_in_once_and_a_line_chosen(office: Office) -> None:
    from billing.models import BankLine

    invoice, client = office.invoice(), office.client()
    a_statement(office)
    line = BankLine.objects.get()
    client.post(url("bank-line-choose", line.ref), {"what": "number", "number": invoice.number})
    invoice.balance.refresh_from_db()
    assert invoice.balance.status == "paid"
    line.refresh_from_db()
    assert line.state == "matched"
    client.post(url("bank-line-undo", line.ref), {"reason": "Wrong one"})
    invoice.balance.refresh_from_db()
    assert invoice.balance.status == "open"


def test_the_journal_says_that_the_books_agree(office: Office) -> None:
    from billing.models import Posting

    office.invoice()
    client = office.client()
    answer = client.get(url("journal"))
    (check,) = answer.context["checks"]
    assert (check.booked_minor, check.owed_minor, check.sum_minor, check.is_right) == (11900, 11900, 0, True)
    csv = b"".join(client.get(url("journal", query="?format=csv")).streaming_content)  # type: ignore[attr-defined]
    assert len(csv.decode("utf-8-sig").splitlines()) == 1 + Posting.objects.count()


def test_another_chart_moves_the_codes_and_no_figure(office: Office) -> None:
    from billing.models import Account
    from billing.services import books

    office.invoice()
    client = office.client()
    before = sorted(minor for _code, _name, _currency, minor in books.trial_balance(office.company, TODAY))
    bank = Account.objects.get(company=office.company, role="cash")
    client.post(url("account-rename", bank.pk), {"code": "1201", "name": "Sparkasse"})
    client.post(url("chart-choose"), {"chart": "skr04"})
    codes = dict(Account.objects.filter(company=office.company).values_list("role", "code"))
    assert (codes["receivable"], codes["revenue"], codes["cash"]) == ("1200", "4400", "1201")
    assert sorted(minor for _code, _name, _currency, minor in books.trial_balance(office.company, TODAY)) == before


PAGES = ("gateways", "gateway-events", "payments", "recovery", "dunning-policies", "interest-rates", "bank", "debits",
         "journal")  # fmt: skip


@pytest.mark.parametrize("name", PAGES)
def test_an_empty_page_opens_in_german(office: Office, name: str) -> None:
    with translation.override("de"):
        answer = office.client().get(url(name), headers={"Accept-Language": "de"})
    assert answer.status_code == 200
    assert "%(" not in answer.content.decode()


def test_when_is_collected_and_who_is_dunned_how_is_set_in_forms(office: Office) -> None:
    from tests.backoffice.test_settings import form_fields

    client, company = office.client(), url("company-edit")
    fields = form_fields(client, company)
    other = "issue" if fields["collect_when"] == "due" else "due"
    assert client.post(company, fields | {"collect_when": other}).status_code == 302
    office.company.refresh_from_db()
    assert office.company.collect_when == other
    customer = url("customer-edit", office.customer.ref)
    assert client.post(customer, form_fields(client, customer) | {"dunning_group": "gentle"}).status_code == 302
    office.customer.refresh_from_db()
    assert office.customer.dunning_group == "gentle"
