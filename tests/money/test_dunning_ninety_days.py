"""Ninety days of every policy a company begins with, for every way of paying: exactly these mails, tries and states.

What is expected stands in `files/ninety_days.txt`, with why. `TURNUS_DUNNING_LIVES=40` lives all of it, and tries so
many days of payment; without it every policy and every way has its turn, but not each with each.
"""

from __future__ import annotations

import os

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from tests.factories import BY, a_company, at_noon
from tests.money.dunning import days, pay
from tests.money.ninety import LAST, Debtor, lives
from tests.money.providers import a_card

pytestmark = pytest.mark.django_db

EXPECTED = lives()
LIVES = int(os.environ.get("TURNUS_DUNNING_LIVES", "0"))
#: Lived always: all of the standard policy, and the other policies where nothing and where a card is tried.
ALWAYS = [name for name in EXPECTED if name.startswith("standard") or "nothing" in name or "card refused" in name]
#: What may not be seen any more once it is paid.
ASKS = ("mail", "attempt", "step retry", "step mail", "step claim", "step suspend", "step cancel", "step write_off",
        "step hand_over", "step alert", "claim")  # fmt: skip


def a_debtor(name, providers):
    group, way, *kind = name.split(" / ")
    company = a_company(payment_terms_days=0)
    return Debtor(company, way, group=group, kind=kind[0] if kind else "person", providers=providers)


def day_of(line):
    return int(line.partition(" ")[0])


def so_far(lines, day):
    """The lines up to a day; how an attempt ended may be known later, so only that it was made."""
    return [
        line.partition(" attempt ")[0] + " attempt" if " attempt " in line else line
        for line in lines if day_of(line) <= day
    ]  # fmt: skip


def test_every_policy_and_way_is_written_down():
    from billing.services import dunning_policies

    assert {name.partition(" / ")[0] for name in EXPECTED} == {
        dunning_policies.GROUPS.get(name, "standard") for name in dunning_policies.DEFAULTS
    }
    assert len(EXPECTED) == 19


@pytest.mark.parametrize("name", EXPECTED if LIVES else ALWAYS)
def test_ninety_days_without_payment(name, providers):
    debtor = a_debtor(name, providers)
    debtor.live(LAST)
    assert debtor.told() == EXPECTED[name]


class PaidSomeDay(TestCase):
    @pytest.fixture(autouse=True)
    def _with_providers(self, providers):
        self.providers = providers

    @settings(max_examples=LIVES or 4, deadline=None, suppress_health_check=list(HealthCheck), phases=[Phase.generate])
    @given(st.sampled_from(sorted(EXPECTED)), st.integers(0, LAST - 1), st.booleans())
    def test_until_the_payment_all_is_as_without_it_and_after_it_nothing_goes_out(self, name, day, by_card):
        from billing.models import InvoiceBalance

        self.providers.faults()
        debtor = a_debtor(name, self.providers)
        debtor.live(day)
        assert so_far(debtor.told(), day) == so_far(EXPECTED[name], day)
        balance = InvoiceBalance.objects.get(invoice=debtor.invoice)
        if not balance.open_minor:
            return  # a debit that was credited, before it is taken back
        self.pay(debtor, day, by_card)
        seen = debtor.told()
        debtor.live(LAST)
        later = [line for line in debtor.told() if line not in seen and day_of(line) > day]
        assert [line for line in later if line.partition(" ")[2].startswith(ASKS)] == []
        balance.refresh_from_db()
        assert (balance.status, balance.open_minor) == ("paid", 0)
        assert debtor.states["case"] in ("", "paid")

    def pay(self, debtor, day, by_card):
        from billing.models import Gateway
        from billing.services import collecting

        if by_card and debtor.way.startswith("card"):
            self.providers.faults()
            gateway = Gateway.objects.get(company=debtor.company)
            card = a_card(debtor.customer, gateway)
            made = collecting.pay_now(
                invoice=debtor.invoice, gateway=gateway, method=card, by=BY, at=at_noon(days(day))
            )
            assert made.state == "settled"
        else:
            pay(debtor.invoice, days(day))
