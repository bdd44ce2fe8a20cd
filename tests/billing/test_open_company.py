"""The command that opens a company."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from core.models import Company, Membership

WORDS = (
    "open_company --slug telco --name Telco --country US --currency USD --books-start-on 2020-11-01".split()  # noqa: SIM905
)


def test_a_test_company_is_opened_with_its_clock_and_owner(db):
    call_command(*WORDS, "--test", "--clock", "2026-11-01", "--owner", "boss@example.com")
    company = Company.objects.get()
    assert (company.slug, company.is_live, company.legal_name) == ("telco", False, "Telco")
    assert company.clock_at == datetime(2026, 11, 1, 12, tzinfo=UTC)
    assert Membership.objects.get(company=company).user.email == "boss@example.com"


def test_a_live_company_has_no_clock_of_its_own(db):
    with pytest.raises(CommandError, match="clock"):
        call_command(*WORDS, "--clock", "2026-11-01")
    assert not Company.objects.exists()


def test_an_address_name_is_given_once(db):
    call_command(*WORDS)
    with pytest.raises(CommandError, match="slug"):
        call_command(*WORDS)
