"""Refunds and disputes at Stripe's stand-in: how much may go back, what is booked, what the balance says."""

from __future__ import annotations

from typing import Any

import pytest
import stripe

from tests.standins.stripe_process import Standin, charge, fresh_invoice, saved

CHARGED = ("charge", 1999)


def paid(client: stripe.StripeClient, card: str = "pm_card_visa") -> tuple[str, stripe.PaymentIntent]:
    """A paid invoice: its reference and its payment."""
    invoice = fresh_invoice()
    return invoice, charge(client, *saved(client, card), invoice)


def test_parts_are_refunded_until_nothing_is_left(shop: Standin, client: stripe.StripeClient) -> None:
    invoice, intent = paid(client)
    first = client.v1.refunds.create({"payment_intent": intent.id, "amount": 500, "metadata": {"credit": "cn_1"}})
    assert (first.status, first.amount, first.charge, first.payment_intent) == (
        "succeeded",
        500,
        intent.latest_charge,
        intent.id,
    )
    with pytest.raises(stripe.InvalidRequestError) as caught:
        client.v1.refunds.create({"payment_intent": intent.id, "amount": 1500})
    assert (caught.value.http_status, caught.value.param) == (400, "amount")
    client.v1.refunds.create({"charge": str(intent.latest_charge)})
    with pytest.raises(stripe.InvalidRequestError) as caught:
        client.v1.refunds.create({"payment_intent": intent.id})
    assert caught.value.code == "charge_already_refunded"
    assert shop.moved(invoice=invoice) == [CHARGED, ("refund", -500), ("refund", -1499)]
    after = client.v1.charges.retrieve(str(intent.latest_charge))
    assert (after.amount_refunded, after.refunded) == (1999, True)
    listed = client.v1.refunds.list({"payment_intent": intent.id})
    assert [refund.amount for refund in listed.data] == [1499, 500]
    assert shop.events(after.id) == ["charge.succeeded", "charge.refunded", "charge.refunded"]
    assert shop.events(first.id) == ["refund.created"]


def test_a_refund_is_made_once_under_its_key(shop: Standin, client: stripe.StripeClient) -> None:
    invoice, intent = paid(client)
    given: Any = {"payment_intent": intent.id, "amount": 300}
    ids = {client.v1.refunds.create(given, {"idempotency_key": f"refund-{invoice}"}).id for _ in range(3)}
    assert len(ids) == 1
    assert shop.moved(invoice=invoice) == [CHARGED, ("refund", -300)]


def test_what_was_not_paid_is_not_refunded(client: stripe.StripeClient) -> None:
    waiting = client.v1.payment_intents.create({"amount": 500, "currency": "eur"})
    for given in ({"payment_intent": waiting.id}, {"payment_intent": "pi_none"}, {"charge": "ch_none"}, {}):
        with pytest.raises(stripe.InvalidRequestError) as caught:
            client.v1.refunds.create(given)
        assert caught.value.http_status == 400


def test_a_refund_to_that_card_fails_later(shop: Standin, client: stripe.StripeClient) -> None:
    invoice, intent = paid(client, "pm_card_refundFail")
    refund = client.v1.refunds.create({"payment_intent": intent.id, "amount": 700})
    assert refund.status == "succeeded"
    shop.control("stripe/refunds/settle", {"all": True})
    failed = client.v1.refunds.retrieve(refund.id)
    assert (failed.status, failed.failure_reason) == ("failed", "expired_or_canceled_card")
    assert shop.moved(invoice=invoice) == [CHARGED, ("refund", -700), ("refund_failed", 700)]
    assert client.v1.charges.retrieve(str(intent.latest_charge)).amount_refunded == 0
    assert shop.events(refund.id) == ["refund.created", "refund.updated", "charge.refund.updated", "refund.failed"]
    again = client.v1.refunds.create({"payment_intent": intent.id})
    assert again.amount == 1999


@pytest.mark.parametrize(("fails", "status"), [(False, "succeeded"), (True, "failed")])
def test_a_pending_refund_ends_one_way_or_the_other(
    shop: Standin, client: stripe.StripeClient, fails: bool, status: str
) -> None:
    _, intent = paid(client, "pm_card_pendingRefund")
    refund = client.v1.refunds.create({"payment_intent": intent.id})
    assert (refund.status, refund.pending_reason) == ("pending", "processing")
    shop.control("stripe/refunds/settle", {"refund": refund.id, "fails": fails})
    assert client.v1.refunds.retrieve(refund.id).status == status


def test_a_dispute_takes_the_money_and_a_fee(shop: Standin, client: stripe.StripeClient) -> None:
    invoice, intent = paid(client)
    made = shop.control("stripe/disputes", {"payment_intent": intent.id, "reason": "fraudulent"})
    dispute = client.v1.disputes.retrieve(made["id"])
    assert (dispute.status, dispute.reason, dispute.amount) == ("needs_response", "fraudulent", 1999)
    (movement,) = dispute.balance_transactions
    assert (movement.amount, movement.fee, movement.net) == (-1999, 2000, -3999)
    assert shop.moved(invoice=invoice) == [CHARGED, ("dispute", -1999)]
    assert [row["fee"] for row in shop.ledger(invoice=invoice)] == [90, 2000]
    with pytest.raises(stripe.InvalidRequestError) as caught:
        client.v1.refunds.create({"payment_intent": intent.id})
    assert caught.value.code == "charge_disputed"
    listed = client.v1.disputes.list({"payment_intent": intent.id})
    assert [row.id for row in listed.data] == [dispute.id]
    shop.control("stripe/disputes", {"payment_intent": intent.id}, status=400)


