"""Payments at Stripe's stand-in: states, declines by card and by order, what is booked, what is told."""

from __future__ import annotations

from typing import Any

import pytest
import stripe

from tests.standins.stripe_process import BACK, Standin, charge, fresh_invoice, saved

NEVER: Any = {"enabled": True, "allow_redirects": "never"}


def refused(kind: type[stripe.StripeError], act: Any, *given: Any, **more: Any) -> Any:
    """The error a call is refused with."""
    with pytest.raises(kind) as caught:
        act(*given, **more)
    return caught.value


def test_a_payment_moves_money_once_and_says_so(shop: Standin, client: stripe.StripeClient) -> None:
    customer, method = saved(client)
    invoice = fresh_invoice()
    paid = charge(client, customer, method, invoice, key=f"key-{invoice}", expand=["latest_charge.balance_transaction"])
    assert (paid.status, paid.amount_received) == ("succeeded", 1999)
    movement = paid.latest_charge.balance_transaction
    assert (movement.amount, movement.fee, movement.net) == (1999, 90, 1909)
    (row,) = shop.ledger(invoice=invoice)
    assert row == row | {
        "provider": "stripe",
        "kind": "charge",
        "object_id": paid.latest_charge.id,
        "amount": 1999,
        "currency": "eur",
        "customer": customer,
        "fee": 90,
        "metadata": {"invoice": invoice},
        "key": f"key-{invoice}",
    }
    assert shop.events(paid.id) == ["payment_intent.created", "payment_intent.succeeded"]
    assert shop.events(paid.latest_charge.id) == ["charge.succeeded"]


@pytest.mark.parametrize(
    ("method", "code", "reason"),
    [
        ("pm_card_chargeDeclined", "card_declined", "generic_decline"),
        ("pm_card_chargeDeclinedInsufficientFunds", "card_declined", "insufficient_funds"),
        ("pm_card_visa_chargeDeclinedLostCard", "card_declined", "lost_card"),
        ("pm_card_visa_chargeDeclinedStolenCard", "card_declined", "stolen_card"),
        ("pm_card_chargeDeclinedFraudulent", "card_declined", "fraudulent"),
        ("pm_card_chargeDeclinedExpiredCard", "expired_card", "expired_card"),
        ("pm_card_chargeDeclinedIncorrectCvc", "incorrect_cvc", "incorrect_cvc"),
        ("pm_card_chargeDeclinedProcessingError", "processing_error", "processing_error"),
    ],
)
def test_a_card_declines_with_its_reason(
    shop: Standin, client: stripe.StripeClient, method: str, code: str, reason: str
) -> None:
    invoice = fresh_invoice()
    given: Any = {
        "amount": 1999,
        "currency": "eur",
        "payment_method": method,
        "confirm": True,
        "automatic_payment_methods": NEVER,
        "metadata": {"invoice": invoice},
    }
    error = refused(stripe.CardError, client.v1.payment_intents.create, given)
    assert (error.http_status, error.code, error.error.decline_code) == (402, code, reason)
    intent = client.v1.payment_intents.retrieve(error.error.payment_intent.id)
    assert (intent.status, intent.last_payment_error.decline_code) == ("requires_payment_method", reason)
    assert shop.events(intent.id) == ["payment_intent.created", "payment_intent.payment_failed"]
    failed = client.v1.charges.retrieve(error.error.charge)
    assert (failed.status, failed.paid, failed.failure_code) == ("failed", False, code)
    assert shop.ledger(invoice=invoice) == []


def test_a_card_that_only_declines_later_can_be_attached(shop: Standin, client: stripe.StripeClient) -> None:
    customer, method = saved(client, "pm_card_chargeCustomerFail")
    assert refused(stripe.CardError, charge, client, customer, method).code == "card_declined"
    assert refused(stripe.CardError, saved, client, "pm_card_chargeDeclined").code == "card_declined"


def test_a_saved_method_answers_as_it_was_told(shop: Standin, client: stripe.StripeClient) -> None:
    customer, method = saved(client)
    invoice = fresh_invoice()
    shop.script(method, "insufficient_funds", "do_not_honor", "authentication_required")
    codes = [refused(stripe.CardError, charge, client, customer, method, invoice).error.decline_code for _ in range(3)]
    assert codes == ["insufficient_funds", "do_not_honor", "authentication_required"]
    assert charge(client, customer, method, invoice).status == "succeeded"
    assert shop.moved(invoice=invoice) == [("charge", 1999)]
    shop.script(method, then="expired_card")
    assert [refused(stripe.CardError, charge, client, customer, method).code for _ in range(2)] == ["expired_card"] * 2


