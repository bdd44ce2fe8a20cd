"""The demo's cards, wallets and debits through the stand-ins: a short story, and both sides count the same money."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from tests.money.providers import running

LAST = date(2026, 11, 20)


@pytest.fixture
def told(db, settings, tmp_path, monkeypatch):
    """Seventy days with this module's scenes alone; the company and the stand-ins."""
    from demo import history
    from demo.company import open_test_company

    with running(tmp_path) as providers:
        settings.GATEWAY_ADDRESSES = {"stripe": providers.stripe, "paypal": providers.paypal}
        first = LAST - timedelta(days=70)
        company = open_test_company(first, LAST, history.morning_of(first))
        script = history.Script(company, first, LAST)
        script.scenes = {
            day: [one for one in rows if one.__module__ == "demo.cashless"] for day, rows in script.scenes.items()
        }
        early = [day for day in script.joins if day <= LAST - timedelta(days=41)]
        script.leaves, script.joins = {}, {day: script.joins[day][:40] for day in early}
        script.act_on(first)
        monkeypatch.setattr(history, "Script", lambda *_: script)
        history.play(company, LAST, history.morning_of(LAST) + timedelta(hours=1), lambda company: None)
        yield company, providers


@pytest.mark.slow
def test_what_the_providers_took_is_what_was_booked(told):
    from billing.models import Attempt, DunningCase, Payment, PaymentMethod, Reversal
    from demo import cashless

    company, providers = told
    assert set(PaymentMethod.objects.values_list("kind", flat=True)) == {"card", "paypal", "debit"}
    taken = Payment.objects.filter(gateway__kind__in=("stripe", "paypal"))
    rows = providers.control("ledger?limit=10000")["rows"]
    assert len(rows) >= 10
    assert sorted((row["amount"]) for row in rows) == sorted(taken.values_list("amount_minor", flat=True))
    assert taken.values("attempt__invoice").distinct().count() == taken.count()
    declined = Attempt.objects.filter(customer__external_id="CAST-card-declined")
    assert {row.state for row in declined} == {"failed"}
    assert Reversal.objects.get().kind == "return"
    # The card is still asked for; the debit came back, was tried again by dunning and was paid.
    asked = DunningCase.objects.filter(customer__external_id__in=["CAST-card-declined", "CAST-debit-returned"])
    assert sorted(asked.values_list("customer__external_id", "state")) == [
        ("CAST-card-declined", "open"),
        ("CAST-debit-returned", "paid"),
    ]
    assert not Attempt.objects.filter(state="unknown").exists()

    cashless.listen(company)
    cashless.listen(company)
    found = providers.control("endpoints")["rows"]
    assert sorted(row["provider"] for row in found) == ["paypal", "stripe"]
    assert all(row["url"].startswith("http://localhost:8000/webhooks/gwy_") for row in found)


def test_without_stand_ins_nobody_pays_by_card(db, settings):
    from billing.models import Gateway
    from demo import cashless, history
    from demo.company import open_test_company
    from demo.scenes import Stage

    settings.GATEWAY_ADDRESSES = {"stripe": "", "paypal": ""}
    company = open_test_company(LAST, LAST, history.morning_of(LAST))
    cashless.customers_pay_by_themselves(Stage(company, LAST, history.morning_of(LAST)))
    assert not Gateway.objects.exists()
