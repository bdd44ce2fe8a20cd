"""Every kind of object the stand-in sends has the fields and types of the API version the installed SDK is made for."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
import stripe
from stripe import _api_version

from standins.providers.stripe_desk import API_VERSION
from standins.providers.stripe_params import KNOWN
from tests.standins.stripe_process import BACK, Standin, charge, running, saved
from tests.standins.stripe_types import OBJECTS, complaints, fields_of

SEPA: Any = {
    "type": "sepa_debit",
    "sepa_debit": {"iban": "DE89370400440532013000"},
    "billing_details": {"name": "Ada", "email": "ada@example.com"},
}
ONLINE = {"customer_acceptance": {"type": "online", "online": {"ip_address": "192.0.2.1", "user_agent": "Browser"}}}


def lives(standin: Standin) -> None:
    """Have every kind of object made, in every state that changes its fields."""
    client = standin.client()
    customer, method = saved(client)
    client.v1.customers.update(
        customer,
        {
            "name": "Ada",
            "address": {"city": "Bonn", "country": "DE"},
            "shipping": {"name": "Ada", "address": {"line1": "Weg 1"}},
            "invoice_settings": {"default_payment_method": method},
        },
    )
    paid = charge(client, customer, method, description="Invoice 1", receipt_email="ada@example.com")
    client.v1.refunds.create({"payment_intent": paid.id, "amount": 100, "reason": "requested_by_customer"})
    for failing in ("pm_card_refundFail", "pm_card_pendingRefund"):
        other, card = saved(client, failing)
        refund = client.v1.refunds.create({"payment_intent": charge(client, other, card).id})
        if failing == "pm_card_refundFail":
            standin.control("stripe/refunds/settle", {"refund": refund.id})
    for word in ("insufficient_funds", "stolen_card", "expired_card", "authentication_required"):
        standin.script(method, word)
        with pytest.raises(stripe.CardError):
            charge(client, customer, method)
    standin.script(method)
    for won in (True, False):
        disputed = charge(client, customer, method)
        dispute = standin.control("stripe/disputes", {"payment_intent": disputed.id})
        client.v1.disputes.update(dispute["id"], {"evidence": {"customer_name": "Ada"}, "submit": False})
        standin.control("stripe/disputes/close", {"dispute": dispute["id"], "won": won})
    client.v1.payment_intents.create({"amount": 500, "currency": "eur", "customer": customer})
    standin.script(method, "authentication_required", "authentication_required")
    waiting = charge(client, customer, method, off_session=False, return_url=BACK)
    standin.control("stripe/authentication", {"intent": waiting.id, "succeeds": False})
    waiting = charge(client, customer, method, off_session=False)
    client.v1.payment_intents.cancel(waiting.id, {"cancellation_reason": "abandoned"})
    debit = client.v1.payment_methods.create(SEPA)
    setup = client.v1.setup_intents.create(
        {
            "customer": customer,
            "payment_method": debit.id,
            "confirm": True,
            "allowed_payment_method_types": ["sepa_debit"],
            "mandate_data": ONLINE,
        }
    )
    assert setup.status == "succeeded"
    for fails in ("", "insufficient_funds"):
        debited = charge(client, customer, debit.id)
        standin.control("stripe/sepa", {"payment_intent": debited.id, "fails": fails})
        if not fails:
            standin.control("stripe/returns", {"payment_intent": debited.id})
    charge(client, customer, debit.id)
    client.v1.setup_intents.create({"customer": customer, "description": "later"})
    with pytest.raises(stripe.CardError):
        client.v1.setup_intents.create(
            {"payment_method": "pm_card_chargeDeclined", "confirm": True, "return_url": BACK}
        )
    secure: Any = {"payment_method": "pm_card_authenticationRequired", "confirm": True, "return_url": BACK}
    client.v1.setup_intents.create(secure)
    line = {"price_data": {"currency": "eur", "unit_amount": 900, "product_data": {"name": "Plan"}}, "quantity": 1}
    pay: Any = {"mode": "payment", "success_url": BACK, "line_items": [line], "customer_creation": "always"}
    session = client.v1.checkout.sessions.create(pay)
    assert session.url
    form = {"number": "4242424242424242", "expiry": "12/40", "name": "Ada", "email": "a@example.com"}
    requests.post(session.url, data=form, allow_redirects=False, timeout=10)
    client.v1.checkout.sessions.expire(client.v1.checkout.sessions.create(pay | {"customer": customer}).id)
    client.v1.checkout.sessions.create({"mode": "setup", "success_url": BACK, "customer": customer})
    client.v1.webhook_endpoints.create(
        {"url": "http://127.0.0.1:9/hook", "enabled_events": ["*"], "description": "shop"}
    )
    client.v1.payment_methods.detach(method)


@pytest.fixture(scope="module")
def objects(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, list[dict[str, Any]]]]:
    """Everything the stand-in answers after these lives, by kind, as plain JSON."""
    with running(tmp_path_factory.mktemp("stripe")) as standin:
        standin.control("deliveries", {"mode": "held"})
        lives(standin)

        def ask(path: str) -> Any:
            answer = requests.get(standin.url + path, headers={"Authorization": "Bearer sk_test_shop"}, timeout=10)
            assert answer.status_code == 200, answer.text
            return answer.json()

        found: dict[str, list[dict[str, Any]]] = {kind: [] for kind in OBJECTS}
        for path in (
            "customers",
            "payment_intents",
            "setup_intents",
            "charges",
            "refunds",
            "disputes",
            "balance_transactions",
            "checkout/sessions",
            "events",
            "webhook_endpoints",
        ):
            for body in ask(f"/v1/{path}?limit=100")["data"]:
                found[body["object"]].append(body)
        for body in found["charge"]:
            found["payment_method"].append(ask(f"/v1/payment_methods/{body['payment_method']}"))
        for body in found["setup_intent"]:
            if body["mandate"]:
                found["mandate"].append(ask(f"/v1/mandates/{body['mandate']}"))
        for body in found["checkout.session"]:
            found["item"] += ask(f"/v1/checkout/sessions/{body['id']}/line_items")["data"]
        found["balance"].append(ask("/v1/balance"))
        found["account"].append(ask("/v1/account"))
        yield found


@pytest.mark.parametrize("kind", OBJECTS)
def test_an_object_is_as_the_sdk_states_it(objects: dict[str, list[dict[str, Any]]], kind: str) -> None:
    assert objects[kind]
    assert sorted({wrong for body in objects[kind] for wrong in complaints(body)}) == []


def test_what_an_event_is_about_is_as_the_sdk_states_it(objects: dict[str, list[dict[str, Any]]]) -> None:
    bodies = [event["data"]["object"] for event in objects["event"]]
    assert len({event["type"] for event in objects["event"]}) >= 25
    assert sorted({wrong for body in bodies for wrong in complaints(body)}) == []


def test_the_comparison_sees_what_is_wrong(objects: dict[str, list[dict[str, Any]]]) -> None:
    body = dict(objects["refund"][0])
    body.update(amount="12", colour="red", reason="because")
    del body["currency"]
    body["destination_details"] = {"type": "card", "card": {"type": "refund", "sort": 1, "reference": 2}}
    assert complaints(body) == [
        "refund.colour: unknown",
        "refund.amount: '12' is not int",
        "refund.currency: missing",
        "refund.destination_details.card.sort: unknown",
        "refund.destination_details.card.reference: 2 is not str",
        "refund.reason: 'because' is not one of its words",
    ]


PUBLISHED = {  # the fields of the vendor's own example objects (version 2022-11-15), without ids and constants
    "balance_transaction": (
        "amount available_on created currency description exchange_rate fee fee_details net "
        "reporting_category source status type"
    ),
    "charge": (
        "amount amount_captured amount_refunded application application_fee application_fee_amount "
        "balance_transaction billing_details calculated_statement_descriptor captured created currency "
        "customer description disputed failure_balance_transaction failure_code failure_message fraud_details "
        "invoice metadata on_behalf_of outcome paid payment_intent payment_method payment_method_details "
        "receipt_email receipt_number receipt_url refunded review shipping source_transfer "
        "statement_descriptor statement_descriptor_suffix status transfer_data transfer_group"
    ),
    "checkout.session": (
        "after_expiration allow_promotion_codes amount_subtotal amount_total automatic_tax "
        "billing_address_collection cancel_url client_reference_id consent consent_collection created "
        "currency custom_fields custom_text customer customer_creation customer_details customer_email "
        "expires_at invoice invoice_creation locale metadata mode payment_intent payment_link "
        "payment_method_collection payment_method_options payment_method_types payment_status "
        "phone_number_collection recovered_from setup_intent shipping_address_collection shipping_cost "
        "shipping_details shipping_options status submit_type subscription success_url total_details url"
    ),
    "customer": (
        "address balance created currency default_source delinquent description discount email invoice_prefix "
        "invoice_settings metadata name next_invoice_sequence phone preferred_locales shipping tax_exempt "
        "test_clock"
    ),
    "dispute": (
        "amount balance_transactions charge created currency evidence evidence_details is_charge_refundable "
        "metadata payment_intent reason status"
    ),
    "event": "api_version created data pending_webhooks request type",
    "item": "amount_discount amount_subtotal amount_tax amount_total currency description price quantity",
    "mandate": "customer_acceptance multi_use payment_method payment_method_details status type",
    "payment_intent": (
        "amount amount_capturable amount_details amount_received application application_fee_amount "
        "automatic_payment_methods canceled_at cancellation_reason capture_method client_secret "
        "confirmation_method created currency customer description invoice last_payment_error latest_charge "
        "metadata next_action on_behalf_of payment_method payment_method_options payment_method_types "
        "processing receipt_email review setup_future_usage shipping source statement_descriptor "
        "statement_descriptor_suffix status transfer_data transfer_group"
    ),
    "payment_method": "billing_details created customer metadata type",
    "refund": (
        "amount balance_transaction charge created currency metadata payment_intent reason receipt_number "
        "source_transfer_reversal status transfer_reversal"
    ),
    "setup_intent": (
        "application automatic_payment_methods cancellation_reason client_secret created customer description "
        "flow_directions last_setup_error latest_attempt mandate metadata next_action on_behalf_of "
        "payment_method payment_method_options payment_method_types single_use_mandate status usage"
    ),
}


@pytest.mark.parametrize("kind", PUBLISHED)
def test_an_object_has_the_fields_of_the_published_example(objects: dict[str, list[dict[str, Any]]], kind: str) -> None:
    gone = {"invoice", "shipping_details"} - set(fields_of(OBJECTS[kind]))  # the later version has them no more
    wanted = set(PUBLISHED[kind].split()) - gone
    assert [wanted - set(body) for body in objects[kind]] == [set()] * len(objects[kind])


def test_the_version_is_the_sdks() -> None:
    assert API_VERSION == _api_version._ApiVersion.CURRENT


@pytest.mark.parametrize("operation", sorted(KNOWN))
def test_the_parameters_taken_are_those_the_sdk_offers(operation: str) -> None:
    *folder, noun, verb = operation.split(".")
    name = f"_{noun.removesuffix('s')}_{verb}_params.py"
    path = Path(stripe.__file__).parent.joinpath("params", *folder, name)
    cls = next(node for node in ast.parse(path.read_text()).body if isinstance(node, ast.ClassDef))
    offered = {
        node.target.id for node in cls.body if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
    }
    assert KNOWN[operation] <= offered
    if operation != "payment_methods.create":  # dozens of ways to pay are left out there
        assert offered == KNOWN[operation]