def test_all_methods_of_a_customer_can_be_told_at_once(shop: Standin, client: stripe.StripeClient) -> None:
    customer, method = saved(client)
    other = client.v1.payment_methods.attach("pm_card_mastercard", {"customer": customer}).id
    shop.control("stripe/methods", {"customer": customer, "then": "lost_card"})
    for each in (method, other):
        assert refused(stripe.CardError, charge, client, customer, each).error.decline_code == "lost_card"


def test_off_session_authentication_is_refused_with_402(shop: Standin, client: stripe.StripeClient) -> None:
    customer, method = saved(client, "pm_card_authenticationRequired")
    invoice = fresh_invoice()
    error = refused(stripe.CardError, charge, client, customer, method, invoice)
    assert (error.http_status, error.code) == (402, "authentication_required")
    assert error.error.payment_intent.status == "requires_payment_method"
    assert shop.ledger(invoice=invoice) == []


def test_on_session_the_customer_is_sent_to_a_page_and_the_money_moves_after_it(
    shop: Standin, client: stripe.StripeClient
) -> None:
    customer, method = saved(client, "pm_card_authenticationRequired")
    invoice = fresh_invoice()
    waiting = charge(client, customer, method, invoice, off_session=False, return_url=BACK)
    assert (waiting.status, waiting.next_action.type) == ("requires_action", "redirect_to_url")
    assert waiting.next_action.redirect_to_url.url == f"{shop.url}/3ds/{waiting.id}"
    assert shop.ledger(invoice=invoice) == []
    shop.control("stripe/authentication", {"intent": waiting.id, "succeeds": True})
    assert client.v1.payment_intents.retrieve(waiting.id).status == "succeeded"
    assert shop.moved(invoice=invoice) == [("charge", 1999)]


def test_authentication_can_be_asked_for_with_any_card(shop: Standin, client: stripe.StripeClient) -> None:
    options: Any = {"card": {"request_three_d_secure": "any"}}
    waiting = charge(client, *saved(client), off_session=False, return_url=BACK, payment_method_options=options)
    assert waiting.status == "requires_action"
    shop.control("stripe/authentication", {"intent": waiting.id})
    done: Any = client.v1.payment_intents.retrieve(waiting.id, {"expand": ["latest_charge"]})
    assert done.latest_charge.payment_method_details.card.three_d_secure.result == "authenticated"


def test_a_failed_authentication_wants_another_method(shop: Standin, client: stripe.StripeClient) -> None:
    customer, method = saved(client, "pm_card_authenticationRequired")
    waiting = charge(client, customer, method, off_session=False, return_url=BACK)
    shop.control("stripe/authentication", {"intent": waiting.id, "succeeds": False})
    failed = client.v1.payment_intents.retrieve(waiting.id)
    assert (failed.status, failed.last_payment_error.code) == (
        "requires_payment_method",
        "payment_intent_authentication_failure",
    )
    shop.control("stripe/authentication", {"intent": waiting.id}, status=400)


def test_a_card_set_up_with_authentication_is_charged_without(shop: Standin, client: stripe.StripeClient) -> None:
    customer, method = saved(client, "pm_card_authenticationRequiredOnSetup")
    assert refused(stripe.CardError, charge, client, customer, method).code == "authentication_required"
    setup = client.v1.setup_intents.create(
        {"customer": customer, "payment_method": method, "confirm": True, "return_url": BACK}
    )
    assert setup.status == "requires_action"
    shop.control("stripe/authentication", {"intent": setup.id})
    assert client.v1.setup_intents.retrieve(setup.id).status == "succeeded"
    assert charge(client, customer, method).status == "succeeded"


def test_a_payment_is_made_confirmed_and_not_confirmed_again(shop: Standin, client: stripe.StripeClient) -> None:
    customer, method = saved(client)
    made = client.v1.payment_intents.create(
        {"amount": 700, "currency": "eur", "customer": customer, "automatic_payment_methods": NEVER}
    )
    assert made.status == "requires_payment_method"
    error = refused(stripe.InvalidRequestError, client.v1.payment_intents.confirm, made.id)
    assert error.code == "payment_intent_unexpected_state"
    changed = client.v1.payment_intents.update(made.id, {"payment_method": method, "amount": 800})
    assert (changed.status, changed.amount) == ("requires_confirmation", 800)
    assert client.v1.payment_intents.confirm(made.id).status == "succeeded"
    error = refused(stripe.InvalidRequestError, client.v1.payment_intents.confirm, made.id)
    assert error.code == "payment_intent_unexpected_state"
    assert "already succeeded" in str(error.user_message)
    assert [row["amount"] for row in shop.ledger(customer=customer)] == [800]