def test_evidence_decides_a_dispute(shop: Standin, client: stripe.StripeClient) -> None:
    for text, status, kinds in (
        ("winning_evidence", "won", ["charge", "dispute", "dispute_won"]),
        ("losing_evidence", "lost", ["charge", "dispute"]),
    ):
        invoice, intent = paid(client, "pm_card_createDispute")
        (dispute,) = client.v1.disputes.list({"payment_intent": intent.id}).data
        staged = client.v1.disputes.update(dispute.id, {"evidence": {"customer_name": "Ada"}, "submit": False})
        assert (staged.status, staged.evidence_details.submission_count) == ("needs_response", 0)
        sent = client.v1.disputes.update(dispute.id, {"evidence": {"uncategorized_text": text}})
        assert (sent.status, sent.evidence_details.submission_count) == (status, 1)
        assert [kind for kind, _ in shop.moved(invoice=invoice)] == kinds
        assert shop.events(dispute.id)[-1] == "charge.dispute.closed"


def test_a_dispute_given_up_is_lost(shop: Standin, client: stripe.StripeClient) -> None:
    _, intent = paid(client, "pm_card_createDispute")
    (dispute,) = client.v1.disputes.list({"payment_intent": intent.id}).data
    assert client.v1.disputes.close(dispute.id).status == "lost"
    with pytest.raises(stripe.InvalidRequestError):
        client.v1.disputes.close(dispute.id)


def test_a_dispute_after_a_refund_in_part_takes_the_rest(shop: Standin, client: stripe.StripeClient) -> None:
    invoice, intent = paid(client)
    client.v1.refunds.create({"payment_intent": intent.id, "amount": 999})
    shop.control("stripe/disputes", {"payment_intent": intent.id})
    assert shop.moved(invoice=invoice) == [CHARGED, ("refund", -999), ("dispute", -1000)]


def test_a_bank_may_dispute_all_of_what_was_refunded(shop: Standin, client: stripe.StripeClient) -> None:
    invoice, intent = paid(client)
    client.v1.refunds.create({"payment_intent": intent.id})
    shop.control("stripe/disputes", {"payment_intent": intent.id, "amount": 1999})
    assert sum(amount for _, amount in shop.moved(invoice=invoice)) == -1999


def test_the_balance_is_the_sum_of_what_moved(shop: Standin, client: stripe.StripeClient) -> None:
    _, intent = paid(client)
    client.v1.refunds.create({"payment_intent": intent.id, "amount": 100})
    net = sum(row["amount"] - row["fee"] for row in shop.ledger(currency="eur"))
    shown = client.v1.balance.retrieve()
    amounts = [part.amount for part in (*shown.available, *shown.pending) if part.currency == "eur"]
    assert sum(amounts) == net
    charged = str(intent.latest_charge)
    (movement,) = client.v1.balance_transactions.list({"source": charged}).data
    assert (movement.type, movement.status, movement.net) == ("charge", "pending", 1909)
    assert [(part.type, part.amount) for part in movement.fee_details] == [("stripe_fee", 90)]
    shop.control("clock", {"advance": 3 * 86_400})
    assert client.v1.balance_transactions.retrieve(movement.id).status == "available"


def test_the_fee_may_be_known_only_later(shop: Standin, client: stripe.StripeClient) -> None:
    shop.control("stripe/late_balance", {"on": True})
    invoice, intent = paid(client)
    charged = str(intent.latest_charge)
    assert client.v1.charges.retrieve(charged).balance_transaction is None
    assert shop.moved(invoice=invoice) == [CHARGED]
    assert shop.control("stripe/late_balance/tell", {}) == {"charges": [charged]}
    told: Any = client.v1.charges.retrieve(charged, {"expand": ["balance_transaction"]})
    assert told.balance_transaction.fee == 90
    assert shop.events(charged) == ["charge.succeeded", "charge.updated"]
    shop.control("stripe/late_balance", {"on": False})


def test_what_is_taken_in_one_currency_is_kept_in_another(shop: Standin, client: stripe.StripeClient) -> None:
    shop.control("stripe/exchange", {"from": "usd", "currency": "eur", "rate": "0.9"})
    try:
        intent = charge(client, *saved(client), currency="usd", amount=10_000)
        taken = client.v1.balance_transactions.list({"source": str(intent.latest_charge)}).data[0]
        # 3.25 % + 0.25 of 100.00 USD is 3.50 USD.
        assert (intent.currency, intent.amount_received) == ("usd", 10_000)
        assert (taken.currency, taken.exchange_rate) == ("eur", 0.9)
        assert (taken.amount, taken.fee, taken.net) == (9000, 315, 8685)
        assert [detail.amount for detail in taken.fee_details] == [315]
        back = client.v1.refunds.create({"payment_intent": intent.id, "amount": 1000})
        given = client.v1.balance_transactions.retrieve(str(back.balance_transaction))
        assert (given.currency, given.amount, given.net) == ("eur", -900, -900)
    finally:
        shop.control("stripe/exchange", {"from": "usd"})
    later = charge(client, *saved(client), currency="usd", amount=10_000)
    kept = client.v1.balance_transactions.list({"source": str(later.latest_charge)}).data[0]
    assert (kept.currency, kept.amount) == ("usd", 10_000)
