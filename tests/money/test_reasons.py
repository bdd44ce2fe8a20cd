"""Reasons of refusals: staff read all of them, payers only what is theirs to know."""

from __future__ import annotations

import pytest

from billing.gateways import reasons


@pytest.mark.parametrize("code", ["holder_deceased", "fraud_suspected", "lost_or_stolen", "no such code"])
def test_a_payer_is_not_told_what_is_only_for_staff(code):
    assert reasons.told_to_payer(code) == reasons.words_of("do_not_honor")


@pytest.mark.parametrize("code", ["insufficient_funds", "expired_method", "authentication_required", "no_mandate"])
def test_a_payer_is_told_what_helps(code):
    assert reasons.told_to_payer(code) == reasons.words_of(code) != reasons.words_of("do_not_honor")


def test_every_code_of_a_returned_debit_has_words():
    assert set(reasons.SEPA_CODES.values()) <= set(reasons.REASONS)