def test_only_what_was_not_paid_is_canceled(shop: Standin, client: stripe.StripeClient) -> None:
    customer, method = saved(client)
    waiting = client.v1.payment_intents.create({"amount": 700, "currency": "eur", "customer": customer})
    canceled = client.v1.payment_intents.cancel(waiting.id, {"cancellation_reason": "duplicate"})
    assert (canceled.status, canceled.cancellation_reason) == ("canceled", "duplicate")
    assert shop.events(waiting.id)[-1] == "payment_intent.canceled"
    for id in (waiting.id, charge(client, customer, method).id):
        error = refused(stripe.InvalidRequestError, client.v1.payment_intents.cancel, id)
        assert (error.code, error.error.payment_intent.id) == ("payment_intent_unexpected_state", id)
    error = refused(stripe.InvalidRequestError, client.v1.payment_intents.confirm, waiting.id)
    assert error.code == "payment_intent_unexpected_state"


def test_a_method_of_another_customer_is_not_charged(shop: Standin, client: stripe.StripeClient) -> None:
    _, method = saved(client)
    other, _ = saved(client)
    error = refused(stripe.InvalidRequestError, charge, client, other, method)
    assert error.param == "payment_method"
    assert shop.ledger(customer=other) == []


def test_a_card_past_its_last_month_declines(shop: Standin, client: stripe.StripeClient) -> None:
    customer, method = saved(client)
    client.v1.payment_methods.update(method, {"card": {"exp_month": 1, "exp_year": 2020}})
    assert refused(stripe.CardError, charge, client, customer, method).code == "expired_card"
    shop.control("stripe/methods/expiry", {"payment_method": method, "month": 1, "year": 2044})
    assert charge(client, customer, method).status == "succeeded"
    assert shop.events(method)[-1] == "payment_method.automatically_updated"


def test_an_unknown_parameter_is_refused(client: stripe.StripeClient) -> None:
    given: Any = {"amount": 700, "currency": "eur", "payment_method_types": ["card"]}
    error = refused(stripe.InvalidRequestError, client.v1.payment_intents.create, given)
    assert (error.http_status, error.code, error.param) == (400, "parameter_unknown", "payment_method_types")


@pytest.mark.parametrize(
    ("given", "code", "param"),
    [
        ({"currency": "eur"}, "parameter_missing", "amount"),
        ({"amount": 500}, "parameter_missing", "currency"),
        ({"amount": "1.5", "currency": "eur"}, "parameter_invalid_integer", "amount"),
        ({"amount": 49, "currency": "eur"}, "amount_too_small", "amount"),
        ({"amount": 500, "currency": "eur", "customer": "cus_none"}, "resource_missing", "customer"),
        ({"amount": 500, "currency": "eur", "payment_method": "pm_none"}, "resource_missing", "payment_method"),
        ({"amount": 500, "currency": "eur", "off_session": True}, "payment_intent_invalid_parameter", "off_session"),
        (
            {"amount": 500, "currency": "eur", "payment_method": "pm_card_visa", "confirm": True},
            "payment_intent_invalid_parameter",
            "return_url",
        ),
    ],
)
def test_a_payment_that_makes_no_sense_is_refused(
    client: stripe.StripeClient, given: Any, code: str, param: str
) -> None:
    error = refused(stripe.InvalidRequestError, client.v1.payment_intents.create, given)
    assert (error.http_status, error.code, error.param) == (400, code, param)


def test_a_sepa_debit_takes_days_and_a_word_of_the_bank(shop: Standin, client: stripe.StripeClient) -> None:
    customer, debit = with_mandate(client)
    invoice, other = fresh_invoice(), fresh_invoice()
    first, second = charge(client, customer, debit, invoice), charge(client, customer, debit, other)
    assert (first.status, shop.ledger(customer=customer)) == ("processing", [])
    error = refused(stripe.InvalidRequestError, client.v1.payment_intents.cancel, first.id)
    assert error.code == "payment_intent_unexpected_state"
    shop.control("stripe/sepa", {"payment_intent": first.id})
    shop.control("stripe/sepa", {"payment_intent": second.id, "fails": "insufficient_funds"})
    assert client.v1.payment_intents.retrieve(first.id).status == "succeeded"
    failed = client.v1.payment_intents.retrieve(second.id, {"expand": ["latest_charge"]})
    assert (failed.status, failed.latest_charge.failure_code) == ("requires_payment_method", "insufficient_funds")
    assert shop.moved(customer=customer) == [("charge", 1999)]
    assert shop.events(first.id) == ["payment_intent.created", "payment_intent.processing", "payment_intent.succeeded"]
    assert shop.events(failed.latest_charge.id) == ["charge.pending", "charge.failed"]


