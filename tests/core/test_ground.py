"""Numbers, ids, refusals and rights: what every room stands on."""

from __future__ import annotations

import doctest
import uuid
from datetime import date
from typing import Any

import pytest
from django.db import DatabaseError, transaction
from hypothesis import given
from hypothesis import strategies as st

from core import ids, refusal, rights
from core.models import AuditEntry, Company, Membership, Role, User
from core.services import numbering


@pytest.fixture
def company(db: None) -> Company:
    return Company.objects.create(name="A", slug="a", legal_name="A", country="DE", books_start_on=date(2026, 1, 1))


def test_the_examples_in_ids_hold() -> None:
    assert doctest.testmod(ids).failed == 0


@given(st.integers(min_value=0, max_value=(1 << 128) - 1))
def test_an_outside_id_leads_back_to_its_row(number: int) -> None:
    value = uuid.UUID(int=number)
    assert ids.decode("sub", ids.encode("sub", value)) == value


@pytest.mark.parametrize("text", ["", "sub", "sub_", "inv_01h455vb4pex5vsknk084sn02q", "sub_01H455VB4PEX5VSKNK084SN02Q",
                                  "sub_01h455vb4pex5vsknk084sn02u", "sub_zzzzzzzzzzzzzzzzzzzzzzzzzz"])  # fmt: skip
def test_what_is_no_id_of_this_kind_is_refused(text: str) -> None:
    with pytest.raises(ids.BadId):
        ids.decode("sub", text)


def test_numbers_go_on_without_gap_and_dates_never_go_back(company: Company) -> None:
    with transaction.atomic():
        assert numbering.take(company=company, series="invoice", count=3, on=date(2026, 5, 2)) == (1, date(2026, 5, 2))
        assert numbering.take(company=company, series="invoice", count=1, on=date(2026, 5, 1)) == (4, date(2026, 5, 2))
        assert numbering.take(company=company, series="invoice", count=1, on=date(2027, 1, 1)) == (1, date(2027, 1, 1))


def test_a_number_taken_in_a_transaction_that_fails_is_given_again(company: Company) -> None:
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        numbering.take(company=company, series="invoice", count=5, on=date(2026, 5, 2))
        raise ZeroDivisionError
    assert numbering.take(company=company, series="invoice", count=1, on=date(2026, 5, 2)) == (1, date(2026, 5, 2))


def test_documents_of_a_test_company_are_marked(company: Company) -> None:
    assert numbering.printed(company=company, series="invoice", year=2026, sequence=7) == "INV-2026-000007"
    company.is_live = False
    assert numbering.printed(company=company, series="credit_note", year=2026, sequence=7) == "TEST-CN-2026-000007"


def test_a_refusal_without_words_cannot_be_raised() -> None:
    with pytest.raises(LookupError):
        refusal.Refused("no.such.code")


def test_every_refusal_has_words_with_named_placeholders_only() -> None:
    class AnyName(dict[str, int]):
        def __missing__(self, name: str) -> int:
            return 2

    for code in refusal.codes():
        words: Any = refusal._words[code]
        # A plural knows its form only once it is filled; a placeholder without a name would end up in the text.
        text = words % AnyName(count=2, seconds=2)
        assert text, code
        assert "{'count'" not in text, code


def test_rights_come_from_the_role_in_that_company_alone(company: Company) -> None:
    other = Company.objects.create(name="B", slug="b", legal_name="B", country="DE", books_start_on=date(2026, 1, 1))
    user = User.objects.create_user("a@example.com")
    role = Role.objects.create(company=company, name="Sales", rights=sorted(rights.ROLES["sales"][1]))
    Membership.objects.create(company=company, user=user, role=role)
    assert "customer.write" in rights.rights_of(user, company)
    assert "invoice.issue" not in rights.rights_of(user, company)
    assert rights.rights_of(user, other) == frozenset()
    user.is_active = False
    assert rights.rights_of(user, company) == frozenset()


def test_a_role_of_another_company_cannot_be_granted(company: Company) -> None:
    other = Company.objects.create(name="B", slug="b", legal_name="B", country="DE", books_start_on=date(2026, 1, 1))
    role = Role.objects.create(company=other, name="Sales")
    with pytest.raises(DatabaseError, match="membership_role_same_company"), transaction.atomic():
        Membership.objects.create(company=company, user=User.objects.create_user("a@example.com"), role=role)


def test_an_audit_row_cannot_be_changed_or_deleted(company: Company) -> None:
    from core.actors import Actor
    from core.clock import now
    from core.services.trail import audit

    entry = audit(
        company_id=company.pk, at=now(company), by=Actor.system("test"), verb="x.y", subject_kind="x", subject_id=1
    )
    for attack in (lambda: AuditEntry.objects.filter(pk=entry.pk).update(verb="z"), entry.delete):
        with pytest.raises(DatabaseError, match="only ever appended"), transaction.atomic():
            attack()
