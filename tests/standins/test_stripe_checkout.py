"""Checkout sessions of Stripe's stand-in and the pages a person sees: pay, save, confirm, leave, too late."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import requests
import stripe

from tests.standins.stripe_process import BACK, Standin, charge, fresh_invoice, running

SUCCESS = "https://shop.example/done?session={CHECKOUT_SESSION_ID}"
CARD = {"number": "4242 4242 4242 4242", "expiry": "12 / 40", "cvc": "123", "name": "Ada", "email": "ada@example.com"}
SECURE = CARD | {"number": "4000 0025 0000 3155"}


class Person:
    """Somebody at a browser who follows our own pages' redirects and stops at the shop's."""

    def __init__(self, standin: Standin) -> None:
        self.base, self.browser = standin.url, requests.Session()

    def go(self, url: str, form: dict[str, str] | None = None) -> tuple[str, str, str]:
        """Open a page, or post a form: (where it ended, what it says, its form's address)."""
        url = url if url.startswith("http") else self.base + url
        answer = self.browser.request("POST" if form else "GET", url, data=form, allow_redirects=False, timeout=10)
        if answer.status_code == 303:
            where = answer.headers["Location"]
            return (where, "", "") if where.startswith("https://") else self.go(where)
        action = re.search(r'action="([^"]+)"', answer.text)
        return url, answer.text, action[1] if action else ""


@pytest.fixture
def person(shop: Standin) -> Person:
    return Person(shop)


def to_pay(client: stripe.StripeClient, invoice: str, **more: Any) -> Any:
    """A session for 20.00 EUR."""
    line = {"price_data": {"currency": "eur", "unit_amount": 1000, "product_data": {"name": "Plan <A>"}}, "quantity": 2}
    data = {"metadata": {"invoice": invoice}, "setup_future_usage": "off_session"}
    given: Any = {"mode": "payment", "success_url": SUCCESS, "cancel_url": BACK, "line_items": [line]}
    return client.v1.checkout.sessions.create(given | {"payment_intent_data": data} | more)


def test_a_person_pays_and_the_card_is_saved(shop: Standin, client: stripe.StripeClient, person: Person) -> None:
    customer = client.v1.customers.create({"email": "ada@example.com"})
    invoice = fresh_invoice()
    session = to_pay(client, invoice, customer=customer.id, metadata={"invoice": invoice})
    assert (session.status, session.payment_status, session.amount_total) == ("open", "unpaid", 2000)
    _, text, action = person.go(session.url)
    assert "Plan &lt;A&gt;" in text
    assert "20.00 EUR" in text
    assert f'href="{BACK}"' in text
    where, _, _ = person.go(action, CARD)
    assert where == f"https://shop.example/done?session={session.id}"
    done: Any = client.v1.checkout.sessions.retrieve(session.id, {"expand": ["payment_intent", "line_items"]})
    assert (done.status, done.payment_status, done.payment_intent.status) == ("complete", "paid", "succeeded")
    assert (done.customer_details.name, done.line_items.data[0].quantity) == ("Ada", 2)
    assert shop.moved(invoice=invoice) == [("charge", 2000)]
    assert shop.events(session.id) == ["checkout.session.completed"]
    (method,) = client.v1.customers.payment_methods.list(customer.id).data
    assert charge(client, customer.id, method.id).status == "succeeded"
    assert person.go(session.id and f"/c/pay/{session.id}")[0] == where
    person.go(f"/c/pay/{session.id}", CARD)
    assert len(shop.ledger(invoice=invoice)) == 1


@pytest.mark.parametrize(
    ("typed", "sentence"),
    [
        ({"number": "4000000000000002"}, "Your card was declined."),
        ({"number": "4000000000009995"}, "insufficient funds"),
        ({"number": "4111111111111111"}, "Your card number is incorrect."),
        ({"number": ""}, "Your card number is incorrect."),
        ({"expiry": "01/20"}, "expiration year is invalid"),
        ({"expiry": "next year"}, "Invalid integer"),
    ],
)
def test_a_card_that_does_not_work_is_told_and_another_may_be_tried(
    shop: Standin, client: stripe.StripeClient, person: Person, typed: dict[str, str], sentence: str
) -> None:
    invoice = fresh_invoice()
    session = to_pay(client, invoice)
    where, text, action = person.go(session.url, CARD | typed)
    assert where.endswith(f"/c/pay/{session.id}")
    assert sentence in text.replace("&#x27;", "'")
    assert shop.ledger(invoice=invoice) == []
    assert person.go(action, CARD)[0].startswith("https://shop.example/done")
    assert shop.moved(invoice=invoice) == [("charge", 2000)]


def test_the_bank_asks_and_the_person_confirms(shop: Standin, client: stripe.StripeClient, person: Person) -> None:
    invoice = fresh_invoice()
    session = to_pay(client, invoice)
    where, text, action = person.go(session.url, SECURE)
    assert "/3ds/pi_" in where
    assert "20.00 EUR" in text
    assert shop.ledger(invoice=invoice) == []
    assert person.go(action, {"answer": "complete"})[0] == f"https://shop.example/done?session={session.id}"
    assert shop.moved(invoice=invoice) == [("charge", 2000)]
    assert client.v1.checkout.sessions.retrieve(session.id).payment_status == "paid"


def test_the_bank_asks_and_the_person_fails(shop: Standin, client: stripe.StripeClient, person: Person) -> None:
    invoice = fresh_invoice()
    session = to_pay(client, invoice)
    _, _, action = person.go(session.url, SECURE)
    where, text, action = person.go(action, {"answer": "fail"})
    assert where.endswith(f"/c/pay/{session.id}")
    assert "unable to authenticate" in text
    assert shop.ledger(invoice=invoice) == []
    person.go(action, CARD)
    assert shop.moved(invoice=invoice) == [("charge", 2000)]


def test_the_bank_asks_and_the_person_leaves(shop: Standin, client: stripe.StripeClient, person: Person) -> None:
    invoice = fresh_invoice()
    session = to_pay(client, invoice)
    person.go(session.url, SECURE)
    left: Any = client.v1.checkout.sessions.retrieve(session.id, {"expand": ["payment_intent"]})
    assert (left.status, left.payment_intent.status) == ("open", "requires_action")
    expired: Any = client.v1.checkout.sessions.expire(session.id, {"expand": ["payment_intent"]})
    assert (expired.status, expired.url, expired.payment_intent.status) == ("expired", None, "canceled")
    assert shop.events(session.id) == ["checkout.session.expired"]
    assert shop.ledger(invoice=invoice) == []
    assert "expired" in person.go(f"/c/pay/{session.id}", CARD)[1]
    assert shop.ledger(invoice=invoice) == []
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.checkout.sessions.expire(session.id)


def test_the_payment_of_a_session_is_left_to_its_page(
    shop: Standin, client: stripe.StripeClient, person: Person
) -> None:
    invoice = fresh_invoice()
    session = to_pay(client, invoice)
    person.go(session.url, CARD | {"number": "4000000000009995"})
    intent = str(client.v1.checkout.sessions.retrieve(session.id).payment_intent)
    acts: Any = (
        lambda: client.v1.payment_intents.cancel(intent),
        lambda: client.v1.payment_intents.confirm(intent, {"payment_method": "pm_card_visa", "return_url": BACK}),
    )
    for act in acts:
        with pytest.raises(stripe.InvalidRequestError) as caught:
            act()
        assert caught.value.code == "payment_intent_unexpected_state"
    person.go(session.url, CARD)
    assert shop.moved(invoice=invoice) == [("charge", 2000)]


def test_a_set_up_that_was_canceled_takes_no_card(shop: Standin, client: stripe.StripeClient, person: Person) -> None:
    given: Any = {"mode": "setup", "success_url": SUCCESS, "currency": "eur"}
    session = client.v1.checkout.sessions.create(given)
    client.v1.setup_intents.cancel(str(session.setup_intent))
    assert "is canceled already" in person.go(str(session.url), CARD)[1]
    assert client.v1.setup_intents.retrieve(str(session.setup_intent)).status == "canceled"


def test_a_session_expires_by_itself(shop: Standin, client: stripe.StripeClient, person: Person) -> None:
    now = shop.control("clock")["now"]
    session = to_pay(client, fresh_invoice(), expires_at=now + 3600)
    other = to_pay(client, fresh_invoice())
    with pytest.raises(stripe.InvalidRequestError) as caught:
        to_pay(client, fresh_invoice(), expires_at=now + 60)
    assert caught.value.param == "expires_at"
    shop.control("clock", {"advance": 3601})
    assert "expired" in person.go(str(session.url))[1]
    assert client.v1.checkout.sessions.retrieve(session.id).status == "expired"
    assert client.v1.checkout.sessions.retrieve(other.id).status == "open"


def test_a_person_saves_a_card_without_paying(shop: Standin, client: stripe.StripeClient, person: Person) -> None:
    customer = client.v1.customers.create({"email": "ada@example.com"})
    given: Any = {"mode": "setup", "success_url": SUCCESS, "customer": customer.id, "currency": "eur"}
    session = client.v1.checkout.sessions.create(given)
    assert session.payment_status == "no_payment_required"
    _, text, action = person.go(str(session.url), SECURE)
    assert "3-D Secure" in text
    assert person.go(action, {"answer": "complete"})[0] == f"https://shop.example/done?session={session.id}"
    done: Any = client.v1.checkout.sessions.retrieve(session.id, {"expand": ["setup_intent"]})
    assert (done.status, done.setup_intent.status) == ("complete", "succeeded")
    assert charge(client, customer.id, done.setup_intent.payment_method).status == "succeeded"


def test_a_person_pays_by_direct_debit(shop: Standin, client: stripe.StripeClient, person: Person) -> None:
    customer = client.v1.customers.create({"email": "ada@example.com"})
    invoice = fresh_invoice()
    session = to_pay(client, invoice, customer=customer.id, allowed_payment_method_types=["sepa_debit"])
    page = person.go(session.url)[1]
    assert ('name="iban"' in page, 'name="number"' in page) == (True, False)
    typed = {"iban": "DE89 3704 0044 0532 0130 00", "name": "Ada", "email": "ada@example.com"}
    assert "IBAN" in person.go(session.url, typed | {"iban": "DE00 0000"})[1]
    assert person.go(session.url, typed)[0].startswith("https://shop.example/done")
    done = client.v1.checkout.sessions.retrieve(session.id)
    assert (done.status, done.payment_status) == ("complete", "unpaid")
    shop.control("stripe/sepa", {"payment_intent": done.payment_intent})
    assert client.v1.checkout.sessions.retrieve(session.id).payment_status == "paid"
    assert shop.events(session.id) == ["checkout.session.completed", "checkout.session.async_payment_succeeded"]
    (method,) = client.v1.customers.payment_methods.list(customer.id, {"type": "sepa_debit"}).data
    assert charge(client, customer.id, method.id).status == "processing"


@pytest.mark.parametrize(("pressed", "status"), [("complete", "succeeded"), ("fail", "failed")])
def test_after_a_payment_made_by_the_api_the_bank_sends_the_person_back(
    shop: Standin, client: stripe.StripeClient, person: Person, pressed: str, status: str
) -> None:
    waiting: Any = client.v1.payment_intents.create(
        {
            "amount": 900,
            "currency": "eur",
            "payment_method": "pm_card_authenticationRequired",
            "confirm": True,
            "return_url": f"{BACK}?a=1",
        }
    )
    _, _, action = person.go(waiting.next_action.redirect_to_url.url)
    where, _, _ = person.go(action, {"answer": pressed})
    assert where == (
        f"{BACK}?a=1&payment_intent={waiting.id}&payment_intent_client_secret={waiting.client_secret}"
        f"&redirect_status={status}"
    )


def test_pages_of_nothing_say_so(person: Person) -> None:
    for path in ("/c/pay/cs_test_none", "/3ds/pi_none", "/receipts/ch_none"):
        assert person.browser.get(person.base + path, timeout=30).status_code == 404


def test_pages_have_the_address_under_which_browsers_reach_them(tmp_path: Path) -> None:
    with running(tmp_path / "folder", "--stripe-public", "http://pay.example/") as standin:
        session = to_pay(standin.client(), fresh_invoice())
        assert session.url == f"http://pay.example/c/pay/{session.id}"