def test_a_settled_sepa_debit_comes_back_weeks_later(shop: Standin, client: stripe.StripeClient) -> None:
    customer, debit = with_mandate(client)
    paid = charge(client, customer, debit)
    shop.control("stripe/sepa", {"all": True})
    shop.control("clock", {"advance": 56 * 86_400})
    returned = shop.control("stripe/returns", {"payment_intent": paid.id, "reason": "debit_not_authorized"})
    assert (returned["status"], returned["reason"]) == ("lost", "debit_not_authorized")
    assert shop.moved(customer=customer) == [("charge", 1999), ("return", -1999)]
    assert shop.events(returned["id"]) == [
        "charge.dispute.created",
        "charge.dispute.funds_withdrawn",
        "charge.dispute.closed",
    ]


def test_a_sepa_debit_needs_a_mandate(client: stripe.StripeClient) -> None:
    customer, _ = saved(client)
    given: Any = {"type": "sepa_debit", "sepa_debit": {"iban": "DE89370400440532013000"}}
    method = client.v1.payment_methods.create(given)
    client.v1.payment_methods.attach(method.id, {"customer": customer})
    error = refused(stripe.InvalidRequestError, charge, client, customer, method.id)
    assert (error.code, error.param) == ("parameter_missing", "mandate_data")
    given["sepa_debit"]["iban"] = "DE89370400440532013001"
    assert (
        refused(stripe.InvalidRequestError, client.v1.payment_methods.create, given).code == "invalid_bank_account_iban"
    )


def test_payments_are_found_by_customer_and_by_metadata(shop: Standin, client: stripe.StripeClient) -> None:
    customer, method = saved(client)
    invoice = fresh_invoice()
    ids = [charge(client, customer, method, invoice).id for _ in range(3)]
    charge(client, customer, method)
    listed = client.v1.payment_intents.list({"customer": customer, "limit": 2})
    assert (len(listed.data), listed.has_more) == (2, True)
    assert len(list(listed.auto_paging_iter())) == 4
    query = f"metadata['invoice']:'{invoice}' AND status:'succeeded'"
    found = client.v1.payment_intents.search({"query": query, "limit": 2})
    assert [intent.id for intent in found.auto_paging_iter()] == ids[::-1]
    assert list(client.v1.charges.list({"payment_intent": ids[0]}).data)[0].metadata["invoice"] == invoice


def test_the_money_is_counted_by_invoice_customer_and_currency(shop: Standin, client: stripe.StripeClient) -> None:
    customer, method = saved(client)
    invoice = fresh_invoice()
    paid = charge(client, customer, method, invoice)
    client.v1.refunds.create({"payment_intent": paid.id, "amount": 500})
    charge(client, customer, method, currency="usd")
    by_invoice = shop.control(f"money?by=invoice&invoice={invoice}")["rows"]
    assert by_invoice == [
        {"key": invoice, "currency": "eur", "charges": 1, "charged": 1999, "back": -500, "net": 1499, "fee": 90}
    ]
    by_customer = shop.control(f"money?by=customer&customer={customer}")["rows"]
    assert [(row["currency"], row["charges"], row["net"]) for row in by_customer] == [
        ("eur", 1, 1499),
        ("usd", 1, 1999),
    ]
    total = sum(row["amount"] for row in shop.ledger(currency="usd"))
    assert [row["net"] for row in shop.control("money?by=currency&currency=usd")["rows"]] == [total]


def with_mandate(client: stripe.StripeClient) -> tuple[str, str]:
    """A customer with an account to be debited, set up with a mandate."""
    customer = client.v1.customers.create({"email": "a@example.com"})
    setup = client.v1.setup_intents.create(
        {
            "customer": customer.id,
            "confirm": True,
            "allowed_payment_method_types": ["sepa_debit"],
            "payment_method_data": {
                "type": "sepa_debit",
                "sepa_debit": {"iban": "DE89370400440532013000"},
                "billing_details": {"name": "Ada", "email": "ada@example.com"},
            },
            "mandate_data": {
                "customer_acceptance": {
                    "type": "online",
                    "online": {"ip_address": "192.0.2.1", "user_agent": "Browser"},
                }
            },
        }
    )
    mandate = client.v1.mandates.retrieve(str(setup.mandate))
    assert (setup.status, mandate.status, mandate.type) == ("succeeded", "active", "multi_use")
    return customer.id, str(setup.payment_method)
